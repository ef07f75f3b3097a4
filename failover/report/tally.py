"""One place of a report while it is counted: failed attempts, probes and calls become its cost and its evidence."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from failover.journal.entry import Entry

from .model import Cost, ErrorCount, Evidence, FailedRequest
from .sorted_entries import amount, count_of, place_of

__all__ = ["SHOWN", "Tally", "own_fault", "sum_of"]

SHOWN = 10
"""Request ids at each end of a list of them."""

_TRACES = 5
_CLIENT_ERRORS = (400, 500)
_RATE_LIMIT = 429
_LOST = frozenset({"exhausted", "refused", "interrupted"})
_APART = frozenset({"failed", "cancelled", "rethreaded"})


class Tally:
    """Counts what falls into one place."""

    def __init__(self) -> None:
        self.attempts: list[Entry] = []
        self.probes: list[Entry] = []
        self.calls: list[Entry] = []

    @functools.cached_property
    def cost(self) -> Cost:
        """What it took."""
        attempts = self.attempts
        kinds = Counter(map(_kind_of, self.calls))
        return Cost(
            attempts=len(attempts),
            seconds=math.fsum(amount(entry.seconds) for entry in attempts),
            input_tokens=sum(count_of(entry.input_tokens) for entry in attempts),
            output_tokens=sum(count_of(entry.output_tokens) for entry in attempts),
            waited=math.fsum(_waited(entry) for entry in self.calls),
            **kinds,
        )

    def evidence(self) -> Evidence:
        """What support would ask for."""
        if not self.attempts and not self.probes:
            return Evidence()
        errors = Counter(
            (entry.error_type, entry.status, entry.outcome == "neutral")  # the three that an `ErrorCount` tells apart
            for entry in self.attempts
        )
        places = Counter(place_of(entry) for entry in self.attempts)
        failed = (probe for probe in self.probes if probe.outcome != "answered")
        requests = _requests([*filter(_concerns_support, self.attempts), *failed])
        traces = dict.fromkeys(entry.trace_id for entry in sorted(self.attempts, key=_when) if entry.trace_id)
        return Evidence(
            errors=tuple(
                ErrorCount(error_type, status, count, neutral)
                for (error_type, status, neutral), count in sorted(errors.items(), key=_most_first)
            ),
            places=dict(sorted(places.items(), key=_most_first)),
            request_ids=len(requests),
            first=tuple(map(_failed_request, requests[:SHOWN])),
            last=tuple(map(_failed_request, requests[SHOWN:][-SHOWN:])),
            traces=tuple(traces)[:_TRACES],
        )


def own_fault(status: int | None, *, neutral: bool) -> bool:
    """Whether an error is about the request or the account, and not one that support could look into as an outage."""
    return neutral and status is not None and _CLIENT_ERRORS[0] <= status < _CLIENT_ERRORS[1] and status != _RATE_LIMIT


def sum_of(costs: Iterable[Cost]) -> Cost:
    """All of them together."""
    costs = tuple(costs)
    return Cost(**{part.name: sum(getattr(cost, part.name) for cost in costs) for part in fields(Cost)})


def _kind_of(call: Entry) -> str:
    outcome = call.outcome
    if outcome in _LOST:
        return "lost"
    if outcome in _APART and outcome is not None:
        return outcome
    saved = outcome == "fallback" or (outcome == "primary" and count_of(call.count) > 1)
    return "saved" if saved else "other"


def _waited(call: Entry) -> float:
    waited = call.detail.get("waited")
    return amount(waited) if isinstance(waited, (int, float)) else 0.0


def _when(entry: Entry) -> tuple[float, str, str]:
    return entry.at, entry.request_id or "", entry.process


def _concerns_support(attempt: Entry) -> bool:
    return not own_fault(attempt.status, neutral=attempt.outcome == "neutral")


def _requests(entries: Iterable[Entry]) -> list[Entry]:
    """Those with a request id, in order of time, each once."""
    known: dict[str, Entry] = {}
    for entry in sorted((entry for entry in entries if entry.request_id), key=_when):
        known.setdefault(entry.request_id or "", entry)
    return list(known.values())


def _failed_request(entry: Entry) -> FailedRequest:
    probe = entry.kind == "probe"
    return FailedRequest(entry.at, entry.request_id or "", place_of(entry), entry.status, entry.error_type, probe)


def _most_first(counted: tuple[object, int]) -> tuple[int, str]:
    return -counted[1], str(counted[0])
