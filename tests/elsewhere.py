"""Work done elsewhere, in other threads or in a forked child, for tests of all folders: none of it may hang."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["LONG", "ends", "passes_in_a_child", "together"]

Result = TypeVar("Result")

LONG = 10.0
"""Seconds after which a thread is taken to hang."""

_CHILD_LIVES = 5  # seconds


def together(count: int, work: Callable[[int], Result]) -> list[Result]:
    """Run `work(index)` in `count` threads that start at the same moment; the results, in order."""
    barrier = threading.Barrier(count)

    def run(index: int) -> Result:
        barrier.wait(LONG)
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=LONG))


def ends(work: Callable[[], object]) -> bool:
    """Whether `work()` ends in a thread of its own, before it must be taken to hang."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LONG / 2)
    return not thread.is_alive()


def passes_in_a_child(check: Callable[[], object]) -> bool:
    """Whether `check()` returns true in the one thread of a forked child, within a few seconds."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that threads and fork do not mix is the point here
        child = os.fork()
    if child == 0:
        signal.alarm(_CHILD_LIVES)  # ends it without a verdict if it hangs
        verdict = b"failed"
        try:
            verdict = b"passed" if check() is True else b"failed"
        finally:
            os.write(writing, verdict)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        verdict = pipe.read()
    os.waitpid(child, 0)
    return verdict == b"passed"
