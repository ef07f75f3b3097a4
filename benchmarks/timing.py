"""How variants are compared on a machine that others use as well: in turns, and block against block.

The speed of a shared machine drifts by more than what is measured here. So the variants take turns in short blocks,
and what counts is the difference of two blocks of the same round: drift is in both and cancels. The median of these
differences is the result, their middle half shows how far to trust it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["FULL", "QUICK", "Block", "Counts", "Spread", "difference", "in_turns", "spread", "timed"]

Block: TypeAlias = Callable[[int], float]
"""Makes so many calls, and gives the seconds that each of them took."""


@dataclass(frozen=True)
class Counts:
    """How much of everything to measure."""

    rounds: int
    """Of the cheap comparisons."""
    slow_rounds: int
    """Of those with large bodies, threads or whole processes."""
    loops: int
    """Calls in one block of something that takes microseconds."""
    calls: int
    """Calls to a dead model."""
    outages: tuple[float, ...]
    """Lengths in seconds (of a clock that runs by itself)."""
    megabytes: int
    """Of a long stream."""


FULL = Counts(rounds=200, slow_rounds=25, loops=500, calls=1000, outages=(20.0, 60.0, 200.0), megabytes=100)
QUICK = Counts(rounds=2, slow_rounds=1, loops=20, calls=100, outages=(20.0,), megabytes=2)


@dataclass(frozen=True)
class Spread:
    """The median and the quartiles of many measurements."""

    median: float
    low: float
    high: float

    def each_of(self, parts: int) -> Spread:
        """The same for one of so many equal parts."""
        return Spread(self.median / parts, self.low / parts, self.high / parts)

    def less(self, other: float) -> Spread:
        """The same without what is known to be something else."""
        return Spread(self.median - other, self.low - other, self.high - other)


def spread(values: Iterable[float]) -> Spread:
    """Of one value or more."""
    known = list(values)
    low, median, high = statistics.quantiles(known, n=4, method="inclusive") if len(known) > 1 else known * 3
    return Spread(median, low, high)


def timed(step: Callable[[], Any]) -> Block:
    """Blocks of one step that never waits, in the thread's CPU time: that leaves out what other programs take."""

    def block(calls: int) -> float:
        start = time.thread_time()
        for _ in range(calls):
            step()
        return (time.thread_time() - start) / calls

    return block


def in_turns(blocks: Mapping[str, Block], *, rounds: int, calls: int) -> dict[str, list[float]]:
    """Each block's times, one for each round. The order moves on by one each round, so that nobody is always first."""
    names = list(blocks)
    for name in names:
        blocks[name](calls)  # not counted: caches and specialised bytecode belong to everybody
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            taken[name].append(blocks[name](calls))
    return taken


def difference(taken: Mapping[str, list[float]], name: str, base: str) -> Spread:
    """What `name` took more than `base`, round by round."""
    return spread(one - other for one, other in zip(taken[name], taken[base], strict=True))
