"""The body that a caller reads in the place of the upstream's: the same bytes, until something breaks.

These are thin twins, one for sync and one for async clients; all that they decide is decided in `tail`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, cast

import httpx2

from .engine import Action, Begun
from .exchange import Answer, Exchange
from .opened import AsyncOpened, SyncOpened
from .recording import EXTENSION
from .sdk import streams_as
from .tail import Tail

__all__ = ["hand_out", "hand_out_async"]


class _GuardedBody(httpx2.SyncByteStream):
    def __init__(self, tail: Tail, opened: SyncOpened, drive: Callable[[], Action]) -> None:
        self._tail = tail
        self._opened: SyncOpened | None = opened
        self._http = opened.http
        self._drive = drive

    def __iter__(self) -> Iterator[bytes]:
        tail, opened = self._tail, self._opened
        while opened is not None:
            piece, opened.first = opened.first, None
            try:
                while piece is not None:
                    yield tail.give(piece)
                    piece = opened.read()
            except Exception as error:
                tail.fail(error)
                raise
            opened.close()
            opened = self._opened = self._go_on()

    def _go_on(self) -> SyncOpened | None:
        self._tail.ended()
        try:
            action = self._drive()
        except BaseException as error:
            self._tail.abandon(error)
            raise
        return cast("SyncOpened | None", self._tail.go_on(action))

    @property
    def elapsed(self) -> dt.timedelta | None:
        """Where a response looks for the time that its body took."""
        return _elapsed(self._http)

    def close(self) -> None:
        self._tail.close()
        if self._opened is not None:
            self._opened.close()

    def __del__(self) -> None:
        """Nobody has read it to its end or closed it: its permit and its connection go back all the same."""
        with contextlib.suppress(Exception):  # as the interpreter ends, anything may be gone
            self.close()


class _AsyncGuardedBody(httpx2.AsyncByteStream):
    def __init__(self, tail: Tail, opened: AsyncOpened, drive: Callable[[], Awaitable[Action]]) -> None:
        self._tail = tail
        self._opened: AsyncOpened | None = opened
        self._http = opened.http
        self._drive = drive

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        tail, opened = self._tail, self._opened
        while opened is not None:
            piece, opened.first = opened.first, None
            try:
                while piece is not None:
                    yield tail.give(piece)
                    piece = await opened.read()
            except Exception as error:
                tail.fail(error)
                raise
            await opened.close()
            opened = self._opened = await self._go_on()

    async def _go_on(self) -> AsyncOpened | None:
        self._tail.ended()
        try:
            action = await self._drive()
        except BaseException as error:
            self._tail.abandon(error)
            raise
        return cast("AsyncOpened | None", self._tail.go_on(action))

    @property
    def elapsed(self) -> dt.timedelta | None:
        """Where a response looks for the time that its body took."""
        return _elapsed(self._http)

    async def aclose(self) -> None:
        self._tail.close()
        if self._opened is not None:
            await self._opened.close()

    def __del__(self) -> None:
        """Nobody has read it to its end or closed it: its permit goes back all the same; its connection cannot."""
        with contextlib.suppress(Exception):  # as the interpreter ends, anything may be gone
            self._tail.close()


def _elapsed(http: httpx2.Response) -> dt.timedelta | None:
    return getattr(http.stream, "elapsed", None)


def hand_out(exchange: Exchange, begun: Begun, drive: Callable[[], Action]) -> Answer:
    """The answer that has begun, for a sync client; `drive` runs the call on, should it break."""
    opened = cast("SyncOpened", exchange.opened)
    tail = Tail(exchange, opened)
    return _with_body(opened, begun, tail, _GuardedBody(tail, opened, drive))


def hand_out_async(exchange: Exchange, begun: Begun, drive: Callable[[], Awaitable[Action]]) -> Answer:
    """The answer that has begun, for an async client; `drive` runs the call on, should it break."""
    opened = cast("AsyncOpened", exchange.opened)
    tail = Tail(exchange, opened)
    return _with_body(opened, begun, tail, _AsyncGuardedBody(tail, opened, drive))


def _with_body(opened: SyncOpened | AsyncOpened, begun: Begun, tail: Tail, body: Any) -> Answer:
    response = opened.take_response()
    response.http_response = streams_as(opened.http, body, {**opened.http.extensions, EXTENSION: begun.route})
    tail.extensions = response.http_response.extensions
    return response
