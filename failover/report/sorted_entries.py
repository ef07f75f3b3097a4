"""A journal's entries by kind, with what is wrong with them counted: the first of the two looks that a report takes.

Entries come in the order of writing. Within one process that is the order of what happened, whatever its clock did; how
the entries of several processes are mixed says nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from failover.journal.entry import Entry, Kind

from .model import Period

__all__ = ["DEFAULT_CLIENT", "SortedEntries", "amount", "client_of", "count_of", "place_of", "sort_entries", "texts"]

DEFAULT_CLIENT = "default"
"""The caller's own."""

_KINDS: frozenset[str] = frozenset(get_args(Kind))
_END_OF_TIME = 253402300800.0  # the year 10000, which no calendar of Python has
_CLOCK_STEP = 2.0  # seconds; threads of a busy process write a little out of order
_MINUTE = 60.0
_LARGEST = 1e12  # seconds; what is longer is no measurement
_MOST_TEXTS = 100


@dataclass(frozen=True, slots=True)
class SortedEntries:
    """All that can be used, each kind in the order of writing."""

    kinds: Mapping[str, list[Entry]]
    period: Period
    count: int
    processes: Mapping[str, float]
    """Each with the last moment that it was heard of."""
    ignored: Mapping[str, int]
    unusable: int
    clock_steps: int

    def of(self, kind: Kind) -> list[Entry]:
        """The entries of one kind."""
        return self.kinds.get(kind, [])


def sort_entries(entries: Iterable[Entry], since: float | None, until: float | None) -> SortedEntries:
    """Sort them; the period is the one asked for, and where none was, from the first entry to the last."""
    kinds: defaultdict[str, list[Entry]] = defaultdict(list)
    ignored: Counter[str] = Counter()
    clocks: dict[str, float] = {}
    last: dict[str, float] = {}
    first, unusable, steps, count = math.inf, 0, 0, 0
    for entry in entries:
        at, kind, process = entry.at, entry.kind, entry.process
        count += 1
        if not 0 <= at < _END_OF_TIME:
            unusable += 1
            continue
        if kind not in _KINDS:
            ignored[kind] += 1
        else:
            kinds[kind].append(entry)
        first = min(first, at)
        if kind == "served":  # told after its minute, whose beginning it bears
            at += _MINUTE
        else:
            steps += at < clocks.get(process, 0.0) - _CLOCK_STEP
            clocks[process] = at
        if at > last.get(process, -1.0):
            last[process] = at
    start = since if since is not None else first if last else None
    end = until if until is not None else max(last.values(), default=None)
    if start is not None and end is not None:
        end = max(start, end)
    return SortedEntries(kinds, Period(start, end), count, last, ignored, unusable, steps)


def amount(value: float | None) -> float:
    """A duration, or 0 for what is none."""
    return value if value is not None and 0 < value < _LARGEST else 0.0


def count_of(value: object) -> int:
    """A count, or 0 for what is none."""
    return value if isinstance(value, int) and value > 0 else 0


def texts(value: object) -> tuple[str, ...]:
    """The names in a list of an entry's `detail`, which another version may have written differently."""
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(text for one in value[:_MOST_TEXTS] if (text := one if isinstance(one, str) else _name_of(one)))


def place_of(entry: Entry) -> str:
    """Where an attempt went, as circuits are called: a model's id, or `client/model`."""
    if entry.circuit:
        return entry.circuit
    model = entry.model or "unknown"
    return model if entry.client in {None, DEFAULT_CLIENT} else f"{entry.client}/{model}"


def client_of(circuit: str, known: Mapping[str, str]) -> str:
    """Whose circuit it is: as its entries say, else by its name."""
    if circuit in known:
        return known[circuit]
    before, slash, _ = circuit.partition("/")
    return before if slash and before in known.values() else DEFAULT_CLIENT


def _name_of(value: Any) -> str:
    name = value.get("name") if isinstance(value, Mapping) else None
    return name if isinstance(name, str) else ""
