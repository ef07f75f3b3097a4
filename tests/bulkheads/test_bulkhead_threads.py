"""Threads and event loops under one limit: never too many, nobody forgotten, nobody waits for a lock."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest
from bulkhead_lab import Crowd, Lab, turn, turn_async
from elsewhere import LONG, ends, together

from failover.bulkheads import Limit, Place, Ticket, wait


@pytest.fixture(autouse=True)
def threads_that_take_turns_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_of_thirty_two_threads_no_more_than_the_limit_are_out_and_all_get_through():
    lab, crowd = Lab(a=3), Crowd()

    def calls(index):
        for _ in range(100):
            ticket = turn(lab.enter("a"))
            crowd.come(index)
            crowd.go()
            ticket.release()

    together(32, calls)
    assert crowd.most <= 3
    assert sorted(crowd.order) == sorted(list(range(32)) * 100)
    assert lab.is_empty


def test_thirty_two_threads_that_need_different_limits_at_once_all_get_through():
    lab = Lab(large=2, a=3, b=1)
    needs = [("a",), ("b",), ("large", "a"), ("b", "large"), ("a", "b", "large"), ("b", "a")]
    crowds = {name: Crowd() for name in lab.limits}

    def calls(index):
        for number in range(100):
            names = needs[(index + number) % len(needs)]
            ticket = turn(lab.enter(*names))
            for name in names:
                crowds[name].come(index)
            for name in names:
                crowds[name].go()
            ticket.release()

    together(32, calls)
    assert {name: crowd.most <= lab.limits[name].at_once for name, crowd in crowds.items()} == dict.fromkeys(
        crowds, True
    )
    assert lab.is_empty


def test_threads_that_wait_have_their_turns_in_the_order_in_which_they_came():
    lab, crowd = Lab(a=1), Crowd()
    held = lab.ticket("a")
    places = [lab.place("a") for _ in range(32)]

    def call(index):
        ticket = turn(places[index])
        crowd.come(index)
        crowd.go()
        ticket.release()

    threads = [threading.Thread(target=call, args=(index,), daemon=True) for index in reversed(range(32))]
    for thread in threads:
        thread.start()
    held.release()
    for thread in threads:
        thread.join(LONG)
    assert crowd.order == list(range(32))
    assert lab.is_empty


def test_thirty_two_threads_that_give_up_at_any_moment_leave_nothing_behind():
    lab, crowd = Lab(large=1, a=2), Crowd()

    def calls(index):
        for number in range(150):
            entered = lab.enter("a", "large") if (index + number) % 3 else lab.enter("a")
            if isinstance(entered, Place):
                wait(entered, 0 if number % 2 else 0.001)
                if number % 4 < 2 or entered.ticket is None:
                    entered.leave()
                    continue
                entered = entered.ticket
            crowd.come(index)
            crowd.go()
            entered.release()

    together(32, calls)
    assert crowd.most <= 2
    assert lab.is_empty


def test_one_ticket_that_thirty_two_threads_release_makes_room_for_one():
    lab = Lab(a=1)
    held = lab.ticket("a")
    places = [lab.place("a") for _ in range(5)]
    together(32, lambda index: held.release())
    assert [place.ticket is not None for place in places] == [True, False, False, False, False]
    assert lab.running == {"a": 1}


def test_a_turn_that_comes_while_its_owner_leaves_is_never_lost():
    lab = Lab(a=1)
    for _ in range(500):
        held, place, after = lab.ticket("a"), lab.place("a"), lab.place("a")
        together(2, lambda index, held=held, place=place: (held.release, place.leave)[index]())
        assert after.ticket is not None
        after.ticket.release()
    assert lab.is_empty


def test_two_event_loops_and_threads_share_one_limit():
    """All of them are in line before the first one goes."""
    lab, crowd, tasks, threads = Lab(a=2, large=1), Crowd(), 40, 8
    held = [lab.ticket("a"), lab.ticket("a")]
    in_line = threading.Semaphore(0)

    def needs(number):
        return ("a", "large") if number % 3 == 0 else ("a",)

    def enter(number):
        entered = lab.enter(*needs(number))
        in_line.release()
        return entered

    async def task(number):
        ticket = await turn_async(enter(number))
        crowd.come("task")
        await asyncio.sleep(0)
        crowd.go()
        ticket.release()

    async def main():
        await asyncio.gather(*(task(number) for number in range(tasks)))

    def thread(number):
        ticket = turn(enter(number))
        crowd.come("thread")
        crowd.go()
        ticket.release()

    works = [lambda: asyncio.run(main())] * 2 + [lambda number=number: thread(number) for number in range(threads)]
    runners = [threading.Thread(target=work, daemon=True) for work in works]
    for runner in runners:
        runner.start()
    everybody = 2 * tasks + threads
    assert all(in_line.acquire(timeout=LONG) for _ in range(everybody))
    assert lab.waiting["a"] == everybody
    for ticket in held:
        ticket.release()
    for runner in runners:
        runner.join(LONG)
    assert (crowd.order.count("task"), crowd.order.count("thread")) == (2 * tasks, threads)
    assert crowd.most <= 2
    assert lab.is_empty


def test_an_owner_is_woken_without_the_lock():
    lab = Lab(a=1)
    held = lab.ticket("a")
    place, other, free = lab.place("a"), lab.place("a"), []
    place.call_when_over(lambda: free.append(ends(other.expected)))
    held.release()
    assert free == [True]


def test_time_is_asked_without_the_lock():
    lab = Lab(a=1)
    free = []

    def now():
        lab.bulkheads._now = lab.clock.now
        free.append(ends(lambda: repr(lab.enter("a"))))
        return lab.clock.now()

    held = lab.ticket("a")
    for act in (lambda: lab.enter("a"), held.release, lab.place("a").leave):
        lab.bulkheads._now = now
        act()
    assert free == [True] * 3


class Announced(type(Lab().bulkheads._notes)):
    """Notes that tell when one of them has been left."""

    def __init__(self):
        super().__init__()
        self.came = threading.Event()

    def append(self, note):
        super().append(note)
        self.came.set()


def test_a_call_that_comes_while_another_is_served_waits_for_its_own_answer(monkeypatch):
    lab, answers = Lab(a=1, b=1), []
    inside, go_on = threading.Event(), threading.Event()
    real = Limit.take

    def slow(limit, stub):
        if limit is lab.limits["a"]:
            inside.set()
            go_on.wait(LONG)
        real(limit, stub)

    monkeypatch.setattr(Limit, "take", slow)
    served = threading.Thread(target=lambda: lab.enter("a"), daemon=True)
    served.start()
    assert inside.wait(LONG)
    lab.bulkheads._notes = notes = Announced()
    notes.append((lambda: None, ()))  # in place of the one that is being done
    notes.came.clear()
    comes = threading.Thread(target=lambda: answers.append(lab.enter("b")), daemon=True)
    comes.start()
    assert notes.came.wait(LONG)
    comes.join(0.05)  # it must not end now, so there is nothing else to wait for
    assert answers == []
    go_on.set()
    comes.join(LONG)
    served.join(LONG)
    assert [type(answer) for answer in answers] == [Ticket]


def test_a_turn_that_comes_while_its_owner_begins_to_wait_wakes_it(monkeypatch):
    lab, woken = Lab(a=1), threading.Event()
    held = lab.ticket("a")
    place = lab.place("a")
    other = threading.Thread(target=held.release, daemon=True)
    real = Place.awaits_a_call

    def interrupted(place, wake):
        other.start()
        other.join(0.05)  # it must not end now, so there is nothing else to wait for
        real(place, wake)

    monkeypatch.setattr(Place, "awaits_a_call", interrupted)
    assert place.call_when_over(woken.set)
    assert woken.wait(LONG)


def test_another_thread_may_be_quicker_to_wake_an_owner():
    class Emptied(type(Lab().bulkheads._woken)):
        def __len__(self):
            length = super().__len__()
            self.clear()
            return length

    lab = Lab(a=1)
    held = lab.ticket("a")
    place = lab.place("a")
    lab.bulkheads._woken = Emptied()
    held.release()
    assert place.ticket is not None
