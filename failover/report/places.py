"""Which incident or outage an attempt or a call belongs to. Each has one place; 0 stands for outside of all."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from failover.journal.entry import Entry

from .sorted_entries import DEFAULT_CLIENT, SortedEntries, amount, client_of, count_of, place_of, texts
from .spans import CircuitSpan

__all__ = ["OUTSIDE", "Places", "Windows", "find_leads"]

OUTSIDE = 0

_Key: TypeAlias = tuple[str, str | None, str]  # of a circuit: its process, its policy, and its name
_MINUTE = 60.0
_LONGEST_LEAD = 600.0  # seconds; failures in a row that are further apart were no beginning
_AT_ONCE = 1.0
_NEAR = 10.0  # seconds; a slow answer to an earlier call can come between the first failures and those in a row
_IN_A_ROW = 100


class Windows:
    """Spans of time that do not overlap, each with the number of its place."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._places: list[int] = []

    def add(self, start: float, end: float, place: int) -> None:
        """Add one that ends after all others; where it would overlap the one before it begins later."""
        self._starts.append(max(start, self._ends[-1]) if self._ends else start)
        self._ends.append(end)
        self._places.append(place)

    def at(self, moment: float) -> int:
        """The place of a moment."""
        return self.within(moment, moment)

    def within(self, start: float, end: float) -> int:
        """The place of the last window that a span of time touches."""
        index = bisect_right(self._starts, end) - 1
        return self._places[index] if index >= 0 and start <= self._ends[index] else OUTSIDE


class Places:
    """All windows: an incident is of a client, an outage of a circuit."""

    def __init__(self, clients: Mapping[str, str]) -> None:
        self.incidents: defaultdict[str, Windows] = defaultdict(Windows)
        """By client."""
        self.outages: defaultdict[str, Windows] = defaultdict(Windows)
        """By circuit."""
        self._clients = dict(clients)
        self._calls: dict[tuple[str, int | None], tuple[int | None, int]] = {}

    def of_attempt(self, entry: Entry) -> int:
        """The incident of its client, else the outage of its circuit."""
        circuit = place_of(entry)
        place = self._within(circuit, entry.client or self._client_of(circuit), entry.at, entry.at)
        if place and entry.call is not None:
            key = (entry.process, entry.call)
            first = self._calls.get(key)
            if first is None or (entry.number or 0) < (first[0] or 0):
                self._calls[key] = entry.number, place
        return place

    def of_probe(self, entry: Entry) -> int:
        """The incident of its client."""
        windows = self.incidents.get(entry.client or DEFAULT_CLIENT)
        return windows.at(entry.at) if windows is not None else OUTSIDE

    def of_call(self, entry: Entry) -> int:
        """Where the first of its attempts failed that has a place, else why it passed over a circuit."""
        known = self._calls.get((entry.process, entry.call))
        if known is not None:
            return known[1]
        began = entry.at - amount(entry.seconds)
        for circuit in (*texts(entry.detail.get("skipped")), place_of(entry)):
            place = self._within(circuit, self._client_of(circuit), began, entry.at)
            if place:
                return place
        return OUTSIDE

    def _within(self, circuit: str, client: str, start: float, end: float) -> int:
        for windows in (self.incidents.get(client), self.outages.get(circuit)):
            place = windows.within(start, end) if windows is not None else OUTSIDE
            if place:
                return place
        return OUTSIDE

    def _client_of(self, circuit: str) -> str:
        client = self._clients.get(circuit)
        if client is None:
            client = self._clients[circuit] = client_of(circuit, self._clients)
        return client


def find_leads(entries: SortedEntries, spans: Iterable[CircuitSpan]) -> None:
    """Find out for each opening when the failures began that led to it.

    They are those that the circuit counted in a row, and any shortly before these; where another rule opened it, all of
    the minute before.
    """
    openings: defaultdict[_Key, list[CircuitSpan]] = defaultdict(list)
    for span in spans:
        if span.opening is not None:
            openings[span.process, span.policy, span.of].append(span)
    failures: defaultdict[_Key, list[Entry]] = defaultdict(list)
    for entry in entries.of("attempt"):
        key = (entry.process, entry.policy, place_of(entry))
        if key in openings and entry.outcome == "failure":
            failures[key].append(entry)
    for key, own in openings.items():
        _find_leads(sorted(failures[key], key=lambda entry: entry.at), own)


def _find_leads(failures: Sequence[Entry], spans: Iterable[CircuitSpan]) -> None:
    """For the spans of one circuit of one process, in order; if its clock was set back, later ones may find none."""
    recent: deque[Entry] = deque(maxlen=_IN_A_ROW)
    index = 0
    for span in spans:
        while index < len(failures) and failures[index].at <= span.start:
            recent.append(failures[index])
            index += 1
        span.lead = _lead(span, recent)


def _lead(span: CircuitSpan, failures: Sequence[Entry]) -> float:
    """When the failures began that led to an opening, of those before it; the last of them may be told after it."""
    opening, lead = span.opening, span.start
    if opening is None or not failures:
        return lead
    told = failures[-1].request_id == opening.request_id and span.start - failures[-1].at < _AT_ONCE
    in_a_row = count_of(opening.count) - (0 if told else 1)
    counted = 0.0 if opening.reason == "consecutive_failures" else _MINUTE
    for number, failure in enumerate(reversed(failures), 1):
        before = span.start - failure.at
        near = before <= counted or lead - failure.at <= _NEAR
        if before > _LONGEST_LEAD or not (number <= in_a_row or near):
            break
        lead = failure.at
    return lead
