"""How the SDK's own retry loop is kept from sending again what the policy has given up.

The SDK runs its middleware inside its retry loop. Turning that loop off for a client would take it from every other
endpoint too (`models.list`, `files`), so a wrapped client keeps it as it was made, and the outermost middleware
hands the errors of guarded calls out in a form that the loop does not retry. Where `Failover` was installed by hand
and the loop left on, a connection error can only be retried: the second run finds it remembered, and sends nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import anthropic
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware

from .recording import attach, route
from .sdk import call_key, is_answer, maker_of, may_run_again, raising_response, typed_error

__all__ = ["Edge", "SecondRuns", "raise_if_given_up"]

_log = logging.getLogger("failover")

_given_up: ContextVar[tuple[str, anthropic.APIConnectionError] | None] = ContextVar("failover_given_up", default=None)
"""The SDK call that the last guarded call of this context was, and the connection error that it gave up with."""


class Edge(Middleware):
    """The outermost middleware of a wrapped client. Requests that are not guarded pass untouched."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Sync."""
        try:
            response = call_next(request)
        except anthropic.APIConnectionError as error:
            response = _handed_over(error, request, asynchronous=False)
        raise_if_given_up(response)
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """Async."""
        try:
            response = await call_next(request)
        except anthropic.APIConnectionError as error:
            response = _handed_over(error, request, asynchronous=True)
        raise_if_given_up(response)
        return response


class SecondRuns:
    """Remembers what a call gave up with, for the case that the SDK's loop runs the very same call again."""

    def __init__(self) -> None:
        self._warned = False

    def remember(self, request: APIRequest, call_next: Callable[..., Any], error: BaseException) -> None:
        """A guarded call ends with this error. It is kept only if the SDK's loop may come again, for it holds the call."""
        key = call_key(request)
        if key is not None and isinstance(error, anthropic.APIConnectionError) and may_run_again(request, call_next):
            _given_up.set((key, error))

    def refuse(self, request: APIRequest) -> None:
        """Raise again what this very call gave up with before; do nothing for any other call."""
        given_up = _given_up.get()
        if given_up is None:
            return
        key, error = given_up
        if not request.retries_taken or key != call_key(request):
            _given_up.set(None)
            return
        if not self._warned:
            self._warned = True
            _log.warning(
                "the SDK's own retries are on and would multiply the policy's: "
                "make the client with max_retries=0, or use failover.wrap(client)"
            )
        raise error


def _handed_over(error: anthropic.APIConnectionError, request: APIRequest, *, asynchronous: bool) -> Any:
    if route(error) is None:  # not a guarded call's: the SDK may retry it
        raise error
    _given_up.set(None)
    return raising_response(error, request, asynchronous=asynchronous)


def raise_if_given_up(response: Any) -> None:
    """Raise the SDK's own typed error, with the route as its note, for an error response of a guarded call."""
    if not isinstance(response, (APIResponse, AsyncAPIResponse)) or is_answer(response.http_response):
        return
    taken = route(response)
    error = None if taken is None else typed_error(maker_of(response), response.http_response)
    if taken is not None and error is not None:
        attach(error, taken)
        raise error
