"""A call's place in line before the bulkheads: asked for before each attempt, given back after it."""

from __future__ import annotations

from .actions import Queue
from .plan import Candidate, Cargo, Limit, Place, Plan, Refusal, Ticket

__all__ = ["Turn"]

_FOREVER = float("inf")


class Turn:
    """What one call holds of the bulkheads: nothing, a place in line, or a ticket."""

    __slots__ = ("_cargo", "_place", "_plan", "_ticket")

    def __init__(self, plan: Plan, cargo: Cargo) -> None:
        self._plan = plan
        self._cargo = cargo
        self._place: Place | None = None
        self._ticket: Ticket | None = None

    @property
    def waited(self) -> float | None:
        """Seconds that it stood in line; `None` if it did not."""
        return (self._ticket.waited or None) if self._ticket is not None else None

    def take(self, candidate: Candidate, available: float) -> Queue | Refusal | None:
        """Ask to send to a candidate: `None` if it may go, a place to stand in first, or why it cannot."""
        place, self._place = self._place, None
        if place is not None:  # where it stood; its turn has come, or not
            self._ticket = place.ticket
            return None if self._ticket is not None else self._full(candidate, place)
        entered = None if self._ticket is not None else self._enter(candidate)
        if entered is None:
            return None
        longest = available if entered.longest is None else min(available, entered.longest)
        if longest <= 0:
            return self._full(candidate, entered)
        self._place = entered
        return Queue(entered, None if longest == _FOREVER else longest)

    def take_at_once(self, candidate: Candidate) -> bool:
        """Whether one may be sent to a candidate without standing in line."""
        place = self._enter(candidate)
        if place is not None:
            place.leave()
        return place is None

    def give_up(self, candidate: Candidate) -> Refusal | None:
        """No time is left: why a candidate was not asked, if that is because it stood in line for it."""
        place, self._place = self._place, None
        return None if place is None else self._full(candidate, place)

    def hand_over(self) -> Ticket | None:
        """The ticket, for somebody else to release."""
        ticket, self._ticket = self._ticket, None
        return ticket

    def release(self) -> None:
        """The attempt is over, or will not be."""
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            ticket.release()
        place, self._place = self._place, None
        if place is not None:
            place.leave()

    def _enter(self, candidate: Candidate) -> Place | None:
        """Ask for a turn: there is a ticket then, or none is needed, or a place in line."""
        bulkheads, limits = self._plan.bulkheads, self._limits(candidate)
        if bulkheads is None or not limits:
            return None
        entered = bulkheads.enter(limits)
        if isinstance(entered, Place):
            return entered
        self._ticket = entered
        return None

    def _full(self, candidate: Candidate, place: Place) -> Refusal:
        expected = place.expected()
        place.leave()
        limits = self._limits(candidate)
        full = tuple(limit.name for limit in limits if limit.full) or tuple(limit.name for limit in limits)
        why = ", ".join(full)
        return Refusal("closed", expected, "full", None, None, last_resort=False, why=why, limits=full)

    def _limits(self, candidate: Candidate) -> tuple[Limit, ...]:
        sizes = self._plan.sizes
        large = tuple(size.limit for size in sizes if size.over is None or self._cargo.tokens > size.over)
        return large if candidate.limit is None else (*large, candidate.limit)
