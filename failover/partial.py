"""What a caller had been given of an answer that broke: kept with the error, and read only if somebody asks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from anthropic import APIRequest

from .sdk import message_of
from .stream.message import collect

if TYPE_CHECKING:  # loading the SDK's beta types takes a while, and few programs need them
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage

__all__ = ["keep", "partial_message"]


def keep(error: Exception, events: bytes, request: APIRequest) -> None:
    """Remember with an error what had been given in answer to a request."""
    error.failover_events = events  # type: ignore[attr-defined]
    error.failover_cast_to = request.cast_to  # type: ignore[attr-defined]


def partial_message(error: BaseException) -> Message | BetaMessage | None:
    """What the caller had been given of an answer whose stream broke with this error.

    Its last content block may be incomplete, its `stop_reason` is `None`, and a tool's input holds what could be read
    of it. `None` for any other error, and for an answer of more than 16 MB of events, which is not kept.
    """
    events = getattr(error, "failover_events", None)
    with contextlib.suppress(ValueError):
        if events:
            return message_of(error.failover_cast_to, collect(events).message)  # type: ignore[attr-defined]
    return None
