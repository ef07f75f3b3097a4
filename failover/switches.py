"""Which attempts are a call's move to another circuit, and what made it move."""

from __future__ import annotations

from typing import TypeAlias

from failover.events import AttemptFinished, AttemptStarted, ModelSkipped

__all__ = ["Cause", "Switches"]

Cause: TypeAlias = AttemptFinished | ModelSkipped


class Switches:
    """Remembers for each call what its next attempt may be a consequence of.

    The end of a call is not always told, calls go on in any thread, and a finaliser may tell something at any point
    of any of them. So there is no lock and nothing that grows: a call has its place in a table by its number, and
    loses it to one that comes much later.

    Args:
        places: at about how many calls at once the first are forgotten.
    """

    def __init__(self, places: int = 4096) -> None:
        self._places: list[Cause | None] = [None] * places

    def failed(self, event: AttemptFinished) -> None:
        """An attempt was not answered well."""
        self._places[event.call % len(self._places)] = event

    def skipped(self, event: ModelSkipped) -> None:
        """A rung was passed over. A failure in the same call explains more than a skip that comes after it."""
        if not isinstance(self._cause(event.call), AttemptFinished):
            self._places[event.call % len(self._places)] = event

    def cause(self, event: AttemptStarted) -> Cause | None:
        """What made the call leave another circuit for this attempt; `None` if the attempt is no such move."""
        if event.reason in {"primary", "retry"}:
            return None
        cause = self._cause(event.call)
        return None if cause is None or cause.breaker == event.breaker else cause

    def ended(self, call: int) -> None:
        """A call is over."""
        if self._cause(call) is not None:
            self._places[call % len(self._places)] = None

    def _cause(self, call: int) -> Cause | None:
        cause = self._places[call % len(self._places)]
        return cause if cause is not None and cause.call == call else None
