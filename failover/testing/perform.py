"""How a fault looks on the wire: the only place that plays one.

Scenario times become real ones here, divided by the server's speed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from .fault import Fault
from .payloads import error_body, error_event, error_type_of, sse
from .replies import BlockEvents, Reply
from .upstream import Upstream
from .wire import Wire

__all__ = ["Answer", "Performance"]

_JSON = "application/json"
_SSE = "text/event-stream; charset=utf-8"
_NOT_JSON = b"upstream connect error or disconnect/reset before headers"
_HTML_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
_PING = sse({"type": "ping"})
_INSTANT = 1e-9
"""Seconds that are none: what subtracting floats leaves over."""
_WELL = Fault.model_construct()  # without validation, which refuses a fault that is none


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API would say if nothing went wrong."""

    status: int
    body: Mapping[str, Any]
    reply: Reply | None = None
    """The model's reply, for endpoints that have one."""
    stream: bool = False

    def saying(self, text: str) -> Self:
        """The same with a text block before the reply proper, if it is a reply."""
        if self.reply is None:
            return self
        reply = self.reply.saying(text)
        return replace(self, body=reply.message, reply=reply)


class Performance:
    """Plays one answer, as a fault wants it, on one wire."""

    def __init__(self, wire: Wire, request_id: str, upstream: Upstream) -> None:
        self._wire = wire
        self._request_id = request_id
        self._upstream = upstream
        self._quiet = 0.0
        """Scenario seconds since a stream last sent something."""

    async def play(self, answer: Answer, fault: Fault | None) -> None:
        """Send the answer, or what the fault makes of it; returns when nothing more will be sent."""
        fault = fault or _WELL
        if fault.say is not None:
            answer = answer.saying(fault.say)
        if fault.encoding is not None:
            self._wire.compress(fault.encoding)
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
        for _ in range(answer.reply.length - 1 if answer.reply and fault.token_every else 0):
            await self._pause(fault.token_every)
        body = json.dumps(answer.body).encode()
        half = len(body) // 2
        if fault.malformed is not None:
            body = _NOT_JSON if fault.malformed == "json" else body[:half]
        if not fault.cut and fault.stall is None:
            await self._wire.whole(answer.status, _JSON, body, {})
            return
        await self._wire.start(answer.status, _JSON, {}, length=len(body))
        await self._wire.write(body[:half])
        if fault.cut:
            await self._wire.abort()
        else:
            await self._pause(fault.stall)
            await self._wire.write(body[half:])
            await self._wire.finish()

    async def _stream(self, reply: Reply, fault: Fault) -> None:
        if fault.buffered:
            self._wire.hold_back()
        await self._wire.start(200, _SSE, {"cache-control": "no-cache"})
        await self._write(reply.opening())
        await self._silence(fault.first_token, fault)
        if not await self._content(reply, fault):
            return
        for event in reply.closing():
            await self._write(event)
        await self._wire.finish()

    async def _content(self, reply: Reply, fault: Fault) -> bool:
        """Send all blocks, and strike among their deltas; whether the stream goes on."""
        strikes_after = min(1 if fault.after_events is None else fault.after_events, reply.length)
        sent = 0
        for block in reply.content():
            for event in block.start:
                await self._write(event)
            if sent == strikes_after == 0 and await self._strike(fault, block):
                return False
            for delta in block.deltas:
                await self._write(delta)
                await self._silence(fault.token_every, fault)
                sent += 1
                if sent == strikes_after and await self._strike(fault, block):
                    return False
            await self._write(block.stop)
        return True

    async def _strike(self, fault: Fault, block: BlockEvents) -> bool:
        """What happens in the middle of a stream; whether that was the end of it."""
        if fault.cut:
            await self._wire.abort()
            return True
        if fault.stall is not None:
            await self._silence(fault.stall, fault)
            return False
        if fault.error_event is not None:
            await self._write(error_event(fault.error_event, fault.message, request_id=self._request_id))
        elif fault.malformed is not None:
            whole = block.deltas[-1]
            broken = b"event: content_block_delta\ndata: %s\n\n" % _NOT_JSON
            await self._write(broken if fault.malformed == "json" else whole[: len(whole) // 2])
        elif not fault.end_without_stop:
            return False
        await self._wire.finish()
        return True

    async def _write(self, event: bytes) -> None:
        await self._wire.write(event)
        self._quiet = 0.0

    async def _silence(self, seconds: float | None, fault: Fault) -> None:
        """Wait within a stream, and send the pings that are due; what was silent before counts as well."""
        left = seconds or 0.0
        while fault.ping_every and self._quiet + left - fault.ping_every > _INSTANT and not self._wire.gone:
            until_ping = max(0.0, fault.ping_every - self._quiet)
            await self._pause(until_ping)
            await self._write(_PING)
            left -= until_ping
        await self._pause(left)
        self._quiet += left

    async def _pause(self, seconds: float | None) -> None:
        if seconds:
            await self._wire.pause(seconds / self._upstream.speed, self._upstream.clock)


def _seconds(value: float) -> str:
    return str(int(value)) if value.is_integer() else f"{value:.3f}"
