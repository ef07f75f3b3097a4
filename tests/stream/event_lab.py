"""Streams as they come over the wire, cut in every way, and what the SDK makes of the same bytes.

A stream is a list of events' data, as the API documents them; `wire` writes it down, `lines_end_with` changes its line
ends, `splits` and `cut_at` are what a network does to it.
"""

from __future__ import annotations

import asyncio
import functools
import itertools

import anthropic
import httpx2
from anthropic._models import construct_type
from anthropic._streaming import SSEDecoder
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from failover.testing.payloads import sse

__all__ = [
    "FINISH",
    "PING",
    "STOP",
    "THEIRS",
    "block",
    "cut_at",
    "delta",
    "final",
    "lines_end_with",
    "plain",
    "read_by_sdk",
    "sdk_decodes",
    "seam",
    "splits",
    "start",
    "text_block",
    "tool_block",
    "wire",
]

MODEL = "claude-opus-5-5"
PING = {"type": "ping"}
STOP = {"type": "message_stop"}
THEIRS = {
    "type": "fallback",
    "from": {"model": "a"},
    "to": {"model": "b"},
    "trigger": {"type": "refusal", "category": None},
}


def start(**changes):
    """The `message_start` event."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": 7},
    }
    return {"type": "message_start", "message": {**message, **changes}}


def final(reason="end_turn", *, usage=None, delta=None, **extras):
    """The `message_delta` event."""
    stop = {"stop_reason": reason, "stop_sequence": None, **(delta or {})}
    return {"type": "message_delta", "delta": stop, "usage": usage or {"output_tokens": 15}, **extras}


FINISH = [final(), STOP]


def delta(index, kind, **fields):
    """A `content_block_delta` event."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def block(index, content_block, *deltas, ends=True):
    """A content block from its start to its stop, with deltas between, each a kind and its fields."""
    events = [{"type": "content_block_start", "index": index, "content_block": content_block}]
    events += [delta(index, kind, **fields) for kind, fields in deltas]
    return [*events, {"type": "content_block_stop", "index": index}] if ends else events


def text_block(index, *pieces, ends=True):
    deltas = [("text_delta", {"text": piece}) for piece in pieces]
    return block(index, {"type": "text", "text": ""}, *deltas, ends=ends)


def tool_block(index, *pieces, ends=True, kind="tool_use", **fields):
    deltas = [("input_json_delta", {"partial_json": piece}) for piece in pieces]
    tool = {"type": kind, "id": f"toolu_{index}", "name": "weather", "input": {}, **fields}
    return block(index, tool, *deltas, ends=ends)


def seam(mode="continue", source=MODEL, target="claude-opus-5", error_type="overloaded_error"):
    """The block that stands between what one model said and what the next one says."""
    trigger = {"type": "interruption", "mode": mode, "error_type": error_type}
    return {"type": "fallback", "from": {"model": source}, "to": {"model": target}, "trigger": trigger}


def wire(*events):
    """Events as bytes: dictionaries are written as the API writes them, bytes are taken as they are."""
    return b"".join(event if isinstance(event, bytes) else sse(event) for event in events)


def lines_end_with(data, end):
    """The same lines with other ends; `mixed` takes another end for each line, but never makes one end of two."""
    if end != "mixed":
        return data.replace(b"\n", end)
    *lines, last = data.split(b"\n")
    written = b""
    for line, chosen in zip(
        lines, itertools.cycle((b"\r\n", b"\n", b"\r", b"\r\n", b"\r", b"\n", b"\n")), strict=False
    ):
        written += line + (b"\r" if written.endswith(b"\r") and not line else chosen)
    return written + last


def splits(data):
    """The data in one piece, in single bytes, and in two, in all ways."""
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    yield from ([data[:index], data[index:]] for index in range(1, len(data)))


def cut_at(data, places):
    """The data, cut at these places."""
    places = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def sdk_decodes(pieces):
    """What the SDK's own decoder sees: name and data of every event that has either."""
    events = SSEDecoder().iter_bytes(iter(pieces))
    return [(event.event or "", event.data) for event in events if event.event or event.data]


_body = b""


def _answer(_):
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_body)


@functools.cache
def _client():
    return anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(_answer)))


async def _read_async(options, *, beta):
    transport = httpx2.MockTransport(_answer)
    async with (
        anthropic.AsyncAnthropic(api_key="k", http_client=httpx2.AsyncClient(transport=transport)) as client,
        (client.beta.messages if beta else client.messages).stream(**options) as stream,
    ):
        events = [event async for event in stream]
        return await stream.get_final_message(), events


def read_by_sdk(body, *, beta=False, asynchronous=False):
    """What a caller of `messages.stream()` gets of these bytes: the final message, and all events on the way."""
    global _body  # noqa: PLW0603 - one client serves all; what it answers is set here
    _body = body
    options = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "?"}]}
    if asynchronous:
        return asyncio.run(_read_async(options, beta=beta))
    client = _client()
    with (client.beta.messages if beta else client.messages).stream(**options) as stream:
        events = list(stream)
        return stream.get_final_message(), events


def plain(message, *, beta=False):
    """A message, the SDK's or a dictionary, in one form that can be compared: nothing in it is `None`."""
    if isinstance(message, dict):
        message = construct_type(type_=BetaMessage if beta else Message, value=message)
    return _without_none(message.to_dict(mode="json", warnings=False))


def _without_none(value):
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
