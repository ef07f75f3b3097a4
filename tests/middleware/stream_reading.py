"""Streams as a program sees them: read to whatever end, once, the same for the sync and the async client."""

from __future__ import annotations

import asyncio
import inspect
import time
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import Any, NamedTuple

import anthropic
import anyio
from sdk_callers import CALL

import failover
from failover.events import StreamInterrupted

PATHS = ("messages.create", "messages.stream", "beta.messages.create", "beta.messages.stream")
"""Every way to ask for a stream."""

INTERRUPTIONS = {
    "overloaded": ({"error_event": "overloaded_error"}, anthropic.OverloadedError, "overloaded_error"),
    "api_error": ({"error_event": "api_error"}, anthropic.InternalServerError, "api_error"),
    "cut": ({"cut": True}, anthropic.APIConnectionError, "connection_error"),
    "stall": ({"stall": 30}, anthropic.APITimeoutError, "client_timeout_error"),
    "end": ({"end_without_stop": True}, failover.StreamTruncated, "stream_truncated"),
    "garbage": ({"malformed": "json"}, anthropic.APIConnectionError, "malformed_response"),
}
"""Ways in which a stream may break: the fault, what its reader gets, and how it is called."""

SILENCE = "250ms"
"""An `idle` that is over soon in real time."""


class Reading(NamedTuple):
    """What a program saw of one stream."""

    events: list[Any]
    message: Any
    """What the SDK's accumulator made of it; `None` after an error, and where there is no accumulator."""
    error: BaseException | None
    route: failover.Route | None

    @property
    def wire(self) -> list[Any]:
        """The API's own events, without those that the SDK derives."""
        return [event for event in self.events if event.type.startswith(("message_", "content_block_"))]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.wire]

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Each block's type, and the text that its deltas brought."""
        blocks: list[tuple[str, str]] = []
        for event in self.wire:
            if event.type == "content_block_start":
                assert event.index == len(blocks), "a block's index that does not follow the one before"
                blocks.append((event.content_block.type, ""))
            elif event.type == "content_block_delta":
                kind, text = blocks[event.index]
                assert event.index == len(blocks) - 1, "a delta of a block that is over"
                blocks[event.index] = (kind, text + (getattr(event.delta, "text", None) or ""))
        return blocks

    @property
    def seams(self) -> list[dict[str, Any]]:
        """The blocks that say where another model went on."""
        starts = [event.content_block for event in self.wire if event.type == "content_block_start"]
        return [block.to_dict() for block in starts if block.type == "fallback"]


class Interruptions(list):
    """A listener that keeps how broken streams went on."""

    def __call__(self, event):
        if isinstance(event, StreamInterrupted):
            self.append(event)


def seam(before: str, after: str, mode: str, error_type: str) -> dict[str, Any]:
    trigger = {"type": "interruption", "mode": mode, "error_type": error_type}
    return {"type": "fallback", "from": {"model": before}, "to": {"model": after}, "trigger": trigger}


def assert_one_stream(reading: Reading) -> None:
    """It begins and ends once, and each block starts, goes on and stops in order."""
    types = reading.types
    assert (types[0], types[-1]) == ("message_start", "message_stop")
    assert (types.count("message_start"), types.count("message_delta"), types.count("message_stop")) == (1, 1, 1)
    open_block = None
    for event in reading.wire:
        if event.type == "content_block_start":
            assert open_block is None
            open_block = event.index
        elif event.type.startswith("content_block_"):
            assert event.index == open_block
            open_block = None if event.type == "content_block_stop" else open_block
    assert open_block is None
    assert reading.blocks


def read(caller: Any, path: str = "messages.stream", /, **fields: Any) -> Reading:
    """Read a stream until it ends or raises."""
    fields = {**CALL, **fields} if path.endswith("stream") else {**CALL, **fields, "stream": True}
    if caller.asynchronous:
        return caller._portal.call(_read_async, caller.client, path, fields)
    return _read(caller.client, path, fields)


def read_together(caller: Any, count: int) -> list[Reading]:
    """Read so many streams at the same time."""
    if not caller.asynchronous:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: read(caller), range(count)))

    async def gather() -> list[Reading]:
        return await asyncio.gather(*[_read_async(caller.client, "messages.stream", CALL) for _ in range(count)])

    return caller._portal.call(gather)


def _read(client: Any, path: str, fields: dict[str, Any]) -> Reading:
    events: list[Any] = []
    message = None
    try:
        with attrgetter(path)(client)(**fields) as stream:
            events.extend(stream)
            if path.endswith("stream"):
                message = stream.get_final_message()
    except BaseException as error:  # noqa: BLE001 - Ctrl-C is one of them
        return Reading(events, None, error, failover.route(error))
    return Reading(events, message, None, failover.route(stream))


async def _read_async(client: Any, path: str, fields: dict[str, Any]) -> Reading:
    events: list[Any] = []
    message = None
    try:
        opened = attrgetter(path)(client)(**fields)
        async with await opened if inspect.isawaitable(opened) else opened as stream:
            async for event in stream:
                events.append(event)  # noqa: PERF401 - what came before an error is wanted
            if path.endswith("stream"):
                message = await stream.get_final_message()
    except BaseException as error:  # noqa: BLE001 - Ctrl-C is one of them; it must not reach the loop
        return Reading(events, None, error, failover.route(error))
    return Reading(events, message, None, failover.route(stream))


def until(condition: Any, seconds: float = 10) -> bool:
    """Whether something comes true, within some seconds, that another thread does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return bool(condition())


async def until_async(condition: Any, seconds: float = 10) -> None:
    """Wait until something comes true that another task or thread does."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await anyio.sleep(0.001)
