"""Time that a call stood in line is told, whether its turn came or not: a wait that nobody tells of is a hole in a trace."""

from __future__ import annotations

import pytest
from call_lab import NO_LINE, NO_REPEAT, ONE, lab_of

from failover.events import AttemptStarted, CallFinished, ModelSkipped, Waiting


def waits(lab):
    return [(event.cause, event.seconds) for event in lab.told(Waiting)]


def all_waited(lab):
    """What the route and the end of the call say of the time that went into waiting."""
    (end,) = lab.told(CallFinished)
    assert lab.call.route.waited == end.waited
    return end.waited


@pytest.mark.parametrize(
    ("rungs", "busy", "story", "told"),
    [
        ({"a": ONE}, {}, "a primary:1", []),
        ({"a": ONE}, {"a": 5}, "line:5s a primary:1", [5]),
        ({"a": ONE}, {"a": 31}, "line:30s b fallback:1", [30]),
        ({"a": ONE, "b": ONE}, {"a": 31, "b": 31}, "line:30s line:1s b fallback:1", [30, 1]),
        ({"a": ONE, "b": ONE}, {"a": 99, "b": 99}, "line:30s line:30s refused", [30, 30]),
        ({"a": NO_LINE}, {"a": 99}, "b fallback:1", []),
    ],
)
def test_each_stay_in_line_is_told_with_its_length(rungs, busy, story, told):
    lab = lab_of(rungs=rungs)
    for name, seconds in busy.items():
        lab.occupy(name, seconds)
    assert lab.tell({"a": "ok", "b": "ok"}) == story
    assert waits(lab) == [("queue", seconds) for seconds in told]
    assert all_waited(lab) == sum(told)


def test_it_is_told_before_what_it_ended_in():
    lab = lab_of(rungs={"a": ONE, "b": ONE})
    lab.occupy("a", 99)
    lab.occupy("b", 35)
    lab.tell({"b": "ok"})
    kinds = [type(event) for event in lab.events if isinstance(event, (Waiting, ModelSkipped, AttemptStarted))]
    assert kinds == [Waiting, ModelSkipped, Waiting, AttemptStarted]


def test_it_stands_beside_the_waits_of_other_causes():
    lab = lab_of(rungs={"a": ONE})
    lab.occupy("a", 5)
    assert lab.tell({"a": "504 ok", "b": "504"}) == "line:5s a b 3.75s a primary:3"
    assert waits(lab) == [("queue", 5), ("between_passes", 3.75)]
    assert all_waited(lab) == 8.75


def test_it_is_told_of_a_call_that_failed_before():
    lab = lab_of(rungs={"b": ONE}, retry=NO_REPEAT)
    lab.occupy("b", 99)
    assert lab.tell({"a": "529"}) == "a line:30s exhausted:1"
    assert (waits(lab), all_waited(lab)) == ([("queue", 30)], 30)


def test_it_is_told_of_a_turn_that_the_circuit_took_away():
    lab = lab_of(rungs={"a": ONE})
    lab.occupy("a", 5)
    call = lab.begin()
    queue = call.next()
    lab.breaker("a").open()
    assert lab.pause(queue) == "line:5s"
    assert call.next().candidate.rung.model == "b"
    assert (waits(lab), lab.skips()) == ([("queue", 5)], ["a open"])


def test_it_is_told_of_the_deadline_that_it_used_up():
    lab = lab_of("a", rungs={"a": {"at_once": 1, "queue": "1h"}})
    lab.occupy("a", 1000)
    assert lab.tell({}) == "line:110s refused"
    assert (waits(lab), all_waited(lab)) == ([("queue", 110)], 110)


def test_a_program_that_listens_to_nothing_special_hears_how_a_call_ended_that_stood_in_line():
    lab = lab_of(rungs={"a": ONE}, verbose=False)
    lab.occupy("a", 5)
    lab.tell({"a": "ok"})
    assert all_waited(lab) == 5


def test_the_time_on_an_attempt_is_that_of_its_own_line():
    lab = lab_of(rungs={"a": ONE, "b": ONE})
    lab.occupy("a", 99)
    lab.occupy("b", 34)
    assert lab.tell({"b": "ok"}) == "line:30s line:4s b fallback:1"
    assert lab.queued() == [4]
