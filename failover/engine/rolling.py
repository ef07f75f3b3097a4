"""Counts over the last so many seconds: what failure rates and the retry budget are made of.

Twenty slots of equal length form a ring, with running totals, so that adding costs the same however many calls a
window holds. Time is the caller's; a clock that steps back counts into the newest slot and never rolls the window.
"""

from __future__ import annotations

__all__ = ["RollingCounts"]

_SLOTS = 20


class RollingCounts:
    """Two counts, `total` and `marked`, over the last `seconds`. Not thread-safe: its owner holds a lock."""

    __slots__ = ("_marked", "_newest", "_slot_seconds", "_total", "marked", "total")

    def __init__(self, seconds: float) -> None:
        self._slot_seconds = seconds / _SLOTS
        self._newest: int | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything counted."""
        self._total = [0] * _SLOTS
        self._marked = [0] * _SLOTS
        self.total = 0
        self.marked = 0

    def add(self, now: float, total: int = 1, marked: int = 0) -> None:
        """Count at `now` (seconds)."""
        slot = int(now / self._slot_seconds)
        if slot != self._newest:
            slot = self.roll(now)
        self._total[slot % _SLOTS] += total
        self.total += total
        if marked:
            self._marked[slot % _SLOTS] += marked
            self.marked += marked

    def roll(self, now: float) -> int:
        """Drop what is older than the window; return the newest slot's number."""
        slot = int(now / self._slot_seconds)
        newest = self._newest
        if newest is None:
            newest = self._newest = slot
        elif slot > newest:
            for stale in range(newest + 1, min(slot, newest + _SLOTS) + 1):
                index = stale % _SLOTS
                self.total -= self._total[index]
                self.marked -= self._marked[index]
                self._total[index] = self._marked[index] = 0
            newest = self._newest = slot
        return newest
