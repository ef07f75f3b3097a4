"""One call between the SDK and the engine: decisions become requests, answers become outcomes. No I/O.

The sync and the async driver both hand everything to this and only send, read, close and sleep themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, Middleware

from .edge import raise_if_given_up
from .engine import Call, Finish, Outcome, Plan, Send, Services, judge_failure, judge_malformed, judge_response, success
from .engine.route import Route
from .errors import CircuitOpen
from .policy.model import Rung
from .recording import EXTENSION, attach, record
from .sdk import NO_RETRY_HEADER, base_url_of, client_of, is_answer, is_outermost, restore_timeouts, with_options

__all__ = ["Answer", "Exchange", "guarded_body", "is_bound_to_its_model"]

Answer: TypeAlias = Any
"""What came back: an `APIResponse`, an error, or whatever an inner middleware chose to return instead."""

_MESSAGES_PATH = "/v1/messages"
_ANSWERED = frozenset({"primary", "fallback"})
_SHORTEST_TIMEOUT = 0.01  # seconds; httpx2 reads 0 as "at once"
# The SDK's own reckoning of how long an answer without streaming may take, 128,000 tokens an hour:
# https://platform.claude.com/docs/en/cli-sdks-libraries/sdks/python#long-requests
_SECONDS_PER_TOKEN = 3600 / 128_000
_MOST_TOKENS = 1_000_000  # beyond any model's; a slip must not become a time-out of days


def guarded_body(request: APIRequest) -> dict[str, Any] | None:
    """The body of a request for a message (`POST /v1/messages` with a model in it); `None` for any other request.

    A name with a line break in it is no model's: the API may say so, and no log line is forged with it.
    """
    if request.url.partition("?")[0] != _MESSAGES_PATH or request.method.lower() != "post":
        return None
    body: Any = request.json
    model = body.get("model") if isinstance(body, dict) else None
    return body if isinstance(model, str) and model.isprintable() else None


def is_bound_to_its_model(body: dict[str, Any]) -> bool:
    """Whether a body makes sense only to the model it names: it continues a thread whose history that one keeps."""
    thread = body.get("thread")
    return isinstance(thread, dict) and thread.get("type") == "continue"


class Exchange:
    """What one call sent and got back."""

    __slots__ = ("_answers", "_body", "_call_next", "_own_timeout", "_plan", "_request", "_sent_model", "call")

    def __init__(
        self,
        plan: Plan,
        services: Services,
        request: APIRequest,
        body: dict[str, Any],
        call_next: Callable[..., Any],
    ) -> None:
        self._plan = plan
        self._request = request
        self._body = body
        self._call_next = call_next
        self._answers: list[Answer] = []
        self._sent_model = plan.model
        self._own_timeout: httpx2.Timeout | None = None
        self.call = Call(
            plan,
            services,
            least=0.0 if request.stream else _least_seconds(body),
            sdk_retries_taken=request.retries_taken,
        )

    def prepare(self, send: Send) -> APIRequest:
        """The request to send: as it is to the requested model, else with the rung's model and patch."""
        candidate = send.candidate
        self._sent_model = candidate.rung.model
        changes: dict[str, Any] = {}
        if candidate.index:
            changes["json_data"] = _patched(self._body, candidate.rung)
        timeout = None if send.timeout is None else self._shortened(send.timeout)
        if timeout is not None:
            changes["timeout"] = timeout
        return with_options(self._request, changes) if changes else self._request

    def take(self, answer: Answer) -> None:
        """Tell the call what came back."""
        rules = self._plan.policy.errors
        if isinstance(answer, (APIResponse, AsyncAPIResponse)):
            http = answer.http_response
            status = http.status_code
            if is_answer(http):
                outcome = success(status, http.headers)
                if self._own_timeout is not None and not http.is_stream_consumed:
                    restore_timeouts(http, self._own_timeout)  # ours were for the answer to begin
            else:
                outcome = judge_response(status, http.headers, http.content, model=self._sent_model, rules=rules)
        elif isinstance(answer, anthropic.APIResponseValidationError):
            outcome = judge_malformed(answer.status_code, answer.response.headers, rules)
        elif isinstance(answer, anthropic.APIStatusError):
            outcome = self._judge_raised(answer)
        elif isinstance(answer, anthropic.APITimeoutError):
            outcome = judge_failure("client_timeout_error", rules)
        elif isinstance(answer, anthropic.APIConnectionError):
            outcome = judge_failure("connection_error", rules)
        else:
            outcome = Outcome("success", "model", "return")
        self._answers.append(answer)
        self.call.report(outcome)

    def deliver(self, finish: Finish, owner: Middleware) -> Answer:
        """The answer for whoever is next outwards from `owner`; an error that has no response is raised.

        Raises:
            CircuitOpen: circuits are open, and nobody else could take the request.
            anthropic.APIConnectionError: the first real cause, when it was no response.
            anthropic.APIStatusError: the first real cause, when nobody stands between `owner` and the SDK's own code.
        """
        route = self._recorded()
        if finish.attempt is None:
            raise _circuit_open(finish, route, base_url_of(self._call_next)) from None
        answer = self._answers[finish.attempt - 1]
        if isinstance(answer, (APIResponse, AsyncAPIResponse)):
            http = answer.http_response
            http.extensions[EXTENSION] = route
            if finish.outcome not in _ANSWERED:
                http.headers.update(NO_RETRY_HEADER)
                if is_outermost(owner, self._call_next):
                    raise_if_given_up(answer)
        elif isinstance(answer, Exception):
            attach(answer, route)
            raise answer
        return answer

    def abandon(self, error: BaseException) -> None:
        """An error ended the call that is no answer of an upstream: cancellation, Ctrl-C, a bug in a middleware."""
        if self.call.route is None:
            self.call.abandon("failed" if isinstance(error, Exception) else "cancelled")
            attach(error, self._recorded())

    def _recorded(self) -> Route:
        route = self.call.route
        if route is None:
            raise RuntimeError("a call that is not over has no route")
        record(route)
        return route

    def _judge_raised(self, error: anthropic.APIStatusError) -> Outcome:
        """An inner middleware raised what it might have returned."""
        if isinstance(error, CircuitOpen):  # another breaker's refusal says nothing about this model
            return Outcome("neutral", "model", "next", error_type="circuit_open")
        http = error.response
        body = http.content if http.is_stream_consumed else b""
        return judge_response(
            http.status_code, http.headers, body, model=self._sent_model, rules=self._plan.policy.errors
        )

    def _shortened(self, seconds: float) -> httpx2.Timeout | None:
        """The request's own time-outs, none longer than `seconds`; `None` when they are not known and stay as they are."""
        given: Any = self._request.options.timeout
        if not isinstance(given, httpx2.Timeout):
            if isinstance(given, anthropic.NotGiven):
                client = client_of(self._call_next)
                if client is None:
                    return None
                given = client.timeout
            given = httpx2.Timeout(given)
        self._own_timeout = given
        return _at_most(given.connect, given.read, given.write, given.pool, round(seconds, 2))


@functools.lru_cache(maxsize=256)
def _at_most(
    connect: float | None, read: float | None, write: float | None, pool: float | None, seconds: float
) -> httpx2.Timeout:
    """Time-outs of which none is longer than `seconds`; `None` is httpx2's word for no limit at all."""
    seconds = max(seconds, _SHORTEST_TIMEOUT)
    longest = [seconds if phase is None else min(phase, seconds) for phase in (connect, read, write, pool)]
    return httpx2.Timeout(connect=longest[0], read=longest[1], write=longest[2], pool=longest[3])


def _patched(body: dict[str, Any], rung: Rung) -> dict[str, Any]:
    """The body for a rung: a shallow copy with its model and its patch; the caller's own body is not touched."""
    patched = {**body, "model": rung.model}
    for key, value in rung.set.items():
        before = patched.get(key)
        if key == "output_config" and isinstance(value, Mapping) and isinstance(before, Mapping):
            merged = {**before, **value}
            patched[key] = {name: setting for name, setting in merged.items() if setting is not None}
        elif value is None:
            patched.pop(key, None)
        else:
            patched[key] = value
    return patched


def _least_seconds(body: dict[str, Any]) -> float:
    """Seconds that an answer without streaming may honestly need. A stream needs none: its headers come at once."""
    tokens = body.get("max_tokens")
    if not isinstance(tokens, int) or tokens < 0:
        return 0.0
    return (min(_MOST_TOKENS, tokens)) * _SECONDS_PER_TOKEN


def _circuit_open(finish: Finish, route: Route, base_url: str) -> CircuitOpen:
    request = httpx2.Request("POST", base_url.rstrip("/") + _MESSAGES_PATH)
    response = httpx2.Response(503, headers=NO_RETRY_HEADER, request=request)
    response.extensions[EXTENSION] = route
    waits = [refusal.retry_in for _, refusal in finish.refusals if refusal.retry_in is not None]
    request_ids = [refusal.request_id for _, refusal in finish.refusals if refusal.request_id]
    return CircuitOpen(
        response=response,
        retry_in=min(waits) if waits else None,
        breakers=tuple(name for name, _ in finish.refusals),
        causes=tuple(refusal.error_type for _, refusal in finish.refusals),
        request_ids=tuple(dict.fromkeys(request_ids)),
        route=route,
    )
