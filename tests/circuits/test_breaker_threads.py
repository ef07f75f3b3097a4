"""Many threads, event loops, finalisers and forks on one breaker: exact totals, nobody waits, nobody hangs."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from breaker_lab import BAD, OK, WRONG, Lab, Listener
from elsewhere import LONG, ends, together

from failover.circuits import BreakerPermit
from failover.circuits.trip import TripRules
from failover.engine import Refusal
from failover.engine.rolling import RollingCounts

NEVER = {"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}}


@pytest.mark.parametrize("permits", [1, 5])
def test_fifty_threads_at_a_half_open_circuit_get_exactly_the_permitted_probes(permits):
    lab = Lab(probe={"permits": permits})
    lab.breaker.open()
    lab.half_open()
    answers = together(50, lambda index: lab.breaker.admit())
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(refusals) == 50 - permits
    assert all(refusal.retry_in >= 0 for refusal in refusals)
    assert lab.moves.count(("open", "half_open", "open_time_over")) == 1


def test_threads_that_fail_together_open_it_once():
    lab = Lab(trip={"consecutive_failures": 5})
    permits = [lab.permit() for _ in range(32)]
    together(32, lambda index: permits[index].report(BAD, seconds=1))
    assert lab.moves == [("closed", "open", "consecutive_failures")]
    assert lab.breaker.late == 32 - 5


def test_totals_are_exact_with_thirty_two_threads():
    lab = Lab(listeners=[Listener()], **NEVER)

    def calls(index):
        for number in range(300):
            permit = lab.breaker.admit()
            if number % 3 == 0:
                permit.report(BAD, seconds=0.1)
            elif number % 3 == 1:
                permit.report(WRONG, seconds=0.1)
            else:
                permit.release()

    together(32, calls)
    assert f"closed, {32 * 100} consecutive failures" in repr(lab.breaker)
    assert lab.breaker.pybreaker.fail_counter == 32 * 100


def test_listeners_hear_every_outcome_of_thirty_two_threads_once():
    listener = Listener()
    lab = Lab(listeners=[listener], **NEVER)

    def calls(index):
        for number in range(300):
            lab.breaker.admit().report(BAD if number % 2 else OK, seconds=0.1)

    together(32, calls)
    assert listener.heard.count("success") == 32 * 150
    assert len(listener.heard) == 32 * 300


def test_one_breaker_serves_four_threads_with_event_loops_of_their_own():
    lab = Lab(**NEVER)

    async def call(number):
        permit = lab.breaker.admit()
        await asyncio.sleep(0)
        permit.report((BAD, WRONG)[number % 2], seconds=0.1)

    async def calls():
        for _ in range(25):
            await asyncio.gather(*(call(number) for number in range(100)))

    together(4, lambda index: asyncio.run(calls()))
    assert f"closed, {4 * 25 * 50} consecutive failures" in repr(lab.breaker)


def test_one_breaker_serves_two_event_loops_after_each_other():
    lab = Lab()

    async def outage():
        lab.send(BAD, times=5)

    async def recovery():
        lab.send(OK, times=2)

    asyncio.run(outage())
    lab.half_open()
    asyncio.run(recovery())
    assert lab.state == "closed"


def test_a_call_in_flight_delays_neither_a_refusal_nor_a_hand():
    lab = Lab()
    lab.breaker.open()
    lab.half_open()
    asked, done = threading.Event(), threading.Event()

    def in_flight():
        permit = lab.breaker.admit()
        asked.set()
        done.wait(LONG)
        permit.release()

    thread = threading.Thread(target=in_flight)
    thread.start()
    asked.wait(LONG)
    started = time.perf_counter()
    for _ in range(100):
        lab.refusal()
    lab.breaker.open()
    elapsed = time.perf_counter() - started
    done.set()
    thread.join(LONG)
    assert elapsed < 1.0


def test_a_listener_that_takes_its_time_delays_no_other_call():
    told, go_on = threading.Event(), threading.Event()

    def slow(event):
        told.set()
        go_on.wait(LONG)

    lab = Lab(tell=slow)
    thread = threading.Thread(target=lab.breaker.open)
    thread.start()
    told.wait(LONG)
    assert ends(lambda: [lab.breaker.admit(), lab.breaker.outlook(), lab.breaker.close(), repr(lab.board)])
    go_on.set()
    thread.join(LONG)
    assert lab.state == "closed"


def test_events_are_told_in_the_order_in_which_the_state_moved():
    listener = Listener()
    lab = Lab(listeners=[listener], trip={"consecutive_failures": 1}, probe={"successes": 1})

    def flap(index):
        for number in range(200):
            if index == 0:
                lab.clock.advance(400)
            answer = lab.breaker.admit()
            if isinstance(answer, BreakerPermit):
                answer.report(BAD if (number + index) % 2 else OK, seconds=0.1)

    together(8, flap)
    befores = [before for before, _, _ in lab.moves]
    afters = [after for _, after, _ in lab.moves]
    assert befores == ["closed", *afters[:-1]]
    assert len(lab.moves) > 8
    heard = [entry for entry in listener.heard if isinstance(entry, tuple)]
    assert heard == [(before.replace("_", "-"), after.replace("_", "-")) for before, after, _ in lab.moves]
    assert lab.breaker.pybreaker.current_state == lab.state.replace("_", "-")


class WatchedLock:
    """A lock that lets something happen at the last moment before it is released for the first time."""

    def __init__(self, lock, at_release):
        self.acquire = lock.acquire
        self._lock = lock
        self._at_release = at_release

    def release(self):
        at_release, self._at_release = self._at_release, lambda: None
        at_release()
        self._lock.release()


def test_news_that_come_at_the_very_end_of_telling_are_told_as_well():
    lab = Lab()
    monitor = lab.breaker._monitor
    monitor._telling = WatchedLock(monitor._telling, lambda: ends(lab.breaker.close))
    lab.breaker.open()
    assert [event.to_state for event in lab.events] == ["open", "closed"]


class Abandoned:
    """Something whose finaliser acts on the breaker, like a stream that somebody dropped."""

    def __init__(self, act):
        self.act = act

    def __del__(self):
        self.act()


@pytest.mark.parametrize("ask", ["success", "failure", "admit", "outlook", "last_resort"])
def test_a_finaliser_may_run_while_the_breaker_counts(monkeypatch, ask):
    lock_was_free = []
    lab = Lab(tell=lambda event: lock_was_free.append(ends(spare.pop().release)))
    spare = [lab.permit() for _ in range(5)]
    dropped = lab.permit()
    if ask in ("success", "failure"):
        act = lab.breaker.open
    else:
        lab.breaker.open()
        lab.half_open()
        dropped = lab.permit()
        act = lab.breaker.close
    lock_was_free.clear()
    abandoned = [Abandoned(dropped.release), Abandoned(act)]

    def interrupt(owner, name):
        real = getattr(owner, name)

        def interrupted(*arguments, **options):
            abandoned.clear()
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, interrupted)

    interrupt(TripRules, "failure")
    interrupt(RollingCounts, "add")
    interrupt(lab.breaker, "_refusal_needs_lock")
    asks = {
        "success": lambda: lab.send(OK),
        "failure": lambda: lab.send(BAD),
        "admit": lab.breaker.admit,
        "outlook": lab.breaker.outlook,
        "last_resort": lab.last_resort,
    }
    assert ends(asks[ask])
    assert lock_was_free == [True]
