"""How long a circuit stays open: longer with each opening, until it has stayed closed for as long as it last was open.

So a model that keeps coming back for a moment is asked less and less often, and one that is well starts afresh.
"""

from __future__ import annotations

from collections.abc import Callable

from failover.policy.model import OpenFor

__all__ = ["OpenTime"]

_LARGEST_POWER = 64  # beyond any cap; keeps the power clear of float overflow


class OpenTime:
    """The open times of one circuit. Not thread-safe: the breaker holds its lock."""

    __slots__ = ("_last", "_openings", "_random", "_rules")

    def __init__(self, rules: OpenFor, random: Callable[[], float]) -> None:
        self._rules = rules
        self._random = random
        self.forget()

    def forget(self) -> None:
        """Start afresh: the next opening is a first one."""
        self._openings = 0
        self._last = 0.0

    def next(self, closed_for: float) -> float:
        """Seconds for an opening of a circuit that had been closed for `closed_for` seconds, jitter included."""
        if closed_for > self._last:
            self.forget()
        rules = self._rules
        seconds = min(rules.first * rules.factor ** min(self._openings, _LARGEST_POWER), rules.max)
        self._openings += 1
        self._last = seconds
        return seconds * (1 + rules.jitter * (2 * self._random() - 1))
