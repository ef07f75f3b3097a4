"""From a journal's entries to a report: what lasted, what belongs to it, and what it cost."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from failover.journal.entry import Entry

from .model import Incident, Outage, Outside, Report, Said, Served
from .places import OUTSIDE, Places, find_leads
from .sorted_entries import SortedEntries, amount, client_of, count_of, place_of, sort_entries, texts
from .spans import CircuitSpan, IncidentSpan, circuit_spans, incident_spans, joined, last_of
from .tally import Tally, sum_of

__all__ = ["build", "report_of"]

_ROUNDED = 1.0  # seconds; an incident's beginning is reckoned back from when it was noticed


def build(entries: Iterable[Entry], *, since: float | None = None, until: float | None = None) -> Report:
    """Make the report of these entries, in the order in which they were written.

    Args:
        entries: Those of the period, and no others.
        since: Where the period begins, in seconds since 1970; `None`: with the first entry.
        until: Where it ends; `None`: with the last entry.
    """
    return report_of(sort_entries(entries, since, until))


def report_of(entries: SortedEntries) -> Report:
    """Make the report of entries that are sorted already."""
    builder = _Builder(entries)
    incidents, outages = builder.incidents(), builder.outages()
    outside = builder.tallies[OUTSIDE]
    lost: Counter[str] = Counter()
    for entry in entries.of("lost"):
        lost[entry.reason or "unknown"] += count_of(entry.count) or 1
    return Report(
        period=entries.period,
        entries=entries.count,
        processes=tuple(sorted(entries.processes)),
        policies=tuple(sorted({entry.policy for own in entries.kinds.values() for entry in own if entry.policy})),
        lost=lost.total(),
        lost_reasons=dict(sorted(lost.items())),
        ignored=dict(sorted(entries.ignored.items())),
        unusable=entries.unusable,
        clock_steps=entries.clock_steps,
        incidents=incidents,
        outages=outages,
        outside=Outside(outside.cost, outside.evidence()),
        total=sum_of(tally.cost for tally in builder.tallies),
        served=_served(entries.of("served")),
        said=_said(entries.of("status")),
    )


class _Builder:
    """Gives each incident and outage its place, and each attempt and call the place that it belongs to."""

    def __init__(self, entries: SortedEntries) -> None:
        self._entries = entries
        clients = _clients(entries)
        self._incidents = sorted(joined(incident_spans(entries)), key=_order)
        self._outages = sorted(joined(circuit_spans(entries)), key=_order)
        self._owners = [client_of(own[0].of, clients) for own in self._outages]
        self.tallies = [Tally() for _ in range(1 + len(self._incidents) + len(self._outages))]
        self._places = Places(clients)
        find_leads(entries, (span for own in self._outages for span in own))
        for place, spans in enumerate(self._incidents, 1):
            start = spans[0].start - _ROUNDED
            self._places.incidents[spans[0].of].add(start, last_of(spans).until, place)
        self._in_incident = [self._incident_of(index) for index in range(len(self._outages))]
        for index, outage in enumerate(self._outages):
            place = self._in_incident[index] or self._place_of(index)
            lead = min(min(span.start, span.lead) for span in outage)
            self._places.outages[outage[0].of].add(lead, last_of(outage).until, place)
        self._sort()

    def incidents(self) -> tuple[Incident, ...]:
        """Those of the report."""
        said = _said(self._entries.of("status"))
        return tuple(self._incident(number, spans, said) for number, spans in enumerate(self._incidents, 1))

    def outages(self) -> tuple[Outage, ...]:
        """Those of the report."""
        return tuple(self._outage(index, spans) for index, spans in enumerate(self._outages))

    def _place_of(self, outage: int) -> int:
        return 1 + len(self._incidents) + outage

    def _incident_of(self, outage: int) -> int:
        """The incident in which an outage began, or `OUTSIDE`."""
        return self._places.incidents[self._owners[outage]].at(self._outages[outage][0].start)

    def _sort(self) -> None:
        entries, places, tallies = self._entries, self._places, self.tallies
        for entry in entries.of("attempt"):
            tallies[places.of_attempt(entry)].attempts.append(entry)
        for entry in entries.of("probe"):
            tallies[places.of_probe(entry)].probes.append(entry)
        for entry in entries.of("call"):
            tallies[places.of_call(entry)].calls.append(entry)

    def _incident(self, number: int, spans: Sequence[IncidentSpan], said: Sequence[Said]) -> Incident:
        last, tally = last_of(spans), self.tallies[number]
        start = spans[0].start
        noticed = [span.noticed for span in spans if span.noticed is not None]
        return Incident(
            number=number,
            client=last.of,
            began=start,
            noticed=min(noticed, default=None),
            ended=last.end,
            ending=last.ending,
            last_heard=last.last_heard,
            processes=len({span.process for span in spans}),
            causes=tuple(dict.fromkeys(cause for span in spans for cause in span.causes)),
            models=tuple(dict.fromkeys(model for span in spans for model in span.models)),
            failures=sum(span.failures for span in spans),
            probes=max(len(tally.probes), sum(span.probes for span in spans)),
            probes_answered=sum(probe.outcome == "answered" for probe in tally.probes),
            kept_back=sum(span.kept_back for span in spans),
            cost=tally.cost,
            evidence=tally.evidence(),
            said=_said_within(said, start, last.until),
            outages=tuple(index + 1 for index, place in enumerate(self._in_incident) if place == number),
        )

    def _outage(self, index: int, spans: Sequence[CircuitSpan]) -> Outage:
        last, tally = last_of(spans), self.tallies[self._place_of(index)]
        first = spans[0]
        before = sum(entry.at <= first.start for entry in tally.attempts)
        opening = 0 if first.opening is None else count_of(first.opening.count)
        return Outage(
            number=index + 1,
            circuit=first.of,
            client=self._owners[index],
            opened=first.start,
            before_period=any(span.before_period for span in spans),
            closed=last.end,
            ending=last.ending,
            last_heard=last.last_heard,
            processes=len({span.process for span in spans}),
            reasons=tuple(dict.fromkeys(reason for span in spans for reason in span.reasons)),
            reopened=sum(span.reopened for span in spans),
            failures_before=max(before, opening),
            cost=tally.cost,
            evidence=tally.evidence(),
            incident=self._in_incident[index] or None,
        )


def _order(spans: Sequence[CircuitSpan] | Sequence[IncidentSpan]) -> tuple[float, str]:
    return spans[0].start, spans[0].of


def _clients(entries: SortedEntries) -> Mapping[str, str]:
    """Whose each circuit is, by the entries that say both."""
    named = (entry for kind in ("attempt", "served", "transition") for entry in entries.kinds.get(kind, ()))
    return dict(sorted({(place_of(entry), entry.client) for entry in named if entry.client}))


def _served(entries: Iterable[Entry]) -> tuple[Served, ...]:
    answers: Counter[str] = Counter()
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for entry in entries:
        place = place_of(entry)
        answers[place] += count_of(entry.count)
        seconds[place].append(amount(entry.seconds))
    ordered = sorted(answers.items(), key=lambda counted: (-counted[1], counted[0]))
    return tuple(Served(place, count, math.fsum(seconds[place])) for place, count in ordered)


def _said(entries: Iterable[Entry]) -> tuple[Said, ...]:
    """What the status page said, each change once, although every process asks it."""
    said: list[Said] = []
    for entry in sorted(entries, key=lambda entry: (entry.at, entry.process)):
        new = Said(entry.at, entry.outcome, texts(entry.detail.get("incidents")))
        if not said or (said[-1].indicator, said[-1].incidents) != (new.indicator, new.incidents):
            said.append(new)
    return tuple(said)


def _said_within(said: Sequence[Said], start: float, end: float) -> tuple[Said, ...]:
    """What it said in that time, beginning with what it had said last."""
    before = [one for one in said if one.at <= start][-1:]
    return (*before, *(one for one in said if start < one.at <= end))
