"""One request out, one answer back: what an upstream did wrong comes back as a value, not as an exception.

What must be read to judge an answer is read here: the body of an error, of a message whether it is one at all, and a
stream until its first content. A proxy's page or half a message with status 200 is a failure of its rung, not of the
program that would choke on it.
"""

from __future__ import annotations

import json

import anthropic
import httpx2
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

from .exchange import Answer, Exchange
from .opened import AsyncOpened, SyncOpened
from .sdk import UPSTREAM_ERRORS, is_answer

__all__ = ["malformed", "refuse_another_kind", "send", "send_async", "what_broke"]

_NOT_PARSED = (str, bytes, httpx2.Response)
_NO_CONTENT = 204


def send(exchange: Exchange, request: APIRequest, call_next: CallNext) -> Answer:
    """Send once with a sync client."""
    try:
        response = (exchange.client.send if exchange.client is not None else call_next)(request)
    except UPSTREAM_ERRORS as error:
        return error
    if not isinstance(response, APIResponse):
        return response  # what an inner middleware chose to answer instead
    http = response.http_response
    if _is_left_to_the_caller(request, http):
        listening = exchange.listen(http) if request.stream else None
        if listening is None:
            return response
        collecting = exchange.note_first_content if exchange.collects else None
        return SyncOpened(response, listening).begin(collecting)
    try:
        http.read()
        if is_answer(http):
            if exchange.collects:
                response = exchange.as_asked(response)
            _refuse_no_message(exchange.request, http, response.parse())
    except Exception as error:  # noqa: BLE001 - sorted out there
        return what_broke(http, error) or response
    return response


async def send_async(exchange: Exchange, request: APIRequest, call_next: AsyncCallNext) -> Answer:
    """Send once with an async client."""
    try:
        response = await (exchange.client.send_async if exchange.client is not None else call_next)(request)
    except UPSTREAM_ERRORS as error:
        return error
    if not isinstance(response, AsyncAPIResponse):
        return response  # what an inner middleware chose to answer instead
    http = response.http_response
    if _is_left_to_the_caller(request, http):
        listening = exchange.listen(http) if request.stream else None
        if listening is None:
            return response
        collecting = exchange.note_first_content if exchange.collects else None
        return await AsyncOpened(response, listening).begin(collecting)
    try:
        await http.aread()
        if is_answer(http):
            if exchange.collects:
                response = exchange.as_asked(response)
            _refuse_no_message(exchange.request, http, await response.parse())
    except Exception as error:  # noqa: BLE001 - sorted out there
        return what_broke(http, error) or response
    return response


def _is_left_to_the_caller(request: APIRequest, http: httpx2.Response) -> bool:
    """Whether the body is a stream of events, or a message that the caller wants to read itself.

    A gateway may forget to say what it sends, so only what is plainly something else is not.
    """
    if http.status_code == _NO_CONTENT or not is_answer(http) or (http.is_stream_consumed and not request.stream):
        return False
    kind = http.headers.get("content-type", "")
    return "html" not in kind and not (request.stream and "json" in kind)


def _refuse_no_message(request: APIRequest, http: httpx2.Response, parsed: object) -> None:
    """Raise if a body that has been read is no message: a page, half of one, some other JSON, or an error.

    The SDK keeps what it has parsed, so that looking here parses nothing twice. Callers who asked for text or the bare response have what they asked for.
    """
    if request.cast_to in _NOT_PARSED:
        return
    if request.stream:
        raise malformed(http)
    refuse_another_kind(http, parsed.get("type") if isinstance(parsed, dict) else getattr(parsed, "type", None))


def refuse_another_kind(http: httpx2.Response, kind: object) -> None:
    """Raise if the `type` of a body that has been read says that it is no message."""
    if kind == "error":
        raise anthropic.APIStatusError(f"An error with status {http.status_code}", response=http, body=http.json())
    if kind != "message":
        raise malformed(http)


def what_broke(http: httpx2.Response, error: Exception) -> Exception | None:
    """What an error in reading or parsing a body says of the upstream; `None` if it is the content's or caller's own.

    A schema that a well-formed message does not fit is the program's business, and the SDK raises it again.
    """
    if isinstance(error, httpx2.TimeoutException):
        broken: Exception = anthropic.APITimeoutError(request=http.request)
    elif isinstance(error, httpx2.HTTPError):
        broken = anthropic.APIConnectionError(request=http.request)
    elif isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        broken = malformed(http)
    else:
        return error if isinstance(error, (anthropic.APIResponseValidationError, anthropic.APIStatusError)) else None
    broken.__cause__ = error
    return broken


def malformed(http: httpx2.Response) -> anthropic.APIResponseValidationError:
    """What says of an answer that it is none."""
    return anthropic.APIResponseValidationError(
        http, None, message="The body of the answer is not the JSON object that it should be."
    )
