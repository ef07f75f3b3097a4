"""A stream that another model begins again, byte by byte: what networks and gateways do to both of its parts."""

from __future__ import annotations

import json

import anthropic
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy, reply
from stream_lab import CUT, PING, frames
from stream_reading import PATHS, SILENCE, Interruptions, assert_one_stream, read

import failover
from failover.testing.payloads import sse

RESTART = policy(stream={"on_interrupt": "restart", "idle": SILENCE}, retry=NO_REPEAT)
HALF = frames(FIRST).whole[:3]
"""The beginning of an answer: `Hello `."""
EXTRAS = [PING, b": comment\n\n", b"data: [DONE]\n\n", b"data: 7\n\n", b"event: note\n\n", b"event: half"]
"""What gateways put into a stream that is no event of the API; the SDK passes over all of it."""


@pytest.fixture
def told():
    return Interruptions()


@pytest.fixture
def caller(connect, raw, told):
    return connect(RESTART, url=raw.url, listeners=[told])


@pytest.mark.parametrize("way", [{"encoding": "gzip"}, {"encoding": "deflate"}, {"buffered": True}])
def test_both_parts_may_be_packed_in_any_way(connect, fake_claude, way):
    fake_claude.fail(FIRST, error_event="overloaded_error", **way)
    fake_claude.fail(SECOND, **way)
    reading = read(connect(RESTART))
    assert_one_stream(reading)
    assert reading.blocks[-1] == ("text", f"Hello from {SECOND}.")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\n"])
def test_lines_may_end_in_any_way(caller, raw, line_end):
    raw.answers(FIRST, *[piece.replace(b"\n", line_end) for piece in HALF], CUT)
    raw.answers(SECOND, *[piece.replace(b"\n", line_end) for piece in frames(SECOND).whole])
    reading = read(caller)
    assert_one_stream(reading)
    assert reading.blocks == [("text", "Hello "), ("fallback", ""), ("text", f"Hello from {SECOND}.")]


@pytest.mark.parametrize("after", EXTRAS)
def test_what_a_gateway_says_after_the_end_harms_nobody(caller, raw, after):
    raw.answers(FIRST, *HALF, CUT)
    raw.answers(SECOND, *frames(SECOND).whole, after)
    reading = read(caller, "messages.create")
    assert reading.error is None
    assert_one_stream(reading)


@pytest.mark.parametrize("between", EXTRAS[:-1])
def test_what_a_gateway_says_in_between_harms_nobody(caller, raw, between):
    good = frames(SECOND)
    raw.answers(FIRST, *HALF, CUT)
    raw.answers(SECOND, between, good.start, between, good.block, *good.deltas, between, *good.end)
    reading = read(caller, "messages.create")
    assert reading.error is None
    assert_one_stream(reading)


def test_an_event_of_a_kind_that_nobody_knows_yet_goes_through(caller, raw):
    good = frames(SECOND)
    novelty = sse({"type": "content_block_novelty", "index": 0, "x": 1})
    raw.answers(FIRST, *HALF, CUT)
    raw.answers(SECOND, good.start, good.block, *good.deltas, novelty, *good.end)
    reading = read(caller, "messages.create")
    assert reading.error is None
    assert [event.to_dict() for event in reading.events if event.type == "content_block_novelty"] == [
        {"type": "content_block_novelty", "index": 2, "x": 1}
    ]


def test_a_stream_of_which_only_the_last_event_is_missing_is_not_begun_again(caller, raw, told):
    raw.answers(FIRST, *frames(FIRST).whole[:-1])
    reading = read(caller)
    assert type(reading.error) is failover.StreamTruncated
    assert [event.why for event in told] == ["stop_reason"]
    assert failover.partial_message(reading.error).stop_reason == "end_turn"


def test_an_answer_to_the_restart_that_is_no_stream_is_a_failure_and_no_silent_end(caller, raw):
    whole = json.dumps(reply(SECOND)).encode()
    raw.answers(FIRST, *HALF, CUT)
    raw.answers(SECOND, whole, kind="application/json")
    reading = read(caller)
    assert type(reading.error) is anthropic.APIConnectionError
    assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)


def test_an_answer_to_the_restart_that_another_middleware_made_is_no_silent_end(caller, raw):
    """A cache, say, that returns something ready for the second request."""

    class Cached(Watcher):
        def handle(self, request, call_next):
            return "cached" if request.json["model"] == SECOND else super().handle(request, call_next)

        async def handle_async(self, request, call_next):
            if request.json["model"] == SECOND:
                return "cached"
            return await super().handle_async(request, call_next)

    raw.answers(FIRST, *HALF, CUT)
    caller.client = caller.client.with_middleware(Cached())
    reading = read(caller)
    assert isinstance(reading.error, anthropic.APIError)
    assert reading.types[-1] != "message_stop"


class TestAnErrorOfAnInnerMiddlewareInTheRestart:
    """It is nobody's outage, and the program gets it as it is."""

    @pytest.fixture
    def broken(self, caller):
        """A caller with a middleware that fails for one model."""

        def broken(model, bug):
            def fail(request):
                if request.json["model"] == model:
                    raise bug

            caller.client = caller.client.with_middleware(Watcher(fail))
            return caller

        return broken

    @pytest.mark.parametrize("path", PATHS)
    def test_is_raised_with_what_broke_the_stream_and_what_was_given(self, broken, raw, told, path):
        raw.answers(FIRST, *HALF, CUT)
        bug = LookupError("a bug")
        reading = read(broken(SECOND, bug), path)
        assert reading.error is bug
        assert type(bug.__context__) is anthropic.APIConnectionError
        assert reading.blocks == [("text", "Hello ")]
        assert [block.text for block in failover.partial_message(bug).content] == ["Hello "]
        assert (reading.route.outcome, reading.route.resumed, reading.route.served_model) == ("failed", None, None)
        assert [attempt.model for attempt in reading.route.attempts] == [FIRST]
        assert [(event.then, event.why) for event in told] == [("restart", None)]

    def test_keeps_a_context_of_its_own(self, broken, raw):
        raw.answers(FIRST, *HALF, CUT)
        bug = LookupError("a bug")
        bug.__context__ = cause = KeyError("its cause")
        reading = read(broken(SECOND, bug))
        assert reading.error is bug
        assert bug.__context__ is cause
        assert failover.partial_message(bug) is not None

    def test_comes_with_the_first_of_two_that_broke_and_with_all_that_was_given(self, connect, raw):
        last = "claude-opus-5"
        raw.answers(FIRST, *HALF, CUT)
        raw.answers(SECOND, *frames(SECOND).whole[:3])
        bug = LookupError("a bug")

        def fail(request):
            if request.json["model"] == last:
                raise bug

        caller = connect(
            RESTART.model_copy(update={"ladders": policy(ladders=ladder(SECOND, last)).ladders}), url=raw.url
        )
        caller.client = caller.client.with_middleware(Watcher(fail))
        reading = read(caller)
        assert reading.error is bug
        assert type(bug.__context__) is anthropic.APIConnectionError
        given = failover.partial_message(bug).content
        assert [block.type for block in given] == ["text", "fallback", "text"]
        assert (reading.route.outcome, reading.route.resumed) == ("failed", "restart")

    def test_gives_its_circuit_back_unharmed(self, broken, raw):
        raw.answers(FIRST, *HALF, CUT)
        caller = broken(SECOND, LookupError("a bug"))
        read(caller)
        assert caller.board[SECOND].pybreaker.fail_counter == 0
        assert caller.board[FIRST].pybreaker.fail_counter == 1
