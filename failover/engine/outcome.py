"""What an attempt meant: the only place that knows statuses and error types.

The table follows the API's own list of errors (https://platform.claude.com/docs/en/api/errors) and its notes on rate
limits (https://platform.claude.com/docs/en/api/rate-limits). A policy's `errors` override single rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from failover.events import StreamEnd, Verdict
from failover.policy.model import ErrorRule

__all__ = [
    "Outcome",
    "Scope",
    "Then",
    "judge_failure",
    "judge_malformed",
    "judge_response",
    "judge_stream",
    "status_of",
    "success",
]

Scope: TypeAlias = Literal["model", "account", "request"]
Then: TypeAlias = Literal["return", "repeat", "next", "next_or_repeat", "wait", "raise"]


class Outcome(NamedTuple):
    """What one attempt meant, and what the call should do about it."""

    counts: Verdict
    scope: Scope
    """What else the answer speaks for: only this model, all of the account, or the request whoever answers it."""
    then: Then
    """`repeat` in place, then the next rung; `next`: the next rung; `next_or_repeat`: the next rung, or in place when
    this is the last; `wait`: as long as the server asks if that is short, else the next rung; `raise`: give up."""
    status: int | None = None
    error_type: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds that the server asks to wait; `None` when it does not say."""
    stream: StreamEnd | None = None
    """How the stream ended; `None` if the answer was none."""
    kind: str | None = None
    """The row of the table: `error_type`, or what is known beyond it, such as `prompt_too_long`."""
    input_tokens: int | None = None
    """Of a stream that broke: what its prompt had, as far as that is known."""
    output_tokens: int | None = None
    """Of the same: what it had written."""


class _Row(NamedTuple):
    counts: Verdict
    scope: Scope
    then: Then


_BROKEN = _Row("failure", "model", "repeat")
_SLOW = _Row("failure", "model", "next")
_WRONG = _Row("neutral", "request", "raise")
_ACCOUNT = _Row("neutral", "account", "next")
_GONE = _Row("open", "model", "next")

_TABLE: dict[str, _Row] = {
    "api_error": _BROKEN,
    "connection_error": _BROKEN,
    "malformed_response": _BROKEN,
    "stream_truncated": _BROKEN,
    "overloaded_error": _Row("failure", "model", "next_or_repeat"),
    "timeout_error": _SLOW,
    "client_timeout_error": _SLOW,
    "rate_limit_error": _Row("neutral", "model", "wait"),
    "spend_limit": _ACCOUNT,
    "authentication_error": _ACCOUNT,
    "billing_error": _ACCOUNT,
    "permission_error": _ACCOUNT,
    "not_found_error": _WRONG,
    "model_unavailable": _GONE,
    "prompt_too_long": _WRONG,
    "request_too_large": _WRONG,
    "conflict_error": _WRONG,
    "invalid_request_error": _WRONG,
}

_BY_STATUS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUS_OF = {error_type: status for status, error_type in _BY_STATUS.items()}  # of two the later: 504, not 408
_BROKEN_STREAMS: dict[StreamEnd, str] = {
    "cut": "connection_error",
    "stall": "client_timeout_error",
    "truncated": "stream_truncated",
    "malformed": "malformed_response",
}

_SERVER_ERROR = 500
_IN_PLACE = frozenset({"repeat", "next_or_repeat", "wait"})
_SPEND_LIMIT_CODES = frozenset(
    {"contract_spend_limit_reached", "enforced_spend_limit_reached", "linked_organization_spend_limit_reached"}
)
_SPEND_LIMIT_WORDS = re.compile(r"credit balance|api usage limits", re.IGNORECASE)
_PROMPT_TOO_LONG_WORDS = re.compile(r"prompt is too long|exceed(s|ed)? (the )?context (window|limit)", re.IGNORECASE)
_MODEL_WORDS = re.compile(
    r"^models?\b|\b(publisher|this) model\b|\baccess to (the|this) model\b"
    r"|\b(model|deployment)(?=[\s:]).{0,200}\b(not found|not exist|not available)",
    re.IGNORECASE,
)
_REQUEST_ID = re.compile(r"[\w.:=+/-]{1,128}", re.ASCII)
_ERROR_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")  # what may stand in logs and spans, whatever an upstream sends


def success(status: int, headers: Mapping[str, str]) -> Outcome:
    """A 2xx answer; a refusal is one too, for the model did its work."""
    return Outcome("success", "model", "return", status, None, _request_id(headers))


def judge_failure(error_type: str, rules: Mapping[str, ErrorRule]) -> Outcome:
    """What it meant that no answer came: a `connection_error` or a `client_timeout_error`."""
    row = _overridden(_TABLE[error_type], rules, error_type, None)
    return Outcome(row.counts, row.scope, row.then, error_type=error_type, kind=error_type)


def judge_malformed(status: int, headers: Mapping[str, str], rules: Mapping[str, ErrorRule]) -> Outcome:
    """What it meant that a 2xx answer had a body that is no message."""
    row = _overridden(_TABLE["malformed_response"], rules, "malformed_response", status)
    kind = "malformed_response"
    return Outcome(row.counts, row.scope, row.then, status, kind, _request_id(headers), kind=kind)


def judge_stream(
    end: StreamEnd,
    status: int,
    headers: Mapping[str, str],
    error: bytes,
    *,
    model: str,
    rules: Mapping[str, ErrorRule],
) -> Outcome:
    """What it meant that a stream ended like this.

    An `error` event means what its type would have meant as a status
    (https://platform.claude.com/docs/en/build-with-claude/streaming#error-events).

    Args:
        end: how it ended.
        status: the HTTP status that it began with.
        headers: of the response.
        error: the data of the `error` event, if that was the end.
        model: the model that the request named.
        rules: the policy's overrides.
    """
    if end == "error":
        outcome = judge_response(status_of(error), headers, error, model=model, rules=rules)
        return outcome._replace(status=status, stream=end)
    kind = _BROKEN_STREAMS.get(end)
    if kind is None:
        counts: Verdict = "neutral" if end == "closed" else "success"
        return Outcome(counts, "model", "return", status, None, _request_id(headers), stream=end)
    row = _overridden(_TABLE[kind], rules, kind, None)
    return Outcome(row.counts, row.scope, row.then, status, kind, _request_id(headers), stream=end, kind=kind)


def status_of(error: bytes) -> int:
    """The status that an `error` event would have had as an answer; 500 for a type that has none."""
    kind = _error_of(error).get("type")
    return _STATUS_OF.get(kind, _SERVER_ERROR) if isinstance(kind, str) else _SERVER_ERROR


def judge_response(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, rules: Mapping[str, ErrorRule]
) -> Outcome:
    """What an error answer meant.

    Args:
        status: the HTTP status, 400 or above.
        headers: of the response; names in lower case or a case-insensitive mapping.
        body: of the response; an API error envelope, another platform's, or anything at all.
        model: the model that the request named.
        rules: the policy's overrides.
    """
    error = _error_of(body)
    said = error.get("type")
    envelope_type = said if isinstance(said, str) and _ERROR_TYPE.fullmatch(said) else None
    kind = _kind(status, envelope_type, error, model)
    row = _overridden(_TABLE[kind], rules, kind, status, envelope_type)
    then = row.then
    if then in _IN_PLACE and headers.get("x-should-retry") == "false":  # the SDK obeys this before all else, so do we
        then = "next"
    return Outcome(
        row.counts,
        row.scope,
        then,
        status,
        envelope_type or _BY_STATUS.get(status) or str(status),
        _request_id(headers),
        _retry_after(headers),
        kind=kind,
    )


def _kind(status: int, envelope_type: str | None, error: Mapping[str, Any], model: str) -> str:
    """The row of the table: the envelope's type where it is known, refined by what the rest of the error says."""
    kind = envelope_type if envelope_type in _TABLE else _BY_STATUS.get(status)
    if kind is None:
        kind = "api_error" if status >= _SERVER_ERROR else "invalid_request_error"
    message = str(error.get("message") or "")
    details = error.get("details")
    said = details.get("error_code") if isinstance(details, dict) else None
    code = said if isinstance(said, str) else None
    if kind == "rate_limit_error" and code in _SPEND_LIMIT_CODES:
        return "spend_limit"
    if kind == "invalid_request_error":
        if _SPEND_LIMIT_WORDS.search(message):
            return "spend_limit"
        if _PROMPT_TOO_LONG_WORDS.search(message):
            return "prompt_too_long"
    if kind in ("not_found_error", "permission_error") and code is None and _is_about(model, message):
        return "model_unavailable"
    if code is not None and code.startswith("cmek_"):
        return "permission_error"  # the customer's own key store: every model of the account fails alike
    return kind


def _is_about(model: str, message: str) -> bool:
    """Whether a 403 or 404 speaks of the model. Without that evidence it is about the request or the account."""
    return model in message or _MODEL_WORDS.search(message) is not None


def _overridden(
    row: _Row, rules: Mapping[str, ErrorRule], kind: str, status: int | None, envelope: str | None = None
) -> _Row:
    if not rules:
        return row
    for name in (kind, envelope, str(status)):
        rule = rules.get(name) if name else None
        if rule is not None:
            then: Then = rule.do or row.then
            scope: Scope = "model" if rule.do in ("repeat", "next") else row.scope
            return _Row(rule.counts or row.counts, scope, then)
    return row


def _error_of(body: bytes) -> dict[str, Any]:
    """The `error` object of an API error body; other platforms put its fields at the top; empty when unreadable."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    inner = parsed.get("error")
    if isinstance(inner, dict):
        return inner
    return {key: parsed[key] for key in ("message",) if key in parsed}


def _request_id(headers: Mapping[str, str]) -> str | None:
    found = headers.get("request-id") or headers.get("x-amzn-requestid")
    return found if found and _REQUEST_ID.fullmatch(found) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `retry-after` in seconds or as a date.

    A date is read against the response's own `date`, so that a wrong clock here does not matter.
    """
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        return seconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        until = parsedate_to_datetime(value)
        sent = parsedate_to_datetime(headers["date"])
        return max((until - sent).total_seconds(), 0.0)
    except (KeyError, TypeError, ValueError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < float("inf") else None
