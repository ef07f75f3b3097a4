"""One bulkhead: its numbers, who is out, who stands in line, and how long a permit is held.

It only keeps the books. Everything that changes it is done by its `Bulkheads`, under their one lock.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .turn import Place

__all__ = ["Limit"]

_NEWEST = 0.2
"""The weight of the newest permit in the mean: about the last ten decide."""


class Limit:
    """At most `at_once` attempts are out; others stand in line for at most `queue` seconds.

    Args:
        name: what it is called, once in its `Bulkheads`.
        at_once: how many attempts may be out, at least one.
        queue: how many seconds a call may wait for its turn. `None`: as long as its deadline lets it; 0: not at all.

    Raises:
        ValueError: a number is out of range.
    """

    __slots__ = ("_at_once", "_mean", "_name", "_out", "_queue", "line")

    def __init__(self, name: str, at_once: int, queue: float | None) -> None:
        if at_once < 1:
            raise ValueError(f"limit {name!r}: at_once must be at least 1, not {at_once!r}")
        if queue is not None and not queue >= 0:  # so written because NaN is neither
            raise ValueError(f"limit {name!r}: queue must be None or at least 0 seconds, not {queue!r}")
        self._name = name
        self._at_once = at_once
        self._queue = queue
        self._mean: float | None = None
        self.line: OrderedDict[Place, None]
        """Who waits for it, in order. Not a deque, for whoever gives up leaves from the middle."""
        self.clear()

    def __repr__(self) -> str:
        """How full it is."""
        return f"<Limit {self.name}: {self.summary()}>"

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def at_once(self) -> int:
        """How many attempts may be out at the same time."""
        return self._at_once

    @property
    def queue(self) -> float | None:
        """How many seconds a call may wait for its turn; `None`: as long as its deadline lets it."""
        return self._queue

    @property
    def running(self) -> int:
        """How many attempts are out."""
        return len(self._out)

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self.line)

    @property
    def full(self) -> bool:
        """Whether a newcomer would have to wait."""
        return len(self._out) >= self._at_once or bool(self.line)

    def summary(self) -> str:
        """How full it is, in words."""
        waiting = f", {self.waiting} waiting" if self.line else ""
        return f"{self.running} of {self.at_once} out{waiting}"

    # --- for its Bulkheads, under their lock -----------------------------------------------------------------

    def clear(self) -> None:
        """Nobody is out and nobody waits."""
        self._out: set[object] = set()  # not a count, for a Ctrl-C between two steps must not count one twice
        self.line = OrderedDict()

    def first(self) -> Place | None:
        """Who has waited longest."""
        return next(iter(self.line), None)

    def lets_in(self, place: Place | None) -> bool:
        """Whether there is room, and nobody before this one; `None` stands for a newcomer."""
        return len(self._out) < self._at_once and self.first() is place

    def take(self, stub: object) -> None:
        """One more is out, known by this stub."""
        self._out.add(stub)

    def give_back(self, stub: object, held: float) -> None:
        """The one known by this stub has come back after `held` seconds. One that is not known changes nothing."""
        if stub in self._out:
            self._mean = held if self._mean is None else self._mean + _NEWEST * (held - self._mean)
            self._out.remove(stub)

    def expected(self, place: Place) -> float | None:
        """Seconds until enough permits have come back for this one, if the next are held like the last.

        `None`: there is room for it, or no permit has come back yet to learn from.
        """
        last = next(reversed(self.line), None) is place  # as when it has just come: no need to count
        before = len(self.line) - 1 if last else sum(1 for _ in takewhile(lambda one: one is not place, self.line))
        returns = len(self._out) + before + 1 - self._at_once
        return None if returns <= 0 or self._mean is None else returns * self._mean / self._at_once
