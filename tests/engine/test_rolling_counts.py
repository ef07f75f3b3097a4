"""The window: twenty slots, so that what is counted stays for at least 19/20 of the time and never longer than it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.engine.rolling import RollingCounts

SLOTS = 20
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 0.001, 0.4, 1, 3, 19, 20, 21, 500]), st.integers(0, 2), st.integers(0, 1)),
    max_size=60,
)


class NaiveCounts:
    """The same as a list: every entry with its slot, and what is not in the last twenty is not counted."""

    def __init__(self, seconds):
        self.slot_seconds = seconds / SLOTS
        self.entries = []

    def add(self, now, total, marked):
        self.entries.append((int(now / self.slot_seconds), total, marked))

    def counts(self, now):
        oldest = int(now / self.slot_seconds) - SLOTS + 1
        kept = [(total, marked) for slot, total, marked in self.entries if slot >= oldest]
        return sum(total for total, _ in kept), sum(marked for _, marked in kept)


@given(steps=STEPS, seconds=st.sampled_from([20.0, 60.0, 10.0, 0.2]))
def test_it_counts_like_a_list_of_everything(steps, seconds):
    counts, naive = RollingCounts(seconds), NaiveCounts(seconds)
    now = 1000.0
    for slots, total, marked in steps:
        now += slots * seconds / SLOTS
        counts.roll(now)
        assert (counts.total, counts.marked) == naive.counts(now)
        counts.add(now, total, marked)
        naive.add(now, total, marked)
        assert (counts.total, counts.marked) == naive.counts(now)


@pytest.mark.parametrize("start", [0.0, 0.3, 0.999, 12_345.678])
def test_an_entry_is_kept_for_nineteen_slots_and_gone_after_twenty(start):
    counts = RollingCounts(20.0)
    counts.add(start)
    counts.roll(start + 19)
    assert counts.total == 1
    counts.roll(start + 20)
    assert counts.total == 0


@given(back=st.floats(0, 10_000), forward=st.floats(0, 30))
def test_a_clock_that_steps_back_forgets_nothing_and_counts_into_the_newest_slot(back, forward):
    counts = RollingCounts(20.0)
    counts.add(10_000.0, marked=1)
    counts.add(10_000.0 - back)
    assert (counts.total, counts.marked) == (2, 1)
    counts.roll(10_000.0 - back + forward)
    assert counts.total in {0, 2}


def test_it_forgets_everything_when_told_to_and_goes_on():
    counts = RollingCounts(20.0)
    counts.add(5.0, marked=1)
    counts.reset()
    assert (counts.total, counts.marked) == (0, 0)
    counts.add(6.0)
    counts.roll(30.0)
    assert (counts.total, counts.marked) == (0, 0)
