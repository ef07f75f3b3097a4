"""The SDK's sync and async clients on an upstream inside the process, ready to be timed.

The transport answers at once from memory: a socket's own spread would drown microseconds. Times are the thread's CPU
time, which leaves out what other programs take; nothing here waits, so it is what a caller would wait as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias, TypeVar

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware

from .timing import Block, timed

__all__ = ["MODEL", "Answering", "AsyncSide", "NoOp", "Prompt", "Side", "SyncSide", "ask", "ask_raw", "good_answer"]

T = TypeVar("T")
Answering: TypeAlias = Callable[[httpx2.Request], httpx2.Response]
"""An upstream inside the process."""

Prompt: TypeAlias = str | list[dict[str, Any]]
"""What the user says, or all messages of a conversation."""

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
_CONTENT = "content_block_delta"
_HEADERS = {"content-type": "application/json", "request-id": "req_benchmark"}


def good_answer(_request: httpx2.Request | None = None) -> httpx2.Response:
    """A message."""
    return httpx2.Response(200, content=_BODY, headers=_HEADERS)


def _overloaded(_request: httpx2.Request) -> httpx2.Response:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return httpx2.Response(529, json=error, headers={"request-id": "req_overloaded"})


def ask(client: Any, prompt: Prompt = "Hello?", **more: Any) -> Any:
    """One call; of an async client, its coroutine."""
    return _ask(client.messages, prompt, **more)


def ask_raw(client: Any) -> Any:
    """One call whose stream is read as bytes, for a `with` or an `async with` statement."""
    return _ask(client.messages.with_streaming_response, "Hello?", stream=True)


def _ask(messages: Any, prompt: Prompt, **more: Any) -> Any:
    said = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return messages.create(model=MODEL, max_tokens=1000, messages=said, **more)


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

    def client(self, *middleware: Middleware, answer: Answering = good_answer) -> Any:
        """A client whose upstream answers at once."""

    def remote(self, url: str, *middleware: Middleware) -> Any:
        """A client of an upstream behind a socket."""

    def calls(self, client: Any, prompt: str) -> Block:
        """Whole calls of a client, from the caller's arguments to the parsed message."""

    def handling(self, middleware: Middleware, prompt: Prompt, *, overloaded: str | None = None, **more: Any) -> Block:
        """Only what the middleware does with a real request whose answer is there already; one model's may be a 529."""

    def streams(self, client: Any) -> Block:
        """Whole streams, read event by event as the SDK parses them."""

    def raw_streams(self, client: Any) -> Block:
        """Whole streams, read as bytes."""

    def look_at(self, client: Any, content: int, look: Callable[[], T]) -> T:
        """Look around while one stream is being read, as its caller has just been given the so-manieth content."""

    def close(self, client: Any) -> None:
        """Give up the client's connections."""


class SyncSide:
    """`Anthropic` and `handle`."""

    name = "sync"

    def client(self, *middleware: Middleware, answer: Answering = good_answer) -> anthropic.Anthropic:
        """A client whose upstream answers at once."""
        http = httpx2.Client(transport=httpx2.MockTransport(answer))
        return anthropic.Anthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=middleware)

    def remote(self, url: str, *middleware: Middleware) -> anthropic.Anthropic:
        """A client of an upstream behind a socket."""
        return anthropic.Anthropic(api_key="benchmark", base_url=url, max_retries=0, middleware=middleware)

    def calls(self, client: anthropic.Anthropic, prompt: str) -> Block:
        """Whole calls."""
        return timed(lambda: ask(client, prompt))

    def handling(self, middleware: Middleware, prompt: Prompt, *, overloaded: str | None = None, **more: Any) -> Block:
        """`handle` alone."""
        captured, refused = _Capture(), _Capture()
        with contextlib.suppress(anthropic.OverloadedError):
            ask(self.client(refused, answer=_overloaded))
        ask(self.client(captured), prompt, **more)
        request, response, handle = captured.request, captured.response, middleware.handle

        def answer(sent: APIRequest) -> APIResponse[Any]:
            return refused.response if sent.options.json_data["model"] == overloaded else response  # type: ignore[index,no-any-return]

        return timed(lambda: handle(request, answer))

    def streams(self, client: anthropic.Anthropic) -> Block:
        """Parsed."""

        def read() -> None:
            for _ in ask(client, stream=True):
                pass

        return timed(read)

    def raw_streams(self, client: anthropic.Anthropic) -> Block:
        """As bytes."""

        def read() -> None:
            with ask_raw(client) as response:
                for _ in response.iter_bytes():
                    pass

        return timed(read)

    def look_at(self, client: anthropic.Anthropic, content: int, look: Callable[[], T]) -> T:
        """Look around in the middle of a stream."""
        seen: list[T] = []
        for event in ask(client, stream=True):
            content -= event.type == _CONTENT
            if not content and not seen:
                seen.append(look())
        return seen[0]

    def close(self, client: anthropic.Anthropic) -> None:
        """Give them up."""
        client.close()


class AsyncSide:
    """`AsyncAnthropic` and `handle_async`, on an event loop of its own."""

    name = "async"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def client(self, *middleware: Middleware, answer: Answering = good_answer) -> anthropic.AsyncAnthropic:
        """A client whose upstream answers at once."""
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
        return anthropic.AsyncAnthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=middleware)

    def remote(self, url: str, *middleware: Middleware) -> anthropic.AsyncAnthropic:
        """A client of an upstream behind a socket."""
        return anthropic.AsyncAnthropic(api_key="benchmark", base_url=url, max_retries=0, middleware=middleware)

    def calls(self, client: anthropic.AsyncAnthropic, prompt: str) -> Block:
        """Whole calls."""
        return self._timed(lambda: ask(client, prompt))

    def handling(self, middleware: Middleware, prompt: Prompt, *, overloaded: str | None = None, **more: Any) -> Block:
        """`handle_async` alone."""
        captured, refused = _Capture(), _Capture()
        with contextlib.suppress(anthropic.OverloadedError):
            self._loop.run_until_complete(ask(self.client(refused, answer=_overloaded)))
        self._loop.run_until_complete(ask(self.client(captured), prompt, **more))
        request, response, handle = captured.request, captured.response, middleware.handle_async

        async def answer(sent: APIRequest) -> AsyncAPIResponse[Any]:
            return refused.response if sent.options.json_data["model"] == overloaded else response  # type: ignore[index,no-any-return]

        return self._timed(lambda: handle(request, answer))

    def streams(self, client: anthropic.AsyncAnthropic) -> Block:
        """Parsed."""

        async def read() -> None:
            async for _ in await ask(client, stream=True):
                pass

        return self._timed(read)

    def raw_streams(self, client: anthropic.AsyncAnthropic) -> Block:
        """As bytes."""

        async def read() -> None:
            async with ask_raw(client) as response:
                async for _ in response.iter_bytes():
                    pass

        return self._timed(read)

    def look_at(self, client: anthropic.AsyncAnthropic, content: int, look: Callable[[], T]) -> T:
        """Look around in the middle of a stream."""

        async def read() -> T:
            seen: list[T] = []
            left = content
            async for event in await ask(client, stream=True):
                left -= event.type == _CONTENT
                if not left and not seen:
                    seen.append(look())
            return seen[0]

        return self._loop.run_until_complete(read())

    def close(self, client: anthropic.AsyncAnthropic) -> None:
        """Give them up."""
        self._loop.run_until_complete(client.close())

    def _timed(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Block:
        async def block(calls: int) -> float:
            start = time.thread_time()
            for _ in range(calls):
                await call()
            return (time.thread_time() - start) / calls

        return lambda calls: self._loop.run_until_complete(block(calls))
