"""What a policy is, as a value."""

from __future__ import annotations

import fnmatch
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.policy import (
    ERROR_TYPES,
    Backoff,
    BreakerRules,
    ErrorRule,
    FailureRate,
    HungCalls,
    Ladder,
    OpenFor,
    Policy,
    Probe,
    Retry,
    Rung,
    Trip,
    default_policy,
    parse_policy,
)
from failover.policy.checks import covers
from failover.policy.fitting import Bulkhead, Fit
from failover.policy.shrinking import Shrink


def _policy(**values) -> Policy:
    return Policy(version=1, name="x", **values)


# Ladders and rungs


@pytest.mark.parametrize(
    ("asked", "models"),
    [
        ("claude-opus-5-5", ["claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-sonnet-5-5"]),
        (
            "claude-opus-4-7",
            ["claude-opus-4-7", "claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-sonnet-5-5"],
        ),
        ("claude-haiku-4-5", ["claude-haiku-4-5", "claude-haiku-5-5"]),
        ("CLAUDE-OPUS-5", ["CLAUDE-OPUS-5"]),
        ("somebody-elses-model", ["somebody-elses-model"]),
        ("", [""]),
    ],
)
def test_the_requested_model_is_the_first_rung_and_stands_once(asked, models):
    assert [rung.model for rung in default_policy().rungs_for(asked)] == models


def test_the_first_ladder_that_matches_is_used():
    policy = _policy(ladders=(Ladder(match="a?", rungs=("b",)), Ladder(match="a*", rungs=("c",))))
    assert [policy.rungs_for(asked)[-1].model for asked in ("ab", "abc", "z")] == ["b", "c", "z"]


def test_the_requested_model_with_a_patch_is_another_rung():
    policy = _policy(ladders=(Ladder(match="*", rungs=(Rung(model="a", set={"speed": None}),)),))
    assert len(policy.rungs_for("a")) == 2


def test_a_rung_that_is_the_requested_model_itself_gives_it_its_limit_and_its_rules():
    shrink = Shrink(when=("413",), steps=("drop_images",))
    itself = Rung(model="a", at_once=2, queue=5, shrink=shrink)
    policy = _policy(ladders=(Ladder(match="*", rungs=("b", itself)),))
    assert policy.rungs_for("a") == (itself, Rung(model="b"))
    assert policy.rungs_for("c") == (Rung(model="c"), Rung(model="b"), itself)


@pytest.mark.parametrize(
    "elsewhere", [Rung(model="a", client="bedrock", at_once=2), Rung(model="a", set={"speed": None})]
)
def test_the_requested_model_on_another_client_is_another_rung(elsewhere):
    policy = _policy(ladders=(Ladder(match="*", rungs=(elsewhere,)),))
    assert policy.rungs_for("a") == (Rung(model="a"), elsewhere)


def test_a_limit_is_of_a_place_and_may_be_written_once_or_the_same_each_time():
    limited = Rung(model="a", at_once=2, queue=5)
    ladders = (
        Ladder(match="x*", rungs=(limited, Rung(model="a", client="eu", at_once=3))),
        Ladder(match="y*", rungs=("a",)),
        Ladder(match="z*", rungs=(Rung(model="a", set={"speed": None}, at_once=2, queue=5),)),
    )
    limits = _policy(ladders=ladders).limits
    assert {place: (rung.at_once, rung.queue) for place, rung in limits.items()} == {
        ("default", "a"): (2, 5),
        ("eu", "a"): (3, 30),
    }


def test_one_model_may_stand_on_several_clients_of_one_ladder():
    rungs = (Rung(model="a"), Rung(model="a", client="bedrock"), Rung(model="a", client="eu"))
    assert _policy(ladders=(Ladder(match="*", rungs=rungs),)).clients == {"bedrock", "eu"}


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("", Fit()),
        ("fit: strict", Fit(mode="strict", count_tokens=False)),
        ("fit: adapt", Fit(mode="adapt")),
        ("fit: off", Fit(mode="off")),
        ("fit: 'off'", Fit(mode="off")),
        ("fit: false", Fit(mode="off")),
        ("fit: {mode: off}", Fit(mode="off")),
        ("fit: {mode: off, count_tokens: false}", Fit(mode="off")),
        ("fit: {count_tokens: true}", Fit(mode="strict", count_tokens=True)),
        ("fit: {mode: adapt, count_tokens: true}", Fit(mode="adapt", count_tokens=True)),
    ],
)
def test_fit_is_a_word_or_a_mapping(text, fit):
    assert parse_policy(f"version: 1\nname: x\n{text}").fit == fit


@pytest.mark.parametrize(
    ("written", "times"),
    [
        *[
            ("off", None),
            ("3x", 3),
            ("3 x", 3),
            ("3×", 3),  # noqa: RUF001 - as people write it
            ("1.5x", 1.5),
            ("'3x'", 3),
            ("2", 2),
            ("2.5", 2.5),
            ("1x", 1),
        ],
        ("1", 1),
    ],
)
def test_a_cost_may_be_so_many_times_as_much(written, times):
    assert parse_policy(f"version: 1\nname: x\ncost_at_most: {written}").cost_at_most == times


def test_bulkheads_are_read_with_their_units():
    policy = parse_policy(
        "version: 1\nname: x\nbulkheads:\n  large: {over: 50k tokens, at_once: 2, queue: 500ms}\n  all: {at_once: 40}\n"
    )
    assert policy.bulkheads == {
        "large": Bulkhead(over=50_000, at_once=2, queue=0.5),
        "all": Bulkhead(over=None, at_once=40, queue=30),
    }


def test_a_line_may_have_no_length_at_all():
    policy = parse_policy("version: 1\nname: x\nbulkheads: {large: {over: off, at_once: 2, queue: 0}}")
    assert policy.bulkheads["large"] == Bulkhead(at_once=2, queue=0)


@pytest.mark.parametrize(
    "part",
    [
        {"fit": Fit(mode="adapt")},
        {"fit": Fit(count_tokens=True)},
        {"cost_at_most": 3.0},
        {"bulkheads": {"large": Bulkhead(at_once=2)}},
        {"shrink": Shrink(when=("413",), steps=("drop_images",))},
    ],
)
def test_each_new_part_is_part_of_the_digest(part):
    assert _policy(**part).digest != _policy().digest
    assert _policy(**part) != _policy()


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        *[
            ("*", "a", True),
            ("*", "*", True),
            ("a*", "ab*", True),
            ("a*", "a", True),
            ("a", "a", True),
            ("?", "a", True),
        ],
        *[("*a*", "bab", True), ("a?c", "abc", True), ("*", "", True), ("**", "a", True), ("a*c", "a?*c", True)],
        *[
            ("a", "b", False),
            ("ab*", "a*", False),
            ("?", "*", False),
            ("?", "??", False),
            ("a?", "a*", False),
            ("", "*", False),
        ],
        *[("*a", "*", False), ("a", "A", False), ("a*c", "ac*", False), ("a", "?", False)],
    ],
)
def test_a_pattern_covers_another_when_it_matches_all_of_it(wide, narrow, answer):
    assert covers(wide, narrow) is answer


GLOBS = st.text("ab*?", max_size=6)


@given(GLOBS, GLOBS, st.text("abc", max_size=8))
def test_a_pattern_that_covers_another_matches_whatever_that_one_matches(wide, narrow, model):
    if covers(wide, narrow) and fnmatch.fnmatchcase(model, narrow):
        assert fnmatch.fnmatchcase(model, wide)


@given(GLOBS, st.text("abc", max_size=8))
def test_a_pattern_covers_the_names_that_it_matches_and_no_others(wide, model):
    assert covers(wide, model) is fnmatch.fnmatchcase(model, wide)


# What contradicts itself: also refused when the policy is built in Python


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Backoff(first=2, max=1), "`first` (2s) is longer than `max` (1s)"),
        (lambda: OpenFor(first=600), "`first` (10m) is longer than `max` (5m)"),
        (lambda: Probe(timeout=61), "`timeout` (61s) is longer than `lease` (1m)"),
        (lambda: Retry(deadline=20), "`reserve` (20s) leaves nothing of `deadline` (20s)"),
        (lambda: Trip(consecutive_failures=None, failure_rate=None), "every rule is off"),
        (lambda: FailureRate(over=0.5, of_at_least=20, within=0.001), "20 calls within 1ms never happen"),
        (ErrorRule, "an empty rule changes nothing"),
        (lambda: Rung(model="a", set={}), "an empty `set` changes nothing"),
        (lambda: Rung(model="a", set={"messages": []}), "`set` cannot change `messages`: it belongs to the call"),
        (lambda: Rung(model="a", set={"stream": True}), "`set` cannot change `stream`: it belongs to the call"),
        (lambda: Rung(model="a", set={5: 1}), "valid string"),
        (lambda: Ladder(match="a", rungs=("b", Rung(model="b"))), "rung `b` stands twice"),
        (lambda: _policy(ladders=(Ladder(match="*", rungs=()),) * 2), "ladder `*` is never reached"),
        (lambda: _policy(errors={"overloaded": ErrorRule(do="next")}), "did you mean `overloaded_error`?"),
        (lambda: _policy(errors={399: ErrorRule(do="next")}), "399 is not the HTTP status of an error"),
        (lambda: _policy(errors={"0529": ErrorRule(do="next")}), "'0529' is not the HTTP status of an error"),
        (
            lambda: _policy(
                retry=Retry(deadline=120),
                breaker=BreakerRules(trip=Trip(hung_calls=HungCalls(more_than=1, older_than=120))),
            ),
            "no call is ever 2m old",
        ),
        (lambda: Fit(mode="off", count_tokens=True), "with `mode: off` nothing is fitted"),
        (lambda: Rung(model="a", queue=5), "without `at_once` nobody waits"),
        (lambda: Rung(model="a", client="eu/west"), "'eu/west' is no name"),
        (lambda: _policy(cost_at_most=0.5), "greater than or equal to 1"),
        (lambda: _policy(cost_at_most="3 times"), "'3 times' is no multiple"),
        (lambda: Bulkhead(at_once=0), "greater than or equal to 1"),
        (lambda: Policy(version=2, name="x"), "this release reads version 1"),
    ],
)
def test_a_contradiction_is_refused_in_words(build, says):
    with pytest.raises(ValidationError, match=re.escape(says)):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: Retry(deadline=None, reserve=9_999),
        lambda: Retry(budget=None),
        lambda: Trip(consecutive_failures=None),
        lambda: OpenFor(jitter=0),
        lambda: Rung(model="a", set={"max_tokens": 1}),
        lambda: Ladder(match="a", rungs=("b", Rung(model="b", set={"thinking": None}))),
        lambda: _policy(ladders=(Ladder(match="a?", rungs=()), Ladder(match="a*", rungs=()))),
        lambda: _policy(
            retry=Retry(deadline=None),
            breaker=BreakerRules(trip=Trip(hung_calls=HungCalls(more_than=1, older_than=999))),
        ),
        lambda: _policy(breaker=BreakerRules(trip=Trip(hung_calls=HungCalls(more_than=1, older_than=999)))),
    ],
)
def test_what_only_looks_like_a_contradiction_is_allowed(build):
    build()


OF_THE_REQUEST = {"invalid_request_error", "request_too_large", "conflict_error", "prompt_too_long"} | {
    *("400", "409", "413", "422")
}
OF_THE_ACCOUNT = {"authentication_error", "billing_error", "spend_limit", "401", "402"}
NOT_TO_BE_HAD = {"permission_error", "not_found_error", "model_unavailable", "403", "404"}
STATUSES = ("400", "401", "402", "403", "404", "408", "409", "413", "422", "429", "500", "529", "599")


@pytest.mark.parametrize("name", [*ERROR_TYPES, *STATUSES])
def test_an_override_that_helps_nobody_is_refused(name):
    lasting = name in OF_THE_REQUEST | OF_THE_ACCOUNT | NOT_TO_BE_HAD
    for rule, refused in (
        (ErrorRule(do="repeat"), lasting and "the same request would meet that again: write `next` or `raise`"),
        (ErrorRule(counts="failure"), lasting and "write `neutral`|write `open` or `neutral`"),
        (ErrorRule(counts="open"), lasting and name not in NOT_TO_BE_HAD and "says nothing about the model"),
        (ErrorRule(do="next", counts="neutral"), False),
        (ErrorRule(do="raise"), False),
    ):
        if refused:
            with pytest.raises(ValidationError, match=refused):
                _policy(errors={name: rule})
        else:
            assert _policy(errors={name: rule}).errors == {name: rule}


def test_a_status_is_kept_as_text():
    assert list(_policy(errors={529: ErrorRule(do="next")}).errors) == ["529"]


# The deadline and long answers


@pytest.mark.parametrize(
    ("written", "answers"),
    [
        ({}, "stretch"),
        ({"tries": 3}, "stretch"),
        ({"deadline": 120}, "cut"),
        ({"deadline": None}, "cut"),
        ({"deadline": 120, "long_answers": "stretch"}, "stretch"),
        ({"long_answers": "cut"}, "cut"),
    ],
)
def test_long_answers_are_stretched_for_unless_the_policy_writes_a_deadline_of_its_own(written, answers):
    assert Retry(**written).long_answers == answers
    assert parse_policy(json.dumps({"version": 1, "name": "x", "retry": written})).retry == Retry(**written)


def test_a_policy_that_says_nothing_but_its_name_is_the_default_policy():
    assert default_policy() == Policy(version=1, name="default")
    assert _policy().retry == default_policy().retry


# As a value


def test_a_policy_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        default_policy().name = "y"


def test_equal_policies_have_equal_digests_whatever_the_order_of_their_keys():
    one, two = ({name: ErrorRule(do="next") for name in names} for names in (("429", "529"), ("529", "429")))
    assert _policy(errors=one) == _policy(errors=two)
    assert _policy(errors=one).digest == _policy(errors=two).digest


def test_policies_that_say_different_things_have_different_digests():
    assert _policy().digest != _policy(retry=Retry(tries=3)).digest
    assert re.fullmatch("[0-9a-f]{12}", _policy().digest)


def test_equal_policies_are_one_key_of_a_mapping():
    one, two = ({name: ErrorRule(do="next") for name in names} for names in (("429", "529"), ("529", "429")))
    assert len({_policy(errors=one), _policy(errors=two)}) == 1
    assert {_policy(): "a", _policy(retry=Retry(tries=3)): "b"}[_policy()] == "a"


def test_a_patch_of_a_number_that_is_spelled_otherwise_is_an_equal_key():
    whole, decimal = (
        _policy(ladders=(Ladder(match="*", rungs=(Rung(model="a", set={"top_k": k}),)),)) for k in (5, 5.0)
    )
    assert whole == decimal
    assert hash(whole) == hash(decimal)
