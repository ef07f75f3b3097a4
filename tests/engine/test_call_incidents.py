"""What begins an incident, told as whole calls down a ladder."""

from __future__ import annotations

import pytest
from call_incident_lab import HOUR, down, in_incident, platform, short, streaming_platform
from call_lab import NO_LINE, LabCargo, judged

from failover.engine import Call, Misfit, Send, Unmeasured
from failover.events import IncidentEnded, IncidentStarted


def causes(lab):
    return [event.cause for event in lab.told(IncidentStarted)]


class TestACallThatFindsNobody:
    @pytest.mark.parametrize(
        ("models", "answers", "cause"),
        [
            ("ab", {"a": "529", "b": "529"}, "models"),
            ("ab", {"a": "500", "b": "connection_error"}, "models"),
            ("ab", {"a": "client_timeout_error", "b": "504"}, "models"),
            ("abc", {"a": "529", "b": "529", "c": "503"}, "models"),
            ("abc", {"a": "529", "b": "404", "c": "529"}, "models"),
            ("abc", {"a": "529", "b": "529", "c": "429:60"}, None),
            ("ab", {"a": "529", "b": "404"}, None),
            ("ab", {"a": "529", "b": "429:60"}, None),
            ("ab", {"a": "429", "b": "429"}, None),
            ("ab", {"a": "529", "b": "400"}, None),
            ("ab", {"a": "529", "b": "401"}, None),
            ("ab", {"a": "401"}, None),
            ("ab", {"a": "400"}, None),
            ("ab", {"a": "too_long"}, None),
            ("ab", {"a": "529", "b": "ok"}, None),
            ("a", {"a": "529"}, None),
        ],
    )
    def test_begins_one_if_all_have_failed(self, models, answers, cause):
        lab = platform(models, calls="fail_fast", retry={**HOUR, "deadline": "2m"})
        lab.tell(answers)
        assert causes(lab) == ([] if cause is None else [cause])

    def test_begins_one_only_when_the_circuits_are_open(self):
        lab = platform(calls="fail_fast", breaker={"last_resort": "off"})
        stories = [short(lab.tell(down("ab"))) for _ in range(6)]
        assert stories == ["a b exhausted:1"] * 5 + ["refused"]
        assert causes(lab) == ["models"]

    def test_begins_one_with_the_rules_that_a_policy_has_by_itself(self):
        lab = platform("abc", calls="fail_fast", retry={}, breaker={})
        story = lab.tell(down("abc"))
        assert story == "a b c 0.25s c 3.75s a b c 0.25s c 7.5s a b c exhausted:1"
        assert causes(lab) == []  # four of each, and five open a circuit
        assert short(lab.tell(down("abc"))) == "a b wait b wait a exhausted:1"
        assert causes(lab) == ["models"]

    def test_begins_none_for_fifty_calls_that_fail_at_once_while_the_last_rung_works(self):
        lab = platform("abc", retry={**HOUR, "tries": 2})
        calls = [Call(lab.plan, lab.services, LabCargo()) for _ in range(50)]
        for model in "abc":
            sends = [(call, call.next()) for call in calls]
            assert {action.candidate.rung.model for _, action in sends} <= set("abc"[: "abc".index(model) + 1])
            for call, action in sends:
                if isinstance(action, Send):
                    sent_to = action.candidate.rung.model
                    call.report(judged("ok" if sent_to == "c" else "529", sent_to))
        assert {call.next().outcome for call in calls} == {"fallback"}
        assert causes(lab) == []

    def test_begins_none_while_the_last_rung_is_slow_to_answer_others(self):
        """Nobody has failed there, so nothing says that it is down."""
        lab = platform("abc", calls="fail_fast")
        slow = Call(lab.plan, lab.services, LabCargo())
        for model in "ab":
            slow.next()
            slow.report(judged("529", model))
        assert slow.next().candidate.rung.model == "c"
        lab.breaker("c").isolate()
        lab.breaker("c").close()
        assert lab.tell({"c": "ok"}) == "c fallback:1"
        slow.report(judged("ok", "c"))
        assert slow.next().outcome == "fallback"
        assert causes(lab) == []

    def test_begins_none_after_a_single_good_answer(self):
        lab = platform("ab", calls="fail_fast")
        lab.tell({"a": "529", "b": "ok"})
        lab.tell({"b": "529"})
        assert causes(lab) == []

    def test_begins_none_of_a_stream_that_had_begun_to_answer(self):
        lab = streaming_platform("ab", calls="fail_fast")
        lab.tell({"a": "~cut", "b": "~cut"}, resume="restart")
        assert {breaker.state for breaker in lab.board.breakers()} == {"open"}
        assert causes(lab) == []
        lab.clock.advance(60)
        assert lab.tell(down("ab")) == "a b exhausted:1"
        assert causes(lab) == ["models"]

    @pytest.mark.parametrize(
        ("errors", "cause"),
        [
            ({"overloaded_error": {"counts": "open"}}, "models"),
            ({"overloaded_error": {"counts": "neutral"}}, None),
            ({"overloaded_error": {"do": "raise"}}, None),
        ],
    )
    def test_reads_failures_as_the_policy_says(self, errors, cause):
        lab = platform("ab", calls="fail_fast", errors=errors)
        lab.tell(down("ab"))
        assert causes(lab) == ([] if cause is None else [cause])


class TestARungThatIsNoneOfThose:
    @pytest.mark.parametrize("what", ["gone", "isolated"])
    def test_because_it_is_not_there_does_not_stand_in_the_way(self, what):
        lab = platform("abc", calls="fail_fast")
        if what == "gone":
            whole, lab.plan = lab.plan, lab.ladder("c")
            lab.tell({"c": "404"})
            lab.plan = whole
        else:
            lab.breaker("c").isolate()
        assert lab.tell(down("ab")) == "a b exhausted:1"
        assert causes(lab) == ["models"]

    @pytest.mark.parametrize("said", [Misfit("unfit", "images"), Misfit("cost", "dear"), Unmeasured("context_window")])
    def test_because_it_cannot_take_this_request_may_well_work(self, said):
        lab = platform("abc", calls="fail_fast")
        lab.cargo = LabCargo(unfit={"c": said})
        lab.cargo.when_counted = {"c": Misfit("unfit", "too long")}
        assert short(lab.tell(down("ab"))).removesuffix(" exhausted:1") in {"a b", "a b count:c"}
        assert causes(lab) == []

    def test_because_its_bulkhead_is_full_works(self):
        lab = platform("abc", calls="fail_fast", rungs={"c": NO_LINE})
        lab.occupy("c", 1000)
        lab.tell(down("ab"))
        assert lab.skips() == ["c full"]
        assert causes(lab) == []

    def test_because_the_account_refuses_elsewhere_is_of_another_client(self):
        lab = platform("abc", calls="fail_fast", clients={"c": "bedrock"})
        assert lab.tell({**down("ab"), "c": "401"}) == "a b c exhausted:1"
        assert causes(lab) == ["models"]
        assert [found.client for found in lab.incidents.now_open()] == ["default"]


class TestErrorsThatPersist:
    def test_begin_one_also_where_there_is_one_rung(self):
        lab = platform("a", calls="fail_fast", breaker={"trip": {"consecutive_failures": 100}})
        for _ in range(4):
            assert lab.tell(down("a")) == "a exhausted:1"
            lab.clock.advance(225)
        assert causes(lab) == []
        assert lab.tell(down("a")) == "a exhausted:1"
        assert causes(lab) == ["after"]
        assert lab.tell(down("a")) == "refused"

    @pytest.mark.parametrize(
        ("answers", "begins"),
        [
            ("529 529 529 529 529", True),
            ("529 529 ok 529 529", False),
            ("529 529 529 529 ok", False),
            ("529 400 529 529 529 529", True),
            ("429 429 429 429 429", False),
        ],
    )
    def test_are_failures_with_no_good_answer_in_between(self, answers, begins):
        lab = platform("a", calls="fail_fast", breaker={"trip": {"consecutive_failures": 100}})
        for answer in answers.split():
            lab.tell({"a": answer})
            lab.clock.advance(225)
        assert causes(lab) == (["after"] if begins else [])

    def test_need_no_ladder_whose_circuits_are_all_open(self):
        """A call an hour would never open a circuit, and nobody has been served all day."""
        lab = platform("ab", calls="fail_fast", breaker={}, incident={"after": "2h", "of_at_least": 6})
        for _ in range(3):
            lab.tell(down("ab"))
            lab.clock.advance(3600)
        assert causes(lab) == ["after"]

    def test_keep_back_what_has_failed_and_nothing_else(self):
        lab = platform("abc", calls="fail_fast", incident={"models": "off", "after": "1m", "of_at_least": 2})
        whole, lab.plan = lab.plan, lab.ladder("ab")
        lab.tell({"a": "529", "b": "400"})
        lab.clock.advance(60)
        lab.tell({"a": "529", "b": "400"})
        assert causes(lab) == ["after"]
        assert lab.tell({"b": "ok"}) == "b fallback:1"
        lab.plan = whole
        assert causes(lab) == ["after"]


def test_without_the_policy_asking_for_it_nothing_is_looked_for():
    lab = platform("ab", calls="fail_fast")
    lab.plan = lab.plan.__class__(*(getattr(lab.plan, name) for name in lab.plan.__slots__[:-1]))
    assert lab.plan.incidents is None
    assert lab.tell(down("ab")) == "a b exhausted:1"
    assert lab.tell(down("ab")) == "refused"
    assert causes(lab) == []


def test_an_incident_that_was_none_is_over_as_soon_as_somebody_is_served():
    lab = in_incident("abcd", of="ab", calls="fail_fast")
    assert lab.tell({"c": "ok"}) == "c fallback:1"
    assert [event.seconds for event in lab.told(IncidentEnded)] == [0]
    assert lab.tell({"a": "ok"}) == "a primary:1"


def test_its_beginning_in_the_middle_of_a_call_stops_the_calls_repeats():
    lab = platform("ab", calls="fail_fast", breaker={}, retry={**HOUR, "tries": 5})
    call = lab.begin()
    call.next()
    call.report(judged("500", "a"))
    wait = call.next()
    for model in "ab":
        lab.breaker(model).open()
        lab.incidents.failed("default", model, lab.breaker(model), judged("500", model))
    lab.incidents.found_nobody("default", [lab.breaker("a"), lab.breaker("b")])
    assert causes(lab) == ["models"]
    lab.pause(wait)
    assert call.next().outcome == "exhausted"
