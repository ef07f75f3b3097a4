"""A forked child has locks of its own, and none of what belongs to its parent's threads."""

from __future__ import annotations

import os
import threading

import pytest
from breaker_lab import BAD, OK, Lab, Listener
from elsewhere import LONG, passes_in_a_child

from failover.circuits import BreakerPermit

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def while_held(hold, check):
    """Fork and check while another thread is inside `hold(inside, go_on)`."""
    inside, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold, args=(inside, go_on))
    thread.start()
    assert inside.wait(LONG)
    try:
        return passes_in_a_child(check)
    finally:
        go_on.set()
        thread.join(LONG)


def outage_and_recovery(lab):
    lab.send(BAD, times=5)
    lab.half_open()
    lab.send(OK, times=2)
    return lab.state == lab.breaker.pybreaker.current_state == "closed"


def test_a_fork_while_another_thread_holds_the_breakers_lock(monkeypatch):
    lab = Lab()
    gate = []

    def hold(inside, go_on):
        gate.extend([inside, go_on])
        lab.breaker.isolate()

    real = lab.breaker._open_needs_lock

    def slow(*arguments):
        if gate:
            inside, go_on = gate
            gate.clear()
            inside.set()
            go_on.wait(LONG)
        return real(*arguments)

    monkeypatch.setattr(lab.breaker, "_open_needs_lock", slow)
    assert while_held(hold, lambda: outage_and_recovery(lab))


def test_a_fork_while_another_thread_is_inside_a_listener():
    gate = []

    def wait(circuit):
        if gate:
            inside, go_on = gate
            gate.clear()
            inside.set()
            go_on.wait(LONG)

    lab = Lab(listeners=[Listener(on_change=wait)])

    def hold(inside, go_on):
        gate.extend([inside, go_on])
        lab.breaker.open()

    def check():
        lab.breaker.close()
        return outage_and_recovery(lab)

    assert while_held(hold, check)


def test_a_childs_circuit_is_not_opened_by_its_parents_hanging_calls():
    lab = Lab(trip={"consecutive_failures": 5, "hung_calls": {"more_than": 1, "older_than": "60s"}})
    hanging = [lab.permit() for _ in range(2)]
    lab.clock.advance(61)
    assert passes_in_a_child(lambda: isinstance(lab.breaker.admit(), BreakerPermit))
    assert len(hanging) == 2
    assert lab.refusal().state == "open"


def test_a_child_does_not_wait_for_its_parents_probes():
    lab = Lab()
    lab.breaker.open()
    lab.half_open()
    probe = lab.permit()
    assert lab.refusal().reason == "probing"
    assert passes_in_a_child(lambda: isinstance(lab.breaker.admit(), BreakerPermit))
    assert lab.refusal().reason == "probing"
    probe.report(OK, seconds=1)


def test_a_child_keeps_what_its_parent_knew():
    lab = Lab()
    lab.send(BAD, times=5)
    assert passes_in_a_child(lambda: lab.refusal().request_id == "req_bad" and lab.state == "open")


def test_a_child_does_not_tell_its_parents_news():
    told, verdicts = [], []

    def tell(event):
        told.append(event.to_state)
        if not verdicts:
            lab.breaker.close()  # is told after this event, and by the parent
            verdicts.append(None)
            verdicts[0] = passes_in_a_child(check)

    def check():
        told.clear()
        lab.breaker.open()
        return told == ["open"]

    lab = Lab(tell=tell)
    lab.breaker.open()
    assert verdicts == [True]
    assert told == ["open", "closed"]


def test_a_board_that_was_forked_while_locked_still_makes_breakers_and_gives_last_resorts(monkeypatch):
    lab = Lab()
    lab.breaker.open()
    gate = []
    real = lab.breaker.last_resort

    def slow():
        if gate:
            inside, go_on = gate
            gate.clear()
            inside.set()
            go_on.wait(LONG)
        return real()

    monkeypatch.setattr(lab.breaker, "last_resort", slow)

    def hold(inside, go_on):
        gate.extend([inside, go_on])
        lab.last_resort()

    def check():
        lab.board.breaker("claude-b")
        return lab.last_resort() is not None

    assert while_held(hold, check)
