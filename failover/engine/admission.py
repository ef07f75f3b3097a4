"""Whether a rung may be sent to now: what this call knows of it, the deadline, the bulkheads, its circuit, in this order.

Nobody goes into a line whose circuit refuses, or holds a circuit's permit while standing in one.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .actions import Measure, Ping, Queue
from .plan import Candidate, Cargo, Load, Misfit, Permit, Plan, Refusal, Ticket, Unmeasured
from .rungs import Rungs
from .turn import Turn

__all__ = ["Admission", "Admitted", "Rethread"]

_FOREVER = float("inf")
_LONGEST_COUNT = 5.0  # seconds; an answer that is waited for longer than that is no quick one
_NO_TIME = Refusal("closed", None, "deadline", None, None, last_resort=False)


class Admitted(NamedTuple):
    """An attempt may be sent."""

    candidate: Candidate
    permit: Permit
    load: Load | None
    available: float
    """Seconds that it may take."""
    queued: float | None
    """Seconds that it stood in line."""


class Rethread(NamedTuple):
    """A rung could take the request if the caller sent its whole conversation."""

    candidate: Candidate


Answer: TypeAlias = Admitted | Refusal | Queue | Measure | Ping | Rethread


class Admission:
    """Asks for one call, before each of its attempts."""

    __slots__ = ("_incidents", "_kept_from", "_reserve", "_rungs", "_sizes", "_turn", "deadline")

    def __init__(self, plan: Plan, cargo: Cargo, rungs: Rungs, deadline: float) -> None:
        self.deadline = deadline
        """No attempt starts later."""
        self._reserve = plan.policy.retry.reserve
        self._rungs = rungs
        self._sizes = frozenset(size.limit.name for size in plan.sizes)
        self._turn = None if plan.bulkheads is None else Turn(plan, cargo)
        self._incidents = plan.incidents
        self._kept_from: set[str] = set()

    def ask(self, candidate: Candidate, now: float, *, first: bool) -> Answer:
        """Whether a candidate may be sent to now; `first`: nothing was sent before."""
        rungs = self._rungs
        if candidate.index:
            rungs.load_all()  # who below can take it decides how long this one may take
        load = rungs.load(candidate)
        blocked = rungs.refusal(candidate)
        available = self.available(candidate, now, first=first)
        if blocked is None and available <= 0:
            blocked = self._late(candidate)
        if blocked is not None:
            return blocked
        incident = rungs.incident(candidate)
        if incident is not None:
            return self._ping(candidate.client, available) or self._kept_back(candidate, incident)
        if isinstance(load, (Misfit, Unmeasured)):
            return candidate.circuit.outlook() or self._without_load(candidate, load, available)
        if self._turn is not None:
            patience = max(0.0, available - self._reserve / 2)  # a turn is of use with time left for an answer
            before = candidate.circuit.outlook() or self._turn.take(candidate, patience)
            if before is not None:
                return self._kept_out(candidate, before)
        permit = candidate.circuit.admit()
        if isinstance(permit, Refusal):
            self.leave()
            return permit
        return Admitted(candidate, permit, load, available, None if self._turn is None else self._turn.waited)

    def last_resort(self, now: float) -> Admitted | None:
        """Every circuit refuses: one may be tried all the same, if it is this call's turn, and no bulkhead is full."""
        available = self.deadline - now
        chosen = self._rungs.last_resort() if available > 0 else None
        if chosen is None:
            return None
        candidate, permit = chosen
        load = self._rungs.load(candidate)
        full = self._turn is not None and not self._turn.take_at_once(candidate)
        if full or isinstance(load, (Misfit, Unmeasured)):
            permit.release()
            return None
        return Admitted(candidate, permit, load, available, None)

    def available(self, candidate: Candidate, now: float, *, first: bool) -> float:
        """Seconds this candidate may use: the last one that can be tried is promised `reserve` of the deadline.

        After the first attempt nothing is started that could not live for half of `reserve`.
        """
        if self.deadline == _FOREVER:
            return _FOREVER
        left = self.deadline - now
        if self._rungs.another_after(candidate):
            left -= self._reserve
        return self._worth(left, first=first)

    def left(self, now: float, *, first: bool) -> float:
        """Seconds that some candidate could use, if it answered."""
        return self._worth(self.deadline - now, first=first)

    def _worth(self, left: float, *, first: bool) -> float:
        return left if first or left >= self._reserve / 2 else 0.0

    def hand_over(self) -> Ticket | None:
        """What it holds of the bulkheads, which somebody else gives back."""
        return None if self._turn is None else self._turn.hand_over()

    def leave(self) -> None:
        """An attempt is over, or will not be: others may have its turn."""
        if self._turn is not None:
            self._turn.release()

    def _ping(self, client: str, available: float) -> Ping | None:
        """Whether it is for this call to ask if an incident is over."""
        if self._incidents is None:
            return None
        candidates = self._rungs.to_probe(client)
        turn = self._incidents.take_turn(client, [candidate.circuit for candidate in candidates])
        if turn is None:
            return None
        return Ping(candidates[turn.which], min(available, self._incidents.probe_timeout), turn.number)

    def _kept_back(self, candidate: Candidate, incident: Refusal) -> Refusal:
        self.leave()
        if self._incidents is not None and candidate.client not in self._kept_from:
            self._kept_from.add(candidate.client)
            self._incidents.kept_back(candidate.client)
        return incident

    def _without_load(self, candidate: Candidate, load: Misfit | Unmeasured, available: float) -> Measure | Rethread:
        if isinstance(load, Misfit):
            return Rethread(candidate)
        self._rungs.unload()
        return Measure(candidate, min(available, _LONGEST_COUNT))

    def _kept_out(self, candidate: Candidate, before: Refusal | Queue) -> Refusal | Queue:
        """By its circuit, or by a bulkhead, where this call has then waited as long as it may."""
        if isinstance(before, Refusal):
            self.leave()
            if before.reason == "full":
                self._block(candidate, before)
        return before

    def _block(self, candidate: Candidate, full: Refusal) -> None:
        """This call has waited as long as it may: no other rung helps where a limit is full that binds all of them."""
        everywhere = not self._sizes.isdisjoint(full.limits)
        for other in self._rungs.candidates if everywhere else (candidate,):
            self._rungs.block(other, full)

    def _late(self, candidate: Candidate) -> Refusal:
        """Why nothing is sent for which no time is left: it may have gone into waiting for a turn."""
        full = None if self._turn is None else self._turn.give_up(candidate)
        if full is not None:
            self._block(candidate, full)
        self.leave()
        return full or _NO_TIME
