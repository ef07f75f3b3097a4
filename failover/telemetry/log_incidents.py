"""The lines of an incident: one as it begins, one as it ends, and for debugging what its probes brought."""

from __future__ import annotations

import dataclasses
import logging

from failover.events import IncidentEnded, IncidentProbed, IncidentStarted, StatusSeen

from .log_details import details

__all__ = ["incident_ended", "incident_probed", "incident_started", "status_seen"]

_log = logging.getLogger("failover")


def incident_started(event: IncidentStarted) -> None:
    """No model of a client answers."""
    _log.error(
        "platform incident: no model of client %s answers, for %.0f s now: %d failures of %s (%s); calls are not sent "
        "until a probe is answered",
        event.client,
        event.failing_for,
        event.failures,
        ", ".join(event.models),
        details(", ".join(event.error_types) or None, request_id=", ".join(event.request_ids) or None),
        extra={"failover": {"event": "incident_started", **dataclasses.asdict(event)}},
    )


def incident_probed(event: IncidentProbed) -> None:
    """A tiny request asked whether it is over."""
    _log.debug(
        "platform incident of client %s: probe of %s %s (%s)",
        event.client,
        event.model,
        "was answered" if event.answered else "failed",
        details(event.error_type, status=event.status, request_id=event.request_id),
        extra={"failover": {"event": "incident_probed", **dataclasses.asdict(event)}},
    )


def incident_ended(event: IncidentEnded) -> None:
    """It is over; a warning, so that whoever saw the beginning sees the end."""
    _log.warning(
        "platform incident of client %s is over after %.0f s and %d probe%s; %d call%s kept back",
        event.client,
        event.seconds,
        event.probes,
        "" if event.probes == 1 else "s",
        event.kept_back,
        " was" if event.kept_back == 1 else "s were",
        extra={"failover": {"event": "incident_ended", **dataclasses.asdict(event)}},
    )


def status_seen(event: StatusSeen) -> None:
    """What the provider says of it."""
    _log.warning(
        "the status page says: %s%s",
        event.indicator,
        f" ({'; '.join(event.incidents)})" if event.incidents else "",
        extra={"failover": {"event": "status", **dataclasses.asdict(event)}},
    )
