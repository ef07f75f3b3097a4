"""Answers are many and alike: they are counted by the minute, so that a journal does not grow while all is well."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .entry import Entry
from .processes import process_name

__all__ = ["Served", "ServedCounts"]

_MINUTE = 60.0
_Key: TypeAlias = tuple[float, str, str, str, str]  # the minute, and what a `Served` ends with


class Served(NamedTuple):
    """An attempt that was answered well."""

    at: float
    """Seconds since 1970, UTC."""
    seconds: float
    """That it took."""
    policy: str
    client: str
    model: str
    circuit: str


class ServedCounts:
    """How many of them there were, and how long they took. Used by one thread."""

    def __init__(self) -> None:
        self._counts: dict[_Key, tuple[int, float]] = {}

    def add(self, served: Served) -> None:
        """Count one."""
        at, seconds, policy, client, model, circuit = served
        key = (at // _MINUTE * _MINUTE, policy, client, model, circuit)
        count, total = self._counts.get(key, (0, 0.0))
        self._counts[key] = count + 1, total + seconds

    def due(self, now: float) -> float | None:
        """Seconds until a minute is over; `None` if nothing was counted."""
        if not self._counts:
            return None
        return 0.0 if self._over(now) else _MINUTE - now % _MINUTE

    def take(self, now: float | None = None) -> list[Entry]:
        """The entries of the minutes that are over, or (without a time) of all, which are then forgotten."""
        over = list(self._counts) if now is None else self._over(now)
        return [self._entry(key, *self._counts.pop(key)) for key in over]

    def _over(self, now: float) -> list[_Key]:
        minute = now // _MINUTE * _MINUTE
        return [key for key in self._counts if key[0] != minute]  # a clock that was set back has other minutes, too

    def _entry(self, key: _Key, count: int, seconds: float) -> Entry:
        minute, policy, client, model, circuit = key
        return Entry(
            minute,
            "served",
            process_name(),
            policy,
            client=client,
            model=model,
            circuit=circuit,
            seconds=seconds,
            count=count,
        )
