"""Many threads, many tasks, several event loops: totals are exact, and nothing is shared that should not be."""

from __future__ import annotations

import asyncio
import collections
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import httpx2
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, make_client, one_exchange, policy, refuse, reply, trip

import failover
from failover import Failover
from failover.events import AttemptFinished, CallFinished, CallStarted

NEVER = trip(consecutive_failures=1_000_000)
"""Circuits that stay closed, so that every total can be known beforehand."""


class Totals:
    """A listener that counts; `deque.append` is atomic, so that no count of its own is lost."""

    def __init__(self):
        self.events = collections.deque()

    def __call__(self, event):
        self.events.append(event)

    def __getitem__(self, kind):
        return sum(isinstance(event, kind) for event in self.events)

    def outcomes(self):
        return collections.Counter(event.outcome for event in self.events if isinstance(event, CallFinished))


class EveryThird:
    """A wire on which each third request for the first model is refused."""

    def __init__(self):
        self._numbers = itertools.count()
        self.refused = 0
        self._lock = threading.Lock()

    def __call__(self, request):
        model = json.loads(request.content)["model"]
        with self._lock:
            if model == FIRST and next(self._numbers) % 3 == 0:
                self.refused += 1
                return refuse(529)
        return httpx2.Response(200, json=reply(model))


def test_ten_thousand_calls_by_32_threads_are_counted_exactly():
    totals = Totals()
    guard = Failover(policy(retry=NO_REPEAT, breaker=NEVER), listeners=[totals])
    request, response = one_exchange()
    numbers = itertools.count()

    def call_next(sent):
        if sent.json["model"] == FIRST and next(numbers) % 4 == 0:
            raise anthropic.APIConnectionError(request=response.http_request)
        return response

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: guard.handle(request, call_next), range(10_000)))
    assert [answer is response for answer in answers] == [True] * 10_000
    assert totals[CallStarted] == totals[CallFinished] == 10_000
    assert totals.outcomes() == {"primary": 7_500, "fallback": 2_500}
    assert totals[AttemptFinished] == 12_500
    assert len({event.call for event in totals.events}) == 10_000
    assert [breaker.late for breaker in guard.board.breakers()] == [0, 0]


def test_a_thousand_tasks_are_counted_exactly():
    count = 1000
    totals, wire = Totals(), EveryThird()
    guard = Failover(policy(retry=NO_REPEAT, breaker=NEVER), listeners=[totals])

    async def main():
        async with make_client("http://test", asynchronous=True, answer=wire) as client:
            wrapped = failover.wrap(client, guard)
            return await asyncio.gather(*[wrapped.messages.create(**CALL) for _ in range(count)])

    answers = anyio.run(main)
    assert collections.Counter(answer.model for answer in answers) == {
        SECOND: wire.refused,
        FIRST: count - wire.refused,
    }
    assert totals.outcomes() == {"fallback": wire.refused, "primary": count - wire.refused}
    assert totals[AttemptFinished] == count + wire.refused


class TestSharedByEventLoops:
    """A guard has no loop of its own: it may be used by one after the other, and by several at the same time."""

    @staticmethod
    def ask(guard, url, times=10):
        async def main():
            async with make_client(url, asynchronous=True) as client:
                wrapped = failover.wrap(client, guard)
                return [(await wrapped.messages.create(**CALL)).model for _ in range(times)]

        return anyio.run(main)

    def test_one_after_the_other(self, fake_claude):
        guard = Failover(policy(retry=NO_REPEAT))
        fake_claude.fail(FIRST, 529)
        for _ in range(3):
            assert self.ask(guard, fake_claude.url) == [SECOND] * 10
        assert fake_claude.count(FIRST) == 5
        assert fake_claude.count(SECOND) == 30

    def test_at_the_same_time(self, fake_claude):
        guard = Failover(policy(retry=NO_REPEAT))
        fake_claude.fail(FIRST, 529)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: self.ask(guard, fake_claude.url), range(4)))
        assert answers == [[SECOND] * 10] * 4
        assert fake_claude.count(FIRST) <= 5 + 4
        assert fake_claude.count(SECOND) == 40

    def test_and_by_a_sync_client_beside_them(self, fake_claude):
        guard = Failover(policy(retry=NO_REPEAT))
        fake_claude.fail(FIRST, 529)
        with make_client(fake_claude.url, asynchronous=False) as client:
            wrapped = failover.wrap(client, guard)
            assert self.ask(guard, fake_claude.url, times=3) == [SECOND] * 3
            assert [wrapped.messages.create(**CALL).model for _ in range(3)] == [SECOND] * 3
        assert fake_claude.count(FIRST) == 5
        assert guard.board[FIRST].state == "open"
