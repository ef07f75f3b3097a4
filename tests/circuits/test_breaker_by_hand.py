"""Operators: opening, closing and isolating a circuit, and reading what it says of itself."""

from __future__ import annotations

import pytest
from breaker_lab import BAD, OK, WRONG, Lab

from failover.circuits import BreakerPermit


def test_opened_by_hand_it_probes_again_by_itself():
    lab = Lab()
    lab.breaker.open()
    (event,) = lab.events
    assert (event.reason, event.open_for, event.by_hand) == ("manual", 15.0, True)
    lab.half_open()
    lab.send(OK, times=2)
    assert lab.state == "closed"


def test_opening_an_open_circuit_changes_nothing():
    lab = Lab()
    lab.breaker.open()
    lab.clock.advance(5)
    lab.breaker.open()
    assert lab.breaker.outlook().retry_in == 10
    assert lab.moves == [("closed", "open", "manual")]


def test_isolated_it_stays_open_until_it_is_closed_by_hand():
    lab = Lab()
    lab.breaker.isolate()
    (event,) = lab.events
    assert (event.reason, event.open_for, event.by_hand) == ("isolated", None, True)
    lab.clock.advance(10_000_000)
    lab.breaker.open()
    refusal = lab.refusal()
    assert (refusal.retry_in, refusal.last_resort) == (None, False)
    assert lab.last_resort() is None
    lab.breaker.close()
    assert isinstance(lab.breaker.admit(), BreakerPermit)


def test_isolating_an_open_circuit_holds_it_for_good():
    lab = Lab()
    lab.breaker.open()
    lab.breaker.isolate()
    lab.clock.advance(100_000)
    assert lab.refusal().retry_in is None


@pytest.mark.parametrize("answer", [OK, BAD, WRONG])
def test_what_was_out_when_it_was_isolated_does_not_end_the_isolation(answer):
    lab = Lab(probe={"successes": 1})
    out = [lab.permit()]
    lab.breaker.open()
    out.append(lab.last_resort())
    lab.half_open()
    out.append(lab.permit())
    lab.breaker.isolate()
    for permit in out:
        permit.report(answer, seconds=1, open_for=5.0 if answer is WRONG else None)
    assert lab.refusal().retry_in is None


def test_closing_by_hand_forgets_what_was_counted():
    lab = Lab(trip={"consecutive_failures": 3})
    lab.send(BAD, times=2)
    lab.breaker.close()
    lab.send(BAD, times=2)
    assert lab.moves == []
    lab.send(BAD)
    assert lab.state == "open"


def test_closing_a_half_open_circuit_does_not_wait_for_its_probes():
    lab = Lab()
    lab.breaker.open()
    lab.half_open()
    probe = lab.permit()
    lab.breaker.close()
    probe.report(BAD, seconds=20)
    assert (lab.state, lab.breaker.late) == ("closed", 1)
    assert lab.moves[-1] == ("half_open", "closed", "manual")


def test_it_says_what_it_is_and_what_it_waits_for():
    lab = Lab()
    lab.send(BAD, times=2)
    assert repr(lab.breaker) == "<Breaker claude-a: closed, 2 consecutive failures>"
    lab.send(BAD, times=3)
    assert repr(lab.breaker) == "<Breaker claude-a: open, 5 consecutive failures, retry in 15.0 s>"
    assert repr(lab.board) == "<Board claude-a: open>"
    lab.breaker.isolate()
    assert "retry" not in repr(lab.breaker)
    assert repr(Lab().board) == "<Board claude-a: closed>"
