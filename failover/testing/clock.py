"""Time that a test moves by hand.

Whatever waits takes its clock as an argument; given this one, an hour's outage is over as soon as it is asked for,
and the test can read how long the code meant to wait.
"""

from __future__ import annotations

import threading

import anyio.lowlevel

__all__ = ["FakeClock"]


class FakeClock:
    """A `failover.clock.Clock` that stands still until it is slept on or advanced. Threads may share it.

    Args:
        start: the first `now()`. It is not zero, so that code which takes 0 for "never" is found out.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._slept: list[float] = []
        self._lock = threading.Lock()

    @property
    def slept(self) -> list[float]:
        """The length in seconds of every sleep so far, in order; a copy."""
        with self._lock:
            return list(self._slept)

    def now(self) -> float:
        """Seconds on this clock."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward; this is not written down in `slept`.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        self._move(seconds, "advance")

    def sleep(self, seconds: float) -> None:
        """Move the clock forward at once, and write the sleep down in `slept`.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        self._move(seconds, "sleep", record=True)

    async def sleep_async(self, seconds: float) -> None:
        """As `sleep`; it also lets the event loop run once, as a real sleep would.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        self._move(seconds, "sleep", record=True)
        await anyio.lowlevel.checkpoint()

    def _move(self, seconds: float, verb: str, *, record: bool = False) -> None:
        if not seconds >= 0:  # so written because NaN is neither
            raise ValueError(f"cannot {verb} by {seconds!r} seconds: time only goes forward")
        with self._lock:
            self._now += seconds
            if record:
                self._slept.append(seconds)
