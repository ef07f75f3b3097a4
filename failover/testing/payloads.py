"""The words of the API that depend on no request: its errors, and how an event is written.

Shapes follow the API reference: https://platform.claude.com/docs/en/api/messages,
https://platform.claude.com/docs/en/build-with-claude/streaming and https://platform.claude.com/docs/en/api/errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["error_body", "error_event", "error_type_of", "sse"]

_ERRORS = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your payment details need attention."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    409: ("conflict_error", "The resource was changed by another request."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out while processing."),
    529: ("overloaded_error", "Overloaded"),
}
_MESSAGES = dict(_ERRORS.values())


def error_type_of(status: int) -> str:
    """The `error.type` that the API gives with a status."""
    return _ERRORS[status][0] if status in _ERRORS else "api_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's own border


def error_body(
    error_type: str, message: str | None, *, request_id: str, error_code: str | None = None
) -> dict[str, Any]:
    """An error as the API words it."""
    error: dict[str, Any] = {"type": error_type, "message": message or _MESSAGES.get(error_type, "Error")}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": request_id}


def error_event(error_type: str, message: str | None, *, request_id: str) -> bytes:
    """An error in the middle of a stream."""
    return sse(error_body(error_type, message, request_id=request_id))


def sse(data: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by its data's `type`."""
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), json.dumps(data).encode())
