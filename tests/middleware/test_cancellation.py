"""A call that is given up, by its caller or by Ctrl-C, says nothing about the model and leaves no permit behind."""

from __future__ import annotations

import asyncio

import anthropic
import anyio
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, Watcher, make_client, policy, trip

import failover
from failover.events import CallFinished
from failover.testing import Fault

ONE_FAILURE = policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1))


class Ends(list):
    """A listener that keeps how each call ended."""

    def __call__(self, event):
        if isinstance(event, CallFinished):
            self.append(event.outcome)


class InterruptedClock:
    """A clock on which somebody presses Ctrl-C while it sleeps."""

    def now(self):
        return 1000.0

    def sleep(self, seconds):
        raise KeyboardInterrupt

    async def sleep_async(self, seconds):
        raise KeyboardInterrupt


class Stuck(anthropic.Middleware):
    """A request that has been under way for ever."""

    def __init__(self):
        self.arrived = anyio.Event()

    async def handle_async(self, request, call_next):
        self.arrived.set()
        await anyio.sleep_forever()


def interrupt(_request):
    raise KeyboardInterrupt


@pytest.fixture(params=["closed", "half_open", "last_resort"])
def before_the_call(request, fake_clock):
    """Puts the first model's circuit into a state in which the next call may be sent to it."""

    def prepare(caller, fake_claude):
        caller.create()
        if request.param == "half_open":
            caller.board[FIRST].open()
            fake_clock.advance(15)
        elif request.param == "last_resort":
            for breaker in caller.board.breakers():
                breaker.open()
        return "closed" if request.param == "closed" else request.param

    return prepare


class TestCtrlC:
    def test_while_a_request_is_under_way(self, connect, fake_claude, before_the_call):
        ends = Ends()
        caller = connect(ONE_FAILURE, listeners=[ends])
        state = before_the_call(caller, fake_claude)
        wrapped, caller.client = caller.client, caller.client.with_middleware(Watcher(interrupt))
        with failover.recording() as routes:
            error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert (ends[-1], routes[-1].outcome, failover.route(error).outcome) == ("cancelled",) * 3
        breaker = caller.board[FIRST]
        assert breaker.state == {"last_resort": "open"}.get(state, state)
        assert (breaker.outlook() is None) == (state != "last_resort")  # no place of a probe is taken
        assert breaker.pybreaker.fail_counter == 0
        caller.client = wrapped
        if state == "half_open":
            assert caller.create().model == FIRST

    def test_while_a_call_waits(self, connect, fake_claude):
        ends = Ends()
        caller = connect(clock=InterruptedClock(), listeners=[ends])
        fake_claude.script(FIRST, [Fault(status=500)])
        error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert ends == ["cancelled"]
        assert [attempt.status for attempt in failover.route(error).attempts] == [500]
        assert caller.create().model == FIRST


class TestACancelledTask:
    """Only async calls can be cancelled from outside."""

    @pytest.fixture
    def run(self, fake_claude, fake_clock):
        """Runs a story on an event loop: `await story(client, guard)`."""

        def run(story, a_policy=ONE_FAILURE, *, clock=fake_clock, listeners=()):
            async def main():
                guard = failover.Failover(a_policy, clock=clock, random=lambda: 0.5, listeners=listeners)
                async with make_client(fake_claude.url, asynchronous=True) as client:
                    await story(failover.wrap(client, guard), guard)

            anyio.run(main)

        return run

    @staticmethod
    async def cancel_when(arrived, client):
        """Start a call, and cancel it when `arrived` is set."""
        task = asyncio.ensure_future(client.messages.create(**CALL))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_during_the_request_is_no_failure(self, run):
        ends = Ends()

        async def story(client, guard):
            stuck = Stuck()
            with failover.recording() as routes:
                await self.cancel_when(stuck.arrived, client.with_middleware(stuck))
            assert [route.outcome for route in routes] == ["cancelled"]
            assert guard.board[FIRST].state == "closed"
            assert guard.board[FIRST].pybreaker.fail_counter == 0
            assert (await client.messages.create(**CALL)).model == FIRST

        run(story, listeners=[ends])
        assert ends == ["cancelled", "primary"]

    def test_during_a_probe_gives_the_probes_place_back(self, run, fake_clock):
        async def story(client, guard):
            await client.messages.create(**CALL)
            guard.board[FIRST].open()
            fake_clock.advance(15)
            stuck = Stuck()
            await self.cancel_when(stuck.arrived, client.with_middleware(stuck))
            assert guard.board[FIRST].state == "half_open"
            assert guard.board[FIRST].outlook() is None
            assert [(await client.messages.create(**CALL)).model for _ in range(2)] == [FIRST] * 2
            assert guard.board[FIRST].state == "closed"

        run(story)

    def test_during_a_wait_ends_the_call(self, run, fake_claude):
        ends = Ends()
        waiting = anyio.Event()

        class EndlessClock:
            def now(self):
                return 1000.0

            async def sleep_async(self, seconds):
                waiting.set()
                await anyio.sleep_forever()

        async def story(client, guard):
            fake_claude.script(FIRST, [Fault(status=500)])
            await self.cancel_when(waiting, client)
            assert (await client.messages.create(**CALL)).model == FIRST

        run(story, policy(), clock=EndlessClock(), listeners=[ends])
        assert ends == ["cancelled", "primary"]
        assert fake_claude.count() == 2

    def test_by_a_time_out_around_the_call_is_the_callers_time_out_and_nothing_else(self, run, fake_claude):
        fake_claude.script(FIRST, [Fault(hang=30)])

        async def story(client, guard):
            with pytest.raises(TimeoutError):
                with anyio.fail_after(0.2):
                    await client.messages.create(**CALL)
            assert guard.board[FIRST].pybreaker.fail_counter == 0
            assert fake_claude.count(SECOND) == 0

        run(story)

    def test_a_hundred_at_once_leave_the_circuit_as_it_was(self, run, fake_claude):
        fake_claude.fail(FIRST, hang=30)
        ends = Ends()

        async def story(client, guard):
            with anyio.move_on_after(0.3):
                async with anyio.create_task_group() as tasks:
                    for _ in range(100):
                        tasks.start_soon(lambda: client.messages.create(**CALL))
            assert guard.board[FIRST].state == "closed"
            assert guard.board[FIRST].pybreaker.fail_counter == 0

        run(story, listeners=[ends])
        assert ends == ["cancelled"] * 100


def test_a_probe_that_nobody_hears_of_again_loses_its_place_after_its_lease(connect, fake_claude, fake_clock):
    """Such as one whose thread was killed: nothing ran that could have given its permit back."""
    caller = connect(ONE_FAILURE)
    caller.create()
    caller.board[FIRST].open()
    fake_clock.advance(15)
    lost = caller.board[FIRST].admit()
    assert caller.create().model == SECOND
    fake_clock.advance(60)
    assert caller.create().model == FIRST
    assert lost.state == "half_open"


def test_a_stream_that_the_caller_closes_early_is_no_failure(caller, fake_claude):
    assert caller.first_text() == "Hello "
    assert caller.board[FIRST].state == "closed"
    assert caller.board[FIRST].pybreaker.fail_counter == 0
    assert fake_claude.count() == 1
