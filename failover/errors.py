"""Everything this package raises, in one place, so that a reader sees whose fault each error is.

A call that was sent and failed raises the SDK's own typed error (see `failover.route` for what was tried).
Only what the SDK cannot know has an error of its own: a policy that cannot be used, and a call that every
open circuit refused.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import anthropic
from pybreaker import CircuitBreakerError

if TYPE_CHECKING:
    import httpx2

    from .engine.platform import Incident
    from .engine.route import Route

__all__ = [
    "AttemptFailed",
    "BulkheadFull",
    "CatalogueError",
    "CircuitOpen",
    "FailoverError",
    "MissingExtra",
    "PlatformIncident",
    "PolicyError",
    "StreamTruncated",
]


def _without_init(kind: type[FailoverError], *args: object) -> FailoverError:
    return kind.__new__(kind, *args)


class FailoverError(Exception):
    """The root of this package's own errors. Each can be copied and pickled, and keeps all that it says."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again without `__init__`, whose arguments are not the `args` of the exception."""
        return _without_init, (type(self), *self.args), self.__dict__


class PolicyError(FailoverError, ValueError):
    """A policy cannot be used. Raised when it is loaded, never at call time.

    The message has one line for each problem: `file:line:column: path: what is wrong`.
    """

    problems: tuple[str, ...]
    """One line for each problem, in the order of the file."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CatalogueError(FailoverError, ValueError):
    """A catalogue of models cannot be used. Raised when it is loaded, never at call time.

    The message has one line for each problem: `file:line:column: path: what is wrong`.
    """

    problems: tuple[str, ...]
    """One line for each problem, in the order of the file."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class MissingExtra(FailoverError, ImportError):
    """A part was used whose extra is not installed; the message names the extra."""


class AttemptFailed(FailoverError):
    """What a `pybreaker.CircuitBreakerListener.failure` is told: one attempt that counted against a circuit."""

    def __init__(self, breaker: str, error_type: str | None, status: int | None, request_id: str | None) -> None:
        super().__init__(f"{breaker}: {error_type or 'failed'} (status {status}, request id {request_id})")
        self.breaker = breaker
        self.error_type = error_type
        self.status = status
        self.request_id = request_id


class StreamTruncated(FailoverError, anthropic.APIConnectionError):
    """A streamed answer ended in good order but without `message_stop`: it is not complete.

    The SDK alone ends such a stream as if it were.
    """

    def __init__(self, *, request: httpx2.Request) -> None:
        super().__init__(message="The stream ended without message_stop: the answer is not complete.", request=request)


class CircuitOpen(FailoverError, anthropic.ServiceUnavailableError, CircuitBreakerError):
    """Circuits are open, and nobody else could take the request; as a rule nothing was sent at all.

    It is an `anthropic.ServiceUnavailableError` (so an `anthropic.InternalServerError` and an
    `anthropic.APIStatusError`) to handlers that know only the SDK, and a `pybreaker.CircuitBreakerError` to
    handlers that know only pybreaker.
    """

    retry_in: float | None
    """Seconds until the first of the circuits lets a try through; `None` when all are held open by hand."""

    breakers: tuple[str, ...]
    """The circuits that refused, in the order of the ladder."""

    causes: tuple[str | None, ...]
    """The `error.type` of the last failure that each of them saw; `None` for one that saw none."""

    request_ids: tuple[str, ...]
    """The request ids of the last failures that these circuits saw, for support."""

    route: Route
    """What the call tried: nothing, and why."""

    def __init__(
        self,
        *,
        response: httpx2.Response,
        retry_in: float | None,
        breakers: tuple[str, ...],
        causes: tuple[str | None, ...],
        request_ids: tuple[str, ...],
        route: Route,
    ) -> None:
        what = "Nobody else took the request" if route.attempts else "Nothing was sent"
        whose = ", ".join(f"{name} ({cause})" if cause else name for name, cause in zip(breakers, causes, strict=True))
        when = "until closed by hand" if retry_in is None else f"for {retry_in:.1f} s more"
        ids = f"; last request ids: {', '.join(request_ids)}" if request_ids else ""
        super().__init__(f"{what}: circuit open {when}: {whose}{ids}", response=response, body=None)
        self.retry_in = retry_in
        self.breakers = breakers
        self.causes = causes
        self.request_ids = request_ids
        self.route = route


class PlatformIncident(CircuitOpen):
    """No model of a client answers, so calls are not sent to them until a probe is answered.

    It is a `CircuitOpen`, whose `retry_in` is here the time until the next probe, and whose `request_ids` are those of the
    first and the last failure of the incident.
    """

    client: str
    """The one that is in the incident: `default` is the caller's own."""

    since: dt.datetime
    """When the first of its failures was seen, UTC."""

    models: tuple[str, ...]
    """That fail, in the order in which they began to."""

    def __init__(
        self,
        *,
        response: httpx2.Response,
        incident: Incident,
        breakers: tuple[str, ...],
        now: dt.datetime,
        route: Route,
    ) -> None:
        self.client = incident.client
        self.since = now - dt.timedelta(seconds=incident.failing_for)
        self.models = incident.models
        super().__init__(
            response=response,
            retry_in=incident.next_probe_in,
            breakers=breakers,
            causes=(None,) * len(breakers),
            request_ids=incident.request_ids,
            route=route,
        )
        since = self.since.replace(tzinfo=None).isoformat(timespec="seconds")
        what = "Nobody else took the request" if route.attempts else "Nothing was sent"
        types = f" ({', '.join(incident.error_types)})" if incident.error_types else ""
        ids = f"; request ids: {', '.join(incident.request_ids)}" if incident.request_ids else ""
        self.message = (
            f"{what}: platform incident since {since}Z: none of {', '.join(incident.models)} on client "
            f"`{incident.client}` answers, {incident.failures} failures{types}; next probe in "
            f"{incident.next_probe_in:.1f} s{ids}"
        )
        self.args = (self.message,)


class BulkheadFull(FailoverError, anthropic.ServiceUnavailableError):
    """As many requests are out as a policy's bulkheads allow, and the turn of this call did not come in time.

    Nothing is wrong with any model. It is an `anthropic.ServiceUnavailableError` to handlers that know only the SDK.
    """

    expected: float | None
    """Seconds that it would still have taken, by how long such requests took lately; `None` if nothing is known yet."""

    bulkheads: tuple[str, ...]
    """The limits that were full."""

    route: Route
    """What the call tried."""

    def __init__(
        self, *, response: httpx2.Response, expected: float | None, bulkheads: tuple[str, ...], route: Route
    ) -> None:
        when = "" if expected is None else f"; its turn would have come in about {expected:.1f} s"
        super().__init__(f"No turn came at {', '.join(bulkheads)}{when}", response=response, body=None)
        self.expected = expected
        self.bulkheads = bulkheads
        self.route = route
