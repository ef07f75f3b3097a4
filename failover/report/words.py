"""Times, durations, counts and reasons as a report spells them; one spelling for all formats and for `failover tail`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from failover.document.files import printable

from .model import ErrorCount, FailedRequest, Incident, Outage, Period, Report

__all__ = [
    "CAUSES",
    "REASONS",
    "clock",
    "count",
    "duration",
    "error",
    "headline",
    "iso",
    "lasted",
    "named",
    "remarks",
    "request",
    "span",
]

REASONS: Mapping[str, str] = {
    "consecutive_failures": "failures in a row",
    "failure_rate": "a large share of failures",
    "slow_rate": "many slow answers",
    "hung_calls": "many calls without an answer",
    "retry_after": "the server asked to wait",
    "unavailable": "the model is not available",
    "probe_failed": "a probe failed",
    "open_time_over": "time to probe",
    "probe_succeeded": "probes were answered",
    "last_resort_succeeded": "a last try was answered",
    "manual": "by hand",
    "isolated": "held open by hand",
}
"""Why a circuit moved."""

CAUSES: Mapping[str, str] = {"after": "no good answer for long", "models": "several models failed together"}
"""What made failures an incident."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SHORT = 10  # seconds; below that, tenths matter
_MANY = 4


def iso(at: float) -> str:
    """A time in UTC, to the second: `2026-11-22T02:13:58Z`."""
    return f"{_utc(at).isoformat()[:19]}Z"


def clock(at: float, beside: float | None = None) -> str:
    """A time for people, in UTC: `2026-11-22 02:13:58`, or `02:13:58` beside another time of the same day."""
    if beside is not None and _utc(at).date() == _utc(beside).date():
        return f"{_utc(at):%H:%M:%S}"
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `41 min`, `1 h 5 min`, `2 d 3 h`: two units at most."""
    if seconds < _SHORT:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, length in _UNITS:
        if left >= length or parts:
            parts.append((left // length, unit))
            left %= length
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 call`, `2 calls`, `12,345 calls`."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def named(names: Iterable[str], *, most: int = _MANY) -> str:
    """A few names, and how many more there are."""
    names = [printable(name) for name in names]
    more = len(names) - most
    return f"{', '.join(names[:most])} and {more} more" if more > 1 else ", ".join(names)


def error(one: ErrorCount | FailedRequest) -> str:
    """`529 overloaded_error`, `connection_error (no response)`."""
    kind = printable(one.error_type or "unknown error")
    if one.status is None:
        return f"{kind} (no response)"
    return kind if kind == str(one.status) else f"{one.status} {kind}"


def request(one: FailedRequest) -> str:
    """One line about a failed request, for support."""
    probe = "  (probe)" if one.probe else ""
    return f"{iso(one.at)}  {printable(one.request_id)}  {printable(one.place)}  {error(one)}{probe}"


def span(start: float, end: float) -> str:
    """`2026-11-22 02:13:58 to 02:55:10 UTC`."""
    return f"{clock(start)} to {clock(end, start)} UTC"


def lasted(one: Incident | Outage) -> str:
    """From when to when, and how it ended."""
    start = one.began if isinstance(one, Incident) else one.opened
    if one.ending == "over":
        return f"{span(start, one.last_heard)} ({duration(one.last_heard - start)})"
    if one.ending == "going_on":
        still = "not over" if isinstance(one, Incident) else "still open"
        return (
            f"from {clock(start)} UTC, {still} at {clock(one.last_heard, start)} ({duration(one.last_heard - start)})"
        )
    return (
        f"from {clock(start)} UTC; its process was last heard of at {clock(one.last_heard, start)}, before it was over"
    )


def headline(report: Report) -> str:
    """What happened, in one or two sentences."""
    period = report.period
    if not report.entries:
        return f"Nothing is in the journal{_asked(period)}."
    served = f"{count(report.answers, 'request')} {_were(report.answers)} answered"
    if report.quiet:
        what = "Nothing that was written down went wrong" if report.lost else "Nothing went wrong"
        return f"{what}; {served}."
    alone = sum(outage.incident is None for outage in report.outages)
    found = [count(len(report.incidents), "platform incident")] if report.incidents else []
    if alone:
        found.append(count(alone, "outage of one circuit", "outages of single circuits"))
    total = report.total
    return (
        f"{' and '.join(found) or 'No circuit opened'}: {count(total.attempts, 'attempt')} failed,"
        f" {count(total.saved, 'call')} {_were(total.saved)} saved and {count(total.lost, 'call')} {_were(total.lost)} lost;"
        f" {served}."
    )


def remarks(report: Report) -> list[str]:
    """What a reader must know before believing the rest."""
    said = []
    if report.lost:
        why = named(f"{REASONS.get(reason, reason)}: {number:,}" for reason, number in report.lost_reasons.items())
        said.append(
            f"{count(report.lost, 'entry', 'entries')} could not be written ({why}): more happened than is told here."
        )
    if report.ignored:
        number = sum(report.ignored.values())
        said.append(
            f"{count(number, 'entry', 'entries')} of a kind that this version does not know"
            f" ({named(report.ignored)}) {'is' if number == 1 else 'are'} left out: a newer version wrote here."
        )
    if report.unusable:
        said.append(f"{count(report.unusable, 'entry', 'entries')} without a possible time left out.")
    if report.clock_steps:
        said.append(
            f"A clock was set back {count(report.clock_steps, 'time')}: times and durations near it are not exact."
        )
    return said


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _asked(period: Period) -> str:
    if period.start is not None and period.end is not None:
        return f" between {clock(period.start)} and {clock(period.end)} UTC"
    if period.start is not None:
        return f" from {clock(period.start)} UTC on"
    return f" until {clock(period.end)} UTC" if period.end is not None else ""


def _utc(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.timezone.utc)
