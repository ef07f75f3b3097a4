"""The facts of each incident and outage as short lines with a label: what Markdown lists and the page shows beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from failover.document.files import printable

from .model import Cost, Evidence, Incident, Outage, Report, Said
from .sorted_entries import DEFAULT_CLIENT
from .words import CAUSES, REASONS, clock, count, duration, error, lasted, named

__all__ = [
    "COLUMNS",
    "Fact",
    "Row",
    "cost_table",
    "incident_facts",
    "incident_title",
    "outage_facts",
    "outage_title",
    "outside_facts",
]

_MOST_ERRORS = 6
_MOST_SAID = 6
_MOST_CIRCUITS = 8


class Fact(NamedTuple):
    """A line with its label."""

    label: str
    text: str


class Row(NamedTuple):
    """A line of the table of costs."""

    what: str
    cells: tuple[str, ...]


COLUMNS = (
    "attempts failed",
    "they took",
    "tokens thrown away",
    "calls saved",
    "lost",
    "failed",
    "other",
    "callers waited",
)
"""Of the table of costs, after its first."""


def incident_title(incident: Incident) -> str:
    """What it is called."""
    whose = "" if incident.client == DEFAULT_CLIENT else f" of client {printable(incident.client)}"
    return f"Platform incident {incident.number}{whose}"


def outage_title(outage: Outage) -> str:
    """What it is called."""
    return f"Outage {outage.number}: {printable(outage.circuit)}"


def incident_facts(incident: Incident, outages: Sequence[Outage]) -> list[Fact]:
    """All that is known of a platform incident; `outages` are all of the report."""
    began = incident.began
    noticed = "before the period" if incident.noticed is None else f"at {clock(incident.noticed, began)}"
    causes = named(CAUSES.get(cause, cause) for cause in incident.causes)
    by = f"by {count(incident.processes, 'process', 'processes')}"
    inside = [outage for outage in outages if outage.incident == incident.number]
    return [
        Fact("when", lasted(incident)),
        Fact("noticed", f"{noticed} {by}{f' ({causes})' if causes else ''}"),
        *_optional("models", named(incident.models)),
        *_errors(incident.evidence),
        Fact("probes", f"{incident.probes:,}, of which {incident.probes_answered:,} were answered"),
        Fact("calls kept back", f"{incident.kept_back:,}"),
        *_optional("status page", _said(incident.said, began)),
        *_optional("circuits opened in it", _circuits(inside, began)),
        *_cost(incident.cost),
    ]


def outage_facts(outage: Outage) -> list[Fact]:
    """All that is known of the outage of a circuit."""
    reasons = named(REASONS.get(reason, reason) for reason in outage.reasons)
    if outage.before_period:
        how = "before the period"
    else:
        how = (
            f"after {count(outage.failures_before, 'failure')}"
            if outage.failures_before
            else "without a failure before"
        )
    again = f"; reopened {_times(outage.reopened)}" if outage.reopened else ""
    where = f"; in {count(outage.processes, 'process', 'processes')}" if outage.processes > 1 else ""
    facts = [Fact("when", lasted(outage)), Fact("opened", f"{how}{f' ({reasons})' if reasons else ''}{again}{where}")]
    if outage.incident is not None:
        return [
            *facts,
            Fact("part of", f"platform incident {outage.incident}: its attempts and calls are counted there"),
        ]
    return [*facts, *_errors(outage.evidence), *_cost(outage.cost)]


def outside_facts(report: Report) -> list[Fact]:
    """What failed while nothing was the matter for long; empty if nothing did."""
    outside = report.outside
    if not outside.cost.attempts and not outside.cost.calls:
        return []
    return [*_errors(outside.evidence), *_cost(outside.cost)]


def cost_table(report: Report, *, most: int) -> list[Row]:
    """What each incident and outage took, and the sum of all; at most so many lines, those that took the most."""
    alone = [outage for outage in report.outages if outage.incident is None]
    named_costs = [
        *((f"incident {incident.number}", incident.cost) for incident in report.incidents),
        *((f"outage {outage.number}", outage.cost) for outage in alone),
    ]
    dearest = sorted(named_costs, key=lambda one: -one[1].attempts)[:most]
    shown = [Row(what, _cells(cost)) for what, cost in named_costs if (what, cost) in dearest]
    if len(named_costs) > most:
        shown.append(Row(f"{len(named_costs) - most:,} more", ("",) * len(COLUMNS)))
    return [*shown, Row("outside of these", _cells(report.outside.cost)), Row("total", _cells(report.total))]


def _cells(cost: Cost) -> tuple[str, ...]:
    other = cost.cancelled + cost.rethreaded + cost.other
    return (
        f"{cost.attempts:,}",
        duration(cost.seconds),
        f"{cost.input_tokens + cost.output_tokens:,}",
        f"{cost.saved:,}",
        f"{cost.lost:,}",
        f"{cost.failed:,}",
        f"{other:,}",
        duration(cost.waited),
    )


def _optional(label: str, text: str) -> Iterable[Fact]:
    return (Fact(label, text),) if text else ()


def _errors(evidence: Evidence) -> Iterable[Fact]:
    if not evidence.errors:
        return ()
    shown = [f"{one.count:,} x {error(one)}" for one in evidence.errors]
    places = [f"{printable(place)} {number:,}" for place, number in evidence.places.items()]
    facts = [Fact("errors", named(shown, most=_MOST_ERRORS))]
    if len(places) > 1:
        facts.append(Fact("by model", named(places, most=_MOST_ERRORS)))
    return facts


def _said(said: Sequence[Said], began: float) -> str:
    lines = []
    for one in said[:_MOST_SAID]:
        about = f" ({named(one.incidents)})" if one.incidents else ""
        lines.append(f"{clock(one.at, began)} {printable(one.indicator or 'unknown')}{about}")
    return "; ".join(lines)


def _circuits(outages: Sequence[Outage], began: float) -> str:
    shown = []
    for outage in outages[:_MOST_CIRCUITS]:
        end = f" to {clock(outage.last_heard, began)}" if outage.ending == "over" else ", not closed"
        again = f", reopened {_times(outage.reopened)}" if outage.reopened else ""
        shown.append(f"{printable(outage.circuit)} {clock(outage.opened, began)}{end}{again}")
    more = len(outages) - len(shown)
    return "; ".join([*shown, *([f"{more:,} more"] if more else [])])


def _cost(cost: Cost) -> Iterable[Fact]:
    tokens = (
        f"; {cost.input_tokens:,} tokens read and {cost.output_tokens:,} written in vain"
        if cost.input_tokens or cost.output_tokens
        else ""
    )
    yield Fact("wasted", f"{count(cost.attempts, 'attempt')} that failed, {duration(cost.seconds)} in all{tokens}")
    parts = [
        (cost.saved, "saved"),
        (cost.lost, "lost"),
        (cost.failed, "failed for a reason of their own"),
        (cost.cancelled, "cancelled"),
        (cost.rethreaded, "sent again as a whole conversation"),
        (cost.other, "answered, but not at once"),
    ]
    calls = ", ".join(f"{number:,} {what}" for number, what in parts if number or what in {"saved", "lost"})
    waits = f"; callers waited {duration(cost.waited)} before another try" if cost.waited else ""
    yield Fact("calls", f"{calls}{waits}")


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")
