"""The words that a trace is searched by: what each span and span event says, from the event that it is made of.

Names that OpenTelemetry or the `anthropic` SDK have are theirs; all others begin with `failover.`. No value holds
prompt text, keys or an exception's message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    PromptShrunk,
    StreamInterrupted,
    Waiting,
)

__all__ = [
    "Attributes",
    "at_attempt",
    "at_attempt_end",
    "at_end",
    "at_incident",
    "at_interruption",
    "at_probe",
    "at_shrinking",
    "at_skip",
    "at_start",
    "at_transition",
    "at_wait",
    "error_of_attempt",
    "error_of_call",
    "series_of_attempt",
    "series_of_call",
    "series_of_circuit",
    "series_of_skip",
    "series_of_transition",
]

Attributes: TypeAlias = dict[str, str | int | float | tuple[str, ...]]

_UNKNOWN_ERROR = "_OTHER"
"""The conventions' word for one: https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/"""


def _present(attributes: Mapping[str, str | int | float | None]) -> Attributes:
    return {key: value for key, value in attributes.items() if value is not None}


def at_start(event: CallStarted) -> Attributes:
    """A run as it starts."""
    return {
        "failover.policy.name": event.policy,
        "failover.policy.digest": event.digest,
        "failover.model.requested": event.model,
        "failover.sdk_retries_taken": event.sdk_retries_taken,
    }


def at_end(event: CallFinished) -> Attributes:
    """A run as it ends."""
    attributes: Attributes = {
        "failover.outcome": event.outcome,
        "failover.attempts": event.attempts,
        "failover.wait.total": event.waited,
    }
    if event.served_model is not None:
        attributes["failover.model.served"] = event.served_model
    if event.skipped:
        attributes["failover.models.skipped"] = event.skipped
    return attributes


def at_attempt(policy: str, event: AttemptStarted) -> Attributes:
    """An attempt as it starts."""
    attributes: Attributes = {
        # Also here, because a search in Jaeger combines only what is on one span.
        "failover.policy.name": policy,
        "failover.model": event.model,
        "failover.attempt.number": event.number,
        "failover.attempt.reason": event.reason,
        "failover.breaker.name": event.breaker,
        "failover.breaker.state": event.state,
    }
    if event.number > 1:
        attributes["http.request.resend_count"] = event.number - 1
    if event.client != "default":
        attributes["failover.client"] = event.client
    if event.changes:
        attributes["failover.request.changes"] = event.changes
    if event.queued is not None:
        attributes["failover.queue.wait"] = event.queued
    return attributes


def at_attempt_end(event: AttemptFinished) -> Attributes:
    """An attempt as it ends."""
    return _present(
        {
            "http.response.status_code": event.status,
            "anthropic.request.id": event.request_id,
            "failover.retry_after": event.retry_after,
            "failover.verdict": event.verdict,
            "failover.stream.end": event.stream,
            "failover.stream.first_content": event.first_content,
            "failover.discarded.input_tokens": event.input_tokens,
            "failover.discarded.output_tokens": event.output_tokens,
        }
    )


def at_interruption(event: StreamInterrupted) -> Attributes:
    """A stream that broke while the caller was reading it, and what was done about it."""
    return _present(
        {
            "failover.model": event.model,
            "error.type": event.error_type,
            "anthropic.request.id": event.request_id,
            "failover.stream.then": event.then,
            "failover.stream.why": event.why,
        }
    )


def at_shrinking(event: PromptShrunk) -> Attributes:
    """A prompt that was made smaller, or could not be; tokens are estimates."""
    return {
        "failover.model": event.model,
        "failover.prompt.dropped": event.done,
        "failover.prompt.tokens.before": event.tokens_before,
        "failover.prompt.tokens.after": event.tokens_after,
    }


def at_transition(event: BreakerTransition) -> Attributes:
    """A circuit's change of state; the last failure is told where it is the reason."""
    failed = event.to_state == "open" and not event.by_hand
    return _present(
        {
            "failover.breaker.name": event.breaker,
            "failover.breaker.from": event.from_state,
            "failover.breaker.to": event.to_state,
            "failover.breaker.reason": event.reason,
            "failover.breaker.failures": event.failures,
            "failover.breaker.open_for": event.open_for,
            "error.type": event.error_type if failed else None,
            "anthropic.request.id": event.request_id if failed else None,
        }
    )


def at_incident(event: IncidentStarted | IncidentEnded) -> Attributes:
    """The platform is down, or no longer."""
    attributes: Attributes = {"failover.client": event.client, "failover.incident.models": event.models}
    if isinstance(event, IncidentEnded):
        return attributes | {
            "failover.incident.seconds": event.seconds,
            "failover.incident.probes": event.probes,
            "failover.incident.calls_kept_back": event.kept_back,
        }
    return attributes | {
        "failover.incident.cause": event.cause,
        "failover.incident.failing_for": event.failing_for,
        "failover.incident.failures": event.failures,
        "failover.incident.error_types": event.error_types,
        "failover.incident.request_ids": event.request_ids,
    }


def at_probe(event: IncidentProbed) -> Attributes:
    """A tiny request that asked whether an incident is over."""
    return _present(
        {
            "failover.client": event.client,
            "failover.model": event.model,
            "failover.incident.answered": event.answered,
            "http.response.status_code": event.status,
            "error.type": event.error_type,
            "anthropic.request.id": event.request_id,
            "failover.incident.probe.seconds": event.seconds,
        }
    )


def at_skip(event: ModelSkipped) -> Attributes:
    """A model that nothing was sent to."""
    return _present(
        {
            "failover.model": event.model,
            "failover.breaker.name": event.breaker,
            "failover.breaker.state": event.state,
            "failover.skip.reason": event.reason,
            "failover.skip.why": event.why,
            "failover.retry_in": event.retry_in,
        }
    )


def at_wait(event: Waiting) -> Attributes:
    """A pause, in seconds."""
    return {"failover.wait.delay": event.seconds, "failover.wait.cause": event.cause}


def error_of_call(event: CallFinished) -> str | None:
    """The `error.type` of a call that got no answer; `None` for others, and for one that the caller gave up."""
    failed = event.outcome in {"exhausted", "refused", "failed", "interrupted"}
    return event.error_type or _UNKNOWN_ERROR if failed else None


def error_of_attempt(event: AttemptFinished) -> str | None:
    """The `error.type` of an attempt that failed; `None` for others."""
    failed = event.error_type is not None or event.verdict in {"failure", "open"}
    return event.error_type or _UNKNOWN_ERROR if failed else None


def series_of_call(policy: str, event: CallFinished) -> Attributes:
    """The series of metrics that a call is counted in."""
    return _present(
        {
            "failover.policy.name": policy,
            "failover.outcome": event.outcome,
            "error.type": error_of_call(event),
        }
    )


def series_of_attempt(policy: str, event: AttemptFinished) -> Attributes:
    """The series that an attempt is counted in."""
    return _present(
        {
            "failover.policy.name": policy,
            "failover.model": event.model,
            "failover.client": None if event.client == "default" else event.client,
            "failover.attempt.reason": event.reason,
            "error.type": error_of_attempt(event),
        }
    )


def series_of_transition(policy: str, event: BreakerTransition) -> Attributes:
    """The series that a circuit's change of state is counted in."""
    return {
        "failover.policy.name": policy,
        "failover.breaker.name": event.breaker,
        "failover.breaker.from": event.from_state,
        "failover.breaker.to": event.to_state,
    }


def series_of_skip(policy: str, event: ModelSkipped) -> Attributes:
    """The series that a model that nothing was sent to is counted in."""
    return {
        "failover.policy.name": policy,
        "failover.model": event.model,
        "failover.breaker.name": event.breaker,
        "failover.skip.reason": event.reason,
    }


def series_of_circuit(policy: str, name: str, state: str) -> Attributes:
    """The series that tells whether a circuit is in a state."""
    return {"failover.policy.name": policy, "failover.breaker.name": name, "failover.breaker.state": state}
