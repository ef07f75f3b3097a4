"""How a fault looks on the wire: the only place that plays one.

Scenario times become real ones here, divided by the server's speed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .payloads import Reply, error_body, error_event, error_type_of
from .scenario import Fault
from .upstream import Upstream
from .wire import Wire

__all__ = ["Answer", "Performance"]

_JSON = "application/json"
_SSE = "text/event-stream; charset=utf-8"
_NOT_JSON = b"upstream connect error or disconnect/reset before headers"
_HTML_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
_WELL = Fault.model_construct()  # without validation, which refuses a fault that is none


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API would say if nothing went wrong."""

    status: int
    body: Mapping[str, Any]
    reply: Reply | None = None
    """The model's reply, for endpoints that have one."""
    stream: bool = False


class Performance:
    """Plays one answer, as a fault wants it, on one wire."""

    def __init__(self, wire: Wire, request_id: str, upstream: Upstream) -> None:
        self._wire = wire
        self._request_id = request_id
        self._upstream = upstream

    async def play(self, answer: Answer, fault: Fault | None) -> None:
        """Send the answer, or what the fault makes of it; returns when nothing more will be sent."""
        fault = fault or _WELL
        if fault.hang is not None:
            await self._wire.hang(fault.hang / self._upstream.speed)
            await self._wire.abort()
            return
        await self._pause(fault.delay)
        if fault.drop:
            await self._wire.abort()
        elif fault.status is not None:
            await self._refuse(fault, fault.status)
        elif fault.malformed == "html":
            await self._wire.whole(200, "text/html", _HTML_PAGE, {})
        elif answer.stream and answer.reply is not None:
            await self._stream(answer.reply, fault)
        else:
            await self._plain(answer, fault)

    async def _refuse(self, fault: Fault, status: int) -> None:
        headers = dict(fault.headers)
        if fault.retry_after is not None:
            headers["retry-after"] = _seconds(fault.retry_after / self._upstream.speed)
        body = error_body(
            fault.error_type or error_type_of(status),
            fault.message,
            request_id=self._request_id,
            error_code=fault.error_code,
        )
        await self._wire.whole(status, _JSON, json.dumps(body).encode(), headers)

    async def _plain(self, answer: Answer, fault: Fault) -> None:
        await self._pause(fault.first_token)
        for _ in range(len(answer.reply.deltas) - 1 if answer.reply and fault.token_every else 0):
            await self._pause(fault.token_every)
        body = json.dumps(answer.body).encode()
        half = len(body) // 2
        if fault.malformed is not None:
            body = _NOT_JSON if fault.malformed == "json" else body[:half]
        if not fault.cut and fault.stall is None:
            await self._wire.whole(answer.status, _JSON, body, {})
            return
        await self._wire.start(answer.status, _JSON, {"content-length": str(len(body))})
        await self._wire.write(body[:half])
        if fault.cut:
            await self._wire.abort()
        else:
            await self._pause(fault.stall)
            await self._wire.write(body[half:])
            await self._wire.finish()

    async def _stream(self, reply: Reply, fault: Fault) -> None:
        await self._wire.start(200, _SSE, {"cache-control": "no-cache"})
        await self._wire.write(reply.opening())
        await self._pause(fault.first_token)
        for event in reply.before_content():
            await self._wire.write(event)
        strikes_after = 1 if fault.after_events is None else fault.after_events
        await self._deltas(reply.deltas[:strikes_after], fault)
        if await self._strike(fault, reply):
            return
        await self._deltas(reply.deltas[strikes_after:], fault)
        for event in reply.after_content():
            await self._wire.write(event)
        await self._wire.write(reply.closing())
        await self._wire.finish()

    async def _deltas(self, deltas: Iterable[bytes], fault: Fault) -> None:
        for delta in deltas:
            await self._wire.write(delta)
            await self._pause(fault.token_every)

    async def _strike(self, fault: Fault, reply: Reply) -> bool:
        """What happens in the middle of a stream; whether that was the end of it."""
        if fault.cut:
            await self._wire.abort()
            return True
        if fault.stall is not None:
            await self._pause(fault.stall)
            return False
        if fault.error_event is not None:
            await self._wire.write(error_event(fault.error_event, fault.message, request_id=self._request_id))
        elif fault.malformed is not None:
            whole = reply.deltas[-1]
            broken = b"event: content_block_delta\ndata: %s\n\n" % _NOT_JSON
            await self._wire.write(broken if fault.malformed == "json" else whole[: len(whole) // 2])
        elif not fault.end_without_stop:
            return False
        await self._wire.finish()
        return True

    async def _pause(self, seconds: float | None) -> None:
        if seconds:
            await self._wire.pause(seconds / self._upstream.speed, self._upstream.clock)


def _seconds(value: float) -> str:
    return str(int(value)) if value.is_integer() else f"{value:.3f}"
