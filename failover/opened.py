"""A streamed answer and whoever reads it: the only place that reads the body of one, sync and async.

Each read may take as long as the policy's clocks allow; the transport looks up its time-outs anew for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import httpx2
from anthropic import APIResponse, AsyncAPIResponse

from .read_limit import ReadLimit
from .sdk import ResponseWrapper, maker_of
from .stream.listening import Listening

__all__ = ["AsyncOpened", "Opened", "SyncOpened"]


class Opened:
    """A stream of events that has been opened; what the sync and the async kind have in common."""

    def __init__(self, response: ResponseWrapper, listening: Listening, whoever: Callable[[], object]) -> None:
        self._response: ResponseWrapper | None = response
        self.client: Any = maker_of(response)
        self.http: httpx2.Response = response.http_response
        self.listening = listening
        self._limit = ReadLimit(self.http, listening.patience.longest_read, whoever)
        self.first: bytes | None = None
        """What came up to the first content; `None` if the stream ended before it."""
        self.collected: bytes | None = None
        """All events, if the answer is collected and complete."""

    def take_response(self) -> ResponseWrapper:
        """What the SDK's own code is to be given. Only once: it will refer to whoever reads here, and not be kept alive."""
        response, self._response = self._response, None
        if response is None:
            raise RuntimeError("this answer was handed out already")
        return response

    def _may_read(self) -> bool:
        """Give the next read its time; without any left the stream has stalled."""
        seconds = self.listening.patience.next_read()
        if seconds is not None and seconds <= 0:
            self.listening.broke("stall")
            return False
        self._limit.next_read(seconds)
        return True

    def _broke(self, error: httpx2.HTTPError) -> None:
        self.listening.broke("stall" if isinstance(error, httpx2.TimeoutException) else "cut", error)

    def _must_be_decoded(self) -> bool:
        """Whether its bytes are compressed, or were read by the transport already."""
        return self.http.is_stream_consumed or "content-encoding" in self.http.headers


class SyncOpened(Opened):
    """A stream of a sync client."""

    def __init__(self, response: APIResponse[Any], listening: Listening) -> None:
        super().__init__(response, listening, threading.get_ident)
        self._source: Iterator[bytes] = self.http.iter_bytes() if self._must_be_decoded() else self.http.iter_raw()

    def begin(self, collecting: Callable[[], None] | None) -> Opened:
        """Read until the first content, and if the answer is collected, tell that and read to the end."""
        try:
            self.first = self.read()
            if collecting is not None and self.first is not None:
                collecting()
                self.collected = b"".join([self.first, *iter(self.read, None)])
        except BaseException:
            self.close()
            raise
        if self.listening.end is not None:
            self.close()
        return self

    def read(self) -> bytes | None:
        """The next bytes that may be passed on; `None` once the stream has ended."""
        listening = self.listening
        while listening.end is None and self._may_read():
            try:
                piece = next(self._source, None)
            except httpx2.HTTPError as error:
                self._broke(error)
                break
            passed = listening.finish() if piece is None else listening.feed(piece)
            if passed:
                return passed
        return None

    def close(self) -> None:
        """Give the connection back, or close it if there is more to read."""
        self._limit.release()
        self.http.close()


class AsyncOpened(Opened):
    """A stream of an async client."""

    def __init__(self, response: AsyncAPIResponse[Any], listening: Listening) -> None:
        super().__init__(response, listening, _task)
        http = self.http
        self._source: AsyncGenerator[bytes] = http.aiter_bytes() if self._must_be_decoded() else http.aiter_raw()

    async def begin(self, collecting: Callable[[], None] | None) -> Opened:
        """Read until the first content, and if the answer is collected, tell that and read to the end."""
        try:
            self.first = await self.read()
            if collecting is not None and self.first is not None:
                collecting()
                pieces = [self.first]
                while (piece := await self.read()) is not None:
                    pieces.append(piece)
                self.collected = b"".join(pieces)
        except BaseException:
            await self.close()
            raise
        if self.listening.end is not None:
            await self.close()
        return self

    async def read(self) -> bytes | None:
        """The next bytes that may be passed on; `None` once the stream has ended."""
        listening = self.listening
        while listening.end is None and self._may_read():
            try:
                piece = await anext(self._source, None)
            except httpx2.HTTPError as error:
                self._broke(error)
                break
            passed = listening.finish() if piece is None else listening.feed(piece)
            if passed:
                return passed
        return None

    async def close(self) -> None:
        """Give the connection back, or close it if there is more to read."""
        self._limit.release()
        with contextlib.suppress(RuntimeError):  # it is being read this very moment, by whoever is to be stopped
            await self._source.aclose()
        await self.http.aclose()


def _task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # another event loop than asyncio's
        return None
