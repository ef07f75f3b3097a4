"""Time as the middleware sees it: passed in, so that tests and simulations bring their own."""

from __future__ import annotations

import time
from typing import Protocol

import anyio

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time and waits, in seconds. Must be usable from several threads at once."""

    def now(self) -> float:
        """Seconds on a clock that never steps back; where it starts does not matter."""

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""

    async def sleep_async(self, seconds: float) -> None:
        """Wait, leaving the event loop to others; can be cancelled."""


class SystemClock:
    """The machine's monotonic clock."""

    now = staticmethod(time.monotonic)
    """Seconds since some moment before the program began."""

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Wait on whichever event loop runs."""
        await anyio.sleep(seconds)
