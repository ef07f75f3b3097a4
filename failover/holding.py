"""An answer that nobody here reads still takes its place in the bulkheads: until its body is closed, or dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2

from .engine import Ticket

__all__ = ["hold_until_closed"]


class _Held(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body as it comes; a ticket that is dropped with it gives itself back."""

    def __init__(self, stream: Any, ticket: Ticket) -> None:
        self._stream = stream
        self._ticket = ticket

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    def __getattr__(self, name: str) -> Any:
        """What else a transport's stream has, such as the time that it took."""
        return getattr(self._stream, name)

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._ticket.release()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._ticket.release()


def hold_until_closed(http: httpx2.Response, ticket: Ticket) -> None:
    """Release the ticket as this response, which has not been read, is closed."""
    http.stream = _Held(http.stream, ticket)
