"""An answer that breaks while the caller is reading it: who takes over, when nobody may, and at what cost."""

from __future__ import annotations

import pytest
from call_lab import judged
from call_stream_lab import StreamLab, begun, ended

from failover.engine import Finish
from failover.events import (
    CallFinished,
    StreamInterrupted,
    Waiting,
)


class TestOneThatAnotherTakesOver:
    @pytest.mark.parametrize("mode", ["restart", "continue"])
    @pytest.mark.parametrize(
        ("answers", "story"),
        [
            ({"a": "~cut", "b": "~complete"}, "a~ b~ fallback:2"),
            ({"a": "~cut", "b": "529", "c": "~complete"}, "a~ b c~ fallback:3"),
            ({"a": "~cut", "b": "500 ~complete"}, "a~ b 0.25s b~ fallback:3"),
            ({"a": "~cut", "b": "~stall", "c": "~complete"}, "a~ b~ c~ fallback:3"),
            ({"a": "500 ~cut", "b": "~complete"}, "a 0.25s a~ b~ fallback:3"),
            ({"a": "529", "b": "~cut", "c": "~complete"}, "a b~ c~ fallback:3"),
            ({"a": "529 ~cut", "b": "529 ~complete", "c": "404"}, "a b c 3.75s a~ b~ fallback:5"),
        ],
    )
    def test_goes_on_down_the_ladder(self, mode, answers, story):
        lab = StreamLab("abc")
        assert lab.tell(answers, resume=mode) == story
        assert lab.call.route.resumed == mode
        assert {(event.then, event.why) for event in lab.told(StreamInterrupted)} == {(mode, None)}

    @pytest.mark.parametrize(
        ("answers", "story"),
        [
            ({"a": "~cut", "b": "529"}, "a~ b interrupted:1"),
            ({"a": "~cut", "b": "400"}, "a~ b interrupted:1"),
            ({"a": "~cut", "b": "401"}, "a~ b interrupted:1"),
            ({"a": "~cut", "b": "~overloaded_error"}, "a~ b~ interrupted:1"),
            ({"a": "529", "b": "~cut"}, "a b~ interrupted:2"),
        ],
    )
    def test_ends_with_what_broke_it_first_if_nobody_can(self, answers, story):
        lab = StreamLab("ab", retry={"tries": 1})
        assert lab.tell(answers, resume="restart") == story
        shown = int(story[-1]) - 1
        assert lab.told(CallFinished)[0].error_type == lab.call.route.attempts[shown].error_type

    def test_passes_over_circuits_that_are_open(self):
        lab = StreamLab("abc")
        lab.breaker("b").open()
        assert lab.tell({"a": "~cut", "c": "~complete"}, resume="restart") == "a~ c~ fallback:2"
        assert lab.call.route.skipped == ("b",)

    def test_opens_the_circuit_for_as_long_as_the_server_wishes(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        limited = judged("429:60", "a")._replace(status=200, stream="error")
        call.report(limited, resume="restart")
        assert lab.breaker("a").state == "open"
        assert lab.breaker("a").outlook().retry_in == pytest.approx(60)
        assert call.next().candidate.rung.model == "b"


class TestWhetherItWasTakenOver:
    """The route says so once the attempt that takes over has begun to answer."""

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    @pytest.mark.parametrize(
        ("answers", "taken_over"),
        [
            ({"a": "~cut", "b": "529", "c": "hang"}, False),
            ({"a": "~cut", "b": "400", "c": "401"}, False),
            ({"a": "~cut", "b": "~cut", "c": "529"}, True),
            ({"a": "~cut", "b": "529", "c": "~cut"}, True),
        ],
    )
    def test_is_told_by_a_lost_call_too(self, mode, answers, taken_over):
        lab = StreamLab("abc")
        assert lab.tell(answers, resume=mode).endswith("interrupted:1")
        assert lab.call.route.resumed == (mode if taken_over else None)

    def test_is_known_as_soon_as_the_next_answer_begins(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        assert call.next().route.resumed is None
        call.report(ended("cut", "a"), resume="restart")
        call.next()
        call.begin(begun("b"))
        route = call.next().route
        assert (route.outcome, route.served_model, route.resumed) == ("streaming", "b", "restart")


class TestOneThatNobodyMayTakeOver:
    @pytest.mark.parametrize(
        ("end", "why"),
        [("authentication_error", "account"), ("billing_error", "account"), ("invalid_request_error", "request")],
    )
    def test_because_no_other_model_can_help(self, end, why):
        lab = StreamLab("ab")
        assert lab.tell({"a": f"~{end}", "b": "~complete"}, resume="restart") == "a~ interrupted:1"
        (event,) = lab.told(StreamInterrupted)
        assert (event.then, event.why) == ("raise", why)
        assert lab.call.route.resumed is None

    def test_because_the_policy_says_raise(self):
        lab = StreamLab("ab", errors={"connection_error": {"do": "raise"}})
        assert lab.tell({"a": "~cut", "b": "~complete"}, resume="restart") == "a~ interrupted:1"
        (event,) = lab.told(StreamInterrupted)
        assert event.then == "raise"
        assert event.why is not None

    @pytest.mark.parametrize(
        ("models", "answers", "story", "thens"),
        [
            ("a", {"a": "~cut ~complete"}, "a~ interrupted:1", ["raise"]),
            ("ab", {"a": "529 ~complete", "b": "~cut ~complete"}, "a b~ interrupted:2", ["raise"]),
            ("ab", {"a": "~cut ~complete", "b": "~stall"}, "a~ b~ interrupted:1", ["restart", "raise"]),
            (
                "abc",
                {"a": "~cut ~complete", "b": "~stall", "c": "~truncated"},
                "a~ b~ c~ interrupted:1",
                ["restart", "restart", "raise"],
            ),
            (
                "ab",
                {"a": "529 529 ~complete", "b": "529 529 ~cut ~complete"},
                "a b 0.25s b 3.75s a b~ interrupted:5",
                ["raise"],
            ),
        ],
    )
    def test_because_there_is_no_later_rung_in_this_pass(self, models, answers, story, thens):
        """It is raised at once, however many passes are left."""
        lab = StreamLab(models, retry={"passes": 5, "budget": "off"})
        assert lab.tell(answers, resume="restart") == story
        told = lab.told(StreamInterrupted)
        assert [event.then for event in told] == thens
        assert [event.why for event in told] == [None] * (len(thens) - 1) + ["no_rung"]

    def test_because_it_was_a_last_resort_whose_pass_is_over(self):
        lab = StreamLab("ab", breaker={"trip": {"consecutive_failures": 1}, "open_for": {"first": 15, "jitter": 0}})
        for model in "ab":
            lab.breaker(model).admit().report(judged("500", model), seconds=1, open_for=None)
        lab.clock.advance(5)
        assert lab.tell({"a": "~cut@600", "b": "~complete"}, resume="restart") == "a~ interrupted:1"
        assert [(event.then, event.why) for event in lab.told(StreamInterrupted)] == [("raise", "no_rung")]

    def test_because_every_later_circuit_is_open(self):
        lab = StreamLab("abc")
        lab.breaker("b").open()
        lab.breaker("c").open()
        assert lab.tell({"a": "~cut"}, resume="restart") == "a~ interrupted:1"
        assert [(event.then, event.why) for event in lab.told(StreamInterrupted)] == [("raise", "no_rung")]
        assert lab.told(Waiting) == []

    def test_because_the_last_circuit_opened_in_the_meantime(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        call.report(ended("cut", "a"), resume="restart")
        lab.breaker("b").open()
        assert call.next() == Finish("interrupted", 1)
        assert (call.route.resumed, call.route.skipped, call.route.waited) == (None, ("b",), 0.0)

    @pytest.mark.parametrize(
        ("answers", "story"),
        [
            ({"a": "~cut ~complete", "b": "529", "c": "529"}, "a~ b c 0.25s c interrupted:1"),
            ({"a": "~cut ~complete", "b": "hang", "c": "404"}, "a~ b c interrupted:1"),
            ({"a": "~cut ~complete", "b": "429", "c": "500 404"}, "a~ b c 0.25s c interrupted:1"),
        ],
    )
    def test_because_all_that_were_asked_have_failed(self, answers, story):
        """No other pass begins."""
        lab = StreamLab("abc", retry={"passes": 5, "budget": "off"})
        assert lab.tell(answers, resume="restart") == story
        assert [(event.then, event.why) for event in lab.told(StreamInterrupted)] == [("restart", None)]
        assert "between_passes" not in [event.cause for event in lab.told(Waiting)]

    @pytest.mark.parametrize("passes", [1, 2, 5])
    @pytest.mark.parametrize("models", ["a", "ab", "abcd"])
    def test_has_cost_one_request_for_each_rung(self, models, passes):
        retry = {"tries": 3, "passes": passes, "deadline": "off", "budget": "off"}
        lab = StreamLab(models, retry=retry, breaker={"trip": {"consecutive_failures": 1000}})
        story = lab.tell(dict.fromkeys(models, "~cut"), resume="restart")
        assert story == " ".join([*(f"{model}~" for model in models), "interrupted:1"])
        assert lab.call.route.waited == 0.0


class TestTheBudgetOfTakeovers:
    """The first takeover of a call is free; each later one is a repeat."""

    @pytest.mark.parametrize(
        ("repeats", "story", "why"),
        [
            (0, "a~ b~ interrupted:1", "budget"),
            (1, "a~ b~ c~ interrupted:1", "budget"),
            (2, "a~ b~ c~ d~ interrupted:1", "no_rung"),
        ],
    )
    def test_holds_for_all_but_the_first(self, repeats, story, why):
        lab = self.with_repeats(repeats, "abcd")
        assert lab.tell(dict.fromkeys("abcd", "~cut"), resume="restart") == story
        told = [(event.then, event.why) for event in lab.told(StreamInterrupted)]
        assert told == [("restart", None)] * (len(told) - 1) + [("raise", why)]

    @pytest.mark.parametrize(
        ("answers", "left"),
        [
            ({"a": "~cut", "b": "~complete"}, 2),
            ({"a": "~cut", "b": "~cut", "c": "~complete"}, 1),
            ({"a": "~cut", "b": "~cut", "c": "~cut"}, 1),
            ({"a": "~cut", "b": "529", "c": "~complete"}, 2),
            ({"a": "~cut", "b": "~invalid_request_error"}, 2),
        ],
    )
    def test_is_spent_on_those_alone_that_happen(self, answers, left):
        lab = self.with_repeats(2, "abc")
        lab.tell(answers, resume="restart")
        assert sum(lab.services.budget.take(lab.clock.now()) for _ in range(10)) == left

    def test_lets_each_call_have_one(self):
        lab = self.with_repeats(0, "ab")
        for _ in range(5):
            assert lab.tell({"a": "~cut", "b": "~complete"}, resume="restart") == "a~ b~ fallback:2"

    @staticmethod
    def with_repeats(repeats, models):
        """One in which so many repeats may happen in ten seconds."""
        retry = {"budget": {"ratio": 0.01, "min_per_second": repeats / 10}}
        return StreamLab(models, retry=retry, breaker={"trip": {"consecutive_failures": 1000}})


class TestTheDeadlineOfOneThatIsTakenOver:
    """It begins anew with each interruption: while the caller was being answered it did not wait."""

    @pytest.mark.parametrize(
        ("answers", "timeouts"),
        [
            ({"a": "~cut@3600", "b": "~complete"}, [50, 50]),
            ({"a": "~cut@3600", "b": "~stall@3600", "c": "~complete"}, [50, 50, 60]),
            ({"a": "~cut@3600", "b": "500@20", "c": "~complete"}, [50, 50, 40]),
            ({"a": "500@20", "b": "~cut@3600", "c": "~complete"}, [50, 30, 60]),
        ],
    )
    def test_is_a_whole_one(self, answers, timeouts):
        """The last rung is promised 10 of the 60 seconds."""
        lab = StreamLab("abc", retry={"deadline": 60, "reserve": 10, "tries": 1})
        lab.tell(answers, resume="restart")
        assert [send.timeout for send in lab.sends] == timeouts

    def test_then_holds(self):
        lab = StreamLab("abc", retry={"deadline": 60, "reserve": 10, "passes": 9, "tries": 1})
        before = lab.clock.now()
        story = lab.tell({"a": "~cut@3600 ok", "b": "hang", "c": "hang"}, resume="restart")
        assert story == "a~ b c interrupted:1"
        assert lab.clock.now() - before == 3600 + 60

    def test_is_none_if_the_policy_has_none(self):
        lab = StreamLab("ab", retry={"deadline": "off"})
        lab.tell({"a": "~cut@3600", "b": "~complete"}, resume="restart")
        assert [send.timeout for send in lab.sends] == [None, None]
