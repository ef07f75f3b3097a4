"""What `import failover` takes over `import anthropic`, which a program that uses either imports anyway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from .report import Row
from .timing import Block, Counts, difference, in_turns

__all__ = ["rows"]

_AT_MOST = 80.0  # milliseconds
_TIMED = "import time; start = time.process_time(); import {module}; print(time.process_time() - start)"


def rows(counts: Counts) -> Iterator[Row]:
    """One row; each import is in an interpreter of its own."""
    blocks = {module: _import(module) for module in ("anthropic", "failover")}
    more = difference(in_turns(blocks, rounds=counts.slow_rounds, calls=1), "failover", "anthropic")
    median, low, high = (f"{seconds * 1000:.0f}" for seconds in (more.median, more.low, more.high))
    kept = more.median * 1000 <= _AT_MOST
    what = "import failover over import anthropic"
    yield Row(what, f"{median} ms", f"{low} to {high}", f"≤ {_AT_MOST:.0f} ms", kept)


def _import(module: str) -> Block:
    command = [sys.executable, "-c", _TIMED.format(module=module)]

    def block(calls: int) -> float:
        """CPU time: with the files in memory nearly all of it, and free of what other programs take."""
        times = (subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(calls))  # noqa: S603 - our own words
        return sum(float(seconds) for seconds in times) / calls

    return block
