"""One vocabulary for the sync and the async client, so that every story is told once and happens to both."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter
from typing import Any

import httpx2
from anthropic import (
    Anthropic,
    APIRequest,
    AsyncAnthropic,
    DefaultAsyncHttpxClient,
    DefaultHttpxClient,
    Middleware,
    beta_async_tool,
    beta_tool,
)

import failover
from failover.policy import Policy

FIRST, SECOND = LADDER = ("claude-haiku-5-5", "claude-haiku-4-5")
"""The built-in ladder that is easiest to follow."""

HELLO = [{"role": "user", "content": "hi"}]
CALL = {"model": FIRST, "max_tokens": 64, "messages": HELLO}
NO_REPEAT = {"tries": 1, "passes": 1}
"""A `retry` under which every rung is asked once at most."""


def policy(**parts):
    """The default policy but for these parts."""
    return Policy(version=1, name="test", **parts)


def trip(**rules):
    """A `breaker` with these trip rules and no others, whose open times are exact."""
    return {"trip": {"consecutive_failures": "off", "failure_rate": "off", **rules}, "open_for": {"jitter": 0}}


def ladder(*rungs, match="claude-*"):
    """A policy's `ladders`."""
    return [{"match": match, "rungs": list(rungs)}]


def reply(model, text="Hello.", **fields):
    """A whole message, as a `MockTransport` may answer."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    content = [{"type": "text", "text": text}]
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
    return {**whole, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage, **fields}


def refuse(status, kind="overloaded_error", message="no", **headers):
    """An error answer for a `MockTransport`."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return httpx2.Response(status, json=body, headers={"request-id": "req_refused", **headers})


def _filled(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {**CALL, **fields} if re.search(r"\bmessages\.(\w+_response\.)?(create|stream|parse)$", path) else fields


def _raised(result: Any) -> BaseException:
    if isinstance(result, BaseException):
        return result
    raise AssertionError(f"the call raised nothing: {result!r}")


class SyncCaller:
    """A sync client, with the words that both kinds share."""

    asynchronous = False

    def __init__(self, client: Any, guard: failover.Failover | None) -> None:
        self.client = client
        self.guard = guard

    @property
    def board(self) -> failover.Board:
        return self.guard.board

    def call(self, path: str, /, **fields: Any) -> Any:
        """Call a method of the client by its path."""
        return attrgetter(path)(self.client)(**fields)

    def create(self, **fields: Any) -> Any:
        return self.call("messages.create", **{**CALL, **fields})

    def attempt(self, path: str = "messages.create", /, **fields: Any) -> Any:
        """What a call gives or raises; of a call for a message only what differs from `CALL` need be said."""
        try:
            return self.call(path, **_filled(path, fields))
        except BaseException as error:  # noqa: BLE001 - Ctrl-C is one of them
            return error

    def error(self, path: str = "messages.create", /, **fields: Any) -> BaseException:
        """What a call raises."""
        return _raised(self.attempt(path, **fields))

    def events(self, path: str = "messages.create", **fields: Any) -> list[str]:
        """The types of a stream's events."""
        with self.call(path, **{**CALL, **fields}, stream=True) as stream:
            return [event.type for event in stream]

    def stream(self, path: str = "messages.stream", **fields: Any) -> tuple[str, failover.Route | None]:
        """A `MessageStream`'s text, and the stream's route."""
        with self.call(path, **{**CALL, **fields}) as stream:
            return "".join(stream.text_stream), failover.route(stream)

    def first_text(self) -> str:
        """The first piece of a streamed text; then the stream is closed."""
        with self.client.messages.stream(**CALL) as stream:
            return next(iter(stream.text_stream))

    def streaming_response(self, **fields: Any) -> tuple[Any, failover.Route | None]:
        """What `with_streaming_response` gives."""
        with self.call("messages.with_streaming_response.create", **{**CALL, **fields}) as response:
            return response.parse(), failover.route(response)

    def parsed(self, response: Any) -> Any:
        """What a raw response holds."""
        return response.parse()

    def run_tools(self, tool: Any, **fields: Any) -> list[Any]:
        """Every message of a tool runner."""
        return list(self.call("beta.messages.tool_runner", **{**CALL, **fields}, tools=[tool]))

    def together(self, count: int, **fields: Any) -> list[Any]:
        """Call so often at the same time; what each call gave or raised."""

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.attempt(**fields), range(count)))

    def close(self) -> None:
        self.client.close()


class AsyncCaller:
    """An async client on an event loop that lives as long as the test, with the same words."""

    asynchronous = True

    def __init__(self, client: Any, guard: failover.Failover | None, portal: Any) -> None:
        self.client = client
        self.guard = guard
        self._portal = portal

    @property
    def board(self) -> failover.Board:
        return self.guard.board

    def call(self, path: str, /, **fields: Any) -> Any:
        return self._portal.call(partial(self._call, path, **fields))

    def create(self, **fields: Any) -> Any:
        return self.call("messages.create", **{**CALL, **fields})

    def attempt(self, path: str = "messages.create", /, **fields: Any) -> Any:
        return self._portal.call(partial(self._attempt, path, **fields))

    def error(self, path: str = "messages.create", /, **fields: Any) -> BaseException:
        return _raised(self.attempt(path, **fields))

    def events(self, path: str = "messages.create", **fields: Any) -> list[str]:
        async def read() -> list[str]:
            async with await self._call(path, **{**CALL, **fields}, stream=True) as stream:
                return [event.type async for event in stream]

        return self._portal.call(read)

    def stream(self, path: str = "messages.stream", **fields: Any) -> tuple[str, failover.Route | None]:
        async def read() -> tuple[str, failover.Route | None]:
            async with attrgetter(path)(self.client)(**{**CALL, **fields}) as stream:
                return "".join([text async for text in stream.text_stream]), failover.route(stream)

        return self._portal.call(read)

    def first_text(self) -> str:
        async def read() -> str:
            async with self.client.messages.stream(**CALL) as stream:
                return await anext(aiter(stream.text_stream))

        return self._portal.call(read)

    def streaming_response(self, **fields: Any) -> tuple[Any, failover.Route | None]:
        async def read() -> tuple[Any, failover.Route | None]:
            make = self.client.messages.with_streaming_response.create
            async with make(**{**CALL, **fields}) as response:
                return await response.parse(), failover.route(response)

        return self._portal.call(read)

    def parsed(self, response: Any) -> Any:
        return self._portal.call(response.parse)

    def run_tools(self, tool: Any, **fields: Any) -> list[Any]:
        async def read() -> list[Any]:
            runner = self.client.beta.messages.tool_runner(**{**CALL, **fields}, tools=[tool])
            return [message async for message in runner]

        return self._portal.call(read)

    def together(self, count: int, **fields: Any) -> list[Any]:
        async def gather() -> list[Any]:
            return await asyncio.gather(*[self._attempt("messages.create", **fields) for _ in range(count)])

        return self._portal.call(gather)

    def close(self) -> None:
        self._portal.call(self.client.close)

    async def _call(self, path: str, /, **fields: Any) -> Any:
        result = attrgetter(path)(self.client)(**fields)
        return await result if inspect.isawaitable(result) else result

    async def _attempt(self, path: str, /, **fields: Any) -> Any:
        try:
            return await self._call(path, **_filled(path, fields))
        except BaseException as error:  # noqa: BLE001 - Ctrl-C is one of them; it must not reach the loop
            return error


def make_client(
    url: str, *, asynchronous: bool, answer: Callable[[httpx2.Request], httpx2.Response] | None = None, **options: Any
) -> Anthropic | AsyncAnthropic:
    """A client that talks to `url`, or to a function that answers in its place."""
    kind: Any = AsyncAnthropic if asynchronous else Anthropic
    http_kind: Any = DefaultAsyncHttpxClient if asynchronous else DefaultHttpxClient
    transport = {} if answer is None else {"transport": httpx2.MockTransport(answer)}
    # Loading certificates takes longer than most tests, and nobody here has one.
    http_client = http_kind(verify=False, **transport)
    return kind(**{"base_url": url, "api_key": "test", "timeout": 10, "http_client": http_client, **options})


def weather_tool(ran: list[str] | None = None, *, asynchronous: bool) -> Any:
    """A tool for the SDK's tool runner; the cities that it is asked for are added to `ran`."""
    asked = [] if ran is None else ran

    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"sunny in {city}"

    async def weather_async(city: str) -> str:
        """The weather of a city."""
        return weather(city)

    weather_async.__name__ = "weather"
    return beta_async_tool(weather_async) if asynchronous else beta_tool(weather)


class Watcher(Middleware):
    """A user's own middleware: writes down what passes it, and may do something before."""

    def __init__(self, before: Callable[[APIRequest], object] = lambda _: None) -> None:
        self.requests: list[APIRequest] = []
        self.seen: list[int | type[BaseException]] = []
        """For each request the status that came back, or the type of what was raised."""
        self._before = before

    def handle(self, request: APIRequest, call_next: Any) -> Any:
        self.requests.append(request)
        try:
            self._before(request)
            response = call_next(request)
        except BaseException as error:
            self.seen.append(type(error))
            raise
        self.seen.append(response.http_response.status_code)
        return response

    async def handle_async(self, request: APIRequest, call_next: Any) -> Any:
        self.requests.append(request)
        try:
            self._before(request)
            response = await call_next(request)
        except BaseException as error:
            self.seen.append(type(error))
            raise
        self.seen.append(response.http_response.status_code)
        return response


def one_exchange() -> tuple[APIRequest, Any]:
    """A real request and its real response, as a middleware is given them, for calls without a client."""
    seen: list[Any] = []

    def capture(request: APIRequest, call_next: Any) -> Any:
        seen.extend((request, call_next(request)))
        return seen[1]

    client: Any = make_client(
        "http://test",
        asynchronous=False,
        answer=lambda _: httpx2.Response(200, json=reply(FIRST)),
        middleware=[capture],
    )
    client.messages.create(**CALL)
    client.close()
    return seen[0], seen[1]
