"""Waiting for a turn: what ends it, and that nothing is left behind however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import signal
import threading

import anyio
import pytest
from bulkhead_lab import LONG, Lab, ends, turn, turn_async

from failover.bulkheads import wait, wait_async
from failover.clock import SystemClock

WAYS = pytest.mark.parametrize("way", ["sync", "async"])


def wait_either_way(way, place, seconds, *clock):
    if way == "sync":
        wait(place, seconds, *clock)
    else:
        asyncio.run(wait_async(place, seconds, *clock))


class TestHowItEnds:
    @WAYS
    @pytest.mark.parametrize("seconds", [None, math.inf, 1e12, LONG])
    def test_when_the_turn_comes(self, way, seconds):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place, watches = lab.place("a"), threading.Event()
        real = place._bulkheads.watch

        def watch(place, wake):
            answer = real(place, wake)
            watches.set()
            return answer

        lab.bulkheads.watch = watch
        waiter = threading.Thread(target=wait_either_way, args=(way, place, seconds), daemon=True)
        waiter.start()
        assert watches.wait(LONG)
        held.release()
        waiter.join(LONG)
        assert not waiter.is_alive()
        assert place.ticket is not None

    @WAYS
    @pytest.mark.parametrize("seconds", [0, 0.001, -1])
    def test_when_the_time_is_over(self, way, seconds):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        wait_either_way(way, place, seconds)
        assert place.ticket is None
        place.leave()
        held.release()
        assert lab.is_empty

    @WAYS
    @pytest.mark.parametrize("over", ["granted", "left"])
    @pytest.mark.parametrize("clock", ["the machine's", "a test's"])
    def test_at_once_when_it_is_over_already(self, way, over, clock):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        if over == "granted":
            held.release()
        else:
            place.leave()
        assert ends(lambda: wait_either_way(way, place, 1000, SystemClock() if clock == "the machine's" else lab.clock))
        assert lab.clock.slept == []

    @WAYS
    def test_a_turn_that_comes_after_the_wait_is_given_back_by_leaving(self, way):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        wait_either_way(way, place, 0)
        held.release()
        assert place.ticket is not None
        place.leave()
        assert lab.is_empty

    @WAYS
    def test_one_may_wait_again(self, way):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        wait_either_way(way, place, 0)
        wait_either_way(way, place, 0)
        held.release()
        wait_either_way(way, place, None)
        assert place.ticket is not None


class TestOnATestsClock:
    @WAYS
    def test_it_takes_the_time_of_that_clock(self, way):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        before = lab.clock.now()
        wait_either_way(way, place, 30, lab.clock)
        assert lab.clock.now() == before + 30
        assert place.ticket is None
        held.release()

    @WAYS
    def test_it_ends_when_the_turn_comes(self, way):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")

        class Clock(type(lab.clock)):
            def sleep(self, seconds):
                super().sleep(seconds)
                held.release()

            async def sleep_async(self, seconds):
                await super().sleep_async(seconds)
                held.release()

        clock = Clock()
        wait_either_way(way, place, 30, clock)
        assert place.ticket is not None
        assert len(clock.slept) == 1

    def test_other_tasks_go_on_meanwhile(self):
        lab = Lab(a=1)

        async def call(seconds):
            ticket = lab.enter("a")
            if not hasattr(ticket, "release"):
                await wait_async(ticket, 1000, lab.clock)
                ticket = ticket.ticket
            await lab.clock.sleep_async(seconds)
            ticket.release()

        async def main():
            await asyncio.gather(*(call(10) for _ in range(5)))

        asyncio.run(main())
        assert lab.is_empty


class TestCtrlC:
    @pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system cannot interrupt a chosen thread")
    def test_it_ends_a_wait_and_the_next_in_line_goes_on(self, monkeypatch):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place, after = lab.place("a"), lab.place("a")
        times, ended = [], threading.Event()

        def interrupt(signum, frame):
            times.append(signum)
            if len(times) == 1:
                raise KeyboardInterrupt

        def press():
            while not ended.wait(0.01):  # again and again, for one that comes just before the wait blocks is not seen
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        before = signal.signal(signal.SIGINT, interrupt)
        thread = threading.Thread(target=press)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                turn(place)
        finally:
            ended.set()
            thread.join(LONG)
            signal.signal(signal.SIGINT, before)
        assert lab.waiting == {"a": 1}
        held.release()
        assert (place.ticket, after.ticket is not None) == (None, True)

    def test_it_passes_on_a_tests_clock_too(self):
        class Clock(type(Lab().clock)):
            def sleep(self, seconds):
                raise KeyboardInterrupt

        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        with pytest.raises(KeyboardInterrupt):
            wait(place, 5, Clock())
        place.leave()
        held.release()
        assert lab.is_empty

    @pytest.mark.parametrize("step", ["take", "lets_in"])
    def test_it_leaves_nobody_in_line_who_never_heard_of_a_place(self, monkeypatch, step):
        lab = Lab(a=1, large=1)
        held = lab.ticket("large")
        limit = type(lab.limits["a"])

        def interrupted(*arguments):
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(limit, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.enter("a")
        held.release()
        assert lab.is_empty

    def test_it_leaves_no_place_behind_when_it_comes_just_after_joining(self, monkeypatch):
        lab = Lab(a=1)
        held = lab.ticket("a")

        def interrupted():
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(lab.bulkheads, "_wake_one", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.enter("a")
        assert lab.waiting == {"a": 0}
        held.release()


class TestCancelledTasks:
    @pytest.mark.parametrize("names", [("a",), ("large", "a")])
    @pytest.mark.parametrize("released_at", range(6))
    @pytest.mark.parametrize("cancelled_at", range(9))
    def test_at_every_point_leave_nothing_behind(self, names, released_at, cancelled_at):
        lab = Lab(a=1, large=1)

        async def attempt():
            ticket = await turn_async(lab.enter(*names))
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                ticket.release()

        async def main():
            held = lab.ticket(*names)
            cancelled, other = asyncio.ensure_future(attempt()), asyncio.ensure_future(attempt())
            for step in range(12):
                if step == released_at:
                    held.release()
                if step == cancelled_at:
                    cancelled.cancel()
                await asyncio.sleep(0)
            await asyncio.wait_for(other, LONG)
            with contextlib.suppress(asyncio.CancelledError):
                await cancelled

        asyncio.run(main())
        assert lab.is_empty

    @pytest.mark.parametrize("seconds", [None, LONG])
    def test_by_a_scope_of_anyio_leave_nothing_behind(self, seconds):
        lab = Lab(a=1)

        async def main():
            held = lab.ticket("a")
            place = lab.place("a")
            with anyio.CancelScope() as scope:
                scope.cancel()
                try:
                    await wait_async(place, seconds)
                finally:
                    place.leave()
            assert scope.cancelled_caught
            held.release()

        anyio.run(main)
        assert lab.is_empty

    def test_a_thousand_in_the_middle_of_the_line_disturb_nobody(self):
        lab = Lab(a=1)
        came = []

        async def attempt(number):
            ticket = await turn_async(lab.enter("a"))
            came.append(number)
            ticket.release()

        async def main():
            held = lab.ticket("a")
            tasks = [asyncio.ensure_future(attempt(number)) for number in range(3000)]
            await asyncio.sleep(0)
            for task in tasks[1::3]:
                task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert lab.waiting == {"a": 2000}
            held.release()
            await asyncio.wait_for(asyncio.wait(tasks), LONG)

        asyncio.run(main())
        assert came == [number for number in range(3000) if number % 3 != 1]
        assert lab.is_empty


class TestEventLoops:
    def abandoned(self, lab, places):
        """An event loop that has stopped while tasks of it wait for these places, and the tasks."""
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # it would log that tasks were destroyed
        tasks = [loop.create_task(wait_async(place, None)) for place in places]
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        return loop, tasks

    @pytest.mark.parametrize("count", [1, 2000])
    def test_one_that_was_closed_passes_the_turns_of_its_tasks_on(self, count):
        lab = Lab(a=1)
        held = lab.ticket("a")
        places = [lab.place("a") for _ in range(count)]
        after = lab.place("a")
        loop, tasks = self.abandoned(lab, places)
        loop.close()
        held.release()
        assert after.ticket is not None
        assert lab.running == {"a": 1}
        assert not any(task.done() for task in tasks)

    def test_one_may_be_told_twice(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place, complaints = lab.place("a"), []

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
            waiting = asyncio.ensure_future(wait_async(place, None))
            await asyncio.sleep(0)
            place._wake()
            held.release()
            await waiting
            await asyncio.sleep(0)

        asyncio.run(main())
        assert complaints == []

    def test_one_that_was_dropped_with_a_turn_in_its_hands_gives_it_back(self):
        lab = Lab(a=1)
        held = lab.ticket("a")

        async def attempt():
            ticket = await turn_async(lab.enter("a"))
            ticket.release()

        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)
        tasks = [loop.create_task(attempt())]
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        held.release()  # the loop is told, but runs no more
        after = lab.place("a")
        loop.close()
        assert after.ticket is None
        del loop, tasks
        gc.collect()
        assert after.ticket is not None

    def test_one_that_is_not_of_asyncio_looks_again_and_again_on_the_clock(self):
        """Driven by hand, as by a library that asyncio knows nothing of."""
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        slept = []

        class Clock(SystemClock):
            async def sleep_async(self, seconds):
                slept.append(seconds)
                await Sleep()

        class Sleep:
            def __await__(self):
                yield "a request to that event loop"

        waiting = wait_async(place, None, Clock())
        for _ in range(3):
            assert waiting.send(None) == "a request to that event loop"
        held.release()
        with pytest.raises(StopIteration):
            waiting.send(None)
        assert place.ticket is not None
        assert slept == [0.05] * 3

    def test_a_guest_of_asyncios_loop_is_not_taken_for_a_task_of_it(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        asked = []

        class Clock(SystemClock):
            async def sleep_async(self, seconds):
                asked.append(seconds)

        async def main():
            done = asyncio.get_running_loop().create_future()

            def step():
                waiting = wait_async(lab.place("a"), 0.001, Clock())
                with pytest.raises(StopIteration):
                    waiting.send(None)
                done.set_result(None)

            asyncio.get_running_loop().call_soon(step)
            await done

        asyncio.run(main())
        assert asked
        held.release()
