"""When a rung could take the whole conversation but was given only its newest turn: its caller is asked for all of it."""

from __future__ import annotations

import pytest
from call_lab import CallLab, LabCargo, judged

from failover.engine import Finish, Misfit, Unmeasured
from failover.events import CallFinished, ModelSkipped

WHOLE = Misfit("unfit", "thread: its history is with the requested model", rethread=True)
NEVER = Misfit("unfit", "tools: not taken")
ONCE = {"tries": 1, "passes": 1}


def lab(models="ab", *, unfit=None, **options):
    """A program whose rungs below the first want the whole conversation, but for those that are named otherwise."""
    made = CallLab(models, **options)
    made.cargo = LabCargo(unfit={**dict.fromkeys(models[1:], WHOLE), **(unfit or {})})
    return made


class TestWhereAHopWouldBe:
    @pytest.mark.parametrize(
        ("answers", "story"),
        [
            ("529", "a rethreaded"),
            ("500", "a 0.25s a rethreaded"),
            ("500 529", "a 0.25s a rethreaded"),
            ("hang", "a rethreaded"),
            ("connection_error", "a 0.25s a rethreaded"),
            ("429:60", "a rethreaded"),
            ("429:2", "a 2.1s a rethreaded"),
            ("404", "a rethreaded"),
        ],
    )
    def test_the_call_ends(self, answers, story):
        assert lab().tell({"a": answers}) == story

    def test_nothing_is_sent_to_the_other_model(self):
        told = lab()
        assert told.tell({"a": "529"}) == "a rethreaded"
        assert [send.candidate.rung.model for send in told.sends] == ["a"]
        assert told.finish == Finish("rethreaded", None, ())

    def test_an_open_circuit_is_no_reason_to_ask_the_first_model(self):
        told = lab()
        told.breaker("a").open()
        assert told.tell({}) == "rethreaded"
        assert told.told(ModelSkipped)[0].model == "a"

    @pytest.mark.parametrize("unfit", [{"b": NEVER}, {}])
    def test_any_rung_will_do_that_could_take_the_conversation(self, unfit):
        assert lab("abc", unfit=unfit).tell({"a": "529"}) == "a rethreaded"

    def test_a_rung_whose_circuit_refuses_is_passed_over(self):
        told = lab("abc")
        told.breaker("b").open()
        assert told.tell({"a": "529"}) == "a rethreaded"
        assert [skip.model for skip in told.told(ModelSkipped)] == ["b"]

    def test_a_rung_that_takes_the_turn_as_it_is_answers_when_it_comes_first(self):
        assert lab("abc", unfit={"b": ()}).tell({"a": "529", "b": "ok"}) == "a b fallback:2"

    def test_the_account_of_one_client_does_not_bind_another(self):
        assert lab(clients={"b": "other"}).tell({"a": "401"}) == "a rethreaded"


class TestWhereNobodyCouldTakeTheConversation:
    """Then there is nothing to ask the caller for: it gets the real error."""

    def test_no_rung_fits_anyway(self):
        assert lab(unfit={"b": NEVER}, retry=ONCE).tell({"a": "529"}) == "a exhausted:1"

    def test_the_other_circuit_is_open(self):
        told = lab(retry=ONCE)
        told.breaker("b").open()
        assert told.tell({"a": "529"}) == "a exhausted:1"

    def test_the_other_circuit_opens_and_closes_while_the_call_goes_on(self):
        told = lab(breaker={"open_for": {"first": "1s", "jitter": 0}})
        told.breaker("b").open()
        assert told.tell({"a": "529"}) == "a 0.25s a 3.75s a rethreaded"

    def test_the_account_refuses(self):
        assert lab().tell({"a": "401"}) == "a failed:1"

    def test_the_request_is_wrong(self):
        assert lab().tell({"a": "400"}) == "a failed:1"

    def test_no_time_is_left(self):
        told = lab(retry={"deadline": "30s", "reserve": "20s", **ONCE})
        assert told.tell({"a": "500@29"}) == "a exhausted:1"

    def test_every_circuit_is_open_and_the_last_resort_is_the_first_model(self):
        told = lab("abc")
        for breaker in told.board.breakers():
            breaker.open()
        assert told.tell({"a": "ok"}) == "a primary:1"
        assert told.sends[0].load is None


class TestWhereNothingIsWrong:
    def test_nobody_is_asked_about_the_other_rungs(self):
        told = lab()
        assert told.tell({"a": "ok"}) == "a primary:1"
        assert told.cargo.asked == []

    def test_a_repeat_in_place_comes_first(self):
        assert lab().tell({"a": "500 ok"}) == "a 0.25s a primary:2"


class TestWhatIsWrittenDown:
    def test_the_route_and_the_event_say_so(self):
        told = lab()
        told.tell({"a": "500"})
        route = told.call.route
        assert (route.outcome, route.served_model, route.skipped) == ("rethreaded", None, ())
        assert [(one.model, one.status) for one in route.attempts] == [("a", 500), ("a", 500)]
        (finished,) = told.told(CallFinished)
        assert (finished.outcome, finished.model, finished.attempts) == ("rethreaded", "a", 2)

    def test_the_rung_that_is_to_have_it_is_not_called_skipped(self):
        told = lab()
        told.tell({"a": "529"})
        assert told.told(ModelSkipped) == []

    def test_the_failures_count_for_the_circuit(self):
        told = lab()
        for _ in range(5):
            told.tell({"a": "529"})
        assert told.breaker("a").state == "open"
        assert told.breaker("b").pybreaker.fail_counter == 0

    def test_a_half_open_circuit_of_the_other_model_keeps_its_probe(self):
        told = lab()
        told.breaker("b").open()
        told.clock.advance(15)
        assert told.tell({"a": "529"}) == "a rethreaded"
        assert told.breaker("b").outlook() is None

    def test_it_needs_no_retry_budget(self):
        told = lab(retry={"budget": {"ratio": "1%", "min_per_second": 1}})
        while told.services.budget.take(told.clock.now()):
            pass
        assert told.tell({"a": "529"}) == "a rethreaded"

    def test_a_caller_that_gives_up_is_not_asked_for_more(self):
        told = lab()
        call = told.begin()
        call.next()
        call.abandon("cancelled")
        assert call.next() == Finish("cancelled", None, ())

    def test_its_end_is_told_once(self):
        told = lab()
        call = told.begin()
        call.next()
        call.report(judged("529", "a"))
        assert call.next() == call.next() == Finish("rethreaded", None, ())
        assert len(told.told(CallFinished)) == 1


class TestBulkheads:
    def test_no_turn_is_taken_for_what_is_not_sent(self):
        told = lab(rungs={"b": {"at_once": 1}})
        assert [told.tell({"a": "529"}) for _ in range(3)] == ["a rethreaded"] * 3


def test_a_rung_that_has_to_be_measured_is_measured_before_anybody_is_asked_for_more():
    told = lab("abc", unfit={"b": Unmeasured("context_window: a close call")})
    told.cargo.when_counted["b"] = NEVER
    assert told.tell({"a": "529"}) == "a count:b rethreaded"
