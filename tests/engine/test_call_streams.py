"""A streamed call: its answer begins, and is judged at its end; one that breaks in between is a story of its own."""

from __future__ import annotations

import pytest
from call_lab import judged
from call_stream_lab import ENDS, StreamLab, begun, ended, names

from failover.engine import Finish
from failover.events import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    ContentStarted,
    StreamInterrupted,
)


class TestAnAnswerThatIsGivenAsItComes:
    def test_is_told_of_twice(self):
        lab = StreamLab("ab")
        assert lab.tell({"a": "~complete@5"}) == "a~ primary:1"
        assert names(lab) == [CallStarted, AttemptStarted, ContentStarted, AttemptFinished, CallFinished]
        (finished,) = lab.told(AttemptFinished)
        assert (finished.stream, finished.verdict, finished.seconds, finished.first_content) == (
            "complete",
            "success",
            5.0,
            0.0,
        )

    def test_has_a_route_while_it_comes(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        lab.clock.advance(2)
        call.begin(begun("a"))
        action = call.next()
        assert (action.route.outcome, action.route.served_model) == ("streaming", "a")
        assert [(attempt.model, attempt.seconds, attempt.first_content) for attempt in action.route.attempts] == [
            ("a", 2.0, 2.0)
        ]
        assert call.next() == action
        assert call.route is None
        lab.clock.advance(3)
        call.report(ended("complete", "a"))
        assert isinstance(call.next(), Finish)
        (attempt,) = call.route.attempts
        assert (call.route.outcome, attempt.seconds, attempt.first_content) == ("primary", 5.0, 2.0)

    def test_has_the_attempts_before_it_in_that_route(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.report(judged("529", "a"))
        call.next()
        call.begin(begun("b"))
        route = call.next().route
        assert [attempt.error_type for attempt in route.attempts] == ["overloaded_error", None]

    @pytest.mark.parametrize(("before", "after", "state"), [(1, 600, "closed"), (11, 0, "open")])
    def test_is_as_slow_as_its_first_content(self, before, after, state):
        """A long answer is no slow one."""
        slow = {"over": 1.0, "of_at_least": 1, "within": 60, "slower_than": 10}
        trip = {"consecutive_failures": "off", "failure_rate": "off", "slow_rate": slow}
        lab = StreamLab("a", breaker={"trip": trip})
        call = lab.begin()
        call.next()
        lab.clock.advance(before)
        call.begin(begun("a"))
        lab.clock.advance(after)
        call.report(ended("complete", "a"))
        assert lab.breaker("a").state == state

    @pytest.mark.parametrize(("begins", "state"), [(True, "closed"), (False, "open")])
    def test_is_no_hung_call_while_it_comes(self, begins, state):
        hung = {"more_than": 1, "older_than": 10}
        trip = {"consecutive_failures": "off", "failure_rate": "off", "hung_calls": hung}
        lab = StreamLab("a", breaker={"trip": trip, "last_resort": "off"})
        calls = [lab.begin() for _ in range(3)]
        for call in calls:
            call.next()
            if begins:
                call.begin(begun("a"))
        lab.clock.advance(60)
        lab.begin().next()
        assert lab.breaker("a").state == state

    def test_that_was_not_sent_cannot_begin(self):
        with pytest.raises(RuntimeError, match="without a Send"):
            StreamLab("a").begin().begin(begun("a"))

    def test_is_silent_if_nothing_goes_wrong_and_nobody_listens(self):
        lab = StreamLab("ab", verbose=False)
        lab.tell({"a": "~complete"})
        assert lab.events == []


class TestOneThatBreaks:
    @pytest.mark.parametrize(
        ("end", "error_type"), [*ENDS.items(), ("overloaded_error", "overloaded_error"), ("api_error", "api_error")]
    )
    def test_is_interrupted_and_a_failure_of_its_model(self, end, error_type):
        lab = StreamLab("ab", breaker={"trip": {"consecutive_failures": 1}})
        assert lab.tell({"a": f"~{end}"}) == "a~ interrupted:1"
        assert lab.call.route.attempts[0].error_type == error_type
        assert (lab.call.route.served_model, lab.call.route.resumed) == (None, None)
        assert lab.breaker("a").state == "open"
        (event,) = lab.told(StreamInterrupted)
        assert (event.then, event.why, event.error_type, event.request_id) == ("raise", None, error_type, "req_a")
        assert lab.told(CallFinished)[0].error_type == error_type

    def test_is_told_even_if_nobody_asked(self):
        lab = StreamLab("ab", verbose=False)
        lab.tell({"a": "~cut"})
        assert names(lab) == [AttemptFinished, StreamInterrupted, CallFinished]

    def test_says_why_nobody_takes_over(self):
        lab = StreamLab("ab")
        assert lab.tell({"a": "~cut"}, why="tool_use") == "a~ interrupted:1"
        assert lab.told(StreamInterrupted)[0].why == "tool_use"

    def test_before_its_first_content_is_an_ordinary_failure(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.report(ended("overloaded_error", "a"))
        assert call.next().candidate.rung.model == "b"
        assert lab.told(StreamInterrupted) == []

    def test_while_it_is_collected_is_an_ordinary_failure_too(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"), given=False)
        lab.clock.advance(7)
        call.report(ended("overloaded_error", "a"))
        assert call.next().candidate.rung.model == "b"
        call.begin(begun("b"), given=False)
        call.report(ended("complete", "b"))
        assert call.next() == Finish("fallback", 2)
        assert not lab.told(StreamInterrupted) + lab.told(ContentStarted)
        assert [event.first_content for event in lab.told(AttemptFinished)] == [0.0, 0.0]


class TestOneThatIsGivenUp:
    @pytest.fixture
    def probe(self):
        """A call whose answer has begun, through a half-open circuit."""
        lab = StreamLab("ab")
        lab.breaker("a").open()
        lab.clock.advance(17)
        lab.begin().next()
        lab.clock.advance(1)
        lab.call.begin(begun("a"))
        lab.clock.advance(4)
        assert lab.breaker("a").outlook() is not None
        return lab

    def test_gives_its_permit_back_and_is_told_as_neutral(self, probe):
        probe.call.abandon("cancelled", ended("closed", "a"))
        assert probe.breaker("a").state == "half_open"
        assert probe.breaker("a").outlook() is None
        (event,) = probe.told(AttemptFinished)
        assert (event.verdict, event.stream, event.error_type) == ("neutral", "closed", None)
        assert (event.seconds, event.first_content) == (5.0, 1.0)
        assert (probe.call.route.outcome, probe.call.route.served_model) == ("cancelled", None)
        assert probe.call.route.attempts[0].request_id == "req_a"

    def test_of_which_nothing_is_known_has_no_attempt(self, probe):
        probe.call.abandon("cancelled")
        assert probe.breaker("a").outlook() is None
        assert probe.told(AttemptFinished) == []
        assert (probe.call.route.outcome, probe.call.route.attempts) == ("cancelled", ())

    def test_twice_is_given_up_once(self, probe):
        for _ in range(2):
            probe.call.abandon("cancelled", ended("closed", "a"))
        assert len(probe.told(CallFinished)) == len(probe.told(AttemptFinished)) == 1

    def test_after_its_end_is_not_given_up(self):
        lab = StreamLab("ab")
        lab.tell({"a": "~complete"})
        lab.call.abandon("cancelled", ended("closed", "a"))
        assert lab.call.route.outcome == "primary"
        assert len(lab.told(CallFinished)) == 1

    @pytest.mark.parametrize(("begins", "resumed", "models"), [(False, None, ["a"]), (True, "restart", ["a", "b"])])
    def test_while_another_takes_over_is_cancelled(self, begins, resumed, models):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        call.report(ended("cut", "a"), resume="restart")
        call.next()
        if begins:
            call.begin(begun("b"))
        call.abandon("cancelled", ended("closed", "b") if begins else None)
        assert (call.route.outcome, call.route.resumed) == ("cancelled", resumed)
        assert [attempt.model for attempt in call.route.attempts] == models
        assert lab.breaker("b").outlook() is None
        assert isinstance(call.next(), Finish)
