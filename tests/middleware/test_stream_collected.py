"""`collect_over`: a long call without streaming is sent as a stream, and its caller cannot tell."""

from __future__ import annotations

import inspect
import time
import typing

import anthropic
import httpx2
import pydantic
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy, trip
from stream_lab import frames, raw_upstream
from stream_reading import INTERRUPTIONS, SILENCE

import failover
from failover.clock import SystemClock
from failover.events import AttemptFinished, ContentStarted, StreamInterrupted

LIMIT = 1000
LONG = {**CALL, "max_tokens": LIMIT + 1}
COLLECT = {"collect_over": LIMIT, "idle": SILENCE, "first_event": "500ms"}
SHORT = {"tries": 1, "passes": 1, "deadline": "500ms", "reserve": "100ms"}  # of real time: room for a busy machine
STRETCHED = {"long_answers": "stretch"}
RUNGS = [FIRST, SECOND, "claude-sonnet-5", "claude-sonnet-4-5", "claude-opus-5", "claude-opus-4-5"]
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class City(pydantic.BaseModel):
    city: str


@pytest.fixture
def caller(connect):
    return connect(policy(stream=COLLECT, retry=NO_REPEAT))


def told_apart(message):
    """A message without what differs because another request was sent: its length, in tokens of input."""
    known = message.to_dict() if isinstance(message, pydantic.BaseModel) else message
    return {**known, "usage": {**known["usage"], "input_tokens": 0}}


ANSWERS = {
    "text": {},
    "a tool": {"tools": [TOOL]},
    "thinking": {"thinking": {"type": "adaptive"}},
    "thinking that is not shown": {"thinking": {"type": "adaptive", "display": "omitted"}},
    "thinking before a tool": {"thinking": {"type": "adaptive"}, "tools": [TOOL]},
    "structured": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
}


@pytest.mark.parametrize("fields", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
def test_the_message_is_the_one_of_a_plain_call(connect, caller, fake_claude, path, fields):
    plain = connect(wrapped=False).call(path, **LONG, **fields)
    fake_claude.clear()
    collected = caller.call(path, **LONG, **fields)
    assert fake_claude.requests[0].body["stream"] is True
    assert type(collected) is type(plain)
    assert [type(block) for block in collected.content] == [type(block) for block in plain.content]
    assert told_apart(collected) == told_apart(plain)
    assert collected.usage.input_tokens > 0
    assert collected._request_id == fake_claude.requests[0].request_id


@pytest.mark.parametrize("path", ["messages.parse", "beta.messages.parse"])
def test_a_parsed_answer_is_parsed(connect, caller, fake_claude, path):
    plain = connect(wrapped=False).call(path, **LONG, output_format=City)
    fake_claude.clear()
    collected = caller.call(path, **LONG, output_format=City)
    assert fake_claude.requests[0].stream
    assert isinstance(collected.parsed_output, City)
    assert (type(collected), collected.parsed_output) == (type(plain), plain.parsed_output)


@pytest.mark.parametrize(
    ("tokens", "streamed"), [(1, False), (LIMIT - 1, False), (LIMIT, False), (LIMIT + 1, True), (16 * LIMIT, True)]
)
def test_only_calls_above_the_limit_are_collected(caller, fake_claude, tokens, streamed):
    assert caller.create(max_tokens=tokens).model == FIRST
    assert fake_claude.requests[0].stream is streamed


def test_by_default_none_is(connect, fake_claude):
    connect(policy()).create(max_tokens=20_000)
    assert not fake_claude.requests[0].stream


def test_a_stream_that_was_asked_for_is_left_one(caller, fake_claude):
    assert caller.events(max_tokens=LIMIT + 1)[-1] == "message_stop"
    assert caller.stream(max_tokens=LIMIT + 1)[0] == f"Hello from {FIRST}."


def test_what_the_rung_says_about_the_length_does_not_matter(connect, fake_claude):
    """Whether a call is collected is decided once, by what its caller asked for."""
    rung = {"model": SECOND, "set": {"max_tokens": 10}}
    caller = connect(policy(stream=COLLECT, retry=NO_REPEAT, ladders=ladder(rung)))
    fake_claude.fail(FIRST, 529)
    assert caller.create(max_tokens=LIMIT + 1).model == SECOND
    assert [request.stream for request in fake_claude.requests] == [True, True]


def test_tool_runners_collect_each_turn(caller, fake_claude):
    def look(where: str) -> str:
        """Look."""
        return "nothing there"

    tool = anthropic.beta_tool(look)
    if caller.asynchronous:

        async def look_async(where: str) -> str:
            """Look."""
            return "nothing there"

        tool = anthropic.beta_async_tool(look_async)
    messages = caller.run_tools(tool, max_tokens=LIMIT + 1)
    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]
    assert [request.stream for request in fake_claude.requests] == [True, True]


class TestRawResponses:
    def test_are_those_of_a_plain_call(self, caller, fake_claude):
        raw = caller.call("messages.with_raw_response.create", **LONG)
        assert fake_claude.requests[0].stream
        assert raw.http_response.status_code == 200
        assert raw.headers["content-type"] == "application/json"
        assert raw.headers["request-id"] == raw.request_id == fake_claude.requests[0].request_id
        assert not {"transfer-encoding", "content-encoding"} & set(raw.headers)
        assert failover.route(raw).outcome == "primary"
        message = caller.parsed(raw)
        assert raw.http_response.json() == message.to_dict()
        assert raw.http_response.read().startswith(b"{")
        assert self._maybe_awaited(caller, raw.text).startswith("{")
        assert self._maybe_awaited(caller, raw.json)["model"] == FIRST

    def test_say_how_long_they_took(self, caller):
        raw = caller.call("messages.with_raw_response.create", **LONG)
        assert raw.elapsed.total_seconds() > 0

    def test_with_streaming_response_too(self, caller, fake_claude):
        message, route = caller.streaming_response(max_tokens=LIMIT + 1)
        assert (message.model, message.content[0].text) == (FIRST, f"Hello from {FIRST}.")
        assert (route.outcome, len(route.attempts)) == ("primary", 1)
        assert fake_claude.requests[0].stream

    @pytest.mark.parametrize("kind", [httpx2.Response, dict, object])
    def test_a_call_by_hand_gets_the_form_it_asked_for(self, caller, fake_claude, kind):
        cast = typing.Dict[str, object] if kind is dict else kind  # noqa: UP006 - the SDK takes no other on Python 3.10
        answer = caller.call("post", path="/v1/messages", cast_to=cast, body=LONG)
        assert fake_claude.requests[0].stream is (kind is not httpx2.Response)  # the SDK makes no answer of that one
        body = answer.json() if kind is httpx2.Response else answer
        assert body["content"] == [{"type": "text", "text": f"Hello from {FIRST}."}]
        assert body["stop_reason"] == "end_turn"

    @staticmethod
    def _maybe_awaited(caller, method):
        async def awaited():
            return await method()

        return caller._portal.call(awaited) if inspect.iscoroutinefunction(method) else method()


class TestFailures:
    """The caller has seen nothing, so they can be hidden wherever they strike."""

    @pytest.mark.parametrize("after", [0, 1, 4, 99])
    @pytest.mark.parametrize("how", INTERRUPTIONS)
    def test_at_any_point_are_hidden(self, caller, fake_claude, how, after):
        fault, _, error_type = INTERRUPTIONS[how]
        fake_claude.fail(FIRST, **fault, after_events=after)
        with failover.recording() as routes:
            message = caller.create(max_tokens=LIMIT + 1)
        assert (message.model, message.content[0].text) == (SECOND, f"Hello from {SECOND}.")
        assert (routes[0].outcome, routes[0].resumed) == ("fallback", None)
        assert [attempt.error_type for attempt in routes[0].attempts] == [error_type, None]

    @pytest.mark.parametrize("fault", [{"status": 529}, {"drop": True}, {"malformed": "html"}])
    def test_before_the_stream_are_hidden_as_ever(self, caller, fake_claude, fault):
        fake_claude.fail(FIRST, **fault)
        assert caller.create(max_tokens=LIMIT + 1).model == SECOND

    @pytest.mark.parametrize("path", ["messages.create", "messages.with_raw_response.create", "beta.messages.create"])
    @pytest.mark.parametrize("how", INTERRUPTIONS)
    def test_of_all_models_raise_the_first_one(self, caller, fake_claude, how, path):
        fault, kind, error_type = INTERRUPTIONS[how]
        fake_claude.fail(FIRST, **fault)
        fake_claude.fail(SECOND, 500)
        error = caller.error(path, **LONG)
        assert type(error) is kind
        route = failover.route(error)
        assert (route.outcome, route.attempts[0].error_type) == ("exhausted", error_type)
        assert failover.partial_message(error) is None
        assert fake_claude.count() == 2

    def test_are_repeated_in_place_where_that_is_worth_it(self, connect, fake_claude, fake_clock):
        caller = connect(policy(stream=COLLECT))
        fake_claude.fail(FIRST, error_event="api_error", times=1)
        assert caller.create(max_tokens=LIMIT + 1).model == FIRST
        assert fake_clock.slept == [0.25]

    def test_count(self, connect, fake_claude):
        caller = connect(policy(stream=COLLECT, retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
        fake_claude.fail(FIRST, end_without_stop=True)
        caller.create(max_tokens=LIMIT + 1)
        assert caller.board[FIRST].state == "open"

    def test_are_never_resumed(self, connect, fake_claude):
        """There is nothing to resume for somebody who has seen nothing."""
        events = []
        for mode in ("restart", "continue"):
            caller = connect(
                policy(stream={**COLLECT, "on_interrupt": mode}, retry=NO_REPEAT), listeners=[events.append]
            )
            fake_claude.fail(FIRST, cut=True, times=1)
            message = caller.create(max_tokens=LIMIT + 1)
            assert [block.type for block in message.content] == ["text"]
            assert "messages" not in {key for key in fake_claude.requests[-1].body if key not in CALL}
            assert fake_claude.requests[-1].body["messages"] == CALL["messages"]
        assert not [event for event in events if isinstance(event, (StreamInterrupted, ContentStarted))]

    def test_of_a_middleware_in_between_are_its_own(self, caller):
        def refuse(_request):
            raise ZeroDivisionError

        caller.client = caller.client.with_middleware(Watcher(refuse))
        assert type(caller.error(**LONG)) is ZeroDivisionError


class TestTime:
    @pytest.fixture
    def short_of_time(self, connect):
        """Makes a caller with a short deadline, in real time."""

        def short_of_time(**parts):
            retry = {**SHORT, **parts.pop("retry", {})}
            return connect(policy(stream={"collect_over": LIMIT}, retry=retry, **parts), clock=SystemClock())

        return short_of_time

    def test_a_deadline_of_ones_own_is_for_the_whole_answer(self, short_of_time, fake_claude):
        """Its caller waits for all of it, as in a plain call."""
        fake_claude.fail(FIRST, token_every=0.15)
        with failover.recording() as routes:
            assert short_of_time().create(max_tokens=LIMIT + 1).model == SECOND
        first = routes[0].attempts[0]
        assert first.error_type == "client_timeout_error"
        assert first.first_content < 0.3
        assert first.seconds == pytest.approx(0.4, abs=0.1)  # the rest is the next model's

    @pytest.mark.parametrize(
        "fault", [{"token_every": 0.15}, {"token_every": 0.12, "cut": True, "after_events": 3}], ids=["slow", "broken"]
    )
    def test_after_such_a_deadline_nobody_is_asked_any_more(self, short_of_time, fake_claude, fault):
        fake_claude.fail("*", **fault)
        caller = short_of_time(retry={"tries": 3, "passes": 3}, ladders=ladder(*RUNGS))
        began = time.monotonic()
        error = caller.error(max_tokens=LIMIT + 1)
        assert time.monotonic() - began < 0.9
        assert isinstance(error, anthropic.APIConnectionError)
        route = failover.route(error)
        assert route.outcome == "exhausted"
        assert sum(attempt.seconds for attempt in route.attempts) < 0.7
        assert fake_claude.count() == len(route.attempts) < len(RUNGS)

    def test_a_deadline_that_stretches_is_for_the_answer_to_begin(self, short_of_time, fake_claude):
        fake_claude.fail(FIRST, token_every=0.15)
        with failover.recording() as routes:
            assert short_of_time(retry=STRETCHED).create(max_tokens=LIMIT + 1).model == FIRST
        assert routes[0].attempts[0].seconds > 0.5

    def test_a_deadline_that_stretches_grows_by_the_time_that_content_took(self, short_of_time, fake_claude):
        fake_claude.fail(FIRST, token_every=0.2, cut=True, after_events=4)
        with failover.recording() as routes:
            assert short_of_time(retry=STRETCHED).create(max_tokens=LIMIT + 1).model == SECOND
        assert routes[0].attempts[0].seconds > 0.5

    def test_a_deadline_that_stretches_grows_by_nothing_else(self, short_of_time, fake_claude):
        """What passes before each answer begins counts for all of them together."""
        fake_claude.fail("*", first_token=0.3, token_every=0.01, cut=True, after_events=1)
        caller = short_of_time(retry=STRETCHED, ladders=ladder(*RUNGS))
        error = caller.error(max_tokens=LIMIT + 1)
        attempts = failover.route(error).attempts
        assert sum(attempt.first_content or attempt.seconds for attempt in attempts) < 0.7
        assert len(attempts) < len(RUNGS)

    def test_nor_into_the_clients_time_out_which_is_for_one_read(self, connect, fake_claude):
        caller = connect(policy(stream={"collect_over": LIMIT}), timeout=0.3)
        fake_claude.fail(FIRST, token_every=0.1)
        assert caller.create(max_tokens=LIMIT + 1).model == FIRST

    def test_an_answer_that_does_not_begin_in_time_is_left(self, connect, fake_claude):
        caller = connect(policy(stream={"collect_over": LIMIT, "first_event": "200ms"}, retry=NO_REPEAT))
        fake_claude.fail(FIRST, first_token=30)
        assert caller.create(max_tokens=LIMIT + 1).model == SECOND

    def test_the_attempt_tells_when_its_content_began(self, connect, fake_claude):
        events = []
        caller = connect(policy(stream=COLLECT), clock=SystemClock(), listeners=[events.append])
        fake_claude.fail(FIRST, token_every=0.02)
        caller.create(max_tokens=LIMIT + 1)
        (end,) = [event for event in events if isinstance(event, AttemptFinished)]
        assert end.stream == "complete"
        assert 0 < end.first_content < end.seconds


class TestOnTheWire:
    @pytest.fixture
    def raw(self):
        with raw_upstream() as raw:
            yield raw

    @pytest.mark.parametrize("way", [{"encoding": "gzip"}, {"buffered": True}])
    def test_the_stream_may_be_packed_in_any_way(self, caller, fake_claude, way):
        fake_claude.fail(FIRST, **way)
        assert caller.create(max_tokens=LIMIT + 1).content[0].text == f"Hello from {FIRST}."

    @pytest.mark.parametrize("extra", [b"data: [DONE]\n\n", b": bye\n\n", b"data: 7\n\n", b"event: half"])
    def test_what_a_gateway_says_besides_harms_nobody(self, connect, raw, extra):
        caller = connect(policy(stream=COLLECT, retry=NO_REPEAT), url=raw.url)
        good = frames(FIRST).whole
        raw.answers(FIRST, *good[:3], *([extra] if extra.endswith(b"\n\n") else []), *good[3:], extra)
        assert caller.create(max_tokens=LIMIT + 1).model == FIRST

    def test_a_gateway_that_does_not_stream_answers_plainly(self, connect, raw):
        """Some ignore `stream`; what they give is what the caller wanted."""
        caller = connect(policy(stream=COLLECT, retry=NO_REPEAT), url=raw.url)
        whole = b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn",'
        whole += b'"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}'
        raw.answers(FIRST, whole, kind="application/json")
        message = caller.create(max_tokens=LIMIT + 1)
        assert message.id == "msg_1"
