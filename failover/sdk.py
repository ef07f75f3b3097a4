"""Every place where we lean on more of the SDK than its documentation promises, and what happens if that changes.

Checked against `anthropic` 2.12. Each function degrades to doing less (no exception note, no shorter time-out)
when the SDK no longer looks as it expects.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any, get_origin

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, Middleware
from anthropic._base_client import AsyncAPIClient, SyncAPIClient

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage

__all__ = [
    "NO_RETRY_HEADER",
    "UNREAD_HEADER",
    "UPSTREAM_ERRORS",
    "ResponseWrapper",
    "as_plain",
    "base_url_of",
    "call_key",
    "client_of",
    "count_tokens",
    "count_tokens_async",
    "error_response",
    "forget_token",
    "is_answer",
    "is_client",
    "is_outermost",
    "kind_of",
    "maker_of",
    "may_run_again",
    "message_of",
    "middleware_of",
    "platform_of",
    "raising_response",
    "read_timeout",
    "reads_events",
    "restore_timeouts",
    "streams_as",
    "typed_error",
    "with_options",
]

ResponseWrapper = APIResponse[Any] | AsyncAPIResponse[Any]

UPSTREAM_ERRORS = (anthropic.APIConnectionError, anthropic.APIStatusError)
"""What says of an upstream that it failed, and not of the program."""

UNREAD_HEADER = {"X-Stainless-Raw-Response": "stream"}
"""A request header by which the SDK leaves the body of an answer to whoever asked, as in `with_streaming_response`."""

NO_RETRY_HEADER = {"x-should-retry": "false"}
"""A response header that the SDK's own retry loop obeys before it looks at the status."""

_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")
_DEPTH = 64  # more middleware than anybody has


def is_answer(http: httpx2.Response) -> bool:
    """Whether the status is a 2xx; the response's own property says so at a multiple of the cost."""
    return http.status_code // 100 == 2  # noqa: PLR2004 - that is what 2xx means


_COUNTED = ("model", "messages", "system", "tools", "mcp_servers")
"""What has tokens to speak of; the rest of a request may be what a model does not take."""
_PLATFORMS = {
    "BaseBedrockClient": "bedrock",
    "BaseMantleClient": "bedrock",
    "BaseVertexClient": "vertex",
    "BaseFoundryClient": "foundry",
    "BaseGoogleCloudClient": "google_cloud",
    "AnthropicAWS": "aws",
    "AsyncAnthropicAWS": "aws",
}
"""Classes and whose API their clients speak."""


def is_client(client: object, *, asynchronous: bool | None = None) -> bool:
    """Whether this is a client of the package, of any kind or of the one that is asked for."""
    kinds = ((SyncAPIClient, AsyncAPIClient), (SyncAPIClient,), (AsyncAPIClient,))
    which = 0 if asynchronous is None else 1 + asynchronous
    return isinstance(client, kinds[which]) and hasattr(client, "with_middleware")


def kind_of(value: object) -> str:
    """What to call a wrong argument in an error: never its value, which may be a key."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def platform_of(client: object) -> str | None:
    """Whose API a client speaks: `anthropic`, `aws`, `bedrock`, `foundry`, `google_cloud` or `vertex`; `None` if unknown."""
    kinds = [kind.__name__ for kind in type(client).__mro__]
    named = next((_PLATFORMS[kind] for kind in kinds if kind in _PLATFORMS), None)
    return named or ("anthropic" if isinstance(client, (anthropic.Anthropic, anthropic.AsyncAnthropic)) else None)


def forget_token(client: Any) -> None:
    """After a 401: the next request gets a new token, where a client has a source of them. The SDK's own loop does so only
    for answers that come to it.
    """
    cache = getattr(client, "_token_cache", None)
    if cache is not None:
        cache.invalidate()


def count_tokens(client: Any, body: dict[str, Any], request: APIRequest, seconds: float) -> int | None:
    """How many tokens the API counts in a body, with a sync client; `None` if it does not say so in time."""
    with contextlib.suppress(Exception):  # a platform without counting, no network, an answer in another form
        return int(client.post(**_count_request(body, request, seconds)).input_tokens)
    return None


async def count_tokens_async(client: Any, body: dict[str, Any], request: APIRequest, seconds: float) -> int | None:
    """As `count_tokens`, with an async client."""
    with contextlib.suppress(Exception):
        return int((await client.post(**_count_request(body, request, seconds))).input_tokens)
    return None


def _count_request(body: dict[str, Any], request: APIRequest, seconds: float) -> dict[str, Any]:
    """https://platform.claude.com/docs/en/api/messages-count-tokens."""
    beta = "beta=true" in request.url.partition("?")[2].split("&")
    betas = request.headers.get("anthropic-beta")
    return {
        "path": "/v1/messages/count_tokens" + ("?beta=true" if beta else ""),
        "cast_to": anthropic.types.MessageTokensCount,
        "body": {name: body[name] for name in _COUNTED if name in body},
        "options": {
            "headers": {"anthropic-beta": betas} if betas else {},
            "timeout": seconds,
            "max_retries": 0,
        },
    }


def middleware_of(client: Any) -> tuple[Any, ...]:
    """The middleware that a client was made with."""
    return tuple(client._middleware)  # noqa: SLF001 - there is no public way to put one *before* the others


def client_of(call_next: Callable[..., Any]) -> Any | None:
    """The client that a middleware's `call_next` belongs to, or `None`.

    A request that leaves its time-out to the client does not carry it, and the client is not in the request either;
    but the chain's functions close over it.
    """
    for _ in range(_DEPTH):
        code, cells = getattr(call_next, "__code__", None), getattr(call_next, "__closure__", None)
        if code is None or cells is None:
            return None
        variables = dict(zip(code.co_freevars, cells, strict=True))
        if "self" in variables:
            return variables["self"].cell_contents
        if "call_next" not in variables:
            return None
        call_next = variables["call_next"].cell_contents
    return None


def may_run_again(request: APIRequest, call_next: Callable[..., Any]) -> bool:
    """Whether the SDK's loop has a retry left for this call; `True` when it cannot be told."""
    limit: Any = request.max_retries
    if isinstance(limit, anthropic.NotGiven):
        limit = getattr(client_of(call_next), "max_retries", None)
    return not isinstance(limit, int) or request.retries_taken < limit


def base_url_of(call_next: Callable[..., Any]) -> str:
    """Where the client of this chain sends its requests; the API's own address when it cannot be told."""
    return str(getattr(client_of(call_next), "base_url", "https://api.anthropic.com"))


def restore_timeouts(response: httpx2.Response, timeout: httpx2.Timeout) -> None:
    """From here on the body of this response is read with other time-outs than its request was sent with.

    The transport looks them up each time it reads.
    """
    response.request.extensions["timeout"] = timeout.as_dict()


def read_timeout(response: httpx2.Response) -> float | None:
    """How long the client that sent this response's request would wait for a read; `None`: for ever, or unknown."""
    timeouts = response.request.extensions.get("timeout")
    return timeouts.get("read") if isinstance(timeouts, dict) else None


def is_outermost(middleware: Middleware, call_next: Callable[..., Any]) -> bool:
    """Whether no other middleware stands between this one and the SDK's own code; `False` when it cannot be told."""
    client = client_of(call_next)
    chain: Any = getattr(client, "_middleware", None)
    return bool(chain) and chain[0] is middleware


def with_options(request: APIRequest, changes: dict[str, Any], *, stream: bool | None = None) -> APIRequest:
    """The same request with other options (`json_data`, `timeout`); nothing of the body is copied.

    `APIRequest.copy` would copy the whole body deeply, whatever its size.
    """
    options = request.options.model_copy(update=changes)
    return APIRequest(
        options=options,
        cast_to=request.cast_to,
        stream=request.stream if stream is None else stream,
        stream_cls=request.stream_cls,
        retries_taken=request.retries_taken,
    )


def reads_events(client: Any) -> bool:
    """Whether this client's streams are server-sent events, and not a platform's own binary form; `False` if unknown."""
    make = getattr(client, "_make_sse_decoder", None)
    return make is not None and type(make()).__name__ == "SSEDecoder"


def streams_as(http: httpx2.Response, stream: Any, extensions: dict[str, Any]) -> httpx2.Response:
    """A response like this one whose body is another stream, of bytes that are decoded already."""
    return _Decoded(
        http.status_code,
        headers=_headers_of_another_body(http, {}),
        stream=stream,
        request=http.request,
        extensions=extensions,
        history=http.history,
    )


def error_response(http: httpx2.Response, status: int, body: bytes) -> httpx2.Response:
    """What an upstream would have answered, had it known its error before it began with this response."""
    headers = _headers_of_another_body(http, {"content-type": "application/json", **NO_RETRY_HEADER})
    return httpx2.Response(status, headers=headers, content=body, request=http.request, extensions=http.extensions)


def as_plain(response: ResponseWrapper, request: APIRequest, body: bytes) -> ResponseWrapper:
    """The answer to a request without streaming, in place of the streamed one that brought it."""
    http = response.http_response
    headers = _headers_of_another_body(http, {"content-type": "application/json"})
    raw = httpx2.Response(
        http.status_code, headers=headers, content=body, request=http.request, extensions=http.extensions
    )
    with contextlib.suppress(RuntimeError):  # not known before it was closed
        raw.elapsed = http.elapsed
    kind: Any = type(response)
    wrapper: ResponseWrapper = kind(
        raw=raw,
        cast_to=request.cast_to,
        client=maker_of(response),
        stream=False,
        stream_cls=request.stream_cls,
        options=request.options,
        retries_taken=request.retries_taken,
    )
    return wrapper


def message_of(cast_to: Any, message: dict[str, Any]) -> Message | BetaMessage:
    """A message from its JSON, in the type that its caller asked for, whatever may be missing in it."""
    known = get_origin(cast_to) is None and isinstance(cast_to, type) and issubclass(cast_to, anthropic.BaseModel)
    made: Message | BetaMessage = (cast_to if known else anthropic.types.Message).construct(**message)
    return made


def _headers_of_another_body(http: httpx2.Response, changes: dict[str, str]) -> httpx2.Headers:
    """The headers but for those that describe the body as it was sent, with changes."""
    headers = http.headers.copy()
    for name in _OF_THE_BODY:
        headers.pop(name, None)
    headers.update(changes)
    return headers


def call_key(request: APIRequest) -> str | None:
    """A key that all runs of one SDK call share: the SDK's loop makes it once and keeps it for its retries."""
    return request.options.idempotency_key


def maker_of(response: ResponseWrapper) -> Any:
    """The client that made a response."""
    return response._client  # noqa: SLF001 - its only maker


def typed_error(client: Any, http: httpx2.Response) -> anthropic.APIStatusError | None:
    """The typed error that the SDK would raise for an error response that has been read."""
    make = getattr(client, "_make_status_error_from_response", None)
    error = make(http) if make else None
    return error if isinstance(error, anthropic.APIStatusError) else None


def raising_response(
    error: anthropic.APIConnectionError, request: APIRequest, *, asynchronous: bool
) -> ResponseWrapper:
    """A response that the SDK's loop will not retry and whose reading raises `error`.

    The loop retries every connection error that is raised to it. What it reads after it has decided not to retry it
    no longer looks at; so that is where the error is handed over.
    """
    raw = httpx2.Response(599, headers=NO_RETRY_HEADER, stream=_RaisingStream(error), request=error.request)
    kind: Any = AsyncAPIResponse if asynchronous else APIResponse
    wrapper: ResponseWrapper = kind(
        raw=raw,
        cast_to=request.cast_to,
        client=None,
        stream=request.stream,
        stream_cls=request.stream_cls,
        options=request.options,
    )
    return wrapper


class _Decoded(httpx2.Response):
    """A response whose body needs no decoding, so that nothing is spent on it for each piece."""

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        return super().iter_bytes(chunk_size) if self.is_stream_consumed else self.iter_raw(chunk_size)

    def aiter_bytes(self, chunk_size: int | None = None) -> AsyncGenerator[bytes, None]:
        return super().aiter_bytes(chunk_size) if self.is_stream_consumed else self.aiter_raw(chunk_size)


class _RaisingStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        raise self._error

    def __aiter__(self) -> Any:
        raise self._error
