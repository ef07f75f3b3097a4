"""What a log of the demo holds."""

from __future__ import annotations

import re

import pytest
from cli_lab import FALLBACK, OPUS

REQUEST_ID = r"req_[0-9a-f]{24}"


def row(text, label):
    """The two figures of a line of the comparison."""
    (line,) = (line for line in text.splitlines() if line.strip().startswith(label))
    return re.findall(r"[\d.]+", line.replace("95th", ""))


def position(text, pattern):
    found = re.search(pattern, text)
    assert found, pattern
    return found.start()


def test_it_ends_well_and_says_nothing_on_the_error_stream(plain_run):
    assert plain_run.returncode == 0
    assert plain_run.stderr == ""


def test_it_tells_the_outage_in_order(plain_run):
    moved = f"circuit {OPUS}: "
    story = [
        "every model answers",
        f"OUTAGE: {OPUS} fails \\(500 api_error 50%, 529 overloaded_error\\)",
        f"{moved}closed -> open for 4.0 s: consecutive_failures, 3 in a row, last \\w+ \\({REQUEST_ID}\\)",
        f"calls go straight to {FALLBACK} now; nothing is sent to {OPUS}",
        f"{moved}open -> half_open",
        f"probe: one request goes to {OPUS}",
        f"{moved}half_open -> open for 8.0 s: probe_failed",
        f"RECOVERY: {OPUS} answers again",
        f"probe: {OPUS} answered \\({REQUEST_ID}\\)",
        f"{moved}half_open -> closed: probe_succeeded",
        "with failover +SDK alone",
    ]
    positions = [position(plain_run.stdout, sentence) for sentence in story]
    assert positions == sorted(positions)
    assert f"call saved by {FALLBACK} (req_" in plain_run.stdout
    assert "SDK alone: call FAILED after " in plain_run.stdout


def test_every_line_of_the_story_has_its_scenario_time(plain_run):
    story = plain_run.stdout.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert len(story) >= 10
    assert all(re.match(r"00:[0-3]\d\.\d  \S", line) for line in story)


def test_the_counts_add_up(plain_run):
    calls, answered, failed = (row(plain_run.stdout, label) for label in ("calls ", "answered", "failed"))
    assert calls == ["60", "60"]
    assert [int(a) + int(f) for a, f in zip(answered, failed, strict=True)] == [60, 60]
    assert int(failed[0]) == 0
    assert int(failed[1]) > 0
    ours, theirs = map(int, row(plain_run.stdout, "requests sent"))
    dead_ours, dead_theirs = map(int, row(plain_run.stdout, "to the failing model in its outage"))
    assert ours == 60 + dead_ours
    assert 3 <= dead_ours < dead_theirs < theirs


def test_the_ids_of_the_failures_that_opened_the_circuit_are_listed(plain_run):
    listed = plain_run.stdout.partition("that opened the circuit, for support:\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) == 3
    assert all(re.fullmatch(rf"  {REQUEST_ID}  {OPUS}  5(00 api|29 overloaded)_error", line) for line in listed)
    opening = re.search(rf"closed -> open .*\(({REQUEST_ID})\)", plain_run.stdout)
    assert opening is not None
    assert opening.group(1) in listed[-1]


def test_one_saved_call_is_shown_as_a_trace(plain_run):
    tree = plain_run.stdout.partition("as a trace")[2]
    depths = {
        name: position(tree, re.escape(name)) - tree.rindex("\n", 0, position(tree, re.escape(name)))
        for name in ("anthropic.messages.create", "failover small", f"try {OPUS}", f"try {FALLBACK} ")
    }
    root, run_span, failed, saved = depths.values()
    assert root < run_span < failed == saved
    assert re.search(rf"try {OPUS}  .*status 5\d\d, error.type \w+_error, request id {REQUEST_ID}", tree)
    assert re.search(rf"try {FALLBACK}  .*status 200, request id {REQUEST_ID}, reason fallback", tree)
    assert "failover.breaker.transition" in tree
    assert "outcome fallback, served by claude-opus-5" in tree


def test_it_says_how_it_was_measured(plain_run):
    assert "10 to a real one" in plain_run.stdout
    assert "the SDK's own waits between its retries" in plain_run.stdout


def test_there_is_no_escape_code_in_it(plain_run):
    assert "\x1b" not in plain_run.stdout


def test_the_built_in_outage_keeps_its_promise(cli):
    ran = cli("demo", "--speed", "40", "--rate", "1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    calls, failed = row(ran.stdout, "calls "), row(ran.stdout, "failed")
    assert calls == ["240", "240"]
    assert failed[0] == "0"
    assert ran.stdout.count("half_open -> open") == 2
    assert ran.stdout.count("half_open -> closed") == 1


@pytest.mark.parametrize(
    ("breaker", "words"),
    [
        ("trip: {consecutive_failures: 1000, failure_rate: off}", "did not open"),
        ("open_for: {first: 5m, factor: 1, max: 5m}", "opened and did not close again"),
    ],
)
def test_a_promise_that_is_not_kept_is_exit_code_1(cli, tmp_path, breaker, words):
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: 1\nname: stubborn\nbreaker:\n  {breaker}\n")
    ran = cli("demo", "--policy", str(policy), "--speed", "100", "--rate", "0.5")
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"failover: the demo failed: the circuit of {OPUS} {words}")
    assert len(ran.stderr.splitlines()) == 1


def test_a_scenario_of_ones_own_promises_nothing(cli, moment):
    ran = cli("demo", *moment, "--model", "claude-haiku-5-5")
    assert ran.returncode == 0
    assert row(ran.stdout, "requests sent") == ["4", "4"]
    assert "outage" not in ran.stdout
    assert "No call needed another model" in ran.stdout


def test_a_scenario_without_an_end_is_refused(cli, tmp_path):
    scenario = tmp_path / "endless.yaml"
    scenario.write_text("name: endless\n")
    ran = cli("demo", "--scenario", str(scenario))
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"{scenario}: ")
    assert "`duration: 5m`" in ran.stderr


def test_the_same_seed_gives_the_same_ids(cli, tmp_path):
    scenario = tmp_path / "one-failure.yaml"
    scenario.write_text(f"name: one-failure\nduration: 2s\nfaults: [{{model: {OPUS}, status: 529, times: 1}}]\n")
    arguments = ("demo", "--scenario", str(scenario), "--rate", "0.5", "--seed")
    first, second, other = (re.findall("call saved .*", cli(*arguments, seed).stdout) for seed in ("11", "11", "12"))
    ids = [set(re.findall(REQUEST_ID, line)) for (line,) in (first, second, other)]
    assert len(ids[0]) == 2
    assert ids[0] == ids[1]
    assert not ids[0] & ids[2]
