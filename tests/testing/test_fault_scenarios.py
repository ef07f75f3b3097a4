"""What a scenario file may say, and one clear line for all that it may not."""

from __future__ import annotations

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import failover.testing.scenario
from failover.errors import FailoverError
from failover.testing import Fault, Rule, Scenario, ScenarioError, load_scenario, parse_scenario

OUTAGE = """
name: opus-outage
description: Opus is overloaded for half a minute, then slow.
seed: 7
duration: 1m
faults:
  - model: claude-opus-*
    from: 10s
    until: 40s
    probability: 80%
    times: 100
    stream: false
    status: 429
    error_type: rate_limit_error
    error_code: ramp_limit_exceeded
    message: Slow down.
    retry_after: 5
    headers: {x-should-retry: false, x-count: 3}
  - {model: claude-opus-*, path: "*", until: 40s, drop: true}
  - {model: claude-opus-*, from: 40s, first_token: 2s, token_every: 50ms}
"""


def test_a_scenario_says_what_it_means():
    scenario = parse_scenario(OUTAGE)
    assert (scenario.name, scenario.seed, scenario.duration, len(scenario.faults)) == ("opus-outage", 7, 60, 3)
    first, second, third = scenario.faults
    assert (first.model, first.from_, first.until, first.probability) == ("claude-opus-*", 10, 40, 0.8)
    assert (first.times, first.stream, first.status, first.retry_after) == (100, False, 429, 5)
    assert first.headers == {"x-should-retry": "false", "x-count": "3"}
    assert (second.path, second.from_, second.until, second.drop) == ("*", 0, 40, True)
    assert (third.until, third.first_token, third.token_every) == (None, 2, 0.05)


def test_the_example_that_the_module_gives_is_a_scenario():
    example = failover.testing.scenario.__doc__.split("YAML.\n")[1].split("What goes wrong")[0]
    assert len(parse_scenario(example).faults) == 3


def test_a_scenario_is_immutable():
    scenario = parse_scenario(OUTAGE)
    with pytest.raises(ValueError, match="frozen"):
        scenario.name = "other"


def test_nothing_is_needed_but_a_name():
    assert parse_scenario("name: well") == Scenario(name="well", seed=0, faults=())


def test_off_means_without():
    (rule,) = parse_scenario(
        "{name: x, duration: off, faults: [{drop: true, until: off, times: off, probability: off}]}"
    ).faults
    assert (rule.until, rule.times, rule.probability) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "s.yaml: empty, not a mapping: begin with `name:` and `faults:`"),
        ("- name: x", "s.yaml: a list, not a mapping: begin with `name:` and `faults:`"),
        ("name: [", "s.yaml: line 1, column 8: expected the node content, but found '<stream end>'"),
        ("name: x\nname: y", "s.yaml: line 2, column 1: `name` stands twice"),
        ("name: &a x\ndescription: *a", "s.yaml: line 2, column 14: aliases (`*name`) are not part of a scenario"),
        ("name: x\n<<: {seed: 1}", "s.yaml: line 2, column 1: merges (`<<`) are not part of a scenario"),
        ("[" * 5000, "s.yaml: nested too deeply"),
        ("#" * 1_000_001, "s.yaml: larger than 1,000,000 characters, so hardly a scenario"),
        ("name: 2001-99-99", "s.yaml: not YAML: month must be in 1..12"),
        ("seed: 1", "s.yaml: name: is missing"),
        ("{name: x, fault: []}", "s.yaml: fault: unknown key; did you mean `faults`?"),
        ("{name: x, seed: 1.5}", "s.yaml: seed: must be a valid integer"),
        ("{name: x, faults: 3}", "s.yaml: faults: must be a list"),
        ("{name: x, faults: [3]}", "s.yaml: faults[0]: must be a mapping"),
    ],
    ids=lambda text: text[:20],
)
def test_a_text_that_is_no_scenario_is_refused(text, line):
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    assert caught.value.problems == (line,)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{}", "faults[0]: nothing goes wrong: set one of status, hang, drop, cut, error_event, end_without_stop, malformed, stall, or delay, first_token, token_every"),
        ("{drop: false}", "faults[0]: nothing goes wrong: set one of status,"),
        ("{statu: 500}", "faults[0].statu: unknown key; did you mean `status`?"),
        ("{status: 200}", "faults[0].status: must be greater than or equal to 400"),
        ("{status: 600}", "faults[0].status: must be less than or equal to 599"),
        ("{status: 500, hang: 3s}", "faults[0]: `status` and `hang` cannot strike the same answer: write two rules"),
        ("{cut: true, stall: 3s}", "faults[0]: `cut` and `stall` cannot strike the same answer: write two rules"),
        ("{hang: 0}", "faults[0].hang: must be greater than 0"),
        ("{hang: soon}", "faults[0].hang: 'soon' is not a duration: write 500ms, 15s, 5m, 2h, or a number of seconds"),
        ("{malformed: xml}", "faults[0].malformed: must be 'html', 'json' or 'truncated'"),
        ("{drop: true, message: no}", "faults[0].message: must be a valid string"),
        ("{drop: true, message: gone}", "faults[0]: `message` goes with `status` or `error_event`: add it, or remove `message`"),
        ("{cut: true, retry_after: 3}", "faults[0]: `retry_after` goes with `status`: add it, or remove `retry_after`"),
        ("{status: 500, after_events: 2}", "faults[0]: `after_events` goes with `cut` or `error_event`"),
        ("{malformed: html, after_events: 2}", "faults[0]: `after_events` counts events, and `malformed: html` sends none: remove it"),
        ("{status: 500, first_token: 2s}", "faults[0]: `first_token` slows an answer, and `status` gives none: remove one"),
        ("{hang: 2s, delay: 2s}", "faults[0]: `delay` and `hang` are both waits before the first byte: keep one"),
        ("{cut: true, stream: false, after_events: 3}", "faults[0]: `after_events` is for streams, and `stream: false` leaves them out: remove one"),
        ("{error_event: api_error, stream: false}", "faults[0]: `error_event` is for streams"),
        ("{drop: true, from: 5s, until: 5s}", "faults[0]: `until` (5 s) is not after `from` (5 s): the rule never holds"),
        ("{drop: true, from: 60s}", "faults[0] never strikes: it begins `from` 60 s, and `duration` is 60 s"),
        ("{drop: true, probability: 20}", "faults[0].probability: 20 is not a share: write 20% or a number from 0 to 1"),
        ("{drop: true, probability: 0}", "faults[0].probability: must be greater than 0"),
        ("{drop: true, times: 0}", "faults[0].times: must be greater than or equal to 1"),
        ("{status: 500, headers: {'a b': x}}", "faults[0]: header 'a b' cannot be sent: a name is letters, digits and `-`; a value is printable ASCII"),
        ('{status: 500, headers: {x: "a\\nb"}}', "faults[0]: header 'x' cannot be sent"),
        ("{status: 500, headers: {Retry-After: 3}}", "faults[0]: header `Retry-After` is not for `headers`"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence(rule, what):
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"{{name: x, duration: 60s, faults: [{rule}]}}", "s.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.yaml: {what}")


def test_every_problem_is_named_at_once():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("{seed: x, faults: [{status: 1}, {cut: 3}]}")
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "name",
        "seed",
        "faults[0].status",
        "faults[1].cut",
    ]
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_a_scenario_error_is_one_of_ours_and_a_value_error():
    with pytest.raises(FailoverError):
        parse_scenario("")
    with pytest.raises(ValueError, match="scenario: empty"):
        parse_scenario("")


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ("status: 500", "drop: true, model: claude-opus-5", True),
        ("status: 500, model: claude-opus-*", "drop: true, model: claude-opus-5*", True),
        ("status: 500, model: claude-opus-5", "drop: true", False),
        ("status: 500, times: 3", "drop: true", False),
        ("status: 500, probability: 50%", "drop: true", False),
        ("status: 500, until: 5s", "drop: true", False),
        ("status: 500, until: 5s", "drop: true, until: 4s", True),
        ("status: 500, from: 1s", "drop: true", False),
        ("status: 500, stream: true", "drop: true", False),
        ("status: 500, stream: true", "error_event: api_error", True),
        ("error_event: api_error", "drop: true", False),
        ("status: 500, path: /v1/models", "drop: true", False),
    ],
)
def test_a_rule_behind_one_that_takes_all_its_requests_is_refused(first, second, hidden):
    text = f"{{name: x, faults: [{{{first}}}, {{{second}}}]}}"
    if not hidden:
        assert len(parse_scenario(text).faults) == 2
        return
    with pytest.raises(ScenarioError, match=r"faults\[1\] never strikes: faults\[0\] stands before it"):
        parse_scenario(text)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "outage.yaml"
    path.write_text(OUTAGE, encoding="utf-8")
    assert load_scenario(path) == load_scenario(str(path)) == parse_scenario(OUTAGE)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"name: \xff", "cannot be read: not UTF-8 text"),
        (b"# " + b"x" * 1_000_000, "larger than 1,000,000 bytes, so hardly a scenario"),
        (b"name: 3", "name: must be a valid string"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, what):
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}: {what}"


def test_a_directory_is_no_scenario(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        load_scenario(tmp_path)


WORDS = sorted({field.alias or name for part in (Scenario, Rule) for name, field in part.model_fields.items()})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["5s", "20%", "off", "html"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


def problems_of(text):
    try:
        assert isinstance(parse_scenario(text), Scenario)
    except ScenarioError as error:
        return error.problems
    return ()


@settings(deadline=None)
@given(st.text() | st.text(string.printable) | st.text("[]{}&*!:?-|>'\"# \n\tab1"))
def test_no_text_gives_anything_but_a_scenario_or_a_scenario_error(text):
    assert all("\n" not in problem for problem in problems_of(text))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(WORDS), VALUES)
    | st.fixed_dictionaries({"name": st.text(), "faults": st.lists(st.dictionaries(st.sampled_from(WORDS), VALUES))})
)
def test_no_value_gives_anything_but_a_scenario_or_a_scenario_error(content):
    assert all("\n" not in problem for problem in problems_of(yaml.safe_dump(content, allow_unicode=True)))


GLOBS = st.sampled_from(["*", "a", "ab", "a*", "?", "[ab]", "ab*", "*b"])
SECONDS = st.sampled_from([0, 1, 2, 3])
FAULTS = st.sampled_from(
    [{"status": 500}, {"error_event": "api_error"}, {"end_without_stop": True}, {"first_token": 1}]
)
RULES = st.builds(
    lambda model, start, length, stream, fault: Rule.model_validate(
        {"model": model, "from": start, "until": length and start + length, "stream": None if "error_event" in fault or "end_without_stop" in fault else stream, **fault}
    ),
    GLOBS,
    SECONDS,
    st.none() | st.sampled_from([1, 2]),
    st.none() | st.booleans(),
    FAULTS,
)  # fmt: skip


@given(RULES, RULES, st.sampled_from(["", "a", "b", "ab", "abc", "*"]), st.booleans(), st.floats(0, 6))
def test_a_rule_that_hides_another_matches_all_that_the_other_does(rule, later, model, stream, now):
    if rule.hides(later) and later.matches(model, "/v1/messages", stream=stream, now=now):
        assert rule.matches(model, "/v1/messages", stream=stream, now=now)


def test_a_fault_can_be_made_in_python():
    assert Fault(status=529).status == 529
    with pytest.raises(ValueError, match="nothing goes wrong"):
        Fault()
