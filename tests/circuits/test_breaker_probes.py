"""Half-open: who may ask whether the model is back, and what becomes of a probe that is lost or late."""

from __future__ import annotations

import gc

import pytest
from breaker_lab import BAD, OK, WRONG, Lab

from failover.circuits import BreakerPermit
from failover.engine import Refusal

PROBE = {"permits": 1, "successes": 2, "lease": "60s", "timeout": "30s"}


@pytest.fixture
def lab():
    """A breaker that has just become half-open for whoever asks next."""
    lab = Lab(probe=PROBE)
    lab.breaker.open()
    lab.half_open()
    lab.events.clear()
    return lab


def test_an_open_circuit_admits_nothing_until_its_time_is_over():
    lab = Lab()
    lab.breaker.open()
    lab.clock.advance(14.9)
    assert lab.refusal() == Refusal("open", pytest.approx(0.1), "open", None, None, last_resort=True)
    lab.clock.advance(0.2)
    assert lab.permit().state == "half_open"


def test_the_state_turns_half_open_when_somebody_asks_and_looking_changes_nothing(lab):
    assert lab.breaker.outlook() is None
    assert repr(lab.breaker)
    assert (lab.state, lab.moves) == ("open", [])
    lab.permit()
    assert (lab.state, lab.moves) == ("half_open", [("open", "half_open", "open_time_over")])


@pytest.mark.parametrize("permits", [1, 3])
def test_as_many_probes_as_the_policy_permits_and_no_more(permits):
    lab = Lab(probe={**PROBE, "permits": permits})
    lab.breaker.open()
    lab.half_open()
    probes = [lab.permit() for _ in range(permits)]
    refusals = [lab.refusal() for _ in range(50 - permits)]
    assert {probe.state for probe in probes} == {"half_open"}
    assert {(refusal.state, refusal.reason, refusal.last_resort) for refusal in refusals} == {
        ("half_open", "probing", False)
    }
    assert all(refusal.retry_in >= 0 for refusal in refusals)


def test_enough_successes_close_it(lab):
    lab.send(OK)
    assert lab.state == "half_open"
    lab.send(OK)
    assert lab.moves == [("open", "half_open", "open_time_over"), ("half_open", "closed", "probe_succeeded")]


def test_one_failed_probe_opens_it_again_whatever_came_before(lab):
    lab.send(OK)
    lab.send(BAD)
    assert lab.moves[-1] == ("half_open", "open", "probe_failed")
    assert lab.open_times == [30.0]


def test_successes_before_a_failed_probe_are_not_saved_up(lab):
    lab.send(OK)
    lab.send(BAD)
    lab.half_open()
    lab.send(OK)
    assert lab.state == "half_open"
    lab.send(OK)
    assert lab.state == "closed"


def test_a_recovered_circuit_serves_every_call_again(lab):
    lab.send(OK, times=2)
    assert [lab.permit().state for _ in range(100)] == ["closed"] * 100


def test_a_probe_that_is_cancelled_gives_its_permit_back_and_counts_as_nothing(lab):
    lab.permit().release()
    assert lab.state == "half_open"
    lab.send(OK)
    lab.permit().release()
    lab.send(OK)
    assert lab.moves[-1] == ("half_open", "closed", "probe_succeeded")
    assert lab.breaker.late == 0


def test_a_wrong_request_as_a_probe_tells_nothing_and_frees_the_permit(lab):
    lab.send(WRONG, times=5)
    assert lab.state == "half_open"
    assert lab.permit().state == "half_open"


def test_a_probe_that_is_dropped_gives_way_when_its_lease_is_over(lab):
    assert lab.permit()
    gc.collect()
    lab.clock.advance(59.9)
    assert lab.refusal().reason == "probing"
    lab.clock.advance(0.1)
    assert lab.permit().state == "half_open"
    assert lab.refusal().reason == "probing"


def test_a_rate_limited_probe_opens_it_for_as_long_as_the_server_asks(lab):
    lab.send(WRONG, open_for=40.0)
    assert lab.moves[-1] == ("half_open", "open", "retry_after")
    assert lab.refusal().retry_in == 40.0


@pytest.mark.parametrize("late", [OK, BAD, WRONG])
@pytest.mark.parametrize("state", ["open", "half_open", "closed again"])
def test_an_answer_from_before_the_state_moved_on_moves_nothing(late, state):
    lab = Lab(trip={"consecutive_failures": 1}, probe=PROBE)
    old = lab.permit()
    lab.send(BAD)
    if state != "open":
        lab.half_open()
        probe = lab.permit()
    if state == "closed again":
        probe.report(OK, seconds=1)
        lab.send(OK)
    before = (lab.state, len(lab.events))
    old.report(late, seconds=20, open_for=500.0 if late is WRONG else None)
    assert (lab.state, len(lab.events)) == before
    assert lab.breaker.late == 1


def test_a_late_neutral_answer_does_not_give_back_a_permit_that_is_not_its_own(lab):
    lab.breaker.close()
    old = lab.permit()
    lab.breaker.open()
    lab.half_open()
    probe = lab.permit()
    old.report(WRONG, seconds=20)
    assert lab.refusal().reason == "probing"
    probe.release()
    assert isinstance(lab.breaker.admit(), BreakerPermit)


def test_a_probe_of_an_earlier_half_open_does_not_speak_for_a_later_one():
    lab = Lab(probe={**PROBE, "permits": 2, "successes": 1})
    lab.breaker.open()
    lab.half_open()
    first, second = lab.permit(), lab.permit()
    first.report(BAD, seconds=1)
    lab.half_open()
    lab.permit()
    second.report(OK, seconds=20)
    assert lab.state == "half_open"
    assert lab.breaker.late == 1


def test_probes_that_are_still_out_count_in_the_next_half_open_as_well():
    lab = Lab(probe={**PROBE, "permits": 2})
    lab.breaker.open()
    lab.half_open()
    hanging, failing = lab.permit(), lab.permit()
    failing.report(BAD, seconds=1)
    lab.half_open()
    lab.permit()
    assert lab.refusal().reason == "probing"
    hanging.release()
    assert lab.permit().state == "half_open"


def test_a_release_is_no_answer_and_never_late():
    lab = Lab()
    old = lab.permit()
    lab.breaker.open()
    old.release()
    assert lab.breaker.late == 0
