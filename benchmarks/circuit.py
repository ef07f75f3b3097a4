"""What one breaker costs: asking and reporting while it is closed, and refusing while it is open."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from failover import Board, Breaker, default_policy
from failover.engine import Outcome

from .report import Row, microseconds
from .timing import Counts, difference, in_turns, timed

__all__ = ["rows"]

_GOOD = Outcome("success", "model", "return", 200, None, "req_benchmark")


def rows(counts: Counts) -> Iterator[Row]:
    """One row for each state; the loop itself is measured beside it and taken off."""
    closed, refusing = _breaker(), _breaker()
    refusing.open()
    blocks = {
        "nothing": timed(lambda: None),
        "closed": timed(lambda: closed.admit().report(_GOOD, seconds=0.5)),  # type: ignore[union-attr]
        "open": timed(refusing.admit),
    }
    taken = in_turns(blocks, rounds=counts.rounds, calls=counts.loops)
    yield microseconds("breaker, closed: permit and record", difference(taken, "closed", "nothing"), 1.5)
    yield microseconds("breaker, open: refusing", difference(taken, "open", "nothing"), 1.0)


def _breaker() -> Breaker:
    rules = default_policy().breaker
    board = Board(rules, now=time.monotonic, random=random.Random(7).random, emit=lambda _event: None)
    return board.breaker("claude-opus-5-5")
