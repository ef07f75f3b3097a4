"""One request out, one answer back: what an upstream did wrong comes back as a value, not as an exception.

These functions are all the I/O that the middleware does. They read what must be read to judge an answer: the body of an
error, and of a message whether it is one at all. A proxy's page or half a message with status 200 is a failure of its
rung, not of the program that would choke on it.
"""

from __future__ import annotations

import json

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

from .exchange import ERROR_STATUS, Answer

__all__ = ["send", "send_async"]

_MESSAGES = (anthropic.BaseModel, dict, httpx2.Response)
_UPSTREAM_ERRORS = (anthropic.APIConnectionError, anthropic.APIStatusError)


def send(request: APIRequest, call_next: CallNext) -> Answer:
    """Send once with a sync client."""
    try:
        response = call_next(request)
    except _UPSTREAM_ERRORS as error:
        return error
    if not isinstance(response, APIResponse):
        return response  # what an inner middleware chose to answer instead
    http = response.http_response
    try:
        if http.status_code >= ERROR_STATUS:
            http.read()
        elif _is_read_message(request, http):
            _refuse_no_message(request, http, response.parse())  # the SDK's own `parse()` a moment later finds it done
    except Exception as error:  # noqa: BLE001 - sorted out there
        return _what_broke(http, error) or response
    return response


async def send_async(request: APIRequest, call_next: AsyncCallNext) -> Answer:
    """Send once with an async client."""
    try:
        response = await call_next(request)
    except _UPSTREAM_ERRORS as error:
        return error
    if not isinstance(response, AsyncAPIResponse):
        return response  # what an inner middleware chose to answer instead
    http = response.http_response
    try:
        if http.status_code >= ERROR_STATUS:
            await http.aread()
        elif _is_read_message(request, http):
            _refuse_no_message(
                request, http, await response.parse()
            )  # the SDK's own `parse()` a moment later finds it done
    except Exception as error:  # noqa: BLE001 - sorted out there
        return _what_broke(http, error) or response
    return response


def _is_read_message(request: APIRequest, http: httpx2.Response) -> bool:
    """Whether the body is a message that has been read: not a stream, and not one that the caller wants to read."""
    return http.is_stream_consumed and not request.stream


def _refuse_no_message(request: APIRequest, http: httpx2.Response, parsed: object) -> None:
    """Where a message should be, the SDK gives back the text of a page, or whatever else the JSON was."""
    if not isinstance(parsed, _MESSAGES) and request.cast_to not in (str, bytes):
        raise _malformed(http)


def _what_broke(http: httpx2.Response, error: Exception) -> Exception | None:
    """What an error in reading or parsing a body says of the upstream; `None` if it is the content's or caller's own.

    A schema that a well-formed message does not fit is the program's business, and the SDK raises it again.
    """
    if isinstance(error, httpx2.TimeoutException):
        broken: Exception = anthropic.APITimeoutError(request=http.request)
    elif isinstance(error, httpx2.HTTPError):
        broken = anthropic.APIConnectionError(request=http.request)
    elif isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        broken = _malformed(http)
    else:
        return error if isinstance(error, anthropic.APIResponseValidationError) else None
    broken.__cause__ = error
    return broken


def _malformed(http: httpx2.Response) -> anthropic.APIResponseValidationError:
    return anthropic.APIResponseValidationError(
        http, None, message="The body of the answer is not the JSON object that it should be."
    )
