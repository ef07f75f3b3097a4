"""One request and its answer at the level where connections break.

Uvicorn gives an application no way to close a socket without an answer, and that is half of what a fake upstream
is for; so its protocol puts the transport into each request's state, and `Wire` uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from typing import Literal

import anyio
from starlette.requests import Request
from starlette.types import Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from failover.clock import Clock

from .encoding import Compressor, accepts

__all__ = ["AbortableProtocol", "Wire"]

_ORGANIZATION = "00000000-0000-4000-8000-000000000001"


class AbortableProtocol(H11Protocol):
    """Uvicorn's own, with the connection's transport in `request.state.transport`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Called by the event loop once for each connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Wire:
    """Sends an answer in pieces, waits, or breaks the connection.

    Every wait ends at once when the connection is gone, whoever closed it, so that a server can stop at any time.
    """

    def __init__(self, request: Request, send: Send, request_id: str) -> None:
        self._request = request
        self._send = send
        self._transport: asyncio.Transport = request.state.transport
        self._request_id = request_id
        self._coding: dict[str, str] = {}
        self._compressor: Compressor | None = None
        self._held: bytearray | None = None
        self.gone = False
        """Whether a wait has ended because the connection was gone."""

    def compress(self, coding: Literal["gzip", "deflate"]) -> None:
        """Compress the body that is sent from now on, if the request accepts it so."""
        if accepts(",".join(self._request.headers.getlist("accept-encoding")), coding):
            self._coding = {"content-encoding": coding}
            self._compressor = Compressor(coding)

    def hold_back(self) -> None:
        """Keep the body that is written from now on until it ends or breaks, and send it in one piece."""
        self._held = bytearray()

    async def start(
        self, status: int, content_type: str, headers: Mapping[str, str], *, length: int | None = None
    ) -> None:
        """Send the status and the headers, and those that every answer has.

        `length` is that of the body, if it is known; one that is compressed on its way is sent without.
        """
        sized = {} if length is None or self._compressor else {"content-length": str(length)}
        await self._start(status, content_type, {**headers, **self._coding, **sized})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if self._held is None:
            await self._body(self._packed(data), more=True)
        else:
            self._held += data

    async def finish(self) -> None:
        """End the body in good order."""
        await self._body(self._packed(bytes(self._held or b""), last=True), more=False)

    async def whole(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole answer whose length is known."""
        packed = self._packed(body, last=True)
        await self._start(status, content_type, {**headers, **self._coding, "content-length": str(len(packed))})
        await self._body(packed, more=False)

    async def abort(self) -> None:
        """Close the connection as it stands, with what was written before, and return when it is gone."""
        if self._held:
            await self._body(self._packed(bytes(self._held)), more=True)
        self._transport.close()  # `abort` would throw away what the socket has not taken yet
        await self._gone()

    async def hang(self, seconds: float) -> None:
        """Send nothing for so long (real seconds), or until the connection is gone."""
        with anyio.move_on_after(seconds):
            await self._gone()

    async def pause(self, seconds: float, clock: Clock) -> None:
        """Sleep on a clock, or until the connection is gone."""
        async with anyio.create_task_group() as tasks:

            async def stop_when_gone() -> None:
                await self._gone()
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop_when_gone)
            await clock.sleep_async(seconds)
            tasks.cancel_scope.cancel()

    async def _start(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        fields = {
            "date": formatdate(usegmt=True),
            "content-type": content_type,
            "request-id": self._request_id,
            "anthropic-organization-id": _ORGANIZATION,
            **headers,
        }
        encoded = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _packed(self, data: bytes, *, last: bool = False) -> bytes:
        if self._compressor is None:
            return data
        return self._compressor.last(data) if last else self._compressor.piece(data)

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.gone = True
