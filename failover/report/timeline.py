"""What a timeline shows, reckoned before anything is drawn: per circuit how much of it was open when, failures, answers.

However many entries there are, a lane has at most some hundred bars and some thousand steps.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .model import Report
from .sorted_entries import SortedEntries, count_of, place_of
from .spans import CircuitSpan, circuit_spans

__all__ = ["MOST_LANES", "Lane", "Mark", "Step", "Timeline", "timeline"]

MOST_LANES = 12
"""Circuits; of more, those with the most failures and answers are shown."""

_MOST_BARS = 120
_COLUMNS = 1000
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MINUTE = 60.0
_NOTHING = 1e-6  # what is left of a sum that should be zero
_SHORTEST = 10.0  # seconds; a single entry is drawn in the middle of so much


@dataclass(frozen=True, slots=True)
class Step:
    """From when to when which share of the processes had a circuit open, and half open."""

    start: float
    end: float
    open: float
    half_open: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One circuit over the whole time. Bars are by the number of their place from the beginning."""

    place: str
    steps: tuple[Step, ...]
    failures: Mapping[int, int]
    answers: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of time with a name: an incident over the lanes of its models, or an outage in its lane."""

    label: str
    start: float
    end: float
    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes, over the same time."""

    start: float
    end: float
    failures_width: float
    """Seconds that a bar of failures stands for."""
    answers_width: float
    """The same for answers, which are known by the minute."""
    lanes: tuple[Lane, ...]
    left_out: int
    """Circuits that have no lane."""
    incidents: tuple[Mark, ...]
    outages: tuple[Mark, ...]


def timeline(entries: SortedEntries, report: Report) -> Timeline | None:
    """The timeline of a report; `None` if there is nothing to show."""
    start, end = _limits(entries)
    width = next((width for width in _WIDTHS if (end - start) / width <= _MOST_BARS), 0) or _days(end - start)
    widths = float(width), max(float(width), _MINUTE)
    failures = _binned(((place_of(entry), entry.at, 1) for entry in entries.of("attempt")), start, widths[0])
    answers = _binned(
        ((place_of(entry), entry.at, count_of(entry.count)) for entry in entries.of("served")), start, widths[1]
    )
    spans: defaultdict[str, list[CircuitSpan]] = defaultdict(list)
    for span in circuit_spans(entries):
        spans[span.of].append(span)
    places = {*failures, *answers, *spans}
    if not places:
        return None
    shown = _most_important(places, failures, answers)
    alive = _heard(entries)
    lanes = tuple(
        Lane(place, _steps(spans[place], alive[place], start, end), failures[place], answers[place]) for place in shown
    )
    marks = _incident_marks(report, shown, start, end), _outage_marks(report, shown, start, end)
    return Timeline(start, end, *widths, lanes, len(places) - len(shown), *marks)


def _limits(entries: SortedEntries) -> tuple[float, float]:
    start, end = entries.period.start or 0.0, entries.period.end or 0.0
    missing = max(0.0, _SHORTEST - (end - start)) / 2
    return start - missing, end + missing


def _days(seconds: float) -> int:
    return math.ceil(seconds / _MOST_BARS / 86400) * 86400


def _binned(counted: Iterable[tuple[str, float, int]], start: float, width: float) -> defaultdict[str, Counter[int]]:
    """How much falls into each bar; bars begin at whole multiples of their width, as clocks do."""
    first = start // width
    bars: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for place, at, number in counted:
        bars[place][int(at // width - first)] += number
    return bars


def _most_important(
    places: Iterable[str], failures: Mapping[str, Counter[int]], answers: Mapping[str, Counter[int]]
) -> list[str]:
    """Those with the most failures; then in the order of answers, so that who serves as a rule stands first."""
    failed = {place: failures[place].total() for place in places}
    answered = {place: answers[place].total() for place in places}
    chosen = sorted(failed, key=lambda place: (-failed[place], -answered[place], place))[:MOST_LANES]
    return sorted(chosen, key=lambda place: (-answered[place], -failed[place], place))


def _heard(entries: SortedEntries) -> Mapping[str, dict[str, tuple[float, float]]]:
    """From when to when each process was heard of, by circuit: only of these a share can be told."""
    heard: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for kind in ("attempt", "served", "transition"):
        for entry in entries.kinds.get(kind, ()):
            own = heard[place_of(entry)]
            first, last = own.get(entry.process, (entry.at, entry.at))
            own[entry.process] = min(first, entry.at), max(last, entry.at)
    return heard


def _steps(
    spans: Iterable[CircuitSpan], heard: Mapping[str, tuple[float, float]], start: float, end: float
) -> tuple[Step, ...]:
    """The shares in each of the columns, with equal neighbours made one."""
    grid = _Grid(start, end)
    alive = dict(heard)
    for span in spans:
        stop = min(span.last_heard, end)
        first, last = alive.get(span.process, (span.start, stop))
        alive[span.process] = min(first, span.start), max(last, stop)
        ends = [*(at for at, _ in span.states[1:]), stop]
        for (at, state), until in zip(span.states, ends, strict=True):
            grid.add(state, at, until)
    for first, last in alive.values():
        grid.add("alive", first, last)
    return grid.steps()


class _Grid:
    """Sums pieces of time in columns, without a loop over the columns that a piece covers."""

    def __init__(self, start: float, end: float) -> None:
        self._start, self._width = start, (end - start) / _COLUMNS
        self._changes: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * (_COLUMNS + 2))

    def add(self, what: str, start: float, end: float) -> None:
        """A piece of time counts in full in the columns that it covers, and in part at its ends."""
        first, last = (max(0.0, min(_COLUMNS, (at - self._start) / self._width)) for at in (start, end))
        changes = self._changes[what]
        for at, sign in ((first, 1.0), (last, -1.0)):
            column, part = int(at), at - int(at)
            changes[column] += sign * (1.0 - part)
            changes[column + 1] += sign * part

    def steps(self) -> tuple[Step, ...]:
        """Equal neighbours are one step; where nothing was open there is none."""
        steps: list[Step] = []
        sums = dict.fromkeys(("alive", "open", "half_open"), 0.0)
        for column in range(_COLUMNS):
            for what, changes in self._changes.items():
                sums[what] += changes[column]
            alive = max(sums["alive"], sums["open"] + sums["half_open"])
            shares = [round(sums[what] / alive, 3) if alive > _NOTHING else 0.0 for what in ("open", "half_open")]
            if not any(shares):
                continue
            start = self._start + column * self._width
            before = steps[-1] if steps else None
            if before is not None and [before.open, before.half_open] == shares and before.end >= start - _NOTHING:
                start = steps.pop().start
            steps.append(Step(start, self._start + (column + 1) * self._width, *shares))
        return tuple(steps)


def _incident_marks(report: Report, places: Sequence[str], start: float, end: float) -> tuple[Mark, ...]:
    owners = {outage.circuit: outage.client for outage in report.outages}
    marks = []
    for incident in report.incidents:
        lanes = [
            lane
            for lane, place in enumerate(places)
            if owners.get(place) == incident.client or place in incident.models or place in incident.evidence.places
        ]
        until = min(end, incident.last_heard)
        marks.append(Mark(f"incident {incident.number}", max(start, incident.began), max(start, until), tuple(lanes)))
    return tuple(marks)


def _outage_marks(report: Report, places: Sequence[str], start: float, end: float) -> tuple[Mark, ...]:
    lanes = {place: lane for lane, place in enumerate(places)}
    return tuple(
        Mark(
            f"outage {outage.number}",
            max(start, outage.opened),
            min(end, outage.last_heard),
            (lanes[outage.circuit],),
        )
        for outage in report.outages
        if outage.circuit in lanes and outage.incident is None
    )
