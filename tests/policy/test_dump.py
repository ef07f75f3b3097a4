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
from failover.policy.fitting import Bulkhead, Fit
from failover.policy.shrinking import Shrink

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


SHRINKS = st.builds(
    Shrink,
    when=st.just(("prompt_too_long", "503")),
    after_tries=COUNTS,
    to=st.floats(0.01, 0.99),
    steps=st.sampled_from([("drop_turns",), ({"clear_tool_results": {"keep": 5}}, "drop_images")]),
)
FITS = st.one_of(
    st.builds(Fit, mode=st.sampled_from(["strict", "adapt"]), count_tokens=st.booleans()),
    st.builds(Fit, mode=st.just("off")),
)
BULKHEADS = st.dictionaries(
    st.sampled_from(["large", "all-of-them", "x.1"]),
    st.builds(Bulkhead, over=_off(st.integers(1, 10**6)), at_once=COUNTS, queue=st.floats(0, 1_000)),
    max_size=3,
)


@st.composite
def _rungs(draw):
    fields = {"model": draw(NAMES)}
    if draw(st.booleans()):
        fields["client"] = draw(st.sampled_from(["default", "bedrock", "backup-key", "eu.2"]))
    if draw(st.booleans()):
        fields["set"] = draw(st.dictionaries(st.sampled_from(["thinking", "output_config"]), VALUES, min_size=1))
    if draw(st.booleans()):  # the same for the same place, wherever it stands
        fields |= {"at_once": 1 + len(fields["model"]), "queue": float(len(fields["model"]))}
    if draw(st.booleans()):
        fields["shrink"] = draw(_off(SHRINKS))
    return Rung(**fields)


def _place(rung):
    return rung.model, rung.client, repr(rung.set)


@st.composite
def _policies(draw):
    matches = draw(st.lists(NAMES, max_size=4, unique=True))
    ladders = tuple(
        Ladder(match=match, rungs=tuple(draw(st.lists(_rungs(), max_size=4, unique_by=_place)))) for match in matches
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
        fit=draw(FITS),
        cost_at_most=draw(_off(st.floats(1, 10_000))),
        shrink=draw(_off(SHRINKS)),
        bulkheads=draw(BULKHEADS),
    )


@settings(deadline=None)
@given(_policies(), st.sampled_from(["exclude_defaults", "exclude_unset"]))
def test_a_policy_that_is_dumped_and_read_again_is_the_same(policy, what):
    text = json.dumps(policy.model_dump(mode="json", by_alias=True, **{what: True}), ensure_ascii=False)
    again = parse_policy(text)
    assert again == policy
    assert again.digest == policy.digest
