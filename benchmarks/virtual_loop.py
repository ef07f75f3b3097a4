"""An event loop whose time jumps: whatever waits, waits for nothing, and in the right order.

Minutes of an outage with dozens of calls in flight pass as fast as the machine can compute them, event by event,
and come out the same every time.
"""

from __future__ import annotations

import asyncio
import selectors

__all__ = ["VirtualClock", "VirtualLoop"]


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    """Instead of waiting for its next timer, the loop is told that the time has come."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None and timeout > 0:
            self.passed += timeout
        return ready  # type: ignore[no-any-return]


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds that have passed on this loop."""
        return self._jumping.passed


class VirtualClock:
    """A virtual loop's time as a `failover.Clock`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.now = loop.time

    def sleep(self, seconds: float) -> None:
        """Nothing that runs on an event loop may block it.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"a wait of {seconds} s would block the event loop")

    async def sleep_async(self, seconds: float) -> None:
        """Wait in the loop's time."""
        await asyncio.sleep(seconds)
