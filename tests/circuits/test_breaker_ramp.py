"""After closing, traffic may come back by a growing share."""

from __future__ import annotations

import pytest
from breaker_lab import BAD, OK, Lab

from failover.circuits import BreakerPermit
from failover.engine import Refusal

RAMP = {"ramp": {"over": "100s", "from": "20%"}, "probe": {"successes": 1}}


class Ramping(Lab):
    """A breaker that has just closed again; `draw` is the next number of chance."""

    def __init__(self, **rules):
        self.draw = 0.5
        super().__init__(random=lambda: self.draw, **{**RAMP, **rules})
        self.breaker.open()
        self.half_open()
        self.send(OK)
        assert self.state == "closed"


@pytest.mark.parametrize(
    ("seconds", "draw", "admitted"),
    [(0, 0.19, True), (0, 0.21, False), (50, 0.59, True), (50, 0.61, False), (99, 0.98, True), (99, 0.999, False)],
)
def test_after_closing_a_growing_share_of_calls_comes_back(seconds, draw, admitted):
    lab = Ramping()
    lab.clock.advance(seconds)
    lab.draw = draw
    assert isinstance(lab.breaker.admit(), BreakerPermit) is admitted


def test_a_call_that_the_ramp_sends_on_hears_why():
    lab = Ramping()
    assert lab.refusal() == Refusal("closed", 0.0, "ramp", None, None, last_resort=True)
    assert lab.breaker.outlook() is None  # chance decides when somebody asks


def test_when_the_ramp_is_over_everybody_is_admitted():
    lab = Ramping()
    lab.clock.advance(100)
    lab.draw = 0.999999
    assert all(isinstance(lab.breaker.admit(), BreakerPermit) for _ in range(100))


def test_a_circuit_that_never_opened_does_not_ramp():
    lab = Lab(random=lambda: 0.999, **RAMP)
    assert isinstance(lab.breaker.admit(), BreakerPermit)


def test_a_ramp_that_refuses_on_the_last_rung_is_overruled_by_a_last_resort_without_an_interval():
    lab = Ramping()
    lab.refusal()
    permits = [lab.last_resort() for _ in range(3)]
    assert [permit.state for permit in permits] == ["closed"] * 3


def test_failures_count_while_a_circuit_ramps():
    lab = Ramping(trip={"consecutive_failures": 2})
    lab.draw = 0.1
    lab.send(BAD, times=2)
    assert lab.state == "open"
