"""How long a circuit stays open: growing, jittered, and on a clock that nobody's wall clock can move."""

from __future__ import annotations

import random
import statistics
import time
from datetime import datetime

import pytest
from breaker_lab import BAD, OK, Lab

from failover.circuits import BreakerPermit, breaker, open_time
from failover.engine import Refusal

ONE_FAILURE = {"consecutive_failures": 1, "failure_rate": "off"}
ONE_SUCCESS = {"successes": 1}


def fail_probe(lab):
    lab.half_open()
    lab.send(BAD)


def test_each_failed_probe_makes_the_next_opening_longer_up_to_the_maximum():
    lab = Lab(trip=ONE_FAILURE, open_for={"first": "15s", "factor": 2, "max": "300s"})
    lab.send(BAD)
    for _ in range(6):
        fail_probe(lab)
    assert lab.open_times == [15, 30, 60, 120, 240, 300, 300]


def test_it_may_open_any_number_of_times():
    lab = Lab(trip=ONE_FAILURE, open_for={"first": "1s", "factor": 100, "max": "5m"})
    lab.send(BAD)
    for _ in range(400):
        fail_probe(lab)
    assert lab.open_times[-1] == 300


def test_a_model_that_comes_back_for_a_moment_only_is_asked_less_and_less_often():
    lab = Lab(trip=ONE_FAILURE, probe=ONE_SUCCESS)
    for _ in range(4):
        lab.send(BAD)
        lab.half_open()
        lab.send(OK)
        lab.clock.advance(10)
    assert lab.open_times == [15, 30, 60, 120]


@pytest.mark.parametrize(("closed_for", "next_opening"), [(29.9, 60), (30.1, 15)])
def test_only_a_close_that_lasts_as_long_as_the_last_opening_starts_afresh(closed_for, next_opening):
    lab = Lab(trip=ONE_FAILURE, probe=ONE_SUCCESS)
    lab.send(BAD)
    fail_probe(lab)
    assert lab.open_times == [15, 30]
    lab.half_open()
    lab.send(OK)
    lab.clock.advance(closed_for)
    lab.send(BAD)
    assert lab.open_times[-1] == next_opening


def test_closing_by_hand_starts_afresh():
    lab = Lab(trip=ONE_FAILURE)
    lab.send(BAD)
    fail_probe(lab)
    lab.breaker.close()
    lab.send(BAD)
    assert lab.open_times == [15, 30, 15]


def test_an_opening_that_a_server_asked_for_is_no_step_of_the_growth():
    lab = Lab(trip=ONE_FAILURE)
    lab.send(BAD)
    lab.half_open()
    lab.send(BAD, open_for=100)
    lab.half_open()
    lab.send(BAD)
    assert lab.open_times[-1] <= 60


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 13.5), (0.5, 15.0), (0.999999, 16.5)])
def test_jitter_moves_an_opening_by_at_most_its_share(draw, seconds):
    lab = Lab(random=lambda: draw)
    lab.breaker.open()
    assert lab.open_times == [pytest.approx(seconds, abs=0.001)]


def test_a_hundred_circuits_that_opened_together_do_not_probe_together():
    chance = random.Random(17).random
    labs = [Lab(random=chance, trip=ONE_FAILURE) for _ in range(100)]
    for lab in labs:
        lab.send(BAD)
    waits = [lab.breaker.outlook().retry_in for lab in labs]
    assert statistics.pstdev(waits) > 0.05 * 15
    assert min(waits) >= 0.9 * 15
    assert max(waits) <= 1.1 * 15


def test_a_flapping_model_wastes_few_calls():
    lab = Lab(random=random.Random(16).random)
    wasted = answered = 0
    for tick in range(300 * 20):
        up = (tick // 200) % 2 == 1
        permit = lab.breaker.admit()
        if isinstance(permit, BreakerPermit):
            answered += up
            wasted += not up
            permit.report(OK if up else BAD, seconds=0)
        lab.clock.advance(1 / 20)
    assert len(lab.open_times) <= 10
    assert wasted <= 0.02 * 6000
    assert answered > wasted


class SteppingClock:
    """A clock that somebody can set back."""

    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time


def test_a_clock_that_steps_back_neither_admits_early_nor_forgets():
    clock = SteppingClock()
    lab = Lab(clock=clock, trip={"consecutive_failures": "off"})
    lab.send(BAD, times=10)
    clock.time -= 3600
    lab.send(BAD, times=9)
    assert lab.state == "closed"
    lab.send(BAD)
    assert lab.moves == [("closed", "open", "failure_rate")]
    clock.time -= 30
    assert lab.refusal().retry_in == 45.0
    clock.time += 45
    assert lab.permit().state == "half_open"


def test_an_answer_that_seems_to_have_come_before_it_was_asked_for_is_counted_all_the_same():
    lab = Lab(trip={"slow_rate": {"over": "50%", "slower_than": "1s", "of_at_least": 1, "within": "60s"}})
    lab.send(OK, seconds=-3600.0)
    assert lab.state == "closed"


@pytest.mark.parametrize("hours", [1, 24, -1, -24])
def test_the_wall_clock_may_jump_as_it_likes(monkeypatch, hours):
    def admissions(jump):
        lab = Lab(trip=ONE_FAILURE)
        offset = 0.0
        wall = time.time
        monkeypatch.setattr(time, "time", lambda: wall() + offset)
        monkeypatch.setattr("pybreaker.datetime", _jumping(lambda: offset))
        lab.send(BAD)
        seen = []
        for second in range(40):
            offset = jump * 3600.0 if second >= 5 else 0.0
            seen.append(isinstance(lab.breaker.admit(), Refusal))
            lab.clock.advance(1)
        monkeypatch.undo()
        return seen

    assert admissions(hours) == admissions(0)


def _jumping(offset):
    class Jumping(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(1_700_000_000 + offset(), tz)

    return Jumping


def test_no_decision_reads_a_clock_of_its_own():
    for module in (breaker, open_time):
        assert {"time", "datetime", "random"}.isdisjoint(vars(module))
