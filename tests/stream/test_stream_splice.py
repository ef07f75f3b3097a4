"""A stream that another model takes over is one message to the SDK, with the seam in it."""

from __future__ import annotations

import json

import pytest
from event_lab import (
    FINISH,
    MODEL,
    PING,
    STOP,
    block,
    cut_at,
    delta,
    final,
    plain,
    read_by_sdk,
    seam,
    start,
    text_block,
    tool_block,
    wire,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.stream.message import collect
from failover.stream.resume import Splice, without_seams
from failover.stream.sse import EventReader

THINK = block(0, {"type": "thinking", "thinking": "", "signature": ""}, ("thinking_delta", {"thinking": "Hm"}))
OTHER = "claude-opus-5"
THIRD = "claude-sonnet-5"
ways_to_read = pytest.mark.parametrize(
    ("beta", "asynchronous"), [(False, False), (True, False), (False, True), (True, True)]
)


def taken_over(mode, broken, rest, *, pieces=None, **changes):
    """What the caller reads: what broke, and what the next one says, of whom only whole events come."""
    told = {"from_model": MODEL, "to_model": OTHER, "error_type": "overloaded_error", **changes}
    splice = Splice(mode, collect(broken), **told)
    return broken + b"".join(map(splice.rewrite, [rest] if pieces is None else pieces)), splice


def data(stream):
    _, events = EventReader().feed(stream)
    return [json.loads(event.partition(b"data: ")[2]) for event in events]


def is_one_message(events):
    """One start, one end, and blocks in order, each open only while no other is."""
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert (kinds.count("message_start"), kinds.count("message_stop")) == (1, 1)
    opened, ended = None, -1
    for event in events:
        if event["type"] == "content_block_start":
            assert (opened, event["index"]) == (None, ended + 1)
            opened = event["index"]
        elif event["type"] == "content_block_delta":
            assert event["index"] == opened
        elif event["type"] == "content_block_stop":
            assert event["index"] == opened
            opened, ended = None, opened
    assert opened is None


BROKEN = {
    "in a block": [start(), *text_block(0, "Hello", ends=False)],
    "between blocks": [start(), *text_block(0, "Hello")],
    "in the second block": [start(), *THINK, *text_block(1, "Hello", ends=False)],
    "in thought": [start(), *THINK[:-1]],
    "before any block": [start(), PING],
}
ANSWERS = {
    "text": [start(model=OTHER, id="msg_2"), *text_block(0, " world", "!"), *FINISH],
    "thought and text": [start(model=OTHER), PING, *THINK, *text_block(1, " world!"), *FINISH],
    "a tool": [start(model=OTHER), *text_block(0, " world!"), *tool_block(1, "", '{"a": 1}'), final("tool_use"), STOP],
    "a refusal": [start(model=OTHER), final("refusal"), STOP],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("mode", ["restart", "continue"])
@ways_to_read
def test_the_sdk_sees_one_message(broken, answer, mode, beta, asynchronous):
    stream, _ = taken_over(mode, wire(*broken), wire(*answer))
    is_one_message(data(stream))
    message, events = read_by_sdk(stream, beta=beta, asynchronous=asynchronous)
    before = plain(collect(wire(*broken)).so_far(), beta=beta)["content"]
    after = plain(collect(wire(*answer)).so_far(), beta=beta)["content"]
    assert plain(message)["content"] == [*before, seam(mode), *after]
    assert message.id == "msg_1"
    assert message.stop_reason == answer[-2]["delta"]["stop_reason"]
    assert [event.type for event in events].count("message_stop") == 1
    assert plain(collect(stream).so_far(), beta=beta)["content"] == plain(message)["content"]


@ways_to_read
def test_the_seam_is_a_block_of_type_fallback(beta, asynchronous):
    stream, _ = taken_over("continue", wire(*BROKEN["in a block"]), wire(*ANSWERS["text"]), error_type=None)
    message, events = read_by_sdk(stream, beta=beta, asynchronous=asynchronous)
    assert [block.type for block in message.content] == ["text", "fallback", "text"]
    assert "".join(block.text for block in message.content if block.type == "text") == "Hello world!"
    between = message.content[1]
    assert between.to_dict() == seam("continue", error_type=None)
    ends = [event.content_block.type for event in events if event.type == "content_block_stop"]
    assert ends == ["text", "fallback", "text"]
    if beta:
        assert type(between).__name__ == "BetaFallbackBlock"
        assert (between.from_.model, between.to.model, between.trigger.mode) == (MODEL, OTHER, "continue")
        assert message.model == OTHER
    else:
        assert (getattr(between, "from"), between.to, between.trigger["mode"]) == (
            {"model": MODEL},
            {"model": OTHER},
            "continue",
        )
        assert message.model == MODEL


@pytest.mark.parametrize(("mode", "left"), [("restart", [" world!"]), ("continue", ["Hello", " world!"])])
@pytest.mark.parametrize("beta", [False, True])
def test_the_message_may_be_sent_back(mode, left, beta):
    stream, _ = taken_over(mode, wire(*BROKEN["in a block"]), wire(*ANSWERS["text"]))
    message, _ = read_by_sdk(stream, beta=beta)
    answer = message.to_dict(warnings=False)
    cleaned = without_seams([{"role": "assistant", "content": answer["content"]}])
    assert cleaned[0]["content"] == [{"type": "text", "text": text} for text in left]


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_usage_is_that_of_both(mode):
    first = {"input_tokens": 25, "output_tokens": 3, "cache_read_input_tokens": 7, "service_tier": "standard"}
    second = {"input_tokens": 40, "output_tokens": 1, "cache_creation_input_tokens": 2}
    last = {"output_tokens": 15, "input_tokens": None, "server_tool_use": {"web_search_requests": 1}}
    stream, _ = taken_over(
        mode,
        wire(start(usage=first), *text_block(0, "Hello")),
        wire(start(usage=second), *text_block(0, "x"), final(usage=last), STOP),
    )
    expected = {"input_tokens": 65, "output_tokens": 18, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 2}
    usage = plain(read_by_sdk(stream)[0])["usage"]
    assert {key: usage[key] for key in expected} == expected
    assert usage["server_tool_use"] == {"web_search_requests": 1}
    assert collect(stream).so_far()["usage"].items() >= expected.items()


def test_usage_that_grows_is_not_added_twice():
    events = [start(usage={"input_tokens": 1, "output_tokens": 1}), *text_block(0, "x")]
    more = [*events, final(usage={"output_tokens": 5}), final(usage={"output_tokens": 9}), STOP]
    stream, splice = taken_over("restart", wire(*events), wire(*more))
    usages = [event["usage"]["output_tokens"] for event in data(stream) if event["type"] == "message_delta"]
    assert usages == [6, 10]
    assert splice.spent == {"input_tokens": 2, "output_tokens": 10}


@pytest.mark.parametrize(
    ("said", "goes_on", "heard"),
    [
        (["Hello"], [" world"], "Hello world"),
        (["Hello "], ["world"], "Hello world"),
        (["Hello "], [" world"], "Hello world"),
        (["Hello\n\n"], ["\n\nworld"], "Hello\n\nworld"),
        (["Hello\n", "\n"], ["\n", "\n", "world"], "Hello\n\nworld"),
        (["Hello\n\n"], ["\n\n\nworld"], "Hello\n\n\nworld"),
        (["Hello\n\n"], ["\nworld"], "Hello\n\nworld"),
        (["Hello \n"], ["\n world"], "Hello \n\n world"),
        (["Hello \n"], ["", " ", "", "\nworld"], "Hello \nworld"),
        # once only
        (["Hello "], [" world", " "], "Hello world "),
        (["Hello "], ["world", " again"], "Hello world again"),
        (["Hello "], [" ", " world"], "Hello  world"),
        (["Hello\n"], ["world\n", "\n"], "Hello\nworld\n\n"),
        (["Hello\n\n"], ["\n", "world", "\n!"], "Hello\n\nworld\n!"),
    ],
)
def test_white_space_that_is_said_twice_is_heard_once(said, goes_on, heard):
    broken = wire(start(), *text_block(0, *said, ends=False))
    rest = wire(start(), *THINK, *text_block(1, *goes_on), *FINISH)
    stream, _ = taken_over("continue", broken, rest)
    message, _ = read_by_sdk(stream)
    assert "".join(block.text for block in message.content if block.type == "text") == heard


def test_who_starts_again_is_heard_from_the_first_space():
    stream, _ = taken_over(
        "restart", wire(start(), *text_block(0, "Hello ")), wire(start(), *text_block(0, " x"), *FINISH)
    )
    assert [event["delta"]["text"] for event in data(stream) if "text" in event.get("delta", {})] == ["Hello ", " x"]


@pytest.mark.parametrize("first", ["restart", "continue"])
@pytest.mark.parametrize("second", ["restart", "continue"])
@pytest.mark.parametrize("beta", [False, True])
def test_an_answer_that_breaks_again_is_taken_over_again(first, second, beta):
    broken = wire(start(), *text_block(0, "One ", ends=False))
    again, before = taken_over(first, broken, wire(start(model=OTHER), *THINK, *text_block(1, "two ", ends=False)))
    told = {"from_model": OTHER, "to_model": THIRD, "error_type": "connection_error", "before": before}
    stream, _ = taken_over(second, again, wire(start(model=THIRD), *text_block(0, " three"), *FINISH), **told)
    is_one_message(data(stream))
    message, _ = read_by_sdk(stream, beta=beta)
    assert [block.type for block in message.content] == ["text", "fallback", "thinking", "text", "fallback", "text"]
    assert message.content[4].to_dict() == seam(second, OTHER, THIRD, "connection_error")
    texts = [block.text for block in message.content if block.type == "text"]
    assert texts == ["One ", "two ", "three" if second == "continue" else " three"]
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (75, 1 + 1 + 15, 21)


def test_an_answer_that_breaks_right_at_the_seam_is_taken_over_again():
    again, before = taken_over("continue", wire(start(), *text_block(0, "One ")), wire(start(model=OTHER)))
    told = {"from_model": OTHER, "to_model": THIRD, "before": before}
    stream, _ = taken_over("continue", again, wire(start(), *text_block(0, " two"), *FINISH), **told)
    is_one_message(data(stream))
    message, _ = read_by_sdk(stream)
    assert [block.type for block in message.content] == ["text", "fallback", "fallback", "text"]
    assert message.content[3].text == "two"


@given(st.lists(st.integers(0, 100), max_size=8), st.sampled_from(["restart", "continue"]))
@settings(deadline=None, max_examples=100)
def test_it_does_not_matter_in_how_many_reads_events_come(places, mode):
    broken, answer = wire(*BROKEN["in the second block"]), wire(*ANSWERS["thought and text"])
    _, events = EventReader().feed(answer)
    pieces = [b"".join(part) for part in cut_at(events, places)]
    assert taken_over(mode, broken, b"", pieces=pieces)[0] == taken_over(mode, broken, answer)[0]


def test_the_seam_comes_with_the_first_read_whatever_is_in_it():
    splice = taken_over("restart", wire(*BROKEN["in a block"]), b"", pieces=[])[1]
    first, second = splice.rewrite(wire(start(model=OTHER))), splice.rewrite(wire(PING))
    assert [event["type"] for event in data(first)] == [
        "content_block_stop",
        "content_block_start",
        "content_block_stop",
    ]
    assert data(second) == [PING]


@pytest.mark.parametrize(
    "strange",
    [
        b": comment\n\n",
        b"event: content_block_delta\ndata: {oops}\n\n",
        b"event: content_block_delta\ndata: {}\n\n",
        b'event: content_block_delta\ndata: {"type": "content_block_delta"}\n\n',
        b'event: content_block_delta\ndata: {"type": 7}\n\n',
        b"event: news\ndata: [1]\n\n",
        b"event: news\ndata: " + b"[" * 100_000 + b"\n\n",
        b'data: {"type": "content_block_delta", "index": 0}\n\n',
        b'event: message_delta\ndata: {"type": "message_delta", "usage": 7}\n\n',
    ],
)
def test_what_cannot_be_read_passes_as_it_is(strange):
    splice = taken_over("restart", wire(*BROKEN["in a block"]), b"", pieces=[b""])[1]
    assert splice.rewrite(strange + wire(PING)).startswith(strange)
    assert data(splice.rewrite(wire(delta(0, "text_delta", text="x"))))[0]["index"] == 2


@pytest.mark.parametrize("event", [{"type": "news", "index": 5}, PING, {"type": "message_stop", "more": "é\u2028"}])
def test_other_events_keep_their_data(event):
    splice = taken_over("restart", wire(*BROKEN["in a block"]), b"", pieces=[b""])[1]
    assert data(splice.rewrite(wire(event))) == [event]
