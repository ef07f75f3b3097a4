"""The `incident` part of a policy: what it says by itself, what it refuses, and that it survives being written out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.errors import PolicyError
from failover.policy import Policy, default_policy, load_policy, parse_policy
from failover.policy.incident import IncidentProbe, IncidentRules, StatusPage

FOLDER = Path(__file__).parents[2] / "policies"
PAGE = "https://status.claude.com/api/v2/summary.json"


def read(text):
    return parse_policy(f"version: 1\nname: x\nincident: {text}\n").incident


def test_every_word_of_it_is_read():
    text = (
        "{after: 20m, of_at_least: 7, models: 3, calls: fail_fast, probe: {every: 1m, successes: 4, timeout: 5s}, "
        "status_page: {url: 'https://status.example.com/summary.json', every: 2m}}"
    )
    assert read(text) == IncidentRules(
        after=1200.0,
        of_at_least=7,
        models=3,
        calls="fail_fast",
        probe=IncidentProbe(every=60.0, successes=4, timeout=5.0),
        status_page=StatusPage(url="https://status.example.com/summary.json", every=120.0),
    )


def test_what_is_left_out_is_the_default():
    assert read("{}") == IncidentRules() == read("{status_page: off}")
    rules = read("{}")
    assert (rules.after, rules.of_at_least, rules.models, rules.calls) == (900, 5, 2, "wait")
    assert (rules.probe.every, rules.probe.successes, rules.probe.timeout) == (30, 2, 10)
    assert rules.status_page is None
    assert read("{status_page: {}}").status_page == StatusPage(url=PAGE, every=60.0)


@pytest.mark.parametrize("text", ["version: 1\nname: x\n", "version: 1\nname: x\nincident: off\n"])
def test_nothing_is_looked_for_unless_the_policy_says_so(text):
    assert parse_policy(text).incident is None
    assert default_policy().incident is None


@pytest.mark.parametrize(
    ("text", "after", "models"),
    [("{after: off}", None, 2), ("{models: off}", 900, None), ("{after: off, models: 4}", None, 4)],
)
def test_either_sign_can_be_off(text, after, models):
    rules = read(text)
    assert (rules.after, rules.models) == (after, models)


def test_a_probe_may_take_as_long_as_there_is_between_two():
    assert read("{probe: {every: 10s}}").probe == IncidentProbe(every=10.0, timeout=10.0)


MISTAKES = [
    (
        "5",
        "3:11: incident: must be a mapping of after, of_at_least, models, calls, probe and status_page, or `off`, not 5",
    ),
    ("true", "3:11: incident: must be a mapping"),
    ("on", "3:11: incident: must be a mapping"),
    ("[]", "3:11: incident: must be a mapping"),
    ("{afte: 1m}", "3:12: incident.afte: unknown key; did you mean `after`?"),
    ("{after: 1m, after: 2m}", "3:23: incident.after: this key stands twice"),
    ("{after: 0}", "3:19: incident.after: must be more than 0, or `off`, not 0"),
    ("{after: -1m}", "3:19: incident.after: must be more than 0, or `off`, not '-1m'"),
    (
        "{after: soon}",
        "3:19: incident.after: 'soon' is not a duration: write 500ms, 15s, 5m, 2h, or a number of seconds",
    ),
    ("{after: .inf}", "3:19: incident.after: .inf is not a number to count with"),
    ("{of_at_least: 0}", "3:25: incident.of_at_least: must be at least 1, not 0"),
    ("{of_at_least: off}", "3:25: incident.of_at_least: must be a whole number, not 'off'"),
    ("{of_at_least: 1.5}", "3:25: incident.of_at_least: must be a whole number, not 1.5"),
    ("{models: 1}", "3:20: incident.models: must be at least 2, or `off`, not 1"),
    ("{models: 0}", "3:20: incident.models: must be at least 2, or `off`, not 0"),
    ("{models: two}", "3:20: incident.models: must be a whole number, or `off`, not 'two'"),
    ("{models: [a, b]}", "3:20: incident.models: must be a whole number, or `off`, not a list"),
    (
        "{after: off, models: off}",
        "3:11: incident: both signs are off, so no incident could ever begin: set `after` or `models`",
    ),
    ("{after: off, of_at_least: 7}", "incident: with `after: off` no failures are counted: remove `of_at_least`"),
    ("{calls: fail}", "3:19: incident.calls: must be wait or fail_fast, not 'fail'; did you mean `fail_fast`?"),
    ("{calls: off}", "3:19: incident.calls: must be wait or fail_fast, not 'off'"),
    ("{probe: off}", "3:19: incident.probe: must be a mapping of every, successes and timeout, not 'off'"),
    ("{probe: {evry: 5s}}", "3:20: incident.probe.evry: unknown key; did you mean `every`?"),
    ("{probe: {every: 0}}", "3:27: incident.probe.every: must be more than 0, not 0"),
    ("{probe: {every: off}}", "3:27: incident.probe.every: 'off' is not a duration"),
    ("{probe: {successes: 0}}", "3:31: incident.probe.successes: must be at least 1, not 0"),
    ("{probe: {timeout: 0}}", "3:29: incident.probe.timeout: must be more than 0, not 0"),
    ("{probe: {timeout: off}}", "3:29: incident.probe.timeout: 'off' is not a duration"),
    (
        "{probe: {every: 10s, timeout: 11s}}",
        "3:41: incident.probe.timeout: `timeout` (11s) is longer than `every` (10s): shorten `timeout` or lengthen",
    ),
    ("{probe: {every: 5s}}", "3:19: incident.probe: `timeout` (10s) is longer than `every` (5s)"),
    ("{status_page: on}", "3:25: incident.status_page: must be a mapping of url and every, or `off`, not 'on'"),
    (f"{{status_page: '{PAGE}'}}", "3:25: incident.status_page: must be a mapping of url and every, or `off`"),
    ("{status_page: {uri: x}}", "3:26: incident.status_page.uri: unknown key; did you mean `url`?"),
    ("{status_page: {every: 5s}}", "3:33: incident.status_page.every: must be at least 10, not '5s'"),
    ("{status_page: {every: off}}", "3:33: incident.status_page.every: 'off' is not a duration"),
    ("{status_page: {url: 5}}", "3:31: incident.status_page.url: must be text, not 5: put it in quotes"),
    ("{status_page: {url: ''}}", "3:31: incident.status_page.url: '' is no address of a page"),
    *(
        (
            f"{{status_page: {{url: '{url}'}}}}",
            f"incident.status_page.url: '{url}' is no address of a page: write one that",
        )
        for url in (
            "status.claude.com",
            "ftp://x/y",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "//x/y",
            "http://[::1",
        )
    ),
    (f"{{status_page: {{url: 'https://x/{'y' * 500}'}}}}", "3:31: incident.status_page.url: "),
]


@pytest.mark.parametrize(("written", "says"), MISTAKES)
def test_a_mistake_is_pointed_at_and_explained(written, says):
    with pytest.raises(PolicyError) as refused:
        read(written)
    (problem,) = refused.value.problems
    assert says in problem


def test_all_mistakes_are_told_at_once():
    with pytest.raises(PolicyError) as refused:
        read(
            "{after: 0, of_at_least: 0, models: 1, calls: x, probe: {every: 0, successes: 0}, status_page: {every: 1s}}"
        )
    assert [problem.split(": ")[1] for problem in refused.value.problems] == [
        "incident.after",
        "incident.of_at_least",
        "incident.models",
        "incident.calls",
        "incident.probe.every",
        "incident.probe.successes",
        "incident.status_page.every",
    ]


class TestASignThatCanNeverBeSeen:
    """No call asks so many models on one client."""

    @pytest.mark.parametrize(
        ("ladders", "models"),
        [
            ("[{match: '*', rungs: []}]", 2),
            ("[{match: 'a-*', rungs: [b]}, {match: c, rungs: [d, e]}]", 4),
            ("[{match: '*', rungs: [{model: a, client: x}, {model: b, client: y}, {model: c, client: z}]}]", 2),
        ],
    )
    def test_is_refused(self, ladders, models):
        with pytest.raises(PolicyError) as refused:
            parse_policy(f"version: 1\nname: x\nladders: {ladders}\nincident: {{models: {models}}}\n")
        (problem,) = refused.value.problems
        assert "4:20: incident.models: " in problem

    @pytest.mark.parametrize(
        ("ladders", "models"),
        [
            ("[{match: 'a-*', rungs: [b]}, {match: c, rungs: [d, e]}]", 3),
            ("[{match: '*', rungs: [{model: a, client: x}, {model: b, client: x}]}]", 2),
            ("[{match: '*', rungs: []}]", "off"),
        ],
    )
    def test_is_not_if_it_can(self, ladders, models):
        assert parse_policy(f"version: 1\nname: x\nladders: {ladders}\nincident: {{models: {models}}}\n").incident


class TestTheExamples:
    def test_the_comment_of_the_default_policy_says_the_defaults_and_names_every_key(self):
        text = (FOLDER / "default.yaml").read_text()
        comment = re.search(r"^#   incident:\n((?:#     .*\n)+)", text, re.MULTILINE)
        said = "incident:\n" + re.sub(r"^#     ", "  ", comment[1], flags=re.MULTILINE)
        policy = parse_policy(f"version: 1\nname: x\n{said}")
        assert policy.incident == IncidentRules()
        assert policy.incident.model_fields_set == set(IncidentRules.model_fields)
        assert policy.incident.probe.model_fields_set == set(IncidentProbe.model_fields)
        assert re.search(r"status_page: off +# \{every: 60s\}", comment[1])
        assert re.search(r"^incident: off$", text, re.MULTILINE)

    def test_patient_batch_waits_for_the_end(self):
        policy = load_policy(FOLDER / "patient-batch.yaml")
        assert policy.incident.calls == "wait"
        assert policy.retry.deadline > 10 * policy.incident.probe.every


SECONDS = st.floats(0.001, 10_000)


@st.composite
def rules(draw):
    timeout, every = sorted((draw(SECONDS), draw(SECONDS)))
    signs = draw(st.sampled_from([(None, 2), (60.0, None), (900.0, 3), (0.5, 2)]))
    pages = st.builds(StatusPage, url=st.sampled_from([PAGE, "http://localhost:1/x?y=1"]), every=st.floats(10, 10_000))
    return IncidentRules(
        after=signs[0],
        models=signs[1],
        of_at_least=5 if signs[0] is None else draw(st.integers(1, 100)),
        calls=draw(st.sampled_from(["wait", "fail_fast"])),
        probe=IncidentProbe(every=every, timeout=timeout, successes=draw(st.integers(1, 10))),
        status_page=draw(st.none() | pages),
    )


@settings(deadline=None)
@given(rules(), st.sampled_from(["exclude_defaults", "exclude_unset"]))
def test_what_is_dumped_and_read_again_is_the_same(incident, how):
    policy = Policy(version=1, name="x", ladders=({"match": "*", "rungs": ("a", "b")},), incident=incident)
    dumped = json.dumps(policy.model_dump(mode="json", by_alias=True, **{how: True}))
    again = parse_policy(dumped)
    assert again == policy
    assert again.digest == policy.digest
    assert IncidentRules(**incident.model_dump(mode="json")) == incident


def test_another_rule_is_another_policy():
    texts = ["off", "{}", "{after: 20m}", "{calls: fail_fast}", "{probe: {successes: 3}}", "{status_page: {}}"]
    digests = {parse_policy(f"version: 1\nname: x\nincident: {text}\n").digest for text in texts}
    assert len(digests) == len(texts)
