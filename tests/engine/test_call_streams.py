"""A streamed call: its answer begins, and is judged at its end; one that breaks in between is a story of its own."""

from __future__ import annotations

import pytest
from call_lab import CallLab, judged

from failover.engine import Begun, Finish, Send, Wait, judge_stream, success
from failover.events import (
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    ContentStarted,
    StreamInterrupted,
    Waiting,
)

ENDS = {"cut": "connection_error", "stall": "client_timeout_error", "truncated": "stream_truncated"}
ALWAYS = 100


def ended(end, model, rules=None):
    """How a stream that had begun came to an end: a word of `StreamEnd`, or the type of an `error` event."""
    error = b""
    if end not in {"complete", "closed", *ENDS}:
        end, error = "error", b'{"type":"error","error":{"type":"%s","message":"no"}}' % end.encode()
    return judge_stream(end, 200, {"request-id": f"req_{model}"}, error, model=model, rules=rules or {})


def begun(model):
    return success(200, {"request-id": f"req_{model}"})


class StreamLab(CallLab):
    """Tells the story of a streamed call.

    Answers are those of `CallLab`, which come before any content, and `~cut`, `~overloaded_error`, ...: an answer that
    begins, is read for some seconds (`~cut@30`), and then ends like this. In the line of a story a `~` is an answer
    that began.
    """

    def tell(self, answers, *, resume=None, why=None, **options):
        call = self.begin(**options)
        waiting = {model: words.split() for model, words in answers.items()}
        self.sends, story, model = [], [], ""
        words = ""
        for _ in range(ALWAYS):
            action = call.next()
            if isinstance(action, Wait):
                story.append(f"{action.seconds:.4g}s")
                self.clock.advance(action.seconds)
            elif isinstance(action, Send):
                model = action.candidate.rung.model
                self.sends.append(action)
                story.append(model)
                left = waiting[model]
                words = left.pop(0) if len(left) > 1 else left[0]
                if words.startswith("~"):
                    call.begin(begun(model))
                else:
                    self.answer(action, words)
            elif isinstance(action, Begun):
                story[-1] += "~"
                end, _, seconds = words[1:].partition("@")
                self.clock.advance(float(seconds or 0))
                call.report(ended(end, model, self.policy.errors), resume=resume, why=why)
            else:
                self.finish = action
                return " ".join([*story, f"{action.outcome}:{action.attempt}"])
        raise AssertionError(f"the call never ends: {' '.join(story)}")


def names(lab):
    return [type(event) for event in lab.events]


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
            ({"a": "~cut ~complete", "b": "529", "c": "529"}, "a~ b c 0.25s c 3.75s a~ primary:5"),
        ],
    )
    def test_goes_on_down_the_ladder(self, mode, answers, story):
        lab = StreamLab("abc")
        assert lab.tell(answers, resume=mode) == story
        assert lab.call.route.resumed == mode
        assert {event.then for event in lab.told(StreamInterrupted)} == {mode}

    def test_is_asked_in_the_next_pass_if_it_is_the_only_one(self):
        lab = StreamLab("a")
        assert lab.tell({"a": "~cut ~complete"}, resume="restart") == "a~ 3.75s a~ primary:2"
        assert lab.told(Waiting)[0].cause == "between_passes"

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
        lab = StreamLab("ab", retry={"tries": 1, "passes": 1})
        assert lab.tell(answers, resume="restart") == story
        shown = int(story[-1]) - 1
        assert lab.told(CallFinished)[0].error_type == lab.call.route.attempts[shown].error_type

    @pytest.mark.parametrize("end", ["authentication_error", "invalid_request_error", "billing_error"])
    def test_is_not_taken_over_if_no_other_model_can_help(self, end):
        lab = StreamLab("ab")
        assert lab.tell({"a": f"~{end}", "b": "~complete"}, resume="restart") == "a~ interrupted:1"
        (event,) = lab.told(StreamInterrupted)
        assert event.then == "raise"
        assert lab.call.route.resumed is None

    def test_is_not_taken_over_if_the_policy_says_raise(self):
        lab = StreamLab("ab", errors={"connection_error": {"do": "raise"}})
        assert lab.tell({"a": "~cut", "b": "~complete"}, resume="restart") == "a~ interrupted:1"

    def test_passes_over_circuits_that_are_open(self):
        lab = StreamLab("abc")
        lab.breaker("b").open()
        assert lab.tell({"a": "~cut", "c": "~complete"}, resume="restart") == "a~ c~ fallback:2"
        assert lab.call.route.skipped == ("b",)

    def test_has_a_deadline_of_its_own(self):
        """The caller did not wait while it was being answered."""
        lab = StreamLab("ab", retry={"deadline": 60, "reserve": 10})
        assert lab.tell({"a": "~cut@3600", "b": "~complete"}, resume="restart") == "a~ b~ fallback:2"
        assert lab.sends[1].timeout == 60

    def test_which_then_holds(self):
        lab = StreamLab("ab", retry={"deadline": 60, "reserve": 10, "passes": 9, "tries": 1})
        story = lab.tell({"a": "~cut@3600 500", "b": "hang"}, resume="restart")
        assert story == "a~ b interrupted:1"

    @pytest.mark.parametrize("passes", [1, 2, 5])
    @pytest.mark.parametrize("models", ["a", "ab", "abcd"])
    def test_costs_no_more_requests_than_the_ladder_has(self, models, passes):
        retry = {"tries": 3, "passes": passes, "deadline": "off", "budget": "off"}
        lab = StreamLab(models, retry=retry, breaker={"trip": {"consecutive_failures": 1000}})
        story = lab.tell(dict.fromkeys(models, "~cut"), resume="restart")
        assert story.endswith("interrupted:1")
        assert len(lab.sends) == len(models) * passes

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

    def test_before_another_takes_over_is_cancelled(self):
        lab = StreamLab("ab")
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        call.report(ended("cut", "a"), resume="restart")
        call.next()
        call.abandon("cancelled")
        assert (call.route.outcome, call.route.resumed) == ("cancelled", "restart")
        assert [attempt.model for attempt in call.route.attempts] == ["a"]
        assert lab.breaker("b").outlook() is None
        assert isinstance(call.next(), Finish)
