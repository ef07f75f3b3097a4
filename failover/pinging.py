"""A tiny request that asks whether a model answers, and what came back: in an incident, before anybody's own is sent.

Its answer is small and soon over, or it is none: what drips, or does not end, must not hold whoever asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
from anthropic import APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

from .engine import Ping
from .exchange import Answer, Exchange
from .sdk import UPSTREAM_ERRORS, error_response, is_answer
from .sending import malformed, refuse_another_kind, what_broke

__all__ = ["ping", "ping_async"]

_MOST = 64 * 1024
"""Bytes of an answer."""


def ping(exchange: Exchange, asked: Ping, call_next: CallNext) -> Answer:
    """Send a tiny request with a sync client, and read what comes back."""
    request, pong = exchange.pinging(asked), _Pong(exchange.over_in(asked.seconds))
    try:
        response = (exchange.client.send if exchange.client is not None else call_next)(request)
    except UPSTREAM_ERRORS as error:
        return error
    if isinstance(response, APIResponse):
        http = response.http_response
        try:
            for piece in http.iter_bytes():
                pong.take(piece)
            response.http_response = pong.answer(http)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in reading it, it is no message
            return what_broke(http, error) or malformed(http)
        finally:
            http.close()
    return response


async def ping_async(exchange: Exchange, asked: Ping, call_next: AsyncCallNext) -> Answer:
    """Send a tiny request with an async client, and read what comes back."""
    request, pong = exchange.pinging(asked), _Pong(exchange.over_in(asked.seconds))
    try:
        response = await (exchange.client.send_async if exchange.client is not None else call_next)(request)
    except UPSTREAM_ERRORS as error:
        return error
    if isinstance(response, AsyncAPIResponse):
        http = response.http_response
        try:
            async for piece in http.aiter_bytes():
                pong.take(piece)
            response.http_response = pong.answer(http)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in reading it, it is no message
            return what_broke(http, error) or malformed(http)
        finally:
            await http.aclose()
    return response


class _Pong:
    """The body of an answer as it comes."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._body = b""
        self._over = over

    def take(self, piece: bytes) -> None:
        """A piece has come.

        Raises:
            httpx2.ReadTimeout: too slowly, or after too many. A client's own time-out bounds each read, and not all.
        """
        self._body += piece
        if self._over() or len(self._body) > _MOST:
            raise httpx2.ReadTimeout("the answer to a tiny request is too long in coming")

    def answer(self, http: httpx2.Response) -> httpx2.Response:
        """The whole answer; raises if it should be a message and is none."""
        answer = error_response(http, http.status_code, self._body)
        if is_answer(answer):
            parsed = json.loads(self._body)
            refuse_another_kind(answer, parsed.get("type") if isinstance(parsed, dict) else None)
        return answer
