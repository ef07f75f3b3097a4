"""One request and its answer at the level where connections break.

Uvicorn gives an application no way to close a socket without an answer, and that is half of what a fake upstream
is for; so its protocol puts the transport into each request's state, and `Wire` uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate

import anyio
from starlette.requests import Request
from starlette.types import Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from failover.clock import Clock

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

    async def start(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        """Send the status and the headers, and those that every answer has."""
        fields = {
            "date": formatdate(usegmt=True),
            "content-type": content_type,
            "request-id": self._request_id,
            "anthropic-organization-id": _ORGANIZATION,
            **headers,
        }
        encoded = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End the body in good order."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a whole answer whose length is known."""
        await self.start(status, content_type, {**headers, "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def abort(self) -> None:
        """Close the connection as it stands, and return when it is gone."""
        self._transport.abort()
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

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
