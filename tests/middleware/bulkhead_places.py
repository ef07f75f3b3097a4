"""Words for tests of bulkheads: who is out, who stands in line, and how to fill a limit."""

from __future__ import annotations

import threading
from typing import Any

import anthropic
import anyio
import httpx2
from sdk_callers import FIRST, NO_REPEAT, ladder, policy, reply

from failover.testing import FakeClock

__all__ = [
    "LARGE",
    "LARGE_PROMPT",
    "LONG",
    "ClockThatFrees",
    "Gate",
    "alone",
    "good",
    "idle",
    "limit_of",
    "limited",
    "occupy",
]

LONG = 20.0
"""Seconds after which something is taken to hang."""


LARGE_PROMPT = [{"role": "user", "content": "word " * 60_000}]
LARGE = {"large": {"over": "50k tokens", "at_once": 2, "queue": "30s"}}


def limited(at_once=1, queue=0.0, *others, retry=NO_REPEAT, **parts):
    """A policy on which the first model takes so many at once."""
    first = {"model": FIRST, "at_once": at_once, "queue": queue}
    return policy(ladders=ladder(first, *others), retry=retry, **parts)


def alone(at_once=1, queue=0.0, **parts):
    """The same without another model."""
    return limited(at_once, queue, **parts)


def good(_request):
    """A wire on which all is well."""
    return httpx2.Response(200, json=reply(FIRST))


def limit_of(guard: Any, name: str = FIRST) -> Any:
    """The limit of this name, or of the rung with this circuit, which is made when its model is first asked for."""
    return next(limit for limit in guard.bulkheads.limits() if limit.name in (name, f"rung {name}"))


def occupy(guard: Any, name: str = FIRST) -> Any:
    """The ticket of another attempt, which takes the place of one."""
    return guard.bulkheads.enter([limit_of(guard, name)])


def idle(guard: Any) -> bool:
    """Whether nobody is out and nobody stands in line."""
    return all(limit.running == limit.waiting == 0 for limit in guard.bulkheads.limits())


class Gate(anthropic.Middleware):
    """Counts how many attempts are out at once, and lets none go on before so many have been (`together`)."""

    def __init__(self, together: int = 1, only: str | None = None) -> None:
        self.most = 0
        self._out = 0
        self._only = only
        self._together = together
        self._met = threading.Event()
        self._lock = threading.Lock()

    def _enter(self, request: Any) -> bool:
        counts = self._only is None or request.json["model"] == self._only
        with self._lock:
            self._out += counts
            self.most = max(self.most, self._out)
            if self.most >= self._together:
                self._met.set()
        return counts

    def _leave(self, counted: bool) -> None:
        with self._lock:
            self._out -= counted

    def handle(self, request: Any, call_next: Any) -> Any:
        counted = self._enter(request)
        try:
            assert not counted or self._met.wait(LONG), "too few were let in"
            return call_next(request)
        finally:
            self._leave(counted)

    async def handle_async(self, request: Any, call_next: Any) -> Any:
        counted = self._enter(request)
        try:
            with anyio.fail_after(LONG):
                while counted and not self._met.is_set():  # noqa: ASYNC110 - the others may be in threads
                    await anyio.sleep(0.001)
            return await call_next(request)
        finally:
            self._leave(counted)


class ClockThatFrees(FakeClock):
    """A clock on which, after some sleeps of whoever stands in line, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self._sleeps_left = 0
        self._then: Any = None

    def after(self, sleeps: int, then: Any) -> None:
        """Call `then` in the middle of a wait, once there were so many sleeps."""
        self._sleeps_left, self._then = sleeps, then

    def _one_more(self) -> None:
        self._sleeps_left -= 1
        if self._sleeps_left == 0:
            self._then()

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._one_more()

    async def sleep_async(self, seconds: float) -> None:
        await super().sleep_async(seconds)
        self._one_more()
