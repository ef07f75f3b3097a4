"""Rungs that cannot take a request as it is: passed over, at nobody's cost; and what is asked of a prompt before that."""

from __future__ import annotations

import pytest
from call_lab import CallLab, LabCargo, judged

from failover.engine import Begun, Finish, Measure, Misfit, Send, Unmeasured
from failover.events import AttemptStarted, BreakerTransition, ModelSkipped

UNFIT = Misfit("unfit", "tool_choice: it cannot be made to call a tool")
DEAR = Misfit("cost", "input costs 25 USD per million tokens, more than 3 times the 5 of a")
ONE_PASS = {"passes": 1}
TO_BE_COUNTED = Unmeasured("context_window")
ANOTHER_WINDOW = Misfit("unfit", "thread: another model cannot go on with it", rethread=True)


def lab_of(models="ab", *, cargo=None, retry=None, **unfit):
    lab = CallLab(models, retry=retry or {})
    lab.cargo = LabCargo(unfit=unfit) if cargo is None else cargo
    return lab


class TestAMisfit:
    @pytest.mark.parametrize("misfit", [UNFIT, DEAR])
    def test_is_passed_over_and_the_event_says_why(self, misfit):
        lab = lab_of("abc", b=misfit)
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"
        assert lab.told(ModelSkipped) == [
            ModelSkipped(lab.told(ModelSkipped)[0].call, "b", "b", "closed", None, misfit.reason, misfit.why)
        ]
        assert lab.call.route.skipped == ("b",)

    def test_is_never_counted_by_any_circuit(self):
        lab = lab_of("abc", b=UNFIT)
        for _ in range(100):
            lab.tell({"a": "400", "c": "ok"})
            lab.tell({"a": "529 ok", "c": "ok"})
        assert repr(lab.breaker("b")) == "<Breaker b: closed, 0 consecutive failures>"
        assert lab.breaker("b").late == 0
        assert {event.breaker for event in lab.told(BreakerTransition)} <= {"a"}

    def test_takes_no_place_of_a_probe(self):
        lab = lab_of("abc", b=UNFIT)
        lab.breaker("b").open()
        lab.clock.advance(15)
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"
        assert (lab.breaker("b").state, lab.breaker("b").outlook()) == ("open", None)

    def test_is_no_last_resort(self):
        lab = lab_of("ab", b=UNFIT, retry=ONE_PASS)
        for breaker in lab.board.breakers():
            breaker.open()
        for _ in range(3):
            assert lab.tell({"a": "504"}) == "a exhausted:1"
            lab.clock.advance(1)

    def test_is_found_out_once_for_each_call(self):
        lab = lab_of("abc", b=UNFIT)
        lab.tell({"a": "504", "c": "504"})
        assert sorted(lab.cargo.asked) == ["b", "c"]


ALONE = [
    "529 ok",
    "529",
    "504 ok",
    "504",
    "500 ok",
    "500",
    "429 ok",
    "429:3 ok",
    "429:60",
    "401",
    "404",
    "400",
    "hang ok",
    "500@50 529@30",
]


class TestACallWhoseFallbacksAreAllUnfit:
    @pytest.mark.parametrize("answers", ALONE)
    def test_behaves_as_one_that_has_none(self, answers):
        alone, unfit = CallLab("a"), lab_of("abc", b=UNFIT, c=DEAR)
        assert unfit.tell({"a": answers}) == alone.tell({"a": answers})
        assert [send.timeout for send in unfit.sends[1:]] == [send.timeout for send in alone.sends[1:]]

    def test_keeps_nothing_of_the_deadline_for_them(self):
        lab = lab_of("ab", b=UNFIT)
        lab.tell({"a": "529@5 ok"})
        assert [send.timeout for send in lab.sends] == [100, 120 - 5 - 0.25]

    def test_knows_that_also_when_the_requested_model_was_passed_over(self):
        lab = lab_of("abc", c=UNFIT)
        lab.breaker("a").open()
        lab.tell({"b": "ok"})
        assert [send.timeout for send in lab.sends] == [120]

    def test_is_refused_by_the_one_circuit_that_it_depends_on(self):
        lab = lab_of("ab", b=UNFIT)
        lab.breaker("a").isolate()
        assert lab.tell({}) == "refused"
        assert [name for name, _ in lab.finish.refusals] == ["a"]
        assert lab.skips() == ["a open", "b unfit"]


class TestWhileNothingFails:
    def test_nobody_asks_for_anything_about_the_prompt(self):
        lab = CallLab("abcd")
        for _ in range(100):
            assert lab.tell({"a": "ok"}) == "a primary:1"
        assert (lab.cargo.asked, lab.cargo.measured) == ([], 0)
        assert lab.sends[0].load is None

    def test_not_even_when_the_answer_is_streamed(self):
        lab = CallLab("ab")
        call = lab.begin()
        call.next()
        call.begin(judged("ok", "a"))
        assert isinstance(call.next(), Begun)
        call.report(judged("ok", "a"))
        assert isinstance(call.next(), Finish)
        assert (lab.cargo.asked, lab.cargo.measured) == ([], 0)

    def test_a_wrong_request_costs_a_look_at_each_fallback_and_no_measuring(self):
        lab = CallLab("abc")
        lab.tell({"a": "400"})
        assert (lab.cargo.asked, lab.cargo.measured) == (["b", "c"], 0)


def test_what_was_changed_is_on_the_attempt_and_its_event():
    changes = ("max_tokens: 64000 -> 8192",)
    lab = lab_of(b=changes)
    assert lab.tell({"a": "529", "b": "ok"}) == "a b fallback:2"
    assert [attempt.changes for attempt in lab.call.route.attempts] == [(), changes]
    assert [event.changes for event in lab.told(AttemptStarted)] == [(), changes]
    assert lab.sends[1].load.changes == changes


def test_the_requested_model_is_sent_the_callers_own_request_in_every_pass():
    lab = lab_of(b=("thinking: dropped",))
    assert lab.tell({"a": "504 ok", "b": "504"}) == "a b 3.75s a primary:3"
    assert [send.load is None for send in lab.sends] == [True, False, True]


ROOM = {"a": 200, "b": 200, "c": 1000}


class TestAPromptThatIsTooLong:
    def test_goes_to_a_model_that_is_known_to_have_more_room(self):
        lab = lab_of("abc", cargo=LabCargo(150, room=ROOM))
        assert lab.tell({"a": "too_long", "c": "ok"}) == "a c fallback:2"
        assert lab.skips() == ["b unfit"]
        assert repr(lab.breaker("a")) == "<Breaker a: closed, 0 consecutive failures>"

    @pytest.mark.parametrize("room", [{}, {"a": 200}, {"a": 200, "b": 200, "c": 100}, {"b": 1000, "c": 1000}])
    def test_is_the_callers_error_if_none_is_known_to(self, room):
        lab = lab_of("abc", cargo=LabCargo(50, room=room))
        assert lab.tell({"a": "too_long"}) == "a failed:1"

    def test_is_the_callers_error_if_those_with_more_room_cannot_answer(self):
        lab = lab_of("abc", cargo=LabCargo(150, room=ROOM))
        assert lab.tell({"a": "too_long", "c": "504"}) == "a c 3.75s c 7.5s c failed:1"

    def test_is_not_sent_to_that_model_again_in_a_later_pass(self):
        lab = lab_of("abc", cargo=LabCargo(150, room=ROOM))
        assert lab.tell({"a": "too_long", "c": "504 ok"}) == "a c 3.75s c fallback:3"
        assert lab.skips() == ["b unfit", "a unfit", "b unfit"]

    def test_moves_on_from_a_fallback_too(self):
        lab = lab_of("abc", cargo=LabCargo(150, room={"b": 200, "c": 1000}))
        assert lab.tell({"a": "529", "b": "too_long", "c": "ok"}) == "a b c fallback:3"
        lab = lab_of("ab", cargo=LabCargo(150, room={"b": 200}))
        assert lab.tell({"a": "529", "b": "too_long"}) == "a b exhausted:1"

    def test_is_measured_against_windows_that_are_known_to_be_too_small(self):
        lab = lab_of("abc", cargo=LabCargo(500, room=ROOM))
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"
        assert lab.skips() == ["b unfit"]


class TestAPromptThatIsToBeCounted:
    def test_is_counted_once_when_it_matters_and_then_sent(self):
        lab = lab_of(b=TO_BE_COUNTED)
        assert lab.tell({"a": "529", "b": "504 ok"}) == "a count:b b 3.75s a b fallback:4"

    def test_is_not_counted_while_the_requested_model_answers(self):
        assert lab_of(b=TO_BE_COUNTED).tell({"a": "500 ok"}) == "a 0.25s a primary:2"

    def test_that_does_not_fit_after_all_is_not_sent(self):
        lab = lab_of("abc", b=TO_BE_COUNTED)
        lab.cargo.when_counted = {"b": UNFIT}
        assert lab.tell({"a": "529", "c": "ok"}) == "a count:b c fallback:2"
        assert lab.skips() == ["b unfit"]

    def test_is_not_counted_for_a_model_whose_circuit_is_open(self):
        lab = lab_of("abc", b=TO_BE_COUNTED)
        lab.breaker("b").open()
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"
        assert lab.skips() == ["b open"]

    def test_is_counted_without_a_place_of_a_probe(self):
        lab = lab_of(b=TO_BE_COUNTED)
        lab.breaker("b").open()
        lab.clock.advance(15)
        call = lab.begin()
        lab.answer(call.next(), "529")
        assert isinstance(call.next(), Measure)
        assert lab.breaker("b").outlook() is None
        call.abandon("cancelled")
        assert (lab.call.route.outcome, lab.breaker("b").outlook()) == ("cancelled", None)

    def test_is_no_last_resort(self):
        lab = lab_of(b=TO_BE_COUNTED, retry=ONE_PASS)
        for breaker in lab.board.breakers():
            breaker.open()
        for _ in range(3):
            assert lab.tell({"a": "504"}) == "a exhausted:1"
            lab.clock.advance(1)

    @pytest.mark.parametrize(
        ("first", "policy", "seconds"),
        [
            ("529", {}, 5),
            ("529", {"retry": {"deadline": "off"}}, 5),
            ("529@117", {}, 0),
            ("529@1", {"retry": {"deadline": "4s", "reserve": "2s"}}, 3),
        ],
    )
    def test_is_waited_for_as_long_as_the_deadline_lets_it_and_never_long(self, first, policy, seconds):
        lab = lab_of(b=TO_BE_COUNTED, **policy)
        call = lab.begin()
        lab.answer(call.next(), first)
        action = call.next()
        assert (action.seconds if isinstance(action, Measure) else 0) == pytest.approx(seconds)

    def test_takes_time_which_the_deadline_counts(self):
        lab = lab_of(b=TO_BE_COUNTED)
        call = lab.begin()
        lab.answer(call.next(), "529@100")
        assert isinstance(call.next(), Measure)
        lab.clock.advance(6)
        lab.cargo.count(lab.plan.candidates[1])
        send = call.next()
        assert isinstance(send, Send)
        assert send.timeout == 14

    def test_leaves_nothing_in_reserve_for_rungs_below_that_cannot_take_it(self):
        lab = lab_of("abc", b=TO_BE_COUNTED, c=UNFIT)
        lab.tell({"a": "529", "b": "ok"})
        assert [send.timeout for send in lab.sends] == [100, 120]


class TestATurnOfAThread:
    def test_is_given_back_to_be_sent_as_a_whole_conversation(self):
        lab = lab_of(b=ANOTHER_WINDOW)
        assert lab.tell({"a": "529"}) == "a rethreaded"
        assert lab.finish == Finish("rethreaded", None)

    def test_but_not_for_a_model_whose_circuit_is_open(self):
        lab = lab_of(b=ANOTHER_WINDOW)
        lab.breaker("b").open()
        assert lab.tell({"a": "529 ok"}) == "a 0.25s a primary:2"
        assert lab.skips() == []
