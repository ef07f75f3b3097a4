"""Many threads, tasks, event loops and processes in one incident: one probe at a time, and nobody is lost with it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time

import anthropic
import httpx2
import pytest
from elsewhere import LONG, passes_in_a_child, together
from incident_places import Listening, begin, due, incident_policy, pings, probed, until
from sdk_callers import CALL, FIRST, SECOND, Watcher, make_client, refuse, reply, trip

import failover
from failover.errors import PlatformIncident
from failover.events import CallFinished, IncidentEnded, IncidentStarted


class Platform:
    """An API in memory that is down or not, and counts the probes that come."""

    def __init__(self):
        self.down = threading.Event()
        self.probes = 0
        self.stuck = None
        self._lock = threading.Lock()

    def arrive(self, request):
        with self._lock:
            self.probes += json.loads(request.content)["max_tokens"] == 1

    def leave(self, request):
        return (
            refuse(529)
            if self.down.is_set()
            else httpx2.Response(200, json=reply(json.loads(request.content)["model"]))
        )

    def __call__(self, request):
        self.arrive(request)
        time.sleep(0.002)
        return self.leave(request)

    async def answer(self, request):
        self.arrive(request)
        await asyncio.sleep(0.002)
        return self.leave(request)


class Turns:
    """Watches the turns that a guard gives: whether there is ever a second one before the first is heard of, or given up."""

    def __init__(self, guard, monkeypatch):
        self.given = 0
        self.too_early = []
        self._out = {}
        self._lock = threading.Lock()
        self._take, self._probed = guard._incidents.take_turn, guard._incidents.probed
        monkeypatch.setattr(guard._incidents, "take_turn", self.take)
        monkeypatch.setattr(guard._incidents, "probed", self.probed)

    def take(self, *arguments):
        before = time.monotonic()
        turn = self._take(*arguments)
        if turn is not None:
            with self._lock:
                now = time.monotonic()
                self.given += 1
                self.too_early += [at for at in self._out.values() if now < at + LEASE]
                self._out[turn.number] = before
        return turn

    def probed(self, client, number, *rest, **answered):
        with self._lock:
            del self._out[number]
        self._probed(client, number, *rest, **answered)


QUICK = {"every": "20ms", "timeout": "20ms"}
LEASE = 3 * 0.02  # seconds after which such a probe is given up


def assert_in_order(told):
    """Each client's incidents begin and end in turn, and the probes that were told of are those that were sent."""
    kinds = [type(event) for event in told if isinstance(event, (IncidentStarted, IncidentEnded))]
    assert kinds == ([IncidentStarted, IncidentEnded] * len(kinds))[: len(kinds)]
    return kinds.count(IncidentEnded)


def test_thirty_two_threads_through_an_outage_that_comes_and_goes(monkeypatch):
    platform, told, over = Platform(), Listening(), threading.Event()
    client = make_client("http://test", asynchronous=False, answer=platform)
    quick = {**trip(consecutive_failures=1), "last_resort": "off", "open_for": {"first": "20ms", "max": "20ms"}}
    guard = failover.Failover(incident_policy(probe=QUICK, breaker=quick), listeners=[told])
    wrapped, turns = failover.wrap(client, guard), Turns(guard, monkeypatch)
    outcomes = set()

    def call():
        try:
            wrapped.messages.create(**CALL)
        except anthropic.APIStatusError as error:
            return type(error).__name__
        return "answered"

    def live():
        while not over.is_set():
            outcomes.add(call())
            time.sleep(0.002)

    threads = [threading.Thread(target=live) for _ in range(32)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(3):
            platform.down.set()
            until(lambda: guard.incidents)
            platform.down.clear()
            until(lambda: not guard.incidents)
    finally:
        over.set()
        for thread in threads:
            thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)
    assert {"answered", "PlatformIncident"} <= outcomes
    assert outcomes <= {"answered", "OverloadedError", "PlatformIncident", "CircuitOpen"}
    assert turns.too_early == []
    assert turns.given == platform.probes == len(probed(told))
    assert assert_in_order(told) >= 3
    assert guard.incidents == ()
    until(lambda: call() == "answered")
    client.close()


def test_two_event_loops_and_their_tasks_in_one_incident(monkeypatch):
    platform, told = Platform(), Listening()
    guard = failover.Failover(incident_policy("wait", probe=QUICK), listeners=[told])
    turns = Turns(guard, monkeypatch)
    platform.down.set()

    async def main():
        async with _client(platform.answer) as client:
            wrapped = failover.wrap(client, guard)
            return await asyncio.gather(*[wrapped.messages.create(**CALL) for _ in range(20)])

    def heal():
        end = time.monotonic() + LONG
        while platform.probes < 3 and time.monotonic() < end:
            time.sleep(0.01)
        platform.down.clear()

    healer = threading.Thread(target=heal)
    healer.start()
    answers = together(2, lambda _: asyncio.run(main()))
    healer.join(LONG)
    assert [len(some) for some in answers] == [20, 20]
    assert turns.too_early == []
    assert turns.given == platform.probes == len(probed(told)) >= 4
    assert assert_in_order(told) == 1


def test_of_fifty_callers_at_once_one_asks_and_the_others_fail_at_once(connect, fake_claude, fake_clock):
    caller = connect(incident_policy())
    begin(caller, fake_claude)
    fake_clock.advance(30)
    before = len(fake_claude.requests)
    errors = caller.together(50)
    assert {type(error) for error in errors} == {PlatformIncident}
    assert len(fake_claude.requests) == before + 1


class TestAProbeThatIsLost:
    """The next turn comes all the same."""

    def test_by_ctrl_c(self, connect, fake_claude, fake_clock):
        caller = connect(incident_policy())
        due(caller, fake_claude, fake_clock)

        def interrupt(_request):
            raise KeyboardInterrupt

        wrapped, caller.client = caller.client, caller.client.with_middleware(Watcher(interrupt))
        with failover.recording() as routes:
            error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert [route.outcome for route in routes] == ["cancelled"]
        assert failover.route(error).attempts == ()
        caller.client = wrapped
        assert type(caller.error()) is PlatformIncident
        fake_clock.advance(60)
        assert caller.create().model == FIRST
        assert caller.guard.incidents == ()

    @pytest.mark.parametrize("how", ["cancelled", "dropped"])
    def test_with_its_task(self, fake_clock, how):
        platform, told = Platform(), Listening()
        guard = failover.Failover(incident_policy(), clock=fake_clock, random=lambda: 0.5, listeners=[told])

        async def main():
            arrived = asyncio.Event()

            async def answer(request):
                if arrived is platform.stuck:
                    arrived.set()
                    await Never()
                return await platform.answer(request)

            async with _client(answer) as client:
                create = failover.wrap(client, guard).messages.create
                platform.down.set()
                with pytest.raises(anthropic.OverloadedError):
                    await create(**CALL)
                fake_clock.advance(30)
                platform.stuck = arrived
                await (cancel if how == "cancelled" else drop)(create(**CALL), arrived)
                platform.stuck = None
                platform.down.clear()
                with pytest.raises(PlatformIncident):
                    await create(**CALL)
                fake_clock.advance(60)
                return await create(**CALL)

        assert asyncio.run(main()).model in {FIRST, SECOND}
        assert guard.incidents == ()
        ends = [event.outcome for event in told if isinstance(event, CallFinished)]
        assert ends == ["exhausted", "cancelled", "refused", ends[-1]]
        assert [answered for _, answered, _, _ in probed(told)] == [True, True]


async def cancel(coroutine, arrived):
    """Begin a call, and cancel it once its request is out."""
    task = asyncio.ensure_future(coroutine)
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def drop(coroutine, arrived):
    """Go as far by hand, and let go of it: it is garbage."""
    while not arrived.is_set():
        coroutine.send(None)
    del coroutine
    gc.collect()


class Never:
    """What nobody ever answers."""

    def __await__(self):
        while True:
            yield


def _client(answer):
    transport = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return anthropic.AsyncAnthropic(base_url="http://test", api_key="test", http_client=transport)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_finds_the_end_by_itself(fake_clock):
    platform = Platform()
    platform.down.set()
    guard = failover.Failover(incident_policy(), clock=fake_clock, random=lambda: 0.5)
    client = failover.wrap(make_client("http://test", asynchronous=False, answer=platform), guard)
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(**CALL)

    def check():
        with pytest.raises(PlatformIncident):
            client.messages.create(**CALL)
        platform.down.clear()
        fake_clock.advance(30)
        return client.messages.create(**CALL).model == FIRST and not guard.incidents

    assert passes_in_a_child(check)
    assert guard.incidents
    client.close()


def test_probes_are_counted_by_nobody_as_attempts(connect, fake_claude, fake_clock):
    told = Listening()
    caller = connect(incident_policy(), listeners=[told])
    due(caller, fake_claude, fake_clock)
    with failover.recording() as routes:
        caller.create()
    assert [len(route.attempts) for route in routes] == [1]
    assert len(pings(fake_claude.requests)) == 2
    assert [event.attempts for event in told if isinstance(event, CallFinished)] == [2, 1]
