"""The few lines that tell an operator without a trace viewer what happened, through standard logging.

There is no `NullHandler` on the logger, on purpose. In a program that never configured logging Python prints
warnings to standard error, and a circuit that opened is what such a program's operator has to see. Lines at
WARNING and above tell of a change, or of a call that got no answer; what every answered call meets while a circuit
stays open is DEBUG. To silence them: `logging.getLogger("failover").setLevel(...)`.
"""

from __future__ import annotations

import logging
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
    PromptShrunk,
    StatusSeen,
    StreamInterrupted,
)
from failover.switches import Switches

from .log_details import details
from .log_incidents import incident_ended, incident_probed, incident_started, status_seen

__all__ = ["LogListener"]

_log = logging.getLogger("failover")

_LOST = {
    "exhausted": "no model answered a call for",
    "interrupted": "an answer broke off in the middle, for",
    "refused": "nothing was sent for",
}
_REFUSED = {"bulkhead_full": "no turn came in time", "platform_incident": "a platform incident"}
_switches = Switches()  # of all calls of the process: no two have one number


class LogListener:
    """Writes to the logger `failover`.

    | what | level |
    |---|---|
    | a switch to another model after a failure in this call | WARNING |
    | a switch because a circuit is open already | DEBUG |
    | a circuit opened | WARNING |
    | a circuit closed | INFO |
    | a circuit is half open | DEBUG |
    | a call whose every model failed | ERROR |
    | a stream that broke while it was being read, and nobody took over | ERROR |
    | a stream that broke so, and somebody may take over, or nobody can although the policy asks for it | WARNING |
    | a call that open circuits, or full bulkheads, refused | WARNING |
    | a call that an incident refused | DEBUG |
    | a prompt that was made smaller, or could not be | WARNING |
    | a turn of a thread that was given back to be sent as a whole conversation | INFO |
    | no model of a client answers: a platform incident | ERROR |
    | a tiny request asked whether it is over | DEBUG |
    | what the status page says of it | WARNING |
    | it is over | WARNING |

    The same facts are in each record's attribute `failover`, a dict whose `event` is `switch`, `opened`, `closed`,
    `half_open`, `exhausted`, `refused`, `interrupted`, `broke_off`, `shrunk`, `rethreaded`, `incident_started`,
    `incident_probed`, `incident_ended` or `status`; times are seconds.
    """

    def __call__(self, event: Event) -> None:
        """Log the event, or remember it if it may explain a later one."""
        line = _LINES.get(type(event))
        if line is not None:
            line(event)


def _ended(event: AttemptFinished) -> None:
    if event.verdict != "success":
        _switches.failed(event)


def _started(event: AttemptStarted) -> None:
    cause = _switches.cause(event)
    if cause is None:
        return
    fields = {
        "event": "switch",
        "call": event.call,
        "from": cause.model,
        "to": event.model,
        "reason": event.reason,
        "circuit": cause.breaker,
    }
    if isinstance(cause, ModelSkipped):
        fields |= {"skip_reason": cause.reason, "retry_in": cause.retry_in}
        _log.debug(
            "%s skipped (%s): trying %s",
            cause.breaker,
            cause.reason,
            event.breaker,
            extra={"failover": fields},
        )
        return
    fields |= {"error_type": cause.error_type, "status": cause.status, "request_id": cause.request_id}
    _log.warning(
        "%s failed (%s): trying %s",
        cause.breaker,
        details(cause.error_type, status=cause.status, request_id=cause.request_id),
        event.breaker,
        extra={"failover": fields},
    )


def _changed(event: BreakerTransition) -> None:
    fields = {"circuit": event.breaker, "from": event.from_state, "to": event.to_state, "reason": event.reason}
    if event.to_state == "half_open":
        _log.debug(
            "circuit %s is half open (%s)",
            event.breaker,
            event.reason,
            extra={"failover": {"event": "half_open", **fields}},
        )
        return
    if event.to_state == "closed":
        _log.info(
            "circuit %s closed (%s)",
            event.breaker,
            event.reason,
            extra={"failover": {"event": "closed", **fields}},
        )
        return
    _log.warning(
        "circuit %s opened %s: %s",
        event.breaker,
        "until it is closed by hand" if event.open_for is None else f"for {event.open_for:.1f} s",
        _why(event),
        extra={
            "failover": {
                "event": "opened",
                **fields,
                "failures": event.failures,
                "open_for": event.open_for,
                "error_type": event.error_type,
                "request_id": event.request_id,
            }
        },
    )


def _why(event: BreakerTransition) -> str:
    if event.by_hand:  # the last failure may be hours old
        return event.reason
    failures = f"{event.failures} failed in a row" if event.failures else None
    return details(event.reason, failures, event.error_type, request_id=event.request_id)


def _interrupted(event: StreamInterrupted) -> None:
    if event.then == "raise" and event.why is None:
        return  # the end of the call tells it
    what = f"{event.then} with the next rung" if event.why is None else f"nobody can take over ({event.why})"
    _log.warning(
        "%s broke off in the middle of its answer (%s): %s",
        event.model,
        details(event.error_type, request_id=event.request_id),
        what,
        extra={
            "failover": {
                "event": "broke_off",
                "call": event.call,
                "model": event.model,
                "error_type": event.error_type,
                "request_id": event.request_id,
                "then": event.then,
                "why": event.why,
            }
        },
    )


def _shrunk(event: PromptShrunk) -> None:
    fields = {
        "event": "shrunk",
        "call": event.call,
        "model": event.model,
        "dropped": event.done,
        "tokens_before": event.tokens_before,
        "tokens_after": event.tokens_after,
    }
    _log.warning(
        "after a failure of %s its prompt of about %d tokens %s",
        event.model,
        event.tokens_before,
        f"was shrunk to {event.tokens_after}: {'; '.join(event.done)}" if event.done else "could not be shrunk",
        extra={"failover": fields},
    )


def _finished(event: CallFinished) -> None:
    _switches.ended(event.call)
    if event.outcome == "rethreaded":
        _log.info(
            "%s cannot continue its thread now: its caller is asked to send the whole conversation",
            event.model,
            extra={"failover": {"event": "rethreaded", "call": event.call, "model": event.model}},
        )
    if event.outcome not in _LOST:
        return
    fields = {
        "event": event.outcome,
        "call": event.call,
        "model": event.model,
        "attempts": event.attempts,
        "skipped": event.skipped,
        "waited": event.waited,
        "error_type": event.error_type,
        "request_ids": event.request_ids,
    }
    if event.outcome != "refused":
        # As many lines as calls that the circuits let through, and somebody's call has failed: an error.
        _log.error(
            "%s %s: %d attempt%s (%s)",
            _LOST[event.outcome],
            event.model,
            event.attempts,
            "" if event.attempts == 1 else "s",
            details(event.error_type, request_id=", ".join(event.request_ids) or None),
            extra={"failover": fields},
        )
        return
    # One line for each call of an outage whose openings were told already; the caller has the error.
    _log.log(
        logging.DEBUG if event.error_type == "platform_incident" else logging.WARNING,
        "%s %s, %s: %s",
        _LOST[event.outcome],
        event.model,
        _REFUSED.get(event.error_type or "", "every circuit is open"),
        ", ".join(event.skipped),
        extra={"failover": fields},
    )


_LINES: dict[type, Callable[[Any], None]] = {
    AttemptFinished: _ended,
    AttemptStarted: _started,
    BreakerTransition: _changed,
    CallFinished: _finished,
    IncidentEnded: incident_ended,
    IncidentProbed: incident_probed,
    IncidentStarted: incident_started,
    ModelSkipped: _switches.skipped,
    PromptShrunk: _shrunk,
    StatusSeen: status_seen,
    StreamInterrupted: _interrupted,
}
