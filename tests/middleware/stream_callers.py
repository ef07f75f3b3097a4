"""Words for opening and reading streams, the same for both kinds of client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sdk_callers import CALL


class Reading(NamedTuple):
    """What somebody got of a stream."""

    events: list[str]
    """Their types."""
    text: str
    error: Exception | None
    """What ended it, if that was an error."""


def _reading(events: list[Any], error: Exception | None) -> Reading:
    texts = [getattr(event.delta, "text", "") for event in events if event.type == "content_block_delta"]
    return Reading([event.type for event in events], "".join(texts), error)


class Streams:
    """Opens and reads streams of a sync caller, as far as a test says."""

    def __init__(self, caller: Any) -> None:
        self._caller = caller

    def open(self, path: str = "messages.create", **fields: Any) -> Any:
        """A stream that has begun; nothing of it has been read."""
        return self._caller.call(path, **{**CALL, **fields}, stream=True)

    def enter(self, path: str = "messages.stream", **fields: Any) -> Any:
        """A `MessageStream` of which nothing has been read."""
        return self._caller.call(path, **{**CALL, **fields}).__enter__()

    def take(self, stream: Any, count: int) -> Reading:
        """The next events."""
        return _reading(list(islice(stream, count)), None)

    def rest(self, stream: Any) -> Reading:
        """All that still comes, and the error that ends it."""
        events = []
        try:
            for event in stream:
                events.append(event)  # noqa: PERF402 - those before an error are kept
        except Exception as error:  # noqa: BLE001 - whatever it is
            return _reading(events, error)
        return _reading(events, None)

    def close(self, stream: Any) -> None:
        stream.close()

    def read(self, path: str = "messages.create", **fields: Any) -> tuple[Reading, Any]:
        """What a stream brings from its opening to its end, and the stream; what fails at the opening ends it too."""
        try:
            stream = self.open(path, **fields)
        except Exception as error:  # noqa: BLE001 - whatever it is
            return _reading([], error), None
        return self.rest(stream), stream

    def wire(self, by: str = "iter_bytes", **fields: Any) -> tuple[Any, Exception | None]:
        """What a response being streamed gives piece by piece, as one; and the error that ends it."""
        got: list[Any] = []
        with self._caller.call(
            "messages.with_streaming_response.create", **{**CALL, **fields}, stream=True
        ) as response:
            try:
                got.extend(getattr(response, by)())
            except Exception as error:  # noqa: BLE001 - whatever it is
                return _joined(got), error
        return _joined(got), None

    def parsed(self, **fields: Any) -> Reading:
        """The events that a response being streamed is parsed into."""
        with self._caller.call(
            "messages.with_streaming_response.create", **{**CALL, **fields}, stream=True
        ) as response:
            return self.rest(response.parse())

    def final(self, path: str = "messages.stream", **fields: Any) -> Any:
        """The message that a `MessageStream` adds up to."""
        with self._caller.call(path, **{**CALL, **fields}) as stream:
            return stream.get_final_message()

    def run_tools(self, tool: Any, **fields: Any) -> list[Any]:
        """Every message of a tool runner that streams."""
        runner = self._caller.call("beta.messages.tool_runner", **{**CALL, **fields}, tools=[tool], stream=True)
        return [stream.get_final_message() for stream in runner]


class AsyncStreams(Streams):
    """The same words for an async caller."""

    def enter(self, path: str = "messages.stream", **fields: Any) -> Any:
        return self._run(self._caller.call(path, **{**CALL, **fields}).__aenter__())

    def take(self, stream: Any, count: int) -> Reading:
        return self._run(_take(stream, count))

    def rest(self, stream: Any) -> Reading:
        return self._run(_rest(stream))

    def close(self, stream: Any) -> None:
        self._run(stream.close())

    def wire(self, by: str = "iter_bytes", **fields: Any) -> tuple[Any, Exception | None]:
        return self._run(_wire(self._streaming(fields), by))

    def parsed(self, **fields: Any) -> Reading:
        return self._run(_parsed(self._streaming(fields)))

    def final(self, path: str = "messages.stream", **fields: Any) -> Any:
        return self._run(_final(self._caller.call(path, **{**CALL, **fields})))

    def run_tools(self, tool: Any, **fields: Any) -> list[Any]:
        runner = self._caller.call("beta.messages.tool_runner", **{**CALL, **fields}, tools=[tool], stream=True)
        return self._run(_run_tools(runner))

    def _streaming(self, fields: dict[str, Any]) -> Any:
        return self._caller.call("messages.with_streaming_response.create", **{**CALL, **fields}, stream=True)

    def _run(self, story: Any) -> Any:
        return self._caller._portal.call(partial(_awaited, story))


def streams_of(caller: Any) -> Streams:
    """The words for streams that fit a caller."""
    return AsyncStreams(caller) if caller.asynchronous else Streams(caller)


async def _awaited(story: Any) -> Any:
    return await story


async def _take(stream: AsyncIterator[Any], count: int) -> Reading:
    return _reading([await anext(stream) for _ in range(count)], None)


async def _rest(stream: AsyncIterator[Any]) -> Reading:
    events = []
    try:
        async for event in stream:
            events.append(event)  # noqa: PERF401 - those before an error are kept
    except Exception as error:  # noqa: BLE001 - whatever it is
        return _reading(events, error)
    return _reading(events, None)


async def _wire(opening: Any, by: str) -> tuple[Any, Exception | None]:
    got = []
    async with opening as response:
        try:
            async for piece in getattr(response, by)():
                got.append(piece)  # noqa: PERF401 - those before an error are kept
        except Exception as error:  # noqa: BLE001 - whatever it is
            return _joined(got), error
    return _joined(got), None


async def _parsed(opening: Any) -> Reading:
    async with opening as response:
        return await _rest(await response.parse())


async def _final(manager: Any) -> Any:
    async with manager as stream:
        return await stream.get_final_message()


async def _run_tools(runner: Any) -> list[Any]:
    return [await stream.get_final_message() async for stream in runner]


def _joined(pieces: list[Any]) -> Any:
    """Bytes, or the lines of a text."""
    return "\n".join(pieces) if pieces and isinstance(pieces[0], str) else b"".join(pieces)
