"""What an outage costs: calls wasted on a dead model, and how soon the first good answer comes after it.

Nothing here is timed by the machine: requests are counted, and seconds are those of a clock that jumps from event to
event. The same counts come out on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator

import anthropic
import httpx2

import failover
from failover.policy import BreakerRules, Ladder, Policy, Rung
from failover.testing import FakeClock

from .report import Row
from .sides import MODEL, ask, good_answer
from .timing import Counts, spread
from .virtual_loop import VirtualClock, VirtualLoop

__all__ = ["rows"]

_ANSWER = 2.0  # seconds that an answer takes, good or bad
_QUICK_ANSWER = 0.2  # where it is the wait for it that is measured
_AT_ONCE = 50
_PER_SECOND = 5
_PHASES = (0.05, 0.25, 0.45, 0.65, 0.85)  # of the recovery, in seconds: against the rhythm of calls and of last resorts
_AT_MOST = 2.0
_TWO_MODELS = Policy(
    version=1,
    name="two models",
    ladders=(Ladder(match="claude-opus-*", rungs=(Rung(model="claude-sonnet-5-5"),)),),
)
_FAILURE = json.dumps({"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}).encode()


class _Upstream:
    """Answers with 500 as long as it is told to, and counts who was asked."""

    def __init__(self, is_dead: Callable[[str], bool]) -> None:
        self._is_dead = is_dead
        self.asked: Counter[str] = Counter()

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        model = json.loads(request.content)["model"]
        self.asked[model] += 1
        if self._is_dead(model):
            return httpx2.Response(500, content=_FAILURE, headers={"request-id": "req_benchmark"})
        return good_answer()


def rows(counts: Counts) -> Iterator[Row]:
    """Dead calls one by one and many at a time; then the recovery."""
    policy = failover.default_policy()
    yield _dead_row(f"dead calls of {counts.calls:,}, one by one", _one_by_one(policy, counts.calls), policy, 0)
    many = _many_at_once(policy, counts.calls)
    yield _dead_row(f"dead calls of {counts.calls:,}, {_AT_ONCE} at a time", many, policy, _AT_ONCE)
    yield _recovery_row(counts)


def _one_by_one(policy: Policy, calls: int) -> tuple[int, float]:
    """How often the dead model was asked, and the seconds that it took."""
    clock = FakeClock()
    start = clock.now()
    upstream = _Upstream(lambda model: model == MODEL)

    def answer(request: httpx2.Request) -> httpx2.Response:
        clock.advance(_ANSWER)
        return upstream.answer(request)

    guard = failover.Failover(policy, clock=clock, random=random.Random(7).random)
    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with anthropic.Anthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=[guard]) as client:
        for _ in range(calls):
            ask(client)
    return upstream.asked[MODEL], clock.now() - start


def _many_at_once(policy: Policy, calls: int) -> tuple[int, float]:
    """The same with many workers, each of which makes its share of the calls."""
    loop = VirtualLoop()
    upstream = _Upstream(lambda model: model == MODEL)

    async def work(client: anthropic.AsyncAnthropic) -> None:
        for _ in range(calls // _AT_ONCE):
            await ask(client)

    async def run() -> None:
        async with _client(loop, policy, upstream, _ANSWER) as client:
            await _warm_up(client)
            await asyncio.gather(*(work(client) for _ in range(_AT_ONCE)))

    with contextlib.closing(loop):
        loop.run_until_complete(run())
        return upstream.asked[MODEL], loop.time()


def _dead_row(what: str, result: tuple[int, float], policy: Policy, in_flight: int) -> Row:
    dead, seconds = result
    threshold = policy.breaker.trip.consecutive_failures or 0
    probes = _probes_within(seconds, policy.breaker)
    at_most = in_flight + threshold + probes
    sum_of = f"{in_flight} in flight + {threshold}" if in_flight else f"{threshold}"
    return Row(
        f"{what}, in {seconds:,.0f} s", f"{dead}", "", f"≤ {at_most} ({sum_of} + {probes} probes)", dead <= at_most
    )


def _probes_within(seconds: float, rules: BreakerRules) -> int:
    """How many probes a dead model gets at most: those of every opening that can end within so many seconds."""
    shortest, ended, openings = rules.open_for, 0.0, 0
    while True:
        ended += min(shortest.first * shortest.factor**openings, shortest.max) * (1 - shortest.jitter)
        if ended > seconds:
            return openings * rules.probe.permits
        openings += 1


def _recovery_row(counts: Counts) -> Row:
    waits = [_recovery(length + phase) for length in counts.outages for phase in _PHASES]
    lengths = ", ".join(f"{length:.0f}" for length in counts.outages)
    middle = spread(waits)
    return Row(
        f"both models down for {lengths} s, {_PER_SECOND} calls a second: first good answer after it, at worst",
        f"{max(waits):.2f} s",
        f"{middle.low:.2f} to {middle.high:.2f}",
        f"≤ {_AT_MOST:g} s",
        max(waits) <= _AT_MOST,
    )


def _recovery(up_at: float) -> float:
    """Seconds from the recovery to the first good answer of any call."""
    loop = VirtualLoop()
    upstream = _Upstream(lambda _model: loop.time() < up_at)
    answered: list[float] = []

    async def call(client: anthropic.AsyncAnthropic) -> None:
        try:
            await ask(client)
        except anthropic.APIError:
            return
        answered.append(loop.time())

    async def run() -> None:
        async with _client(loop, _TWO_MODELS, upstream, _QUICK_ANSWER) as client:
            await _warm_up(client)
            calls = []
            while not answered:
                calls.append(asyncio.ensure_future(call(client)))
                await asyncio.sleep(1 / _PER_SECOND)
            await asyncio.gather(*calls)

    with contextlib.closing(loop):
        loop.run_until_complete(run())
        return answered[0] - up_at


def _client(loop: VirtualLoop, policy: Policy, upstream: _Upstream, seconds: float) -> anthropic.AsyncAnthropic:
    """A guarded client that lives in the loop's time."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return good_answer()
        response = upstream.answer(request)  # decided as it arrives, told when it is ready
        await asyncio.sleep(seconds)
        return response

    guard = failover.Failover(policy, clock=VirtualClock(loop), random=random.Random(7).random)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return anthropic.AsyncAnthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=[guard])


async def _warm_up(client: anthropic.AsyncAnthropic) -> None:
    """With its first request the SDK asks a thread for the platform's name: real time, in which the clock would jump."""
    await client.get("/", cast_to=object)
