"""Many under one limit, in threads, tasks and event loops; those who give up; and that every place comes back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import pytest
from anyio.lowlevel import checkpoint
from bulkhead_places import (
    LARGE,
    LARGE_PROMPT,
    LONG,
    ClockThatFrees,
    Gate,
    alone,
    good,
    idle,
    limit_of,
    limited,
    occupy,
)
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, ladder, make_client, policy
from stream_callers import streams_of

import failover
from failover import Failover
from failover.clock import SystemClock
from failover.events import ModelSkipped
from failover.testing import Fault


async def in_line(guard, count):
    """Until so many stand in line before the first model."""
    while limit_of(guard).waiting < count:
        await checkpoint()


@contextlib.asynccontextmanager
async def behind_another(fake_claude, guard):
    """An async client, and the ticket of the other call that takes up its first model's limit of one."""
    async with make_client(fake_claude.url, asynchronous=True) as client:
        wrapped = failover.wrap(client, guard)
        await wrapped.messages.create(**CALL)  # with it the limit comes to be
        yield wrapped, occupy(guard)


class TestManyAtOnce:
    """On the machine's own clock: nobody can wait on one that moves only by hand while others work."""

    def test_of_one_client_are_never_more_than_the_limit_and_no_fewer(self, connect):
        caller = connect(alone(3, 3600), clock=SystemClock())
        gate = Gate(3)
        caller.client = caller.client.with_middleware(gate)
        answers = caller.together(24)
        assert [answer.model for answer in answers] == [FIRST] * 24
        assert gate.most == 3
        assert idle(caller.guard)

    def test_fail_over_under_the_limit_of_the_target(self, connect, fake_claude):
        second = {"model": SECOND, "at_once": 2, "queue": 3600}
        caller = connect(policy(ladders=ladder(second), retry=NO_REPEAT), clock=SystemClock())
        gate = Gate(2, only=SECOND)
        caller.client = caller.client.with_middleware(gate)
        fake_claude.fail(FIRST, 529)
        assert [answer.model for answer in caller.together(20)] == [SECOND] * 20
        assert gate.most == 2
        assert idle(caller.guard)

    def test_large_ones_wait_and_small_ones_do_not(self, connect):
        caller = connect(policy(retry=NO_REPEAT, bulkheads=LARGE), clock=SystemClock())
        one, other = occupy(caller.guard, "large"), occupy(caller.guard, "large")
        assert [answer.model for answer in caller.together(10)] == [FIRST] * 10
        one.release()
        other.release()
        gate = Gate(2)
        caller.client = caller.client.with_middleware(gate)
        assert [answer.model for answer in caller.together(10, messages=LARGE_PROMPT)] == [FIRST] * 10
        assert gate.most == 2
        assert idle(caller.guard)

    def test_in_threads_and_in_several_event_loops_are_under_one_limit(self):
        guard = Failover(alone(4, 3600))
        gate = Gate(4)

        def in_threads(_):
            with make_client("http://test", asynchronous=False, answer=good) as client:
                wrapped = failover.wrap(client, guard).with_middleware(gate)
                with ThreadPoolExecutor(8) as pool:
                    return list(pool.map(lambda _: wrapped.messages.create(**CALL).model, range(40)))

        def in_a_loop(_):
            async def main():
                async with make_client("http://test", asynchronous=True, answer=good) as client:
                    wrapped = failover.wrap(client, guard).with_middleware(gate)
                    got = await asyncio.gather(*[wrapped.messages.create(**CALL) for _ in range(40)])
                    return [message.model for message in got]

            return anyio.run(main)

        with ThreadPoolExecutor(4) as pool:
            work = [in_threads, in_a_loop, in_a_loop, in_a_loop]
            answers = list(pool.map(lambda one: one(None), work, timeout=60))
        assert answers == [[FIRST] * 40] * 4
        assert gate.most == 4
        assert idle(guard)


class TestWhoGivesUp:
    def test_in_line_by_ctrl_c_leaves_it(self, connect):
        clock = ClockThatFrees()
        caller = connect(alone(1, 30), clock=clock)
        caller.create()
        ticket = occupy(caller.guard)

        def interrupt():
            raise KeyboardInterrupt

        clock.after(3, interrupt)
        error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert failover.route(error).outcome == "cancelled"
        assert limit_of(caller.guard).waiting == 0
        ticket.release()
        assert caller.create().model == FIRST

    def test_in_line_by_a_real_signal_leaves_it(self, fake_claude):
        guard = Failover(alone(1, 3600))
        with make_client(fake_claude.url, asynchronous=False) as client:
            wrapped = failover.wrap(client, guard)
            wrapped.messages.create(**CALL)
            ticket = occupy(guard)
            main, stopped = threading.main_thread().ident, threading.Event()

            def press():
                while limit_of(guard).waiting == 0 and not stopped.wait(0.001):
                    pass
                signal.pthread_kill(main, signal.SIGINT)

            presser = threading.Thread(target=press)
            presser.start()
            try:
                with pytest.raises(KeyboardInterrupt):
                    wrapped.messages.create(**CALL)
            finally:
                stopped.set()
                presser.join()
            assert limit_of(guard).waiting == 0
            ticket.release()
            assert wrapped.messages.create(**CALL).model == FIRST
        assert idle(guard)

    def test_in_line_by_cancellation_leaves_it_to_the_next(self, fake_claude):
        guard = Failover(alone(1, 3600))

        async def main():
            async with behind_another(fake_claude, guard) as (wrapped, ticket):
                tasks = []
                for number in range(3):
                    tasks.append(asyncio.ensure_future(wrapped.messages.create(**CALL)))
                    with anyio.fail_after(LONG):
                        await in_line(guard, number + 1)
                for task in tasks[:2]:
                    task.cancel()
                assert [type(got) for got in await asyncio.gather(*tasks[:2], return_exceptions=True)] == [
                    asyncio.CancelledError
                ] * 2
                assert limit_of(guard).waiting == 1
                ticket.release()
                with anyio.fail_after(LONG):
                    assert (await tasks[2]).model == FIRST

        anyio.run(main)
        assert idle(guard)

    def test_whose_turn_has_just_come_passes_it_on(self, fake_claude):
        guard = Failover(alone(1, 3600))

        async def main():
            async with behind_another(fake_claude, guard) as (wrapped, ticket):
                task = asyncio.ensure_future(wrapped.messages.create(**CALL))
                with anyio.fail_after(LONG):
                    await in_line(guard, 1)
                ticket.release()
                assert limit_of(guard).running == 1
                task.cancel()  # before it could wake up
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert idle(guard)
                assert (await wrapped.messages.create(**CALL)).model == FIRST

        anyio.run(main)

    def test_under_way_gives_its_place_back(self, fake_claude):
        guard = Failover(alone(1, 0))
        fake_claude.script(FIRST, [Fault(hang=30)])

        async def main():
            async with make_client(fake_claude.url, asynchronous=True) as client:
                wrapped = failover.wrap(client, guard)
                task = asyncio.ensure_future(wrapped.messages.create(**CALL))
                with anyio.fail_after(LONG):
                    while not fake_claude.count():  # noqa: ASYNC110 - it is another thread that counts
                        await anyio.sleep(0.001)
                assert limit_of(guard).running == 1
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert idle(guard)

        anyio.run(main)


def faults_of_all_kinds():
    return [
        None,
        Fault(status=500),
        Fault(status=529),
        Fault(status=504),
        Fault(status=429, retry_after=1),
        Fault(status=429, retry_after=60),
        Fault(drop=True),
        Fault(malformed="html"),
        Fault(cut=True),
        Fault(error_event="overloaded_error", after_events=0),
        Fault(end_without_stop=True),
    ]


def test_nothing_leaks_after_a_thousand_calls_of_all_kinds(connect, fake_claude):
    never = {"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}}
    large = {"large": {"over": "1 tokens", "at_once": 3, "queue": "1s"}}
    second = {"model": SECOND, "at_once": 2, "queue": "1s"}
    a_policy = limited(2, 1.0, second, retry={"budget": "off"}, breaker=never, bulkheads=large)
    skips = []
    caller = connect(a_policy, listeners=[lambda event: skips.append(event) if type(event) is ModelSkipped else None])
    reader = streams_of(caller)
    caller.create()
    ways = [
        caller.attempt,
        lambda: caller.attempt(max_tokens="many"),
        reader.read,
        lambda: reader.close(reader.open()),
        caller.first_text,
        caller.stream,
    ]
    faults = faults_of_all_kinds()
    for number in range(1000):
        caller.board[FIRST].close()
        others = [occupy(caller.guard) for _ in range(2 if number % 7 == 0 else 0)]
        fake_claude.script(FIRST, [faults[number % len(faults)]])
        try:
            ways[number % len(ways)]()
        except anthropic.APIError:
            pass
        finally:
            for ticket in others:
                ticket.release()
        fake_claude.script(FIRST, [])
        assert idle(caller.guard), number
    assert fake_claude.count(FIRST) > 700
    assert "full" in {skip.reason for skip in skips}
