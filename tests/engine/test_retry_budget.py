"""How much of a program's traffic may be repeats, and how long one waits before a repeat."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.engine import Budget
from failover.engine.backoff import wait_seconds
from failover.policy.model import Backoff, RetryBudget

WINDOW = 10.0  # seconds


def granted(budget, now, wanted):
    return sum(budget.take(now) for _ in range(wanted))


def test_a_quiet_program_has_a_floor():
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=1))
    assert granted(budget, 1000.0, 50) == 10
    assert granted(budget, 1009.0, 50) == 0
    assert granted(budget, 1010.5, 50) == 10


def test_a_busy_program_has_a_share_of_its_calls():
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=0))
    for _ in range(1000):
        budget.call(1000.0)
    assert granted(budget, 1000.0, 1000) == 200


def test_without_calls_and_without_a_floor_nothing_may_be_repeated():
    assert granted(Budget(RetryBudget(ratio=1, min_per_second=0)), 1000.0, 5) == 0


def test_off_allows_everything():
    budget = Budget(None)
    budget.call(1000.0)
    assert granted(budget, 1000.0, 10_000) == 10_000


@given(
    ratio=st.sampled_from([0.01, 0.2, 0.5, 1.0]),
    floor=st.sampled_from([0, 0.1, 1, 3]),
    steps=st.lists(st.tuples(st.floats(0, 4), st.integers(0, 8), st.integers(0, 12)), max_size=40),
)
def test_a_repeat_is_granted_only_within_its_share_of_the_last_ten_seconds(ratio, floor, steps):
    budget = Budget(RetryBudget(ratio=ratio, min_per_second=floor))
    now, calls, repeats = 1000.0, [], []
    for seconds, called, wanted in steps:
        now += seconds
        for _ in range(called):
            budget.call(now)
        calls += [now] * called
        new = granted(budget, now, wanted)
        repeats += [now] * new
        recent = sum(at >= now - WINDOW * 19 / 20 for at in repeats)
        allowance = WINDOW * floor + ratio * sum(at > now - WINDOW for at in calls)
        assert new == 0 or recent <= allowance


def test_threads_cannot_spend_the_same_repeat_twice():
    budget = Budget(RetryBudget(ratio=0.5, min_per_second=1))
    for _ in range(1000):
        budget.call(1000.0)
    barrier, spent = threading.Barrier(16), []

    def spend():
        barrier.wait(10)
        spent.append(granted(budget, 1000.0, 200))

    threads = [threading.Thread(target=spend) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sum(spent) == 510


# --- waiting --------------------------------------------------------------------------------------------------

BACKOFFS = st.builds(
    lambda first, factor, more, jitter: Backoff(first=first, factor=factor, max=first + more, jitter=jitter),
    st.floats(0.001, 100),
    st.floats(1, 100),
    st.floats(0, 1000),
    st.sampled_from(["full", "equal", "none"]),
)


@given(backoff=BACKOFFS, times=st.integers(1, 1_000_000), draw=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_within_its_bounds_however_long_a_caller_has_been_trying(backoff, times, draw):
    seconds = wait_seconds(backoff, times, lambda: draw)
    shortest = {"full": 0.0, "equal": 0.5 * backoff.first, "none": backoff.first}[backoff.jitter]
    assert shortest <= seconds <= backoff.max


@pytest.mark.parametrize(
    ("jitter", "draw", "waits"),
    [
        ("none", 0.3, [1, 2, 4, 8, 10, 10]),
        ("full", 0.5, [0.5, 1, 2, 4, 5, 5]),
        ("full", 0.0, [0, 0, 0, 0, 0, 0]),
        ("equal", 0.0, [0.5, 1, 2, 4, 5, 5]),
        ("equal", 0.5, [0.75, 1.5, 3, 6, 7.5, 7.5]),
    ],
)
def test_waits_grow_up_to_their_maximum_and_spread_by_chance(jitter, draw, waits):
    backoff = Backoff(first=1, factor=2, max=10, jitter=jitter)
    assert [wait_seconds(backoff, times, lambda: draw) for times in range(1, 7)] == waits
