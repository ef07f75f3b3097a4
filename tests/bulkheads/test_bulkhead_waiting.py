"""Waiting for a turn: what ends it, and that nothing is left behind however it ends."""

from __future__ import annotations

import asyncio
import math
import signal
import threading

import pytest
from bulkhead_lab import Lab, turn
from elsewhere import LONG, ends

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
