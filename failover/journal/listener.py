"""Events as entries: what failed, where calls went instead, and how they ended. What is routine is only counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    Event,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    StatusSeen,
)
from failover.switches import Switches

from .entry import Entry, Kind
from .journal import Journal
from .processes import process_name
from .served import Served

__all__ = ["JournalListener"]


class JournalListener:
    """Writes what is worth remembering of a policy's events to a journal.

    All events of one call come in order, from whichever threads. For the answers to be counted it must be given the
    routine events, too.

    Args:
        journal: where to.
        policy: the name of the policy.
        trace_id: gives the trace that is current, in 32 hexadecimal digits, or `None`.
    """

    def __init__(self, journal: Journal, policy: str, trace_id: Callable[[], str | None]) -> None:
        self._journal = journal
        self._policy = policy
        self._trace_id = trace_id
        self._switches = Switches()

    def __call__(self, event: Event) -> None:
        """Write what the event tells, if it is worth it. Never blocks."""
        tell = _TOLD.get(type(event))
        if tell is not None:
            tell(self, event)

    def _put(self, kind: Kind, **known: Any) -> None:
        detail = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in known.pop("detail", {}).items()
            if value
        }
        at, trace_id = self._journal.wall(), self._trace_id()
        self._journal.put(Entry(at, kind, process_name(), self._policy, trace_id=trace_id, detail=detail, **known))

    def _attempt_finished(self, event: AttemptFinished) -> None:
        if event.verdict == "success":
            at = self._journal.wall()
            served = Served(at, event.seconds, self._policy, event.client, event.model, event.breaker)
            self._journal.put(served)
            return
        self._switches.failed(event)
        self._put(
            "attempt",
            call=event.call,
            client=event.client,
            model=event.model,
            circuit=event.breaker,
            number=event.number,
            reason=event.reason,
            outcome=event.verdict,
            status=event.status,
            error_type=event.error_type,
            request_id=event.request_id,
            seconds=event.seconds,
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            detail={"stream": event.stream, "retry_after": event.retry_after},
        )

    def _model_skipped(self, event: ModelSkipped) -> None:
        self._switches.skipped(event)

    def _attempt_started(self, event: AttemptStarted) -> None:
        cause = self._switches.cause(event)
        if cause is None:
            return
        failed = cause if isinstance(cause, AttemptFinished) else None
        self._put(
            "switch",
            call=event.call,
            client=event.client,
            model=event.model,
            circuit=event.breaker,
            number=event.number,
            reason=cause.error_type if isinstance(cause, AttemptFinished) else cause.reason,
            status=failed and failed.status,
            error_type=failed and failed.error_type,
            request_id=failed and failed.request_id,
            detail={"from": cause.breaker},
        )

    def _transition(self, event: BreakerTransition) -> None:
        self._put(
            "transition",
            circuit=event.breaker,
            reason=event.reason,
            outcome=event.to_state,
            error_type=event.error_type,
            request_id=event.request_id,
            seconds=event.open_for,
            count=event.failures,
            detail={"from": event.from_state},
        )

    def _call_finished(self, event: CallFinished) -> None:
        self._switches.ended(event.call)
        if event.outcome == "primary" and event.attempts == 1 and not event.skipped and not event.waited:
            return
        self._put(
            "call",
            call=event.call,
            model=event.model,
            outcome=event.outcome,
            error_type=event.error_type,
            seconds=event.seconds,
            count=event.attempts,
            detail={
                "served": event.served_model,
                "waited": event.waited,
                "skipped": event.skipped,
                "request_ids": event.request_ids,
            },
        )

    def _incident_started(self, event: IncidentStarted) -> None:
        self._put(
            "incident",
            client=event.client,
            reason=event.cause,
            outcome="started",
            seconds=event.failing_for,
            count=event.failures,
            detail={"models": event.models, "error_types": event.error_types, "request_ids": event.request_ids},
        )

    def _incident_probed(self, event: IncidentProbed) -> None:
        self._put(
            "probe",
            call=event.call,
            client=event.client,
            model=event.model,
            outcome="answered" if event.answered else "failed",
            status=event.status,
            error_type=event.error_type,
            request_id=event.request_id,
            seconds=event.seconds,
        )

    def _incident_ended(self, event: IncidentEnded) -> None:
        self._put(
            "incident",
            client=event.client,
            outcome="ended",
            seconds=event.seconds,
            count=event.kept_back,
            detail={"models": event.models, "probes": event.probes},
        )

    def _status_seen(self, event: StatusSeen) -> None:
        self._put("status", outcome=event.indicator, detail={"incidents": event.incidents})


# Functions and no bound methods, which would keep the listener and its journal alive in a cycle.
_TOLD: dict[type, Callable[[JournalListener, Any], None]] = {
    AttemptFinished: JournalListener._attempt_finished,  # noqa: SLF001 - all of these are its own
    AttemptStarted: JournalListener._attempt_started,  # noqa: SLF001
    BreakerTransition: JournalListener._transition,  # noqa: SLF001
    CallFinished: JournalListener._call_finished,  # noqa: SLF001
    IncidentEnded: JournalListener._incident_ended,  # noqa: SLF001
    IncidentProbed: JournalListener._incident_probed,  # noqa: SLF001
    IncidentStarted: JournalListener._incident_started,  # noqa: SLF001
    ModelSkipped: JournalListener._model_skipped,  # noqa: SLF001
    StatusSeen: JournalListener._status_seen,  # noqa: SLF001
}
