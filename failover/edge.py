"""The outermost middleware of a wrapped client: what the policy gave up on leaves the SDK's retry loop at once.

The SDK runs its middleware inside its own retry loop, which would send again what the policy has decided about.
Turning that loop off would take it from every other endpoint too (`models.list`, `files`), so it stays as the client
was made, and errors of guarded calls pass it in a form that it does not retry. Other requests pass untouched.
"""

from __future__ import annotations

from typing import Any

import anthropic
from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware

from .recording import attach, route
from .sdk import ResponseWrapper, raising_response, typed_error

__all__ = ["Edge"]


class Edge(Middleware):
    """Hands the errors of guarded calls to the caller, past the SDK's retry loop."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Sync."""
        try:
            response = call_next(request)
        except anthropic.APIConnectionError as error:
            if route(error) is None:
                raise
            return raising_response(error, request, asynchronous=False)  # type: ignore[return-value]
        _raise_if_given_up(response)
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """Async."""
        try:
            response = await call_next(request)
        except anthropic.APIConnectionError as error:
            if route(error) is None:
                raise
            return raising_response(error, request, asynchronous=True)  # type: ignore[return-value]
        _raise_if_given_up(response)
        return response


def _raise_if_given_up(response: ResponseWrapper) -> None:
    """Raise the SDK's own typed error, with the route as its note, for an error response of a guarded call."""
    if not isinstance(response, (APIResponse, AsyncAPIResponse)) or response.http_response.is_success:
        return
    taken = route(response)
    error = typed_error(response) if taken is not None else None
    if taken is not None and error is not None:
        attach(error, taken)
        raise error
