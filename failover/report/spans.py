"""From when to when something lasted: found per process, then made one where the spans of several processes overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from failover.journal.entry import Entry

from .model import Ending
from .sorted_entries import DEFAULT_CLIENT, SortedEntries, amount, count_of, place_of, texts

__all__ = ["CircuitSpan", "IncidentSpan", "Span", "circuit_spans", "incident_spans", "joined", "last_of"]

_Key: TypeAlias = tuple[str, str | None, str]  # what a `Span` begins with
AnySpan = TypeVar("AnySpan", bound="Span")

_SILENCE = 300.0
"""Seconds; a process that wrote nothing for so long while others did is not heard of any more."""

_NOT_CLOSED = frozenset({"open", "half_open"})


@dataclass(slots=True)
class Span:
    """Something that lasted, in one process."""

    process: str
    policy: str | None
    """Of a program with several policies each has its own circuits."""
    of: str
    """A circuit, or a client."""
    start: float
    end: float | None = None
    ending: Ending = "over"
    last_heard: float = 0.0

    @property
    def until(self) -> float:
        """The end, for whoever asks what falls into it: infinite while it goes on."""
        return math.inf if self.ending == "going_on" else self.last_heard

    def over(self, at: float) -> None:
        """It ended; a clock that was set back meanwhile does not make it end before it began."""
        self.end = self.last_heard = max(self.start, at)


@dataclass(slots=True)
class CircuitSpan(Span):
    """A circuit of one process was not closed."""

    before_period: bool = False
    opening: Entry | None = None
    lead: float = math.inf
    """When the failures began that led to it, if that is known."""
    reasons: list[str] = field(default_factory=list)
    reopened: int = 0
    states: list[tuple[float, str]] = field(default_factory=list)
    """From when on it was open, or half open."""


@dataclass(slots=True)
class IncidentSpan(Span):
    """What one process took for an incident."""

    noticed: float | None = None
    causes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    failures: int = 0
    probes: int = 0
    kept_back: int = 0


def circuit_spans(entries: SortedEntries) -> list[CircuitSpan]:
    """Every time that a circuit was not closed."""
    spans: list[CircuitSpan] = []
    current: dict[_Key, CircuitSpan | None] = {}
    for entry in entries.of("transition"):
        key, state = (entry.process, entry.policy, place_of(entry)), entry.outcome
        if state not in _NOT_CLOSED and state != "closed":
            continue
        span = current.get(key)
        if span is None:
            if state == "closed" and _before(entry) not in _NOT_CLOSED:
                continue
            span = _first_of(entry, key, entries, fresh=key not in current)
            spans.append(span)
        elif state == "open":
            span.reopened += 1
        current[key] = span
        if state == "closed":
            span.over(entry.at)
            current[key] = None
            continue
        span.states.append((entry.at, state))
        if state == "open" and entry.reason and entry.reason not in span.reasons:
            span.reasons.append(entry.reason)
    _end_those_left((span for span in current.values() if span is not None), entries)
    return spans


def incident_spans(entries: SortedEntries) -> list[IncidentSpan]:
    """Every incident of every process."""
    spans: list[IncidentSpan] = []
    current: dict[_Key, IncidentSpan] = {}
    for entry in entries.of("incident"):
        if entry.outcome not in {"started", "ended"}:
            continue
        key = (entry.process, entry.policy, entry.client or DEFAULT_CLIENT)
        span = current.get(key)
        if span is None:
            span = IncidentSpan(*key, entry.at - amount(entry.seconds))
            spans.append(span)
            current[key] = span
        span.models = tuple(dict.fromkeys((*span.models, *texts(entry.detail.get("models")))))
        if entry.outcome == "started":
            span.noticed = entry.at if span.noticed is None else span.noticed
            span.failures += count_of(entry.count)
            span.causes = (entry.reason,) if entry.reason else ()
        else:
            span.probes += count_of(entry.detail.get("probes"))
            span.kept_back += count_of(entry.count)
            span.over(entry.at)
            del current[key]
    _end_those_left(current.values(), entries)
    return spans


def joined(spans: Iterable[AnySpan]) -> Iterator[list[AnySpan]]:
    """Spans of the same thing that overlap or touch, together; the result does not depend on their order."""
    groups: dict[str, list[list[AnySpan]]] = {}
    reach: dict[str, float] = {}
    for span in sorted(spans, key=lambda span: (span.start, span.process, span.policy or "", span.until)):
        own = groups.setdefault(span.of, [])
        if own and span.start <= reach[span.of]:
            own[-1].append(span)
        else:
            own.append([span])
        reach[span.of] = max(span.until, reach.get(span.of, 0.0))
    for own in groups.values():
        yield from own


def last_of(spans: Iterable[AnySpan]) -> AnySpan:
    """The one that says how all of them ended: the one that lasts longest, and of equals one that is known to be over."""
    return max(spans, key=lambda span: (span.until, span.ending == "over"))


def _first_of(entry: Entry, key: _Key, entries: SortedEntries, *, fresh: bool) -> CircuitSpan:
    """A span begins with an opening; another transition, if it is the first of all, tells of one before the period."""
    before = fresh and _before(entry) in _NOT_CLOSED and entries.period.start is not None
    start = entries.period.start if before and entries.period.start is not None else entry.at
    span = CircuitSpan(*key, min(start, entry.at), before_period=before)
    if before:
        span.states.append((span.start, _before(entry)))
        span.reopened = int(entry.outcome == "open")
    elif entry.outcome == "open":
        span.opening = entry
    return span


def _before(entry: Entry) -> str:
    """The state that a transition left."""
    state = entry.detail.get("from")
    return state if isinstance(state, str) else "closed"


def _end_those_left(spans: Iterable[Span], entries: SortedEntries) -> None:
    """What did not end goes on, unless its process fell silent long before the others did."""
    newest = max(entries.processes.values(), default=0.0)
    end = newest if entries.period.end is None else entries.period.end
    for span in spans:
        heard = entries.processes[span.process]
        if newest - heard > _SILENCE:
            span.ending, span.last_heard = "unheard", max(span.start, heard)
        else:
            span.ending, span.last_heard = "going_on", max(span.start, end)
