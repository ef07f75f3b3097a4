"""Tasks that wait: cancelled at any point, on an event loop that is closed or dropped, or on one of another library."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import anyio
import pytest
from bulkhead_lab import Lab, turn_async
from elsewhere import LONG

from failover.bulkheads import wait_async
from failover.clock import SystemClock


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
