"""What came back from an upstream, whatever its form, as an outcome for the engine and as an error for the caller."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic import APIResponse, AsyncAPIResponse

from .engine import Finish, Outcome, judge_failure, judge_malformed, judge_response, judge_stream, status_of, success
from .engine.route import Route
from .errors import BulkheadFull, CircuitOpen, PlatformIncident, StreamTruncated
from .opened import Opened
from .policy.model import ErrorRule
from .recording import EXTENSION, attach
from .request.body import MESSAGES_PATH
from .sdk import NO_RETRY_HEADER, error_response, is_answer, typed_error

__all__ = ["circuit_open", "failure_of", "judge_answer", "judge_opened", "thread_lost"]


def judge_answer(answer: Any, model: str, rules: Mapping[str, ErrorRule]) -> Outcome:
    """What an answer meant that is no stream of events: a response that has been read, an error, or anything else.

    Args:
        answer: what came back.
        model: the model that was asked.
        rules: the policy's overrides.
    """
    if isinstance(answer, (APIResponse, AsyncAPIResponse)):
        http = answer.http_response
        if is_answer(http):
            return success(http.status_code, http.headers)
        return judge_response(http.status_code, http.headers, http.content, model=model, rules=rules)
    if isinstance(answer, Exception):
        return _judge_raised(answer, model, rules)
    return Outcome("success", "model", "return")


def _judge_raised(error: Exception, model: str, rules: Mapping[str, ErrorRule]) -> Outcome:
    if isinstance(error, anthropic.APIResponseValidationError):
        return judge_malformed(error.status_code, error.response.headers, rules)
    if isinstance(error, CircuitOpen):  # another breaker's refusal says nothing about this model
        return Outcome("neutral", "model", "next", error_type="circuit_open")
    if isinstance(error, anthropic.APIStatusError):  # an inner middleware raised what it might have returned
        http = error.response
        body = http.content if http.is_stream_consumed else b""
        return judge_response(http.status_code, http.headers, body, model=model, rules=rules)
    if isinstance(
        error.__cause__, httpx2.PoolTimeout
    ):  # all connections of this client are in use, and nobody was asked
        return Outcome("neutral", "account", "next", error_type="pool_timeout")
    slow = isinstance(error, anthropic.APITimeoutError)
    return judge_failure("client_timeout_error" if slow else "connection_error", rules)


def judge_opened(opened: Opened, model: str, rules: Mapping[str, ErrorRule]) -> Outcome:
    """What the end of a stream meant; one that has not come is the caller's doing."""
    listening, http = opened.listening, opened.http
    end = listening.end or "closed"
    return judge_stream(end, http.status_code, http.headers, listening.error, model=model, rules=rules)


def failure_of(opened: Opened) -> anthropic.APIError:
    """The SDK's own error for what a stream ended with: never one with a status that says all was well."""
    listening, http = opened.listening, opened.http
    request = http.request
    if listening.end == "error":
        answered = error_response(http, status_of(listening.error), listening.error)
        typed = typed_error(opened.client, answered)
        return typed or anthropic.APIStatusError("The stream broke.", response=answered, body=None)
    error: anthropic.APIConnectionError
    if listening.end == "stall":
        error = anthropic.APITimeoutError(request=request)
    elif listening.end == "truncated":
        error = StreamTruncated(request=request)
    elif listening.end == "malformed":
        error = anthropic.APIConnectionError(message="The stream held what is no event of a message.", request=request)
    else:
        error = anthropic.APIConnectionError(message="The connection broke in the middle of a stream.", request=request)
    error.__cause__ = listening.cause
    error.request_id = http.headers.get("request-id")  # type: ignore[attr-defined]
    return error


def thread_lost(client: Any, base_url: str, route: Route) -> anthropic.APIStatusError:
    """What tells the SDK's helper for threads to send its whole conversation again, in a new thread: another model can
    take that, and not the turn alone that continues a thread of the first one. It is what the API itself answers when
    it does not find a thread (https://platform.claude.com/docs/en/build-with-claude/message-threads).
    """
    details = {"error_code": "thread_not_found"}
    message = "The thread cannot be continued by another model. (Said by failover, not by the API.)"
    body = {"type": "error", "error": {"type": "not_found_error", "message": message, "details": details}}
    request = httpx2.Request("POST", base_url.rstrip("/") + MESSAGES_PATH)
    response = httpx2.Response(404, headers=NO_RETRY_HEADER, json=body, request=request)
    response.extensions[EXTENSION] = route
    error = typed_error(client, response) or anthropic.NotFoundError(message, response=response, body=body)
    attach(error, route)
    return error


def circuit_open(finish: Finish, route: Route, base_url: str) -> CircuitOpen | BulkheadFull:
    """The error for a call that was sent to nobody, or to nobody who could take it."""
    request = httpx2.Request("POST", base_url.rstrip("/") + MESSAGES_PATH)
    response = httpx2.Response(503, headers=NO_RETRY_HEADER, request=request)
    response.extensions[EXTENSION] = route
    full = [refusal for _, refusal in finish.refusals if refusal.reason == "full"]
    if full:
        return BulkheadFull(
            response=response,
            expected=min((one.retry_in for one in full if one.retry_in is not None), default=None),
            bulkheads=tuple(dict.fromkeys(name for one in full for name in one.limits)),
            route=route,
        )
    names = tuple(name for name, _ in finish.refusals)
    incidents = [refusal.incident for _, refusal in finish.refusals if refusal.incident is not None]
    if incidents:
        now = dt.datetime.now(dt.timezone.utc)
        return PlatformIncident(response=response, incident=incidents[0], breakers=names, now=now, route=route)
    waits = [refusal.retry_in for _, refusal in finish.refusals if refusal.retry_in is not None]
    request_ids = [refusal.request_id for _, refusal in finish.refusals if refusal.request_id]
    return CircuitOpen(
        response=response,
        retry_in=min(waits) if waits else None,
        breakers=names,
        causes=tuple(refusal.error_type for _, refusal in finish.refusals),
        request_ids=tuple(dict.fromkeys(request_ids)),
        route=route,
    )
