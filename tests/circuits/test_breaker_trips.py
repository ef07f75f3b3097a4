"""What opens a closed circuit, and what never does."""

from __future__ import annotations

import random

import pytest
from breaker_lab import BAD, GONE, OK, WRONG, Lab

from failover.circuits import BreakerPermit
from failover.engine import Refusal

FIVE_IN_A_ROW = {"trip": {"consecutive_failures": 5, "failure_rate": "off"}}
HALF_OF_TEN = {
    "trip": {"consecutive_failures": "off", "failure_rate": {"over": "50%", "of_at_least": 10, "within": "60s"}}
}
SLOW = {
    "trip": {
        "consecutive_failures": "off",
        "failure_rate": "off",
        "slow_rate": {"over": "50%", "slower_than": "10s", "of_at_least": 4, "within": "60s"},
    }
}
HUNG = {
    "trip": {
        "consecutive_failures": "off",
        "failure_rate": "off",
        "hung_calls": {"more_than": 2, "older_than": "30s"},
    }
}


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("FFFF", "closed"),
        ("FFFFF", "open"),
        ("FFFFSFFFF", "closed"),
        ("FFFFWF", "open"),  # a wrong request between failures is no success
        ("FFFFWWWWWWWWWWF", "open"),
        ("WWWWWWWWWW", "closed"),
    ],
)
def test_consecutive_failures_open_it_and_only_a_success_breaks_the_row(story, state):
    lab = Lab(**FIVE_IN_A_ROW)
    for letter in story:
        lab.send({"F": BAD, "S": OK, "W": WRONG}[letter])
    assert lab.state == state


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("FSFSFSFSF", "closed"),  # nine calls are too few to judge
        ("FSFSFSFSSF", "open"),  # five of ten
        ("FSFSFSFSSS", "closed"),  # four of ten
        ("FFFFFSSSSS", "closed"),  # five of ten, but the tenth was a success: the rule looks at failures
        ("FFFFFSSSSSF", "open"),
        ("FSFSFSFSS" + "W" * 50 + "F", "open"),  # wrong requests are not in the window at all
    ],
)
def test_a_failure_rate_opens_it_once_there_are_enough_calls(story, state):
    lab = Lab(**HALF_OF_TEN)
    for letter in story:
        lab.send({"F": BAD, "S": OK, "W": WRONG}[letter])
    assert lab.state == state


def test_a_model_that_fails_every_other_call_is_caught_by_the_rate_and_not_by_the_row():
    lab = Lab()
    for call in range(40):
        if lab.state == "open":
            break
        lab.send(OK if call % 2 else BAD)
    assert lab.moves == [("closed", "open", "failure_rate")]
    assert call == 21  # calls sent: the 21st is the first failure once there are twenty


def test_failures_leave_the_window_as_time_passes():
    lab = Lab(**HALF_OF_TEN)
    lab.send(BAD, times=9)
    lab.clock.advance(60)
    lab.send(BAD, times=9)
    assert lab.state == "closed"
    lab.send(BAD)
    assert lab.state == "open"


def test_closing_forgets_what_was_counted_before():
    lab = Lab(**HALF_OF_TEN)
    lab.send(BAD, times=9)
    lab.breaker.close()
    lab.send(BAD, times=9)
    assert lab.state == "closed"


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([(OK, 20), (OK, 1), (OK, 20)], "closed"),  # three are too few
        ([(OK, 20), (OK, 1), (OK, 1), (OK, 20)], "open"),
        ([(OK, 20), (OK, 20), (OK, 1), (OK, 1)], "closed"),  # a quick answer never opens
        ([(BAD, 20), (OK, 1), (OK, 1), (BAD, 20)], "open"),  # a failure can be slow as well
        ([(OK, 10), (OK, 10), (OK, 10), (OK, 10)], "closed"),  # ten seconds are not slower than ten seconds
        ([(OK, 20), (WRONG, 20), (WRONG, 20), (WRONG, 20), (OK, 1)], "closed"),
    ],
)
def test_slow_answers_open_it_although_they_are_answers(answers, state):
    lab = Lab(**SLOW)
    for outcome, seconds in answers:
        lab.send(outcome, seconds=seconds)
    assert lab.state == state
    assert [reason for *_, reason in lab.moves] == ["slow_rate"] * (state == "open")


def test_hung_calls_open_it_without_waiting_for_their_time_outs():
    lab = Lab(**HUNG)
    hanging = [lab.permit() for _ in range(3)]
    lab.clock.advance(30)
    early = lab.permit()
    lab.clock.advance(0.1)
    assert lab.refusal().state == "open"
    assert lab.moves == [("closed", "open", "hung_calls")]
    for permit in (*hanging, early):
        permit.report(BAD, seconds=60)
    assert (lab.state, lab.breaker.late) == ("open", 4)


@pytest.mark.parametrize("end", ["answered", "released", "dropped"])
def test_a_call_that_is_heard_of_or_given_up_hangs_no_longer(end):
    lab = Lab(**HUNG)
    hanging = [lab.permit() for _ in range(3)]
    if end == "answered":
        hanging[0].report(OK, seconds=1)
    elif end == "released":
        hanging[0].release()
    else:
        del hanging[0]
    lab.clock.advance(31)
    assert isinstance(lab.breaker.admit(), BreakerPermit)
    assert lab.state == "closed"


def test_calls_that_hung_before_an_opening_do_not_open_it_again_after_the_close():
    lab = Lab(**HUNG)
    hanging = [lab.permit() for _ in range(3)]
    lab.clock.advance(31)
    lab.refusal()
    lab.breaker.close()
    assert isinstance(lab.breaker.admit(), BreakerPermit)
    assert lab.state == "closed"
    assert len(hanging) == 3


def test_a_thousand_wrong_requests_leave_no_trace():
    lab = Lab()
    lab.send(WRONG, times=1000)
    lab.send(BAD, times=4)
    assert lab.state == "closed"
    lab.send(BAD)
    assert lab.moves == [("closed", "open", "consecutive_failures")]


def test_a_hundred_cancelled_calls_leave_no_trace():
    lab = Lab(**HALF_OF_TEN)
    for _ in range(100):
        lab.permit().release()
    lab.send(BAD, times=9)
    assert lab.state == "closed"  # had the cancelled been counted as calls or failures, this would be known
    lab.send(BAD)
    assert lab.state == "open"


def test_a_model_that_is_gone_opens_its_circuit_at_once():
    lab = Lab()
    lab.send(GONE)
    assert lab.moves == [("closed", "open", "unavailable")]
    assert lab.refusal().request_id == "req_gone"


@pytest.mark.parametrize("wish", [12.5, 60.0, 86_400.0])
def test_a_servers_wish_opens_it_for_as_long_as_the_server_asks(wish):
    lab = Lab()
    lab.send(WRONG, open_for=wish)
    assert lab.moves == [("closed", "open", "retry_after")]
    assert (lab.refusal().retry_in, lab.refusal().request_id) == (wish, "req_wrong")
    assert lab.events[0].error_type == "invalid_request_error"


def test_rate_limits_are_neutral_and_do_not_forgive_failures():
    lab = Lab(**FIVE_IN_A_ROW)
    lab.send(BAD, times=4)
    lab.send(WRONG, times=10)
    lab.send(BAD)
    assert lab.moves == [("closed", "open", "consecutive_failures")]


def test_a_transition_names_the_last_failure():
    lab = Lab(**FIVE_IN_A_ROW)
    lab.send(BAD, times=5)
    (event,) = lab.events
    assert (event.breaker, event.failures, event.open_for) == ("claude-a", 5, 15.0)
    assert (event.error_type, event.request_id, event.by_hand) == ("api_error", "req_bad", False)
    assert lab.refusal().request_id == "req_bad"


def test_a_permit_counts_once_whatever_is_said_with_it_later():
    lab = Lab(**FIVE_IN_A_ROW)
    lab.send(BAD, times=3)
    permit = lab.permit()
    permit.report(BAD, seconds=1)
    permit.report(BAD, seconds=1)
    permit.release()
    assert lab.state == "closed"
    lab.send(BAD)
    assert lab.state == "open"


def _calls_until_open(lab, failing, draw):
    calls = 0
    while lab.state == "closed":
        calls += 1
        lab.send(BAD if draw() < failing else OK)
    lab.breaker.close()
    return calls


@pytest.mark.parametrize(("failing", "run"), [(0.5, 5), (0.5, 3), (0.3, 3)])
def test_a_row_of_failures_comes_by_chance_as_rarely_as_the_formula_says(failing, run):
    lab = Lab(trip={"consecutive_failures": run, "failure_rate": "off"})
    draw = random.Random(run).random
    trials = 2000
    mean = sum(_calls_until_open(lab, failing, draw) for _ in range(trials)) / trials
    expected = (1 - failing**run) / ((1 - failing) * failing**run)
    assert mean == pytest.approx(expected, rel=0.1)


def _share_of_false_openings(of_at_least, failing, trials):
    rate = {"over": "50%", "of_at_least": of_at_least, "within": "60s"}
    lab = Lab(trip={"consecutive_failures": "off", "failure_rate": rate})
    draw = random.Random(of_at_least).random
    opened = 0
    for _ in range(trials):
        for _ in range(200):
            answer = lab.breaker.admit()
            if isinstance(answer, Refusal):
                break
            answer.report(BAD if draw() < failing else OK, seconds=0.1)
        opened += lab.state == "open"
        lab.breaker.close()
    return opened / trials


def test_a_minimum_of_calls_is_what_keeps_a_quiet_programs_circuit_closed():
    at_five, at_ten, at_twenty = (_share_of_false_openings(calls, 0.3, 600) for calls in (5, 10, 20))
    assert at_five == pytest.approx(0.31, abs=0.06)
    assert at_ten == pytest.approx(0.17, abs=0.05)
    assert at_twenty == pytest.approx(0.058, abs=0.03)
