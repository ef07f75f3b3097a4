"""The fake API as a web application: which paths there are, what is wrong with a request, and its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .fault import Fault
from .model_list import model_info, model_list
from .model_rules import NEWEST_VERSION, Violation, violations
from .payloads import error_body, error_type_of
from .perform import Answer, Performance
from .replies import reply_to
from .rules import prompt_tokens
from .threads import ThreadRefusedError
from .upstream import ReceivedRequest, Upstream
from .wire import Wire

__all__ = ["create_app"]

_FIELDS: dict[str, tuple[type, str]] = {
    "model": (str, "Input should be a valid string"),
    "messages": (list, "Input should be a valid list"),
    "max_tokens": (int, "Input should be a valid integer"),
    "stream": (bool, "Input should be a valid boolean"),
    "tools": (list, "Input should be a valid list"),
    "tool_choice": (dict, "Input should be an object"),
    "output_config": (dict, "Input should be an object"),
    "thinking": (dict, "Input should be an object"),
    "thread": (dict, "Input should be an object"),
}
_MESSAGES = "/v1/messages"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as it came, right or wrong."""

    path: str
    model: str
    stream: bool
    betas: tuple[str, ...]
    has_key: bool
    body: Any
    """Parsed; `None` when it was not JSON, empty when there was none."""
    size: int
    """Of the body in bytes."""
    version: str
    """What the `anthropic-version` header says."""


class _RefusedError(Exception):
    """The request is wrong whatever state the API is in; so it is refused before anything can go wrong with it."""

    def __init__(self, status: int, message: str, error_type: str | None = None, error_code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type or error_type_of(status)
        self.error_code = error_code

    @classmethod
    def of(cls, violation: Violation) -> _RefusedError:
        return cls(violation.status, violation.message, violation.error_type, violation.error_code)


class _Endpoint:
    """One path of the API: read, refuse or decide, record, answer."""

    def __init__(
        self, upstream: Upstream, answer: Callable[[_Asked, Upstream], Answer], required: tuple[str, ...] = ()
    ) -> None:
        self._upstream = upstream
        self._answer = answer
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = _read(request, await request.body())
        request_id = self._upstream.new_id("req")
        fault = None
        try:
            _check(asked, self._required)
            meant = _meant(asked, self._upstream) if self._required else asked
            fault = self._upstream.choose(asked.model, asked.path, stream=asked.stream)
            answer = self._answer(meant, self._upstream)
            if asked.path == _MESSAGES and _is_kept(fault):
                kept = answer.saying(fault.say) if fault is not None and fault.say is not None else answer
                self._upstream.threads.keep(meant.body, kept.body)
        except _RefusedError as refusal:
            words = error_body(refusal.error_type, str(refusal), request_id=request_id, error_code=refusal.error_code)
            answer = Answer(refusal.status, words)
        self._upstream.record(_received(asked, request_id, _status(answer, fault), self._upstream.now()))
        await Performance(Wire(request, send, request_id), request_id, self._upstream).play(answer, fault)


def create_app(upstream: Upstream) -> Starlette:
    """The application of one fake API."""
    messages = _Endpoint(upstream, _message, ("model", "max_tokens", "messages"))
    count = _Endpoint(upstream, _count_tokens, ("model", "messages"))
    return Starlette(
        routes=[
            Route(_MESSAGES, messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", count, methods=["POST"]),
            Route("/v1/models", _Endpoint(upstream, _models), methods=["GET"]),
            Route("/v1/models/{model}", _Endpoint(upstream, _model), methods=["GET"]),
            Route("/{path:path}", _Endpoint(upstream, _nothing_here)),
        ]
    )


def _message(asked: _Asked, upstream: Upstream) -> Answer:
    ids = {"message_id": upstream.new_id("msg"), "tool_use_id": upstream.new_id("toolu")}
    with _shapes_expected():
        reply = reply_to(asked.body, **ids, input_tokens=_tokens(asked))
    return Answer(200, reply.message, reply, asked.stream)


def _count_tokens(asked: _Asked, _upstream: Upstream) -> Answer:
    return Answer(200, {"input_tokens": _tokens(asked)})


def _models(_asked: _Asked, upstream: Upstream) -> Answer:
    return Answer(200, model_list(upstream.described()))


def _model(asked: _Asked, upstream: Upstream) -> Answer:
    try:
        return Answer(200, model_info(asked.model, upstream.described()))
    except KeyError:
        raise _RefusedError(404, f"model: {asked.model}") from None


def _nothing_here(_asked: _Asked, _upstream: Upstream) -> Answer:
    raise _RefusedError(404, "Not found")


def _read(request: Request, raw: bytes) -> _Asked:
    try:
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        body = None
    fields = body if isinstance(body, dict) else {}
    model = fields.get("model", request.path_params.get("model"))
    betas = ",".join(request.headers.getlist("anthropic-beta")).split(",")
    return _Asked(
        path=request.url.path,
        model=model if isinstance(model, str) else "",
        stream=fields.get("stream") is True,
        betas=tuple(beta.strip() for beta in betas if beta.strip()),
        has_key=bool(request.headers.get("x-api-key") or request.headers.get("authorization")),
        body=body,
        size=len(raw),
        version=request.headers.get("anthropic-version", NEWEST_VERSION),
    )


def _check(asked: _Asked, required: tuple[str, ...]) -> None:
    if not asked.has_key:
        raise _RefusedError(401, "x-api-key header is required")
    if not required:
        return
    body = asked.body
    if body is None:
        raise _RefusedError(400, "The request body is not valid JSON")
    if not isinstance(body, dict):
        raise _RefusedError(400, "Input should be an object")
    for name in required:
        if name not in body:
            raise _RefusedError(400, f"{name}: Field required")
    for name, (kind, words) in _FIELDS.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise _RefusedError(400, f"{name}: {words}")
    if not body["messages"] and (body.get("thread") or {}).get("type") != "continue":
        raise _RefusedError(400, "messages: at least one message is required")


def _meant(asked: _Asked, upstream: Upstream) -> _Asked:
    """The request with all of the conversation that it goes on with, if a model would take that."""
    if not upstream.validate:
        return asked
    with _shapes_expected():
        try:
            meant = _whole(asked, upstream)
        except ThreadRefusedError as error:
            raise _RefusedError.of(error.violation) from None
        found = violations(meant.body, asked.betas, tokens=_tokens(meant), version=asked.version)
    if found:
        raise _RefusedError.of(found[0])
    return meant


def _whole(asked: _Asked, upstream: Upstream) -> _Asked:
    body = upstream.threads.whole(asked.body)
    size = asked.size if body == asked.body else len(json.dumps(body).encode())
    return replace(asked, body=body, size=size)


def _tokens(asked: _Asked) -> int:
    return prompt_tokens(asked.body, asked.size)


@contextmanager
def _shapes_expected() -> Iterator[None]:
    """Fields are read here as the API reference describes them, and what they are not is refused."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _RefusedError(400, "Some field does not have the shape that the API reference gives it") from error


def _is_kept(fault: Fault | None) -> bool:
    """Whether the API has an answer in the end, whatever became of it on its way; none was made in the other cases."""
    return fault is None or not (fault.status or fault.hang is not None or fault.drop or fault.error_event)


def _status(answer: Answer, fault: Fault | None) -> int | None:
    if fault is None:
        return answer.status
    return None if fault.drop or fault.hang is not None else fault.status or answer.status


def _received(asked: _Asked, request_id: str, status: int | None, now: float) -> ReceivedRequest:
    return ReceivedRequest(
        model=asked.model,
        stream=asked.stream,
        path=asked.path,
        time=now,
        status=status,
        request_id=request_id,
        betas=asked.betas,
        body=asked.body if isinstance(asked.body, dict) else {},
    )
