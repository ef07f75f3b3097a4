"""`on_interrupt: continue`: a stream that breaks is finished by another model, behind a seam that can be seen."""

from __future__ import annotations

import anthropic
import pytest
from sdk_callers import FIRST, HELLO, NO_REPEAT, SECOND, Watcher, ladder, policy
from stream_reading import INTERRUPTIONS, PATHS, SILENCE, Interruptions, assert_one_stream, read, seam

import failover

CONTINUE = {"on_interrupt": "continue", "idle": SILENCE}
BROKEN = {"error_event": "overloaded_error"}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
LATER = "claude-sonnet-5"
"""A model that must be told to go on; `SECOND` goes on from a beginning."""
TOLD = "Your previous response was interrupted and ended with:\n\n{}\n\nContinue from where you left off."


@pytest.fixture
def told():
    return Interruptions()


@pytest.fixture
def continuing(connect, told):
    """Makes a caller whose streams that model finishes."""

    def continuing(*models):
        ladders = ladder(*models) if models else ladder(SECOND)
        return connect(policy(stream=CONTINUE, retry=NO_REPEAT, ladders=ladders), listeners=[told])

    return continuing


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_the_text_of_both_parts_is_one_answer(continuing, fake_claude, told, path, how):
    fault, _, error_type = INTERRUPTIONS[how]
    fake_claude.fail(FIRST, **fault, after_events=2)
    reading = read(continuing(), path)
    assert_one_stream(reading)
    assert reading.blocks == [("text", "Hello from c"), ("fallback", ""), ("text", f"Hello from {SECOND}.")]
    assert reading.seams == [seam(FIRST, SECOND, "continue", error_type)]
    assert (reading.route.outcome, reading.route.resumed) == ("fallback", "continue")
    assert [(event.then, event.why) for event in told] == [("continue", None)]


class TestWhatTheNextModelIsAsked:
    @pytest.mark.parametrize(
        "model",
        [
            SECOND,
            "claude-haiku-4-5-20251001",
            "claude-haiku-4-5@20251001",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "claude-opus-4-5",
            "claude-sonnet-4-5-20250929",
        ],
    )
    def test_up_to_4_5_it_gets_the_beginning_of_its_answer(self, continuing, fake_claude, model):
        fake_claude.fail(FIRST, **BROKEN)
        read(continuing(model))
        assert fake_claude.requests[1].body["messages"] == [*HELLO, {"role": "assistant", "content": "Hello"}]

    @pytest.mark.parametrize(
        "model",
        [LATER, "claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5", "claude-fable-5-1", "claude-opus-4-10"],
    )
    def test_later_models_are_told_to_go_on(self, continuing, fake_claude, model):
        fake_claude.fail(FIRST, **BROKEN)
        read(continuing(model))
        asked = {"role": "user", "content": TOLD.format("Hello ")}
        assert fake_claude.requests[1].body["messages"] == [*HELLO, asked]

    def test_a_model_that_thinks_gets_no_beginning(self, continuing, fake_claude):
        """The API takes none together with thinking; here the thinking is whole, and the text was cut."""
        thinking = {"max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
        fake_claude.fail("claude-sonnet-4-6", **BROKEN, after_events=6)
        reading = read(continuing(), model="claude-sonnet-4-6", **thinking)
        assert_one_stream(reading)
        assert [kind for kind, _ in reading.blocks] == ["thinking", "text", "fallback", "thinking", "text"]
        asked = {"role": "user", "content": TOLD.format(reading.blocks[1][1])}
        assert fake_claude.requests[1].body["messages"] == [*HELLO, asked]

    @pytest.mark.parametrize(
        ("begun", "sent"),
        [
            ("Well, ", "Well, Hello"),
            (
                [{"type": "text", "text": "Well, "}],
                [{"type": "text", "text": "Well, "}, {"type": "text", "text": "Hello"}],
            ),
        ],
    )
    def test_a_beginning_that_the_caller_gave_comes_before_it(self, continuing, fake_claude, begun, sent):
        fake_claude.fail("claude-opus-4-5", **BROKEN)
        messages = [*HELLO, {"role": "assistant", "content": begun}]
        read(continuing(), model="claude-opus-4-5", messages=messages)
        assert fake_claude.requests[1].body["messages"] == [*HELLO, {"role": "assistant", "content": sent}]
        assert messages[1]["content"] == begun

    def test_all_else_stays_as_it_was_asked(self, continuing, fake_claude):
        fake_claude.fail(FIRST, **BROKEN)
        read(continuing(), system="Be kind.", metadata={"user_id": "u1"})
        first, second = (dict(request.body) for request in fake_claude.requests)
        for body in (first, second):
            body.pop("messages")
        assert second == {**first, "model": SECOND}


class TestTheGlue:
    @pytest.mark.parametrize(
        ("given", "more", "glued"),
        [
            ("One tw", "o three.", "One two three."),
            ("Hello ", " world.", "Hello world."),
            ("Hello ", "world.", "Hello world."),
            ("Hello", " world.", "Hello world."),
            ("List:\n\n", "\n\n- one", "List:\n\n- one"),
            ("List:\n\n", "\n- one", "List:\n\n- one"),
            ("List:\n", "\n\n- one", "List:\n\n- one"),
            ("x     ", "           y", "x           y"),
        ],
    )
    def test_white_space_comes_once(self, continuing, fake_claude, given, more, glued):
        """In pieces of six characters, so that white space may be split between them."""
        fake_claude.fail(FIRST, **BROKEN, say=given, after_events=-(-len(given) // 6))
        fake_claude.fail(SECOND, say=more)
        blocks = read(continuing()).blocks
        assert [kind for kind, _ in blocks] == ["text", "fallback", "text", "text"]
        assert blocks[0][1] + blocks[2][1] == glued
        assert blocks[3][1] == f"Hello from {SECOND}."

    def test_white_space_of_later_blocks_is_their_own(self, continuing, fake_claude):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, say="it goes on.")
        assert read(continuing()).blocks[2:] == [("text", "it goes on."), ("text", f"Hello from {SECOND}.")]

    def test_the_history_keeps_both_parts_and_no_seam(self, continuing, fake_claude):
        caller = continuing()
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, say=" world.")
        content = read(caller).message.content
        caller.create(messages=[*HELLO, {"role": "assistant", "content": content}, *HELLO], model=SECOND)
        sent = fake_claude.requests[-1].body["messages"][1]["content"]
        assert [block["text"] for block in sent] == ["Hello ", "world.", f"Hello from {SECOND}."]

    def test_a_second_interruption_is_continued_from_all_that_was_said(self, continuing, fake_claude):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, cut=True, say=" wor", after_events=1)
        reading = read(continuing(SECOND, LATER))
        assert_one_stream(reading)
        assert [text for _, text in reading.blocks[:4:2]] == ["Hello ", "wor"]
        assert reading.seams == [
            seam(FIRST, SECOND, "continue", "overloaded_error"),
            seam(SECOND, LATER, "continue", "connection_error"),
        ]
        assert fake_claude.requests[2].body["messages"][-1]["content"] == TOLD.format("Hello wor")

    def test_what_both_parts_cost_is_added(self, continuing, fake_claude):
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(continuing())
        sent = [start.message.usage.input_tokens for start in reading.wire if start.type == "message_start"]
        assert reading.message.usage.input_tokens > 2 * sent[0]  # the second request is the longer one


class TestItIsNotContinued:
    @pytest.mark.parametrize(
        ("story", "why"),
        [
            (({"thinking": {"type": "adaptive"}}, {"after_events": 2}), "thinking"),
            (({"tools": [TOOL]}, {}), "tool_use"),
            (({"tools": [TOOL]}, {"say": "I will look.", "after_events": 3}), "tool_use"),
            (({}, {"say": "      "}), "no_text"),
        ],
    )
    def test_where_there_are_no_words_to_go_on_from(self, continuing, fake_claude, told, story, why):
        fields, fault = story
        fake_claude.fail(FIRST, **BROKEN, **fault)
        reading = read(continuing(), **fields)
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [("raise", why)]
        assert reading.route.outcome == "interrupted"
        assert fake_claude.count() == 1

    def test_before_the_first_content_where_the_failure_can_be_hidden(self, continuing, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN, after_events=0)
        reading = read(continuing())
        assert reading.blocks == [("text", f"Hello from {SECOND}.")]
        assert fake_claude.requests[1].body["messages"] == HELLO
        assert (told, reading.route.resumed) == ([], None)

    def test_when_its_form_was_prescribed(self, continuing, fake_claude, told):
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(continuing(), output_config={"format": {"type": "json_schema", "schema": schema}})
        assert type(reading.error) is anthropic.OverloadedError
        assert [event.why for event in told] == ["structured_output"]

    def test_when_there_is_no_other_model(self, connect, fake_claude, fake_clock, told):
        """At once: no other pass begins, however many the policy has."""
        fake_claude.fail(FIRST, **BROKEN, times=1)
        reading = read(connect(policy(stream=CONTINUE, ladders=[]), listeners=[told]))
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [("raise", "no_rung")]
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)
        assert (fake_claude.count(), fake_clock.slept) == (1, [])

    @pytest.mark.parametrize("how", INTERRUPTIONS)
    def test_if_nobody_can_the_reader_gets_what_broke_it_first(self, continuing, fake_claude, how):
        fault, kind, _ = INTERRUPTIONS[how]
        fake_claude.fail(FIRST, **fault, after_events=2)
        fake_claude.fail(SECOND, 400)
        reading = read(continuing())
        assert type(reading.error) is kind
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", None)  # nobody has begun to
        assert [block.text for block in failover.partial_message(reading.error).content] == ["Hello from c"]

    def test_if_the_last_breaks_as_well_the_reader_gets_what_broke_it_first(self, continuing, fake_claude, told):
        fake_claude.fail(FIRST, **BROKEN)
        fake_claude.fail(SECOND, error_event="api_error", say=" wor", after_events=1)
        reading = read(continuing())
        assert type(reading.error) is anthropic.OverloadedError
        assert [(event.then, event.why) for event in told] == [("continue", None), ("raise", "no_rung")]
        assert (reading.route.outcome, reading.route.resumed) == ("interrupted", "continue")
        given = failover.partial_message(reading.error).content
        assert [block.text for block in given if block.type == "text"] == ["Hello ", "wor"]

    def test_by_an_inner_middleware_that_fails_the_program_gets_its_error(self, continuing, fake_claude):
        bug = LookupError("a bug")

        def fail(request):
            if request.json["model"] == SECOND:
                raise bug

        caller = continuing()
        caller.client = caller.client.with_middleware(Watcher(fail))
        fake_claude.fail(FIRST, **BROKEN)
        reading = read(caller)
        assert reading.error is bug
        assert type(bug.__context__) is anthropic.OverloadedError
        assert [block.text for block in failover.partial_message(bug).content] == ["Hello "]
        assert (reading.route.outcome, reading.route.resumed) == ("failed", None)
