"""What a policy is, as a value."""

from __future__ import annotations

import fnmatch
import json
import re

import pytest
from hypothesis import given, settings
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
    Ramp,
    Retry,
    RetryAfter,
    RetryBudget,
    Rung,
    SlowRate,
    Trip,
    default_policy,
    parse_policy,
)
from failover.policy.checks import covers


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
            lambda: _policy(breaker=BreakerRules(trip=Trip(hung_calls=HungCalls(more_than=1, older_than=120)))),
            "no call is ever 2m old",
        ),
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
    ],
)
def test_what_only_looks_like_a_contradiction_is_allowed(build):
    build()


WRONG = ("invalid_request_error", "request_too_large", "conflict_error", "prompt_too_long", "400", "409", "413", "422")


@pytest.mark.parametrize("name", [*ERROR_TYPES, "400", "401", "409", "413", "422", "429", "500", "599"])
def test_only_a_request_that_is_wrong_may_not_be_repeated_or_counted(name):
    for rule in (ErrorRule(do="repeat"), ErrorRule(counts="failure"), ErrorRule(counts="open")):
        if name in WRONG:
            with pytest.raises(ValidationError, match="the request is wrong"):
                _policy(errors={name: rule})
        else:
            assert _policy(errors={name: rule}).errors == {name: rule}
    for rule in (ErrorRule(do="next"), ErrorRule(do="raise"), ErrorRule(counts="neutral")):
        assert _policy(errors={name: rule}).errors == {name: rule}


def test_a_status_is_kept_as_text():
    assert list(_policy(errors={529: ErrorRule(do="next")}).errors) == ["529"]


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


SECONDS = st.floats(min_value=0.001, max_value=1_000)
SHARES = st.floats(min_value=0.001, max_value=1)
COUNTS = st.integers(1, 20)
NAMES = st.text("abc-5.", min_size=1, max_size=12)
CALLS = {"over": SHARES, "of_at_least": st.integers(1, 10), "within": st.floats(1, 1_000)}
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**9), 10**9),
        st.floats(-1e9, 1e9),
        st.text("aß5 :#'\"\\-~", max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", min_size=1), inner, max_size=3)),
    max_leaves=5,
)


def _off(strategy):
    return st.one_of(st.none(), strategy)


@st.composite
def _growing(draw, kind, **others):
    first, longest = sorted((draw(SECONDS), draw(SECONDS)))
    return kind(
        first=first, max=longest, factor=draw(st.floats(1, 100)), **{key: draw(of) for key, of in others.items()}
    )


@st.composite
def _retries(draw):
    deadline = draw(_off(st.floats(2_000, 9_000)))
    backoffs = _growing(Backoff, jitter=st.sampled_from(["full", "equal", "none"]))
    return Retry(
        tries=draw(COUNTS),
        wait=draw(backoffs),
        retry_after=RetryAfter(max=draw(SECONDS)),
        passes=draw(st.integers(1, 100)),
        between_passes=draw(backoffs),
        deadline=deadline,
        reserve=draw(st.floats(0, 1_000)),
        budget=draw(_off(st.builds(RetryBudget, ratio=SHARES, min_per_second=st.floats(0, 10_000)))),
    )


@st.composite
def _policies(draw):
    rungs = st.one_of(
        st.builds(Rung, model=NAMES),
        st.builds(
            Rung, model=NAMES, set=st.dictionaries(st.sampled_from(["thinking", "output_config"]), VALUES, min_size=1)
        ),
    )
    matches = draw(st.lists(NAMES, max_size=4, unique=True))
    ladders = tuple(
        Ladder(match=match, rungs=tuple(draw(st.lists(rungs, max_size=4, unique_by=repr)))) for match in matches
    )
    trip = Trip(
        consecutive_failures=draw(COUNTS),
        failure_rate=draw(_off(st.builds(FailureRate, **CALLS))),
        slow_rate=draw(_off(st.builds(SlowRate, slower_than=SECONDS, **CALLS))),
        hung_calls=draw(_off(st.builds(HungCalls, more_than=COUNTS, older_than=SECONDS))),
    )
    timeout, lease = sorted((draw(SECONDS), draw(SECONDS)))
    breaker = BreakerRules(
        trip=trip,
        open_for=draw(_growing(OpenFor, jitter=st.floats(0, 0.5))),
        probe=Probe(permits=draw(COUNTS), successes=draw(COUNTS), lease=lease, timeout=timeout),
        ramp=draw(_off(st.builds(lambda over, start: Ramp(over=over, start=start), SECONDS, SHARES))),
        last_resort=draw(_off(SECONDS)),
    )
    rules = st.builds(ErrorRule, do=st.sampled_from(["next", "raise"]), counts=st.sampled_from([None, "neutral"]))
    errors = draw(st.dictionaries(st.sampled_from([*ERROR_TYPES, "529"]), rules, max_size=3))
    description = draw(st.text("aß5 :#'\"\\-~\n", max_size=20))
    return Policy(
        version=1,
        name=draw(NAMES),
        description=description,
        ladders=ladders,
        retry=draw(_retries()),
        breaker=breaker,
        errors=errors,
    )


@settings(deadline=None)
@given(_policies())
def test_a_policy_that_is_dumped_and_read_again_is_the_same(policy):
    text = json.dumps(policy.model_dump(mode="json", by_alias=True, exclude_defaults=True), ensure_ascii=False)
    again = parse_policy(text)
    assert again == policy
    assert again.digest == policy.digest
