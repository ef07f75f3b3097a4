"""A policy that was written out says the same when it is read again."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

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
    StreamRules,
    Trip,
    parse_policy,
)

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


PATIENCES = [
    {},
    {"deadline": None},
    {"deadline": 5_000},
    {"long_answers": "stretch"},
    *({"deadline": seconds, "long_answers": "stretch"} for seconds in (None, 120, 5_000)),
    *({"deadline": seconds, "long_answers": "cut"} for seconds in (None, 5_000)),
]


@st.composite
def _retries(draw):
    backoffs = _growing(Backoff, jitter=st.sampled_from(["full", "equal", "none"]))
    return Retry(
        tries=draw(COUNTS),
        wait=draw(backoffs),
        retry_after=RetryAfter(max=draw(SECONDS)),
        passes=draw(st.integers(1, 100)),
        between_passes=draw(backoffs),
        reserve=draw(st.floats(0, 100)),
        **draw(st.sampled_from(PATIENCES)),
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
    stream = StreamRules(
        first_event=draw(_off(SECONDS)),
        idle=draw(_off(SECONDS)),
        pings=draw(st.sampled_from(["silence", "thinking", "life"])),
        on_interrupt=draw(st.sampled_from(["raise", "restart", "continue"])),
        collect_over=draw(_off(COUNTS)),
    )
    description = draw(st.text("aß5 :#'\"\\-~\n", max_size=20))
    return Policy(
        version=1,
        name=draw(NAMES),
        description=description,
        ladders=ladders,
        retry=draw(_retries()),
        breaker=breaker,
        errors=errors,
        stream=stream,
    )


@settings(deadline=None)
@given(_policies(), st.sampled_from(["exclude_defaults", "exclude_unset"]))
def test_a_policy_that_is_dumped_and_read_again_is_the_same(policy, what):
    text = json.dumps(policy.model_dump(mode="json", by_alias=True, **{what: True}), ensure_ascii=False)
    again = parse_policy(text)
    assert again == policy
    assert again.digest == policy.digest
