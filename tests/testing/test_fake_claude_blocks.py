"""Replies of several blocks: thinking before an answer, words before a tool call, and faults among them."""

from __future__ import annotations

import itertools

import anyio
import pydantic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool
from fake_lab import CALL, TOOL, ask, events_in, exchange, post

from failover.testing import Fault

ADAPTIVE = {"type": "adaptive"}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
OMITTED = {"type": "adaptive", "display": "omitted"}
OLDER = {"model": "claude-sonnet-4-6", "max_tokens": 2048}
"""Takes all kinds of thinking but `between_tools`."""

both_clients = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


class Child(pydantic.BaseModel):
    name: str
    age: int


def short(event):
    """An event in few words: its type, its block, and what kind of block or delta it is."""
    index = event.get("index")
    kind = event.get("content_block", {}).get("type") or event.get("delta", {}).get("type")
    return " ".join(str(word) for word in (event["type"], index, kind) if word is not None)


def counted(text):
    """What a stream had: how many events of each kind, in order."""
    return [(kind, len(list(same))) for kind, same in itertools.groupby(map(short, events_in(text)))]


def kinds(message):
    return [block.type for block in message.content]


@both_clients
@both_ways
@pytest.mark.parametrize(
    ("thinking", "thought"),
    [
        (ENABLED, "A greeting will do."),
        (ADAPTIVE, "A greeting will do."),
        ({**ADAPTIVE, "display": "summarized"}, "A greeting will do."),
        (OMITTED, ""),
        ({**ENABLED, "display": "omitted"}, ""),
    ],
    ids=str,
)
def test_a_request_for_thinking_gets_a_signed_block_before_the_text(
    fake_claude, thinking, thought, stream, asynchronous
):
    message = ask(fake_claude.url, stream=stream, asynchronous=asynchronous, thinking=thinking, **OLDER)
    block, text = message.content
    assert (block.type, block.thinking) == ("thinking", thought)
    assert len(block.signature) > 20
    assert (text.text, message.stop_reason) == ("Hello from claude-sonnet-4-6.", "end_turn")
    assert message.usage.output_tokens == 4 + 5  # thinking that is not shown is billed, too


@both_ways
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("claude-opus-5-5", {}),
        ("claude-sonnet-4-6", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
    ],
)
def test_a_request_without_thinking_gets_one_block(fake_claude, model, more, stream):
    message = ask(fake_claude.url, stream=stream, model=model, **more)
    assert (kinds(message), message.usage.output_tokens) == (["text"], 5)


def test_thinking_of_no_shape_is_refused(fake_claude):
    answer = post(fake_claude, thinking=3)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "thinking: Input should be an object")


@pytest.mark.parametrize(
    ("more", "blocks"),
    [
        ({"thinking": ADAPTIVE}, [("thinking", {"thinking_delta": 4, "signature_delta": 1}), ("text", {"text_delta": 5})]),
        ({"thinking": OMITTED}, [("thinking", {"signature_delta": 1}), ("text", {"text_delta": 5})]),
        ({"thinking": ENABLED, "tools": [TOOL], **OLDER}, [("thinking", {"thinking_delta": 4, "signature_delta": 1}), ("tool_use", {"input_json_delta": 3})]),
    ],
    ids=["shown", "omitted", "tool"],
)  # fmt: skip
def test_a_stream_has_one_block_after_the_other(fake_claude, more, blocks):
    expected = [("message_start", 1)]
    for index, (block, deltas) in enumerate(blocks):
        expected.append((f"content_block_start {index} {block}", 1))
        expected += [("ping", 1)] if index == 0 else []
        expected += [(f"content_block_delta {index} {delta}", count) for delta, count in deltas.items()]
        expected.append((f"content_block_stop {index}", 1))
    expected += [("message_delta", 1), ("message_stop", 1)]
    assert counted(post(fake_claude, stream=True, **more).text) == expected


def test_a_block_starts_empty(fake_claude):
    events = events_in(post(fake_claude, stream=True, thinking=ADAPTIVE).text)
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert starts == [{"type": "thinking", "thinking": "", "signature": ""}, {"type": "text", "text": ""}]


def test_a_signature_is_the_same_for_the_same_seed_and_no_other(fake_claude):
    def signatures():
        fake_claude.clear()
        return [ask(fake_claude.url, stream=False, thinking=ADAPTIVE).content[0].signature for _ in range(2)]

    first, second = signatures()
    assert first != second
    assert signatures() == [first, second]


@both_clients
def test_structured_output_comes_after_thinking(fake_claude, asynchronous):
    options = {"base_url": fake_claude.url, "api_key": "test", "max_retries": 0}

    async def parse():
        async with AsyncAnthropic(**options) as client:
            return await client.messages.parse(**CALL, thinking=ADAPTIVE, output_format=Child)

    if asynchronous:
        message = anyio.run(parse)
    else:
        with Anthropic(**options) as client:
            message = client.messages.parse(**CALL, thinking=ADAPTIVE, output_format=Child)
    assert (kinds(message), message.parsed_output) == (["thinking", "text"], Child(name="text", age=1))


@both_clients
def test_the_tool_runner_thinks_and_talks_to_its_end(fake_claude, asynchronous):
    fake_claude.fail(say="Let me look.", times=1)
    options = {"base_url": fake_claude.url, "api_key": "test", "max_retries": 0}

    @beta_tool
    def weather(city: str) -> str:
        """The weather."""
        return f"sunny in {city}"

    @beta_async_tool
    async def weather_async(city: str) -> str:
        """The weather."""
        return f"sunny in {city}"

    async def run():
        async with AsyncAnthropic(**options) as client:
            runner = client.beta.messages.tool_runner(**CALL, thinking=ADAPTIVE, tools=[weather_async])
            return [message async for message in runner]

    if asynchronous:
        messages = anyio.run(run)
    else:
        with Anthropic(**options) as client:
            messages = list(client.beta.messages.tool_runner(**CALL, thinking=ADAPTIVE, tools=[weather]))
    assert [kinds(message) for message in messages] == [["thinking", "text", "tool_use"], ["thinking", "text"]]


@both_clients
@both_ways
@pytest.mark.parametrize(
    ("more", "blocks"),
    [
        ({}, ["text", "text"]),
        ({"tools": [TOOL]}, ["text", "tool_use"]),
        ({"thinking": ADAPTIVE}, ["thinking", "text", "text"]),
        ({"tools": [TOOL], "thinking": OMITTED}, ["thinking", "text", "tool_use"]),
    ],
    ids=["text", "tool", "thinking", "all"],
)
def test_words_to_say_are_a_text_block_before_the_answer(fake_claude, more, blocks, stream, asynchronous):
    fake_claude.fail(say="Let me look.")
    message = ask(fake_claude.url, stream=stream, asynchronous=asynchronous, **more)
    assert kinds(message) == blocks
    assert message.content[-2].text == "Let me look."
    assert message.stop_reason == ("tool_use" if "tools" in more else "end_turn")
    if "tools" in more:
        assert message.content[-1].input == {"city": "text"}
    else:
        assert message.content[-1].text == "Hello from claude-opus-5-5."
    assert [request.status for request in fake_claude.requests] == [200]


@both_ways
def test_words_to_say_can_be_scripted(fake_claude, stream):
    fake_claude.script("claude-opus-5-5", [Fault(say="First.")])
    assert ask(fake_claude.url, stream=stream).content[0].text == "First."
    assert kinds(ask(fake_claude.url, stream=stream)) == ["text"]


def test_endpoints_without_a_reply_say_nothing(fake_claude):
    fake_claude.fail(say="Let me look.", path="*")
    (body,) = exchange(fake_claude, path="/v1/messages/count_tokens").chunks
    assert body.startswith(b'{"input_tokens": ')


ALL_BLOCKS = {"thinking": ADAPTIVE, "tools": [TOOL]}
"""With `say: Let me look.`: thinking in 4 deltas and a signature, text in 2, a tool call in 3."""


@pytest.mark.parametrize(
    ("after", "deltas", "stopped"),
    [
        (None, {0: 1}, []),
        (0, {}, []),
        (4, {0: 4}, []),
        (5, {0: 5}, []),
        (6, {0: 5, 1: 1}, [0]),
        (7, {0: 5, 1: 2}, [0]),
        (8, {0: 5, 1: 2, 2: 1}, [0, 1]),
        (10, {0: 5, 1: 2, 2: 3}, [0, 1]),
        (99, {0: 5, 1: 2, 2: 3}, [0, 1]),
    ],
)
@pytest.mark.parametrize(
    "fault", [{"cut": True}, {"end_without_stop": True}, {"error_event": "overloaded_error"}], ids=str
)
def test_a_fault_strikes_after_so_many_deltas_of_all_blocks(fake_claude, fault, after, deltas, stopped):
    fake_claude.fail(say="Let me look.", **fault, **({} if after is None else {"after_events": after}))
    answer = exchange(fake_claude, stream=True, **ALL_BLOCKS)
    events = events_in(b"".join(answer.chunks).decode())
    indexes = [event["index"] for event in events if event["type"] == "content_block_delta"]
    assert {index: indexes.count(index) for index in indexes} == deltas
    assert [event["index"] for event in events if event["type"] == "content_block_stop"] == stopped
    assert events[-1]["type"] != "message_stop"
    assert (events[-1]["type"] == "error") == ("error_event" in fault)
    assert answer.complete == ("cut" not in fault)


@pytest.mark.parametrize(("after", "last"), [(1, 5), (6, 7), (8, 10)])
def test_half_an_event_is_of_the_block_that_it_stands_in(fake_claude, after, last):
    fake_claude.fail(say="Let me look.")
    well = exchange(fake_claude, stream=True, **ALL_BLOCKS).chunks
    whole = [event for event in well if event.startswith(b"event: content_block_delta\n")][last - 1]
    fake_claude.clear()
    fake_claude.fail(say="Let me look.", malformed="truncated", after_events=after)
    assert exchange(fake_claude, stream=True, **ALL_BLOCKS).chunks[-1] == whole[: len(whole) // 2]


@both_clients
def test_the_sdk_shows_the_blocks_of_a_stream_that_ends_early(fake_claude, asynchronous):
    fake_claude.fail(say="Let me look.", end_without_stop=True, after_events=8)
    message = ask(fake_claude.url, stream=True, asynchronous=asynchronous, **ALL_BLOCKS)
    assert (kinds(message), message.stop_reason) == (["thinking", "text", "tool_use"], None)
    assert (message.content[0].thinking, message.content[1].text) == ("A greeting will do.", "Let me look.")
    assert message.content[2].input != {"city": "text"}


def test_slowness_counts_the_deltas_of_all_blocks(fake_claude_on_fake_clock, fake_clock):
    fake_claude_on_fake_clock.fail(say="Let me look.", first_token=30, token_every=1)
    post(fake_claude_on_fake_clock, **ALL_BLOCKS)
    assert fake_clock.slept == [30, *[1] * 9]
    post(fake_claude_on_fake_clock, **ALL_BLOCKS, stream=True)
    assert fake_clock.slept[10:] == [30, *[1] * 10]
