"""What the demo shows of streams whose model is overloaded in the middle: each from a real call."""

from __future__ import annotations

import io
import re
import time

import anyio
import pytest
from cli_lab import FALLBACK, OPUS, POLICY
from rich.console import Console

from failover import parse_policy
from failover.cli.demo.streams import OverloadedStreams, print_streams
from failover.telemetry.setup import Tracing

ID = r"req_[0-9a-f]{24}"
SDK_ALONE = rf"APIStatusError, status 200, {ID}"
TYPED = rf"OverloadedError, status 529, {ID}"
SAID = '"Once upon a time there was an "'
WHOLE = f'"Hello from {FALLBACK}.", whole, served by {FALLBACK}'


def part(screen):
    """What is printed of streams, without their trace; and the trace."""
    streams = screen.partition("A stream that is overloaded in the middle")[2]
    return re.split(r"\n\nThe last of these streams as a trace.*\n", streams, maxsplit=1)


def shown(screen):
    """For each moment, who asked and what came of it."""
    moments = re.split(r"\n(?=before|after)", part(screen)[0])[1:]
    return {
        heading.removesuffix(":"): dict(re.split(r" {2,}", line.strip()) for line in lines if line.startswith("  "))
        for heading, *lines in map(str.splitlines, moments)
    }


def played(policy, model=OPUS):
    streams = OverloadedStreams(parse_policy(f"version: 1\nname: mine\n{policy}"), model, Tracing("test"))
    anyio.run(streams.run)
    return streams


def printed(streams, columns=1000, **options):
    console = Console(file=io.StringIO(), width=columns, highlight=False, emoji=False, **options)
    print_streams(console, streams)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("moment", "client", "outcome"),
    [
        ("before its first content", "SDK alone", SDK_ALONE),
        ("before its first content", "with failover", re.escape(WHOLE)),
        ("after some words", "SDK alone", f"{SDK_ALONE}, without the text so far"),
        ("after some words", "on_interrupt: raise", f"{TYPED}, with the text so far: {SAID}"),
        (
            "after some words",
            "on_interrupt: continue",
            rf"{SAID} \[continue: {OPUS} -> {FALLBACK}\] {re.escape(WHOLE)}",
        ),
    ],
)
def test_each_client_shows_what_it_gave_its_program(plain_run, moment, client, outcome):
    assert re.fullmatch(outcome, shown(plain_run.stdout)[moment][client])


def test_the_last_stream_is_shown_as_a_trace(plain_run):
    _, tree = part(plain_run.stdout)
    lines = [
        r"trace [0-9a-f]{32}",
        rf"anthropic\.messages\.create .*request id {ID}",
        rf"failover small .*outcome fallback, served by {FALLBACK}",
        rf"try {OPUS} .*error\.type overloaded_error, .*verdict failure, stream end error, first content [\d.]+ s",
        rf"\* failover\.stream\.interrupted  model {OPUS}, then continue",
        rf"try {FALLBACK} .*verdict success, stream end complete, first content [\d.]+ s",
    ]
    assert len(tree.splitlines()) == len(lines)
    for line, pattern in zip(tree.splitlines(), lines, strict=True):
        assert re.search(pattern, line), line


def test_it_is_the_same_whatever_the_scenario(cli, plain_run, outage, moment):
    policy = outage[outage.index("--policy") :][:2]
    assert part(cli("demo", *moment, *policy).stdout)[0] == part(plain_run.stdout)[0]


@pytest.mark.parametrize(
    ("policy", "rows"),
    [
        ("stream: {on_interrupt: raise}", {"raise": TYPED, "continue": r'".*" \[continue: .*, whole'}),
        ("stream: {on_interrupt: restart}", {"restart": r'".*" \[restart: .*, whole', "continue": r".*\[continue: "}),
        ("stream: {on_interrupt: continue}", {"continue": r'".*" \[continue: .*, whole'}),
        ("errors: {overloaded_error: {do: raise}}", {"raise": TYPED, "continue": TYPED}),
        ("breaker: {trip: {consecutive_failures: 1}}", {"raise": TYPED, "continue": r".*, whole"}),
    ],
)
def test_a_policy_of_ones_own_decides(policy, rows):
    streams = played(policy)
    found = shown(printed(streams))["after some words"]
    assert list(found) == ["SDK alone", *(f"on_interrupt: {mode}" for mode in rows)]
    for mode, outcome in rows.items():
        assert re.match(outcome, found[f"on_interrupt: {mode}"])
    assert f"has on_interrupt: {next(iter(rows))}." in printed(streams)


def test_the_ladder_is_that_of_the_model_asked_for(cli, moment):
    found = shown(cli("demo", *moment, "--model", "claude-haiku-5-5").stdout)
    saved = '"Hello from claude-haiku-4-5.", whole, served by claude-haiku-4-5'
    assert found["before its first content"]["with failover"] == saved


def test_the_model_is_a_name_and_no_pattern():
    found = shown(printed(played("", model="claude-opus-*")))
    assert found["before its first content"]["with failover"].endswith(f"served by {OPUS}")


@pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
def test_a_ladder_without_another_model_says_so(mode):
    screen = printed(played(f"stream: {{on_interrupt: {mode}}}", model="some-model"))
    found = shown(screen)
    assert re.fullmatch(rf"{TYPED}, after \d tries", found["before its first content"]["with failover"])
    assert list(found["after some words"]) == ["SDK alone", f"on_interrupt: {mode}"]
    assert re.match(rf"{TYPED}, .*with the text so far: {SAID}", found["after some words"][f"on_interrupt: {mode}"])
    assert "\nPolicy mine has no other model for some-model that could take over.\n" in screen


def test_a_patient_policy_does_not_hold_up_the_demo():
    patience = "retry: {passes: 20, deadline: 2h, between_passes: {first: 5m, max: 5m, jitter: none}}"
    before = time.monotonic()
    streams = played(patience, model="some-model")
    (route,) = (seen.route for seen in streams.seen if seen.client == "with failover")
    assert route.waited > 1800
    assert time.monotonic() - before < 30


def test_a_stream_that_is_continued_is_recorded_with_the_policy_that_says_so():
    digests = {span.attributes.get("failover.policy.digest") for span in played(POLICY.partition("small")[2]).spans}
    said = f"version: 1\nname: mine\n{POLICY.partition('small')[2]}stream: {{on_interrupt: continue}}"
    assert digests - {None} == {parse_policy(said).digest}


@pytest.fixture(scope="module")
def default_streams():
    return played("")


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_it_fits_a_narrow_terminal(default_streams, columns):
    screen = printed(default_streams, columns)
    assert max(map(len, screen.splitlines())) <= columns
    words = re.sub(r"[\s│]+", "", screen)
    for word in ("OverloadedError,status529", "on_interrupt:", "firstcontent", f"servedby{FALLBACK}"):
        assert word in words


def test_colours_are_only_for_those_who_want_them(default_streams):
    plain = printed(default_streams)
    coloured = printed(default_streams, force_terminal=True, color_system="standard")
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert "\x1b[31mAPIStatusError" in coloured
    assert '\x1b[32m"Hello from ' in coloured
