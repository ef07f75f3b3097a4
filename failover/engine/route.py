"""The record of one call: what was tried, what came back, and who served it."""

from __future__ import annotations

import itertools
from typing import Literal, NamedTuple

from failover.events import CallOutcome, Resumption

__all__ = ["Attempt", "Route"]


class Attempt(NamedTuple):
    """One HTTP request of a call."""

    model: str
    client: str
    """Which client sent it: `default` is the caller's own."""
    status: int | None
    """The HTTP status; `None` when no response came."""
    error_type: str | None
    """The API's own `error.type`, or the status; or `connection_error`, `client_timeout_error`, `pool_timeout`,
    `stream_truncated`, `malformed_response`, `circuit_open`; `None` on success."""
    request_id: str | None
    seconds: float
    first_content: float | None = None
    """Seconds until the first content of a stream; `None` if there was none, or it was no stream."""
    changes: tuple[str, ...] = ()
    """How its request differed from the caller's, besides the model: a line each, without content."""
    queued: float | None = None
    """Seconds that it stood in line before a bulkhead; `None` if it did not."""

    def __str__(self) -> str:
        answer = "ok" if self.error_type is None else self.error_type
        parts = [
            str(part)
            for part in (self.status, answer, self.request_id)
            if part is not None and part != str(self.status)
        ]
        place = self.model if self.client == "default" else f"{self.client}/{self.model}"
        return f"{place}: {' '.join(parts)} ({self.seconds:.2f} s)"


class Route(NamedTuple):
    """What became of one call."""

    outcome: CallOutcome | Literal["streaming"]
    """`primary` and `fallback` were answered; `exhausted` tried everything; `refused` found every circuit open and
    sent nothing; `failed` met an error that no other model can help; `interrupted` broke after some of the answer had
    been given; `cancelled` was given up by the caller; `rethreaded` asked the SDK's helper for threads to send the whole
    conversation again, so that another model can answer; `streaming` has begun to be answered and is not over."""
    requested_model: str
    served_model: str | None
    attempts: tuple[Attempt, ...]
    skipped: tuple[str, ...]
    """Circuits that were passed over, each once: a model's id, or `client/model`."""
    waited: float
    """Seconds spent in waits."""
    resumed: Resumption | None = None
    """How another attempt took over after some of the answer had been given; `None` if none did."""
    why_skipped: tuple[str, ...] = ()
    """For each of `skipped` in turn: the reason, such as `open` or `unfit`, and what there is to say of it."""

    @property
    def request_ids(self) -> tuple[str, ...]:
        """The request ids of all attempts that had one, in order: what support asks for."""
        return tuple(attempt.request_id for attempt in self.attempts if attempt.request_id)

    def __str__(self) -> str:
        tried = [str(attempt) for attempt in self.attempts]
        skipped = [
            f"{place}: skipped ({why})" if why else f"{place}: skipped"
            for place, why in itertools.zip_longest(self.skipped, self.why_skipped, fillvalue="")
        ]
        return f"{self.outcome}: {'; '.join(tried + skipped) or 'nothing was sent'}"
