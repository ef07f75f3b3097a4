"""A call that was held back is a call like any other before and after: its passes, its repeats, its place in line."""

from __future__ import annotations

from call_incident_lab import HOUR, down, in_incident, platform, short
from call_lab import ONE, LabCargo, judged

from failover.engine import Call, Queue, Send, Wait
from failover.events import Waiting


def persistent(passes):
    """A program in an incident although its circuits are closed: errors have persisted for a minute."""
    lab = platform(
        breaker={"trip": {"consecutive_failures": 100, "failure_rate": "off"}},
        incident={"models": "off", "after": "1m", "of_at_least": 2},
        retry={**HOUR, "passes": passes},
    )
    for seconds in (0, 60):
        lab.clock.advance(seconds)
        call = lab.begin()
        for _ in "ab":
            action = call.next()
            if isinstance(action, Send):
                call.report(judged("504", action.candidate.rung.model))
        call.abandon("cancelled")
    assert lab.incidents.now_open()
    lab.events.clear()
    lab.pings = {"a": "529 529 529 ok", "b": "529"}
    return lab


def test_its_looks_while_it_waited_were_no_passes():
    lab = persistent(passes=2)
    story = short(lab.tell({"a": "504 ok", "b": "504"}))
    assert story.endswith("ping:a ping:a a b wait a primary:3")
    assert [event.cause for event in lab.told(Waiting)] == ["incident", "between_passes"]


def test_it_waits_for_nothing_once_it_has_sent_something_and_failed():
    lab = persistent(passes=1)
    story = short(lab.tell({"a": "504", "b": "504"}))
    assert story.endswith("ping:a ping:a a b exhausted:1")


def test_a_place_in_line_that_came_too_late_is_given_to_the_next():
    lab = platform(rungs={"a": ONE})
    lab.occupy("a", 20)
    call = lab.begin()
    queue = call.next()
    assert isinstance(queue, Queue)
    for model in "ab":
        lab.incidents.failed("default", model, lab.breaker(model), judged("529", model))
        lab.breaker(model).open()
    lab.incidents.found_nobody("default", [lab.breaker("a"), lab.breaker("b")])
    lab.pause(queue)
    assert isinstance(call.next(), Wait)
    assert lab.idle()


def test_a_place_in_line_is_not_asked_for_while_it_lasts():
    lab = in_incident(rungs={"a": ONE, "b": ONE}, calls="fail_fast")
    for model in "ab":
        lab.occupy(model, 1000)
    assert lab.tell(down("ab")) == "refused"
    assert all(limit.waiting == 0 for limit in lab.bulkheads.limits())


def test_a_call_that_comes_just_as_the_last_circuit_opens_is_held_back_with_the_others():
    """Another thread may look at any moment: who finds a circuit open finds its failure told as well."""
    lab = platform()
    call, meanwhile = lab.begin(), []

    def look(event):
        lab.events.append(event)
        meanwhile.append(Call(lab.plan, lab.services, LabCargo()).next())

    lab.breaker("b")._emit = look
    for model in "ab":
        call.next()
        call.report(judged("529", model))
    assert [type(action) for action in meanwhile] == [Wait]
    assert meanwhile[0].cause == "incident"
