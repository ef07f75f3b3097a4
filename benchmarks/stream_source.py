"""A stream of events as an upstream inside the process sends it, at as little cost as there can be.

Its transport is a generator over bytes that were made before: no socket, no parser of HTTP, one event for each read.
So what is left of a stream's time is the SDK's and ours. A network often brings several events in one read, which
then share what a read costs.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx2

from failover.testing.payloads import sse

from .sides import MODEL, Answering

__all__ = ["Source", "answer_with", "beginning", "events", "words"]

_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_benchmark"}
_WORD = sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word %d"}})


def beginning() -> list[bytes]:
    """What comes before the first content."""
    message = {"id": "msg_benchmark", "type": "message", "role": "assistant", "model": MODEL, "content": []}
    usage = {"input_tokens": 10, "output_tokens": 1}
    block = {"type": "text", "text": ""}
    return [
        sse(
            {
                "type": "message_start",
                "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage},
            }
        ),
        sse({"type": "content_block_start", "index": 0, "content_block": block}),
        sse({"type": "ping"}),
    ]


def words() -> Iterator[bytes]:
    """Words without end, each event in memory of its own, as a network would bring it."""
    number = 0
    while True:
        yield _WORD % number
        number += 1


def events(count: int) -> list[bytes]:
    """A whole answer of so many events."""
    end = [
        sse({"type": "content_block_stop", "index": 0}),
        sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": count}}),
        sse({"type": "message_stop"}),
    ]
    begun = beginning()
    return [*begun, *itertools.islice(words(), count - len(begun) - len(end)), *end]


class Source(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of one answer, which counts what has been read of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.reads = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.reads += 1
            self.bytes += len(piece)
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def answer(self, _request: httpx2.Request) -> httpx2.Response:
        """The answer with this body."""
        return _answer(self)


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The cheapest body: it counts nothing."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def answer_with(pieces: list[bytes]) -> Answering:
    """An upstream that answers every request with these pieces."""
    body = _Body(pieces)
    return lambda _request: _answer(body)


def _answer(body: httpx2.SyncByteStream) -> httpx2.Response:
    return httpx2.Response(200, headers=_HEADERS, stream=body)
