"""`on_interrupt: restart`: a stream that breaks is begun again by another model, behind a seam that can be seen."""

from __future__ import annotations

import json

import anthropic
import pydantic
import pytest
from sdk_callers import FIRST, HELLO, NO_REPEAT, SECOND, Watcher, ladder, policy, trip
from stream_reading import (
    INTERRUPTIONS,
    PATHS,
    SILENCE,
    Interruptions,
    assert_one_stream,
    read,
    read_together,
    seam,
)

import failover
from failover.events import ContentStarted
from failover.testing import Fault

RESTART = {"on_interrupt": "restart", "idle": SILENCE}
BROKEN = {"error_event": "overloaded_error"}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@pytest.fixture
def told():
    return Interruptions()


@pytest.fixture
def caller(connect, told):
    """One that restarts, and asks each of the two models once."""
    return connect(policy(stream=RESTART, retry=NO_REPEAT), listeners=[told])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_its_reader_sees_one_stream_with_a_seam_in_it(caller, fake_claude, told, path, how):
    fault, _, error_type = INTERRUPTIONS[how]
    fake_claude.fail(FIRST, **fault, after_events=2)
    reading = read(caller, path)
    assert reading.error is None
    assert_one_stream(reading)
    assert reading.blocks == [("text", "Hello from c"), ("fallback", ""), ("text", f"Hello from {SECOND}.")]
    assert reading.seams == [seam(FIRST, SECOND, "restart", error_type)]
    assert (reading.route.outcome, reading.route.resumed, reading.route.served_model) == ("fallback", "restart", SECOND)
    assert [attempt.error_type for attempt in reading.route.attempts] == [error_type, None]
    assert [(event.model, event.error_type, event.then, event.why) for event in told] == [
        (FIRST, error_type, "restart", None)
    ]
    assert told[0].request_id == fake_claude.requests[0].request_id


@pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
def test_the_sdk_makes_one_message_of_it(caller, fake_claude, path):
    fake_claude.fail(FIRST, **BROKEN)
    reading = read(caller, path)
    message = reading.message
    assert [block.type for block in message.content] == ["text", "fallback", "text"]
    assert [block.text for block in message.content if block.type == "text"] == ["Hello ", f"Hello from {SECOND}."]
    assert message.stop_reason == "end_turn"
    assert message.content[1].to_dict() == seam(FIRST, SECOND, "restart", "overloaded_error")


def test_what_both_attempts_cost_is_added(caller, fake_claude):
    alone = read(caller).message.usage
    fake_claude.fail(FIRST, **BROKEN)
    usage = read(caller).message.usage
    assert usage.input_tokens == 2 * alone.input_tokens
    assert usage.output_tokens == 1 + alone.output_tokens  # an answer that breaks has only told of its first token


def test_the_text_that_comes_does_not_wait_for_the_rest(caller, fake_claude):
    """The restarted answer is handed on as it comes: were it read first, the silence in it would be seen as a break."""
    fake_claude.fail(FIRST, **BROKEN)
    fake_claude.fail(SECOND, **INTERRUPTIONS["cut"][0], after_events=3)
    reading = read(caller)
    assert reading.blocks[2] == ("text", "Hello from claude-")


@pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
@pytest.mark.parametrize("form", ["objects", "dicts"])
def test_the_answer_can_be_sent_back_as_history(caller, fake_claude, path, form):
    fake_claude.fail(FIRST, **BROKEN)
    content = read(caller, path).message.content
    if form == "dicts":
        content = [block.to_dict() for block in content]
    history = [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": "and now?"}]
    fake_claude.heal()
    reading = read(caller, path, messages=history)
    assert reading.error is None
    sent = fake_claude.requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == [{"type": "text", "text": f"Hello from {SECOND}."}]


def test_the_callers_own_messages_are_not_touched_by_that(caller, fake_claude):
    fake_claude.fail(FIRST, **BROKEN)
    content = [block.to_dict() for block in read(caller).message.content]
    history = [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": "and now?"}]
    before = json.dumps(history)
    caller.create(messages=history)
    assert json.dumps(history) == before


def test_a_server_side_fallbacks_own_seam_stays_in_the_history(caller, fake_claude):
    own = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}, "trigger": {"type": "refusal"}}
    content = [{"type": "text", "text": "one"}, own, {"type": "text", "text": "two"}]
    history = [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": "and now?"}]
    caller.call("beta.messages.create", model=FIRST, max_tokens=9, messages=history)
    assert fake_claude.requests[-1].body["messages"][1]["content"] == content


class TestItIsNotBegunAgain:
    """Where that would be no honest answer, the reader gets the error, and is told why."""

    @pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
    def test_once_a_tool_was_called(self, caller, fake_claude, told, path):
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(caller, path, tools=[TOOL])
        self.assert_refused(reading, told, fake_claude, "tool_use")
        assert failover.partial_message(reading.error).content[0].name == "look"

    def test_but_with_words_before_the_tool_it_is(self, caller, fake_claude):
        fake_claude.fail(FIRST, **BROKEN, say="I will look.")
        reading = read(caller, tools=[TOOL])
        assert_one_stream(reading)
        assert [kind for kind, _ in reading.blocks] == ["text", "fallback", "tool_use"]
        assert reading.message.content[2].name == "look"

    def test_when_its_form_was_prescribed(self, caller, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(caller, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
        self.assert_refused(reading, told, fake_claude, "structured_output")

    def test_when_its_form_was_prescribed_by_a_class(self, caller, fake_claude, told):
        class City(pydantic.BaseModel):
            city: str

        fake_claude.fail(FIRST, **BROKEN)
        self.assert_refused(read(caller, output_format=City), told, fake_claude, "structured_output")

    def test_when_the_model_keeps_the_history(self, caller, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN)
        thread = {"thread": {"type": "create"}, "betas": ["message-threads-2026-08-12"]}
        reading = read(caller, "beta.messages.create", **thread)
        self.assert_refused(reading, told, fake_claude, "thread")

    def test_when_there_is_no_other_model(self, connect, fake_claude, fake_clock, told):
        """At once: no other pass begins, however many the policy has."""
        fake_claude.script(FIRST, [Fault(**BROKEN)])
        reading = read(connect(policy(stream=RESTART, ladders=[]), listeners=[told]))
        self.assert_refused(reading, told, fake_claude, "no_rung")
        assert [block.text for block in failover.partial_message(reading.error).content] == ["Hello "]
        assert (fake_clock.slept, reading.route.waited) == ([], 0.0)

    def test_when_every_other_circuit_is_open(self, connect, fake_claude, fake_clock, told):
        caller = connect(policy(stream=RESTART), listeners=[told])
        caller.create(model=SECOND)
        caller.board[SECOND].open()
        fake_claude.clear()
        fake_claude.fail(FIRST, **BROKEN)
        self.assert_refused(read(caller), told, fake_claude, "no_rung")
        assert fake_clock.slept == []

    def test_by_default(self, connect, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN)
        self.assert_refused(read(connect(policy(retry=NO_REPEAT), listeners=[told])), told, fake_claude, None)

    def test_when_the_error_is_about_the_account(self, caller, fake_claude, told):
        fake_claude.fail(FIRST, error_event="authentication_error")
        reading = read(caller)
        assert type(reading.error) is anthropic.AuthenticationError
        assert [(event.then, event.why, event.error_type) for event in told] == [
            ("raise", "account", "authentication_error")
        ]
        assert fake_claude.count() == 1

    @staticmethod
    def assert_refused(reading, told, fake_claude, why):
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [("raise", why)]
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)
        assert fake_claude.count() == 1


class TestWhenTheOthersFailAsWell:
    @pytest.mark.parametrize("how", INTERRUPTIONS)
    def test_the_reader_gets_what_broke_the_stream_first(self, caller, fake_claude, how):
        fault, kind, error_type = INTERRUPTIONS[how]
        fake_claude.fail(FIRST, **fault, after_events=2)
        fake_claude.fail(SECOND, 500)
        reading = read(caller)
        assert type(reading.error) is kind
        assert reading.error.request_id == fake_claude.requests[0].request_id
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)  # nobody has begun to
        assert [attempt.error_type for attempt in reading.route.attempts] == [error_type, "api_error"]
        assert [block.text for block in failover.partial_message(reading.error).content] == ["Hello from c"]
        assert len(reading.error.__notes__) == 1

    @pytest.mark.parametrize(
        "fault", [{"status": 529}, {"status": 400}, {"status": 401}, {"status": 404}, {"drop": True}, {"hang": 30}]
    )
    def test_whatever_the_others_say(self, connect, fake_claude, fault):
        caller = connect(policy(stream=RESTART, retry=NO_REPEAT), timeout=0.5)
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, **fault)
        reading = read(caller)
        assert type(reading.error) is anthropic.OverloadedError
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)
        assert fake_claude.count() == 2

    def test_no_other_pass_begins(self, connect, fake_claude, fake_clock, told):
        fake_claude.script(FIRST, [Fault(**BROKEN)])
        fake_claude.fail(SECOND, 529)
        reading = read(connect(policy(stream=RESTART, retry={"tries": 1, "passes": 9}), listeners=[told]))
        assert type(reading.error) is anthropic.OverloadedError
        assert [attempt.model for attempt in reading.route.attempts] == [FIRST, SECOND]
        assert [(event.then, event.why) for event in told] == [("restart", None)]
        assert fake_clock.slept == []

    def test_the_next_one_is_asked_if_another_is_down_before_its_first_content(self, connect, fake_claude):
        a_policy = policy(stream=RESTART, retry=NO_REPEAT, ladders=ladder(SECOND, "claude-opus-5"))
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, error_event="api_error", after_events=0)
        reading = read(connect(a_policy))
        assert_one_stream(reading)
        assert reading.seams == [seam(FIRST, "claude-opus-5", "restart", "overloaded_error")]
        assert [attempt.model for attempt in reading.route.attempts] == [FIRST, SECOND, "claude-opus-5"]


class TestASecondInterruption:
    @pytest.fixture
    def caller(self, connect, told):
        ladders = ladder(SECOND, "claude-opus-5")
        return connect(policy(stream=RESTART, retry=NO_REPEAT, ladders=ladders), listeners=[told])

    @pytest.mark.parametrize("path", PATHS)
    def test_has_a_seam_of_its_own(self, caller, fake_claude, path):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, cut=True, after_events=2)
        reading = read(caller, path)
        assert_one_stream(reading)
        assert reading.blocks == [
            ("text", "Hello "),
            ("fallback", ""),
            ("text", "Hello from c"),
            ("fallback", ""),
            ("text", "Hello from claude-opus-5."),
        ]
        assert reading.seams == [
            seam(FIRST, SECOND, "restart", "overloaded_error"),
            seam(SECOND, "claude-opus-5", "restart", "connection_error"),
        ]

    def test_costs_what_all_three_cost(self, caller, fake_claude):
        alone = read(caller, model="claude-opus-5").message.usage
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, **BROKEN)
        usage = read(caller).message.usage
        effort = 12  # tokens that the fake counts for `output_config`, which says what the first model's default is
        assert usage.input_tokens == pytest.approx(3 * alone.input_tokens + effort, abs=3)
        assert usage.output_tokens == 1 + 1 + alone.output_tokens

    def test_leaves_only_the_last_answer_in_the_history(self, caller, fake_claude):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, **BROKEN)
        content = read(caller).message.content
        caller.create(messages=[*HELLO, {"role": "assistant", "content": content}, *HELLO])
        sent = fake_claude.requests[-1].body["messages"][1]["content"]
        assert sent == [{"type": "text", "text": "Hello from claude-opus-5."}]

    def test_that_cannot_be_hidden_raises_the_first_error_with_all_that_was_given(self, caller, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN, say="I will look.")
        fake_claude.fail(SECOND, error_event="api_error")
        reading = read(caller, tools=[TOOL])
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [("restart", None), ("raise", "tool_use")]
        given = failover.partial_message(reading.error).content
        assert [block.type for block in given] == ["text", "fallback", "tool_use"]
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", "restart")

    @pytest.mark.parametrize("path", PATHS)
    def test_of_the_last_model_raises_the_first_error_with_all_that_was_given(self, connect, fake_claude, told, path):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, error_event="api_error", after_events=2)
        reading = read(connect(policy(stream=RESTART, retry={"passes": 9}), listeners=[told]), path)
        assert type(reading.error) is anthropic.OverloadedError
        assert reading.error.request_id == fake_claude.requests[0].request_id
        assert [(event.model, event.then, event.why) for event in told] == [
            (FIRST, "restart", None),
            (SECOND, "raise", "no_rung"),
        ]
        given = failover.partial_message(reading.error).content
        assert [block.type for block in given] == ["text", "fallback", "text"]
        assert [block.text for block in given if block.type == "text"] == ["Hello ", "Hello from c"]
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", "restart")

    def test_needs_room_in_the_retry_budget(self, connect, fake_claude, told):
        """The first takeover of each call is free."""
        budget = {"ratio": 0.2, "min_per_second": 0}
        ladders = ladder(SECOND, "claude-opus-5")
        a_policy = policy(stream=RESTART, retry={**NO_REPEAT, "budget": budget}, ladders=ladders)
        caller = connect(a_policy, listeners=[told])
        fake_claude.fail(FIRST, **BROKEN)
        assert_one_stream(read(caller))
        fake_claude.fail(SECOND, cut=True, after_events=2)
        reading = read(caller)
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [
            ("restart", None),
            ("restart", None),
            ("raise", "budget"),
        ]
        assert [attempt.model for attempt in reading.route.attempts] == [FIRST, SECOND]


class TestTheLadderAndTheTime:
    def test_the_deadline_begins_anew_because_nobody_waited_for_what_was_read(self, connect, fake_claude, fake_clock):
        def read_slowly(event):
            if isinstance(event, ContentStarted) and event.model == FIRST:
                fake_clock.advance(500)

        fake_claude.fail(FIRST, **BROKEN)
        reading = read(connect(policy(stream=RESTART), listeners=[read_slowly]))
        assert_one_stream(reading)
        assert reading.route.attempts[0].seconds == pytest.approx(500)
        assert reading.route.served_model == SECOND

    def test_each_attempt_has_its_share_of_the_deadline_that_began_anew(self, connect, fake_claude, fake_clock):
        """Of 60 s the last model is promised 10; the second answer that breaks makes them 60 again."""

        def read_slowly(event):
            if isinstance(event, ContentStarted):
                fake_clock.advance(500)

        def take_time(request):
            if request.json["model"] == "claude-opus-5":
                fake_clock.advance(20)

        models = (FIRST, SECOND, "claude-opus-5", "claude-opus-4-8", "claude-sonnet-5")
        retry = {"tries": 1, "passes": 9, "deadline": "60s", "reserve": "10s", "budget": "off"}
        a_policy = policy(stream=RESTART, retry=retry, ladders=ladder(*models[1:]))
        caller = connect(a_policy, timeout=600, listeners=[read_slowly])
        caller.client = caller.client.with_middleware(watcher := Watcher(take_time))
        for model in (FIRST, SECOND, "claude-opus-4-8"):
            fake_claude.fail(model, **BROKEN)
        fake_claude.fail("claude-opus-5", 500)
        reading = read(caller)
        assert_one_stream(reading)
        sent = [(request.json["model"], request.options.timeout.read) for request in watcher.requests]
        assert sent == list(zip(models, [50, 50, 50, 30, 60], strict=True))

    @pytest.mark.parametrize("how", ["overloaded", "api_error", "cut", "end"])
    def test_streams_that_always_break_cost_one_request_for_each_model(
        self, connect, fake_claude, fake_clock, told, how
    ):
        fault, kind, _ = INTERRUPTIONS[how]
        fake_claude.fail("*", **fault)
        retry = {"tries": 2, "passes": 3, "budget": "off"}
        reading = read(connect(policy(stream=RESTART, retry=retry), listeners=[told]))
        assert type(reading.error) is kind
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", "restart")
        assert [attempt.model for attempt in reading.route.attempts] == [FIRST, SECOND]
        assert fake_claude.count() == 2
        assert len(reading.seams) == 1
        assert [(event.then, event.why) for event in told] == [("restart", None), ("raise", "no_rung")]
        assert fake_clock.slept == []

    def test_the_model_that_broke_has_failed(self, connect, fake_claude):
        caller = connect(policy(stream=RESTART, retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
        fake_claude.fail(FIRST, **BROKEN)
        read(caller)
        assert (caller.board[FIRST].state, caller.board[SECOND].state) == ("open", "closed")

    def test_a_circuit_that_is_open_is_passed_over(self, connect, fake_claude):
        a_policy = policy(stream=RESTART, retry=NO_REPEAT, ladders=ladder(SECOND, "claude-opus-5"))
        caller = connect(a_policy)
        caller.create(model=SECOND)
        caller.board[SECOND].open()
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(caller)
        assert (reading.route.served_model, reading.route.skipped) == ("claude-opus-5", (SECOND,))

    def test_the_rungs_own_changes_to_the_request_hold(self, connect, fake_claude):
        rung = {"model": SECOND, "set": {"max_tokens": 7}}
        caller = connect(policy(stream=RESTART, retry=NO_REPEAT, ladders=ladder(rung)))
        fake_claude.fail(FIRST, **BROKEN)
        read(caller)
        assert [request.body["max_tokens"] for request in fake_claude.requests] == [64, 7]
        assert fake_claude.requests[1].body["messages"] == HELLO


def test_many_at_once_are_each_begun_again(connect, fake_claude):
    caller = connect(policy(stream=RESTART, retry=NO_REPEAT, breaker=trip(consecutive_failures=1000)))
    fake_claude.fail(FIRST, **BROKEN)
    readings = read_together(caller, 30)
    for reading in readings:
        assert_one_stream(reading)
        assert reading.seams == [seam(FIRST, SECOND, "restart", "overloaded_error")]
    ids = [reading.route.request_ids for reading in readings]
    assert len({one for pair in ids for one in pair}) == 60
