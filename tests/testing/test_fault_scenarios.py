"""What a scenario file may say, and one clear line for all that it may not."""

from __future__ import annotations

import re
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
    assert len(parse_scenario(example).faults) == 4


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
        ("", "1:1: the scenario is empty: write at least `name: my-scenario` and `faults: [{status: 529}]`"),
        ("- name: x", "1:1: must be a mapping of name, description, seed, duration and faults, not a list"),
        ("name: x\n\tseed: 1", "2:1: a tab cannot indent YAML: use spaces"),
        ("name: x\nname: y", "2:1: name: this key stands twice; the first is at line 1, column 1: remove one"),
        ("name: x\ndescription: *a", "2:14: description: `*a` is an alias, and a scenario has none: write the value out, or put quotes around a pattern"),
        ("name: x\n<<: {seed: 1}", "2:1: `<<` merges another mapping, and a scenario has no merges: write the keys out"),
        ("[" * 5000, "1:42: nested deeper than 40 levels: no scenario needs that"),
        ("seed: 1", "1:1: name: this key is missing: write `name: my-scenario`"),
        ("{name: x, fault: []}", "1:11: fault: unknown key; did you mean `faults`? Allowed here are name, description, seed, duration and faults"),
        ("{name: x, until: 5s}", "1:11: until: unknown key; `faults.until` would be a place for it, so mind the indentation; allowed here are name, description, seed, duration and faults"),
        ("{name: x, seed: 1.5}", "1:17: seed: must be a whole number, not 1.5"),
        ("{name: x, duration: 0}", "1:21: duration: must be more than 0, or `off`, not 0"),
        ("{name: x, faults: 3}", "1:19: faults: must be a list, not 3"),
        ("{name: x, faults: [" + "{drop: true, times: 1}," * 501 + "]}", "1:19: faults: must have at most 500 entries, not 501"),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_text_that_is_no_scenario_is_refused(text, line):
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    assert caught.value.problems == (f"s.yaml:{line}",)


def test_what_an_empty_file_is_told_to_write_is_a_scenario():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("")
    assert parse_scenario("\n".join(re.findall("`(.*?)`", str(caught.value)))).faults == (Rule(status=529),)


def test_a_fault_that_is_no_mapping_is_told_what_it_could_say():
    with pytest.raises(
        ScenarioError, match=r"s.yaml:1:20: faults\[0\]: must be a mapping of status, .* and times, not 3"
    ):
        parse_scenario("{name: x, faults: [3]}", "s.yaml")


@pytest.mark.parametrize("name", ["2001-99-99", "off", "1:30"])
def test_what_only_older_yaml_takes_for_something_else_is_text(name):
    assert parse_scenario(f"name: {name}").name == name


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{}", "1: faults[0]: nothing goes wrong: set one of status, hang, drop, cut, error_event, end_without_stop, malformed, stall, or delay, first_token, token_every, or say, encoding, buffered"),
        ("{drop: false}", "1: faults[0]: nothing goes wrong: set one of status,"),
        ("{statu: 500}", "2: faults[0].statu: unknown key; did you mean `status`?"),
        ("{status: 200}", "10: faults[0].status: must be at least 400, not 200"),
        ("{status: 600}", "10: faults[0].status: must be at most 599, not 600"),
        ("{status: off}", "10: faults[0].status: must be a whole number, not 'off'"),
        ("{status: 500, hang: 3s}", "21: faults[0].hang: `status` and `hang` cannot strike the same answer: write two rules"),
        ("{cut: true, stall: 3s}", "20: faults[0].stall: `cut` and `stall` cannot strike the same answer: write two rules"),
        ("{hang: 0}", "8: faults[0].hang: must be more than 0, not 0"),
        ("{hang: soon}", "8: faults[0].hang: 'soon' is not a duration: write 500ms, 15s, 5m, 2h, or a number of seconds"),
        ("{hang: .nan}", "8: faults[0].hang: .nan is not a number to count with"),
        ("{cut: yes}", "7: faults[0].cut: must be true or false, not 'yes'"),
        ("{malformed: htm}", "13: faults[0].malformed: must be html, json or truncated, not 'htm'; did you mean `html`?"),
        ("{drop: true, message: 5}", "23: faults[0].message: must be text, not 5: put it in quotes"),
        ("{drop: true, message: gone}", "23: faults[0].message: `message` goes with `status` or `error_event`: add it, or remove `message`"),
        ("{cut: true, retry_after: 3}", "26: faults[0].retry_after: `retry_after` goes with `status`: add it, or remove `retry_after`"),
        ("{status: 500, after_events: 2}", "29: faults[0].after_events: `after_events` goes with `cut`, `error_event`, `end_without_stop`, `malformed` or `stall`: add it"),
        ("{malformed: html, after_events: 2}", "33: faults[0].after_events: `after_events` counts events, and `malformed: html` sends none: remove it"),
        ("{status: 500, first_token: 2s}", "28: faults[0].first_token: `first_token` slows an answer, and `status` gives none: remove one"),
        ("{hang: 2s, delay: 2s}", "19: faults[0].delay: `delay` and `hang` are both waits before the first byte: keep one"),
        ("{cut: true, stream: false, after_events: 3}", "42: faults[0].after_events: `after_events` is for streams, and `stream: false` leaves them out: remove one"),
        ("{error_event: api_error, stream: false}", "15: faults[0].error_event: `error_event` is for streams"),
        ("{drop: true, from: 5s, until: 5s}", "31: faults[0].until: `until` (5s) is not after `from` (5s): the rule never holds"),
        ("{drop: true, from: 60s}", "20: faults[0].from: the rule never strikes: it begins at 1m, and `duration` is 1m"),
        ("{drop: true, probability: 20}", "27: faults[0].probability: 20 is not a share: write 20% or a number from 0 to 1"),
        ("{drop: true, probability: 0}", "27: faults[0].probability: must be more than 0, or `off`, not 0"),
        ("{drop: true, times: 0}", "21: faults[0].times: must be at least 1, or `off`, not 0"),
        ("{status: 500, headers: {'a b': x}}", '32: faults[0].headers["a b"]: header \'a b\' cannot be sent: a name is letters, digits and `-`; a value is printable ASCII'),
        ('{status: 500, headers: {x: "a\\nb"}}', "28: faults[0].headers.x: header 'x' cannot be sent"),
        ("{status: 500, headers: {Retry-After: 3}}", "38: faults[0].headers.Retry-After: header `Retry-After` is not for `headers`"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence_at_its_place(rule, what):
    column, _, says = what.partition(": ")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"name: x\nduration: 60s\nfaults:\n- {rule}\n", "s.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.yaml:4:{int(column) + 2}: {says}")


def test_every_problem_is_named_at_once_in_the_order_of_the_file():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("seed: x\nfaults:\n- {status: 1, status: 2}\n- {cut: 3}\n- {drop: true, times: *a}\n", "s.yaml")
    assert [problem.rsplit(": ")[:2] for problem in caught.value.problems] == [
        ["s.yaml:1:1", "name"],
        ["s.yaml:1:7", "seed"],
        ["s.yaml:3:12", "faults[0].status"],
        ["s.yaml:3:15", "faults[0].status"],
        ["s.yaml:4:9", "faults[1].cut"],
        ["s.yaml:5:23", "faults[2].times"],
    ]
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_all_that_contradicts_itself_in_one_rule_is_told():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("{name: x, faults: [{cut: true, message: gone, retry_after: 3, headers: {a b: c}}]}")
    assert len(caught.value.problems) == 4  # headers go with `status`, too


def test_a_scenario_error_is_one_of_ours_and_a_value_error():
    with pytest.raises(FailoverError):
        parse_scenario("")
    with pytest.raises(ValueError, match="<scenario>:1:1: the scenario is empty"):
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
        ("buffered: true", "drop: true", False),
        ("buffered: true", "error_event: api_error", True),
        ("status: 500, stream: true", "buffered: true", True),
        ("status: 500, stream: false", "buffered: true", False),
        ("encoding: gzip", "drop: true", True),
        ("status: 500, path: /v1/models", "drop: true", False),
    ],
)
def test_a_rule_behind_one_that_takes_all_its_requests_is_refused(first, second, hidden):
    text = f"{{name: x, faults: [{{{first}}}, {{{second}}}]}}"
    if not hidden:
        assert len(parse_scenario(text).faults) == 2
        return
    with pytest.raises(ScenarioError, match=r"faults\[1\]: the rule never strikes: faults\[0\] stands before"):
        parse_scenario(text)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "outage.yaml"
    path.write_text(OUTAGE, encoding="utf-8")
    assert load_scenario(path) == load_scenario(str(path)) == parse_scenario(OUTAGE)


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
    [{"status": 500}, {"error_event": "api_error"}, {"end_without_stop": True}, {"first_token": 1}, {"buffered": True}]
)
RULES = st.builds(
    lambda model, start, length, stream, fault: Rule.model_validate(
        {"model": model, "from": start, "until": length and start + length, "stream": None if fault.keys() & {"error_event", "end_without_stop", "buffered"} else stream, **fault}
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
