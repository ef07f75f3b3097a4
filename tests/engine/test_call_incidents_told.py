"""What is told of an incident, to listeners, to the route and to the caller: each thing once, in its order."""

from __future__ import annotations

import pytest
from call_incident_lab import HOUR, down, in_incident, platform
from call_lab import LabCargo

from failover.engine import Misfit
from failover.events import (
    AttemptStarted,
    CallFinished,
    CallStarted,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    Waiting,
)


def kinds(lab, *wanted):
    return [type(event) for event in lab.events if not wanted or isinstance(event, wanted)]


def the(lab, kind):
    (event,) = lab.told(kind)
    return event


class TestACallThatWaited:
    @pytest.fixture
    def lab(self):
        lab = in_incident()
        lab.pings = {"a": "529 529 529 ok", "b": "529"}
        lab.tell({"a": "ok"})
        return lab

    def test_tells_each_rung_that_it_passed_over_once(self, lab):
        assert lab.skips() == ["a incident", "b incident"]

    def test_tells_all_of_its_waits_as_one_before_it_is_sent(self, lab):
        waiting = the(lab, Waiting)
        assert waiting.cause == "incident"
        assert waiting.seconds == pytest.approx(lab.call.route.waited)
        order = kinds(lab, CallStarted, ModelSkipped, IncidentEnded, Waiting, AttemptStarted, CallFinished)
        assert order == [
            CallStarted,
            ModelSkipped,
            ModelSkipped,
            IncidentEnded,
            Waiting,
            AttemptStarted,
            CallFinished,
        ]

    def test_tells_every_probe(self, lab):
        probes = lab.told(IncidentProbed)
        assert [(event.model, event.answered) for event in probes] == [
            ("a", False),
            ("b", False),
            ("a", False),
            ("b", False),
            ("a", False),
            ("b", False),
            ("a", True),
            ("a", True),
        ]
        assert {event.call for event in probes} == {the(lab, CallFinished).call}
        assert {event.client for event in probes} == {"default"}

    def test_tells_in_the_end_what_it_waited_and_whom_it_passed_over(self, lab):
        end = the(lab, CallFinished)
        assert (end.outcome, end.served_model, end.attempts, end.error_type) == ("primary", "a", 1, None)
        assert end.skipped == ("a", "b")
        assert end.waited == pytest.approx(7 * 30, rel=0.1)
        assert end.seconds == pytest.approx(end.waited, abs=1)


def test_a_wait_that_came_to_nothing_is_told_before_the_end():
    lab = in_incident(retry={**HOUR, "deadline": "70s"})
    lab.tell({})
    assert kinds(lab, Waiting, CallFinished) == [Waiting, CallFinished]
    assert the(lab, Waiting).seconds == pytest.approx(70)
    assert the(lab, CallFinished).waited == pytest.approx(70)


def test_a_wait_that_was_cancelled_is_told_as_well():
    lab = in_incident()
    call = lab.begin()
    lab.pause(call.next())
    lab.pause(call.next())
    call.abandon("cancelled")
    assert kinds(lab, Waiting, CallFinished) == [Waiting, CallFinished]
    assert the(lab, Waiting).seconds > 5


def test_rungs_that_could_not_be_asked_for_other_reasons_are_told_once_as_well():
    lab = in_incident("abc", of="ab", retry={**HOUR, "deadline": "20m"})
    lab.cargo = LabCargo(unfit={"c": Misfit("unfit", "images")})
    lab.tell({})
    assert lab.skips() == ["a incident", "b incident", "c unfit", "a deadline", "b deadline"]


def test_a_rung_that_is_passed_over_for_another_reason_than_before_is_told_again():
    lab = in_incident("ab", calls="fail_fast")
    lab.tell({})
    lab.incidents.answered("default", lab.board.breaker("c"))
    lab.breaker("a").isolate()
    lab.tell({"b": "ok"})
    assert lab.skips() == ["a incident", "b incident", "a open"]


@pytest.mark.parametrize("deadline", [60, 600, 3600])
def test_a_call_tells_no_more_however_long_it_waits(deadline):
    lab = in_incident(retry={**HOUR, "deadline": deadline})
    lab.tell({})
    told = [type(event) for event in lab.events if not isinstance(event, IncidentProbed)]
    assert told == [CallStarted, *[ModelSkipped] * 4, Waiting, CallFinished]
    assert len(lab.told(IncidentProbed)) <= deadline / 30


class TestACallThatWasRefused:
    @pytest.fixture
    def lab(self):
        lab = in_incident(calls="fail_fast")
        lab.clock.advance(12)
        lab.tell({})
        return lab

    def test_says_so_in_its_end_and_its_route(self, lab):
        end = the(lab, CallFinished)
        assert (end.outcome, end.error_type, end.attempts, end.request_ids) == ("refused", "platform_incident", 0, ())
        route = lab.call.route
        assert (route.outcome, route.attempts, route.skipped) == ("refused", (), ("a", "b"))

    def test_has_the_incident_for_its_caller(self, lab):
        assert [name for name, _ in lab.finish.refusals] == ["a", "b"]
        for _, refusal in lab.finish.refusals:
            assert (refusal.reason, refusal.state, refusal.last_resort) == ("incident", "open", False)
            assert refusal.retry_in == pytest.approx(18)
            assert refusal.incident.failing_for == pytest.approx(12)
            assert refusal.incident.models == ("a", "b")
            assert (refusal.error_type, refusal.request_id) == ("overloaded_error", "req_b_529")

    def test_is_counted_once_for_each_client_however_many_rungs_it_has_there(self):
        lab = in_incident("abcd", calls="fail_fast")
        lab.tell({})
        lab.tell({})
        lab.clock.advance(30)
        lab.pings = {"a": "ok"}
        lab.tell({"a": "ok"})
        assert the(lab, IncidentEnded).kept_back == 2

    def test_is_not_counted_once_more_for_each_look(self):
        lab = in_incident("ab")
        lab.pings = {"a": "529 529 ok", "b": "529"}
        lab.tell({"a": "ok"})
        assert the(lab, IncidentEnded).kept_back == 1


def test_the_call_that_finds_out_tells_the_beginning_between_its_last_attempt_and_its_end():
    lab = platform(calls="fail_fast")
    lab.tell(down("ab"))
    names = [type(event).__name__ for event in lab.events]
    assert names[-3:] == ["AttemptFinished", "IncidentStarted", "CallFinished"]
    started = the(lab, IncidentStarted)
    assert (started.failures, started.models, started.request_ids) == (2, ("a", "b"), ("req_a_529", "req_b_529"))


def test_a_program_that_listens_to_nothing_special_hears_of_all_of_it_too():
    lab = platform(calls="wait", verbose=False)
    lab.pings = {"a": "ok"}
    lab.tell({"a": "529 ok", "b": "529"})
    wanted = (IncidentStarted, ModelSkipped, IncidentProbed, IncidentEnded, Waiting, CallFinished)
    assert kinds(lab, *wanted) == [
        IncidentStarted,
        ModelSkipped,
        ModelSkipped,
        IncidentProbed,
        IncidentProbed,
        IncidentEnded,
        Waiting,
        CallFinished,
    ]


def test_a_program_that_listens_to_nothing_special_hears_nothing_of_a_good_call_while_it_lasts_elsewhere():
    lab = in_incident("abcd", of="ab", clients={"c": "bedrock", "d": "bedrock"}, verbose=False)
    lab.plan = lab.ladder("c")
    assert lab.tell({"c": "ok"}) == "c primary:1"
    assert lab.events == []
