"""Waiting for one's turn, in a thread or in a task.

Whoever releases a permit wakes whoever is next, from any thread. So nothing here may block, or take a lock that the
waiting thread may hold: a finaliser can release a permit in the middle of a wait, and wake that very thread.
The primitives of `threading` above plain locks do not allow for that, and those of anyio only wake tasks of their own
event loop; a `SimpleQueue` and an event loop's `call_soon_threadsafe` do.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, cast

from failover.clock import Clock, SystemClock

from .turn import Place

if TYPE_CHECKING:
    from failover.engine.plan import Place as AnyPlace

__all__ = ["wait", "wait_async"]

_MACHINE = SystemClock()
_POLL = 0.05
"""Seconds between two looks where nobody can wake the waiter."""


def wait(place: AnyPlace, seconds: float | None, clock: Clock = _MACHINE) -> None:
    """Wait until the turn of `place` has come, or for `seconds` (`None`: however long it takes).

    The caller looks at `place.ticket` then, and leaves the place if there is none, or if this is interrupted. A clock
    that is not the machine's cannot be interrupted by a turn: on such a clock this sleeps for short times.
    """
    place = cast("Place", place)
    if not isinstance(clock, SystemClock) and seconds is not None:
        end = clock.now() + seconds
        while place.waiting and (left := end - clock.now()) > 0:
            clock.sleep(min(_POLL, left))
        return
    turn: queue.SimpleQueue[None] = queue.SimpleQueue()
    if not place.call_when_over(lambda: turn.put(None)):
        return
    with contextlib.suppress(queue.Empty):
        turn.get(timeout=None if seconds is None else min(max(0.0, seconds), threading.TIMEOUT_MAX))


async def wait_async(place: AnyPlace, seconds: float | None, clock: Clock = _MACHINE) -> None:
    """As `wait`, in a task of any event loop. One that is not asyncio's sleeps for short times on the clock."""
    place = cast("Place", place)
    if not _in_a_task_of_asyncio() or (not isinstance(clock, SystemClock) and seconds is not None):
        end = float("inf") if seconds is None else clock.now() + seconds
        while place.waiting and (left := end - clock.now()) > 0:
            await clock.sleep_async(min(_POLL, left))
        return
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[None] = loop.create_future()
    if place.call_when_over(lambda: loop.call_soon_threadsafe(_come, turn)):
        await asyncio.wait([turn], timeout=seconds)


def _come(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _in_a_task_of_asyncio() -> bool:
    """Not merely whether its loop runs: trio can run as a guest of it."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
