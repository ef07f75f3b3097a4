"""What had begun before the period of a report and was not over: without it, an incident that lasts would not be seen."""

from __future__ import annotations

from collections.abc import Iterable

from failover.journal import Entry, Kind

__all__ = ["LASTING", "not_over"]

LASTING: tuple[Kind, ...] = ("incident", "transition")
"""The kinds of entries by which something begins and ends."""

_OVER = frozenset({"ended", "closed"})


def not_over(before: Iterable[Entry], processes: frozenset[str]) -> list[Entry]:
    """The entries by which it began, or went on.

    Args:
        before: those of the lasting kinds from before the period, in the order of writing.
        processes: that were heard of in the period; what the others had begun has ended with them.
    """
    found: dict[tuple[object, ...], Entry] = {}
    for entry in before:
        key = (entry.process, entry.policy, entry.kind, entry.circuit or entry.client)
        found.pop(key, None)  # so that the order stays that of writing
        if entry.outcome not in _OVER and entry.process in processes:
            found[key] = entry
    return list(found.values())
