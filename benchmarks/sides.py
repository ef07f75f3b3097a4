"""The SDK's sync and async clients on an upstream inside the process, ready to be timed.

The transport answers at once from memory: a socket's own spread would drown microseconds. Times are the thread's CPU
time, which leaves out what other programs take; nothing here waits, so it is what a caller would wait as well.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware

from .timing import Block, timed

__all__ = ["MODEL", "AsyncSide", "NoOp", "Side", "SyncSide", "ask", "good_answer"]

MODEL = "claude-opus-5-5"
_BODY = json.dumps(
    {
        "id": "msg_benchmark",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 3},
    }
).encode()
_HEADERS = {"content-type": "application/json", "request-id": "req_benchmark"}


def good_answer(_request: httpx2.Request | None = None) -> httpx2.Response:
    """A message."""
    return httpx2.Response(200, content=_BODY, headers=_HEADERS)


def ask(client: Any, prompt: str = "Hello?") -> Any:
    """One call; of an async client, its coroutine."""
    return client.messages.create(model=MODEL, max_tokens=1000, messages=[{"role": "user", "content": prompt}])


class NoOp(Middleware):
    """What any middleware costs at least."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Pass on."""
        return call_next(request)

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """Pass on."""
        return await call_next(request)


class _Capture(Middleware):
    """Keeps the last request that the SDK made, and its response."""

    request: APIRequest
    response: Any

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        self.request = request
        response = self.response = call_next(request)
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        self.request = request
        response = self.response = await call_next(request)
        return response


class Side(Protocol):
    """The sync or the async half of the SDK."""

    name: str

    def client(self, *middleware: Middleware) -> Any:
        """A client whose upstream answers at once."""

    def calls(self, client: Any, prompt: str) -> Block:
        """Whole calls of a client, from the caller's arguments to the parsed message."""

    def handling(self, middleware: Middleware, prompt: str) -> Block:
        """Only what the middleware does with a real request whose answer is there already."""


class SyncSide:
    """`Anthropic` and `handle`."""

    name = "sync"

    def client(self, *middleware: Middleware) -> anthropic.Anthropic:
        """A client whose upstream answers at once."""
        http = httpx2.Client(transport=httpx2.MockTransport(good_answer))
        return anthropic.Anthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=middleware)

    def calls(self, client: anthropic.Anthropic, prompt: str) -> Block:
        """Whole calls."""
        return timed(lambda: ask(client, prompt))

    def handling(self, middleware: Middleware, prompt: str) -> Block:
        """`handle` alone."""
        captured = _Capture()
        ask(self.client(captured), prompt)
        request, response, handle = captured.request, captured.response, middleware.handle

        def answer(_request: APIRequest) -> APIResponse[Any]:
            return response  # type: ignore[no-any-return]

        return timed(lambda: handle(request, answer))


class AsyncSide:
    """`AsyncAnthropic` and `handle_async`, on an event loop of its own."""

    name = "async"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def client(self, *middleware: Middleware) -> anthropic.AsyncAnthropic:
        """A client whose upstream answers at once."""
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(good_answer))
        return anthropic.AsyncAnthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=middleware)

    def calls(self, client: anthropic.AsyncAnthropic, prompt: str) -> Block:
        """Whole calls."""
        return self._timed(lambda: ask(client, prompt))

    def handling(self, middleware: Middleware, prompt: str) -> Block:
        """`handle_async` alone."""
        captured = _Capture()
        self._loop.run_until_complete(ask(self.client(captured), prompt))
        request, response, handle = captured.request, captured.response, middleware.handle_async

        async def answer(_request: APIRequest) -> AsyncAPIResponse[Any]:
            return response  # type: ignore[no-any-return]

        return self._timed(lambda: handle(request, answer))

    def _timed(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Block:
        async def block(calls: int) -> float:
            start = time.thread_time()
            for _ in range(calls):
                await call()
            return (time.thread_time() - start) / calls

        return lambda calls: self._loop.run_until_complete(block(calls))
