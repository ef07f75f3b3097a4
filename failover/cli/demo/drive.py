"""Makes it happen: two fake APIs that fail alike, a client with failover and one without, and a steady stream of calls."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anthropic
import anyio
from anthropic.types import MessageParam

import failover
from failover import Failover, Journal, Policy, Route
from failover.events import Event
from failover.telemetry import TracerProvider
from failover.testing import FakeClaude

from .compression import CompressedClock, bare_client, client_for_failover
from .script import Phase, Script
from .tally import CallSeen, Tally

__all__ = ["Audience", "Demonstration"]

_PROMPT: list[MessageParam] = [{"role": "user", "content": "Say hello."}]
_TICK = 0.1  # real seconds between two looks of the audience


class Audience(Protocol):
    """Watches. Everything is called in the event loop's thread, so it must be quick."""

    def phase(self, phase: Phase) -> None:
        """The scenario changed."""

    def event(self, at: float, event: Event) -> None:
        """The middleware told something."""

    def guarded_call(self, call: CallSeen) -> None:
        """A call of the client with failover ended."""

    def bare_call(self, call: CallSeen) -> None:
        """A call of the client without failover ended."""

    def look(self) -> None:
        """About ten times in a real second, and once at the end: the only moment to write anything.

        Raises:
            OSError: nobody reads any more, which ends the demonstration.
        """


@dataclass(slots=True)
class _Side:
    """One client, and the upstream that only it uses."""

    client: anthropic.AsyncAnthropic
    upstream: FakeClaude
    tally: Tally
    tell: Callable[[CallSeen], None]


@dataclass(slots=True)
class Demonstration:
    """One run, and afterwards what came of it."""

    script: Script
    policy: Policy
    tracer_provider: TracerProvider
    journal: Path | None = None
    """The file of a journal, whose times are the scenario's."""
    guarded: Tally = field(default_factory=Tally)
    bare: Tally = field(default_factory=Tally)
    late: float = 0.0
    """The most scenario seconds by which a call was made later than it should have been."""
    failover: Failover = field(init=False)
    guarded_upstream: FakeClaude = field(init=False)
    bare_upstream: FakeClaude = field(init=False)
    _audience: Audience = field(init=False)
    _began: float = field(init=False, default=0.0)
    _began_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        script = self.script
        self.failover = Failover(
            self.policy,
            clock=CompressedClock(script.speed),
            random=random.Random(script.scenario.seed).random,  # noqa: S311 - repeatable, nothing secret
            listeners=[self._listen],
            tracer_provider=self.tracer_provider,
            journal=False if self.journal is None else Journal(self.journal, wall=self._wall),
        )
        self.guarded_upstream = FakeClaude(script.scenario, speed=script.speed)
        self.bare_upstream = FakeClaude(script.scenario, speed=script.speed)

    def now(self) -> float:
        """Scenario seconds since the start."""
        return (time.monotonic() - self._began) * self.script.speed

    def _wall(self) -> float:
        return self._began_at + self.now()

    async def run(self, audience: Audience) -> None:
        """Play the script from its beginning to its end, and wait for the last answers.

        Raises:
            OSError: the audience has nobody to show it to.
        """
        self._audience = audience
        unwatched: list[OSError] = []
        async with self._sides() as sides, anyio.create_task_group() as watching:
            self.guarded_upstream.clear()  # their scenario begins with ours
            self.bare_upstream.clear()
            self._began, self._began_at = time.monotonic(), time.time()
            watching.start_soon(self._look, unwatched, watching.cancel_scope)
            watching.start_soon(self._announce_phases)
            async with anyio.create_task_group() as calls:
                for number in range(self.script.calls):
                    await self._until(number / self.script.rate)
                    self.late = max(self.late, self.now() - number / self.script.rate)
                    for side in sides:
                        calls.start_soon(self._call, side)
                await self._until(self.script.duration)
            watching.cancel_scope.cancel()
        if self.failover.journal is not None:
            self.failover.journal.close()
        if unwatched:
            raise unwatched[0]
        audience.look()

    @contextlib.asynccontextmanager
    async def _sides(self) -> AsyncIterator[tuple[_Side, _Side]]:
        speed = self.script.speed
        with self.guarded_upstream as guarded, self.bare_upstream as bare:
            unwrapped = client_for_failover(guarded.url, speed, self.tracer_provider)
            async with unwrapped, bare_client(bare.url, speed) as alone:
                yield (
                    _Side(failover.wrap(unwrapped, self.failover), guarded, self.guarded, self._audience.guarded_call),
                    _Side(alone, bare, self.bare, self._audience.bare_call),
                )

    async def _call(self, side: _Side) -> None:
        started = self.now()
        with failover.recording() as routes:
            try:
                message = await side.client.messages.create(model=self.script.model, max_tokens=64, messages=_PROMPT)
            except Exception as error:  # noqa: BLE001 - whatever a client raises is a call that failed
                seen = _failed(error)
            else:
                seen = CallSeen(0.0, 0.0, message.model, 200, None, message._request_id, None)  # noqa: SLF001 - the SDK documents it
        route: Route | None = routes[-1] if routes else None
        seen = seen._replace(started=started, seconds=self.now() - started, route=route)
        side.tally.add(seen)
        side.tell(seen)

    def _listen(self, event: Event) -> None:
        at = self.now()
        self.guarded.listen(at, event)
        self._audience.event(at, event)

    async def _announce_phases(self) -> None:
        for phase in self.script.phases():
            await self._until(phase.at)
            self._audience.phase(phase)

    async def _look(self, unwatched: list[OSError], everything: anyio.CancelScope) -> None:
        try:
            while True:
                self._audience.look()
                await anyio.sleep(_TICK)
        except OSError as error:
            unwatched.append(error)
            everything.cancel()

    async def _until(self, at: float) -> None:
        await anyio.sleep(max(0.0, (at - self.now()) / self.script.speed))


def _failed(error: Exception) -> CallSeen:
    status, request_id = getattr(error, "status_code", None), getattr(error, "request_id", None)
    return CallSeen(0.0, 0.0, None, status, type(error).__name__, request_id, None)
