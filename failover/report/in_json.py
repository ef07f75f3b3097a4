"""A report for programs. Times are ISO 8601 in UTC, durations are seconds; a key is never taken away within a version.

    version                 1
    period                  start, end
    entries                 how many rows of the journal were read
    processes, policies     names
    lost, lost_reasons      rows that could not be written: so much is missing
    ignored, unusable       rows of kinds unknown to this version, by kind; rows without a possible time
    clock_steps             how often a process's clock was set back
    quiet                   whether nothing went wrong
    headline, remarks       as in Markdown
    incidents               number, client, began, noticed, ended, ending, last_heard, processes, causes, models, failures,
                            probes, probes_answered, kept_back, cost, evidence, said, outages (their numbers)
    outages                 number, circuit, client, opened, before_period, closed, ending, last_heard, processes, reasons,
                            reopened, failures_before, cost, evidence, incident (its number, which then has the cost)
    outside                 cost and evidence of what falls into none of them
    total                   the cost of all
    served                  place, answers, seconds
    said                    changes of the status page: at, indicator, incidents
    ticket                  the text for support, or null

`ending` is `over`, `going_on` or `unheard`. A `cost` has attempts, seconds, input_tokens, output_tokens, saved, lost,
failed, cancelled, rethreaded, other and waited. An `evidence` has errors (error_type, status, count, neutral), places
(counts by model, or client/model), request_ids (how many), first and last (at, request_id, place, status, error_type,
probe) and traces (ids).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from .model import (
    Cost,
    ErrorCount,
    Evidence,
    FailedRequest,
    Incident,
    Outage,
    Outside,
    Period,
    Report,
    Said,
    Served,
)
from .ticket import ticket
from .words import headline, iso, remarks

__all__ = ["in_json", "json_text"]

_KINDS = (Cost, ErrorCount, Evidence, FailedRequest, Incident, Outage, Outside, Period, Report, Said, Served)
_NAMES = {kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in _KINDS}
_TIMES = frozenset({"at", "start", "end", "began", "noticed", "ended", "opened", "closed", "last_heard"})


def in_json(report: Report) -> dict[str, Any]:
    """Plain data that `json.dumps` takes."""
    return {
        "version": 1,
        **_plain(report),
        "quiet": report.quiet,
        "headline": headline(report),
        "remarks": remarks(report),
        "ticket": ticket(report),
    }


def json_text(told: Mapping[str, Any]) -> str:
    """A report as the text of a file: a line for each key, and for each incident and outage.

    `json.dumps` alone would make one line of it, or with `indent` take five times as long.
    """
    lines = (f"{json.dumps(key)}: {_text(value)}" for key, value in told.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _text(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(json.dumps(one, allow_nan=False) for one in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int)) or value is None:
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return dict(value)
    return {name: _field(name, getattr(value, name)) for name in _NAMES[type(value)]}


def _field(name: str, value: Any) -> Any:
    return iso(value) if name in _TIMES and value is not None else _plain(value)
