"""The rungs of one call: which of them can still be tried, now or later."""

from __future__ import annotations

from .plan import Candidate, Gate, Permit, Plan, Refusal

__all__ = ["Rungs"]

_FOREVER = float("inf")
_ACCOUNT_REFUSES = Refusal("closed", None, "account", None, None, last_resort=False)
_GONE = Refusal("open", None, "unavailable", None, None, last_resort=False)
_MAY_PASS_NOW = Refusal("closed", 0.0, "ramp", None, None, last_resort=False)


class Rungs:
    """The candidates of a plan, less those that this call has no more business with."""

    __slots__ = ("_blocked", "_gate", "candidates")

    def __init__(self, plan: Plan) -> None:
        self.candidates = plan.candidates
        self._gate: Gate = plan.gate
        self._blocked: dict[int, Refusal] = {}

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Why this call will not try a candidate again, whatever its circuit says."""
        return self._blocked.get(candidate.index)

    def block(self, candidate: Candidate) -> None:
        """The model of a candidate is gone."""
        self._blocked[candidate.index] = _GONE

    def block_client(self, client: str) -> None:
        """The account of a client refuses: none of its candidates can help."""
        for candidate in self.candidates:
            if candidate.client == client:
                self._blocked[candidate.index] = _ACCOUNT_REFUSES

    @property
    def all_blocked(self) -> bool:
        """Whether there is nobody left to try."""
        return len(self._blocked) == len(self.candidates)

    def another_after(self, candidate: Candidate) -> bool:
        """Whether a pass that stands at this candidate could still go to a later one."""
        for later in self.candidates[candidate.index + 1 :]:
            if later.index not in self._blocked and later.circuit.outlook() is None:
                return True
        return False

    def last_resort(self) -> tuple[Candidate, Permit] | None:
        """Every circuit refuses: the one that may be tried all the same, if it is this call's turn."""
        refusing = [candidate for candidate in self.candidates if candidate.index not in self._blocked]
        chosen = self._gate.last_resort([candidate.circuit for candidate in refusing])
        if chosen is None:
            return None
        index, permit = chosen
        return refusing[index], permit

    def soonest(self) -> float:
        """Seconds until some circuit may let a try of this call through."""
        waits = [_FOREVER]
        for candidate in self.candidates:
            if candidate.index not in self._blocked:
                outlook = candidate.circuit.outlook()
                if outlook is None or outlook.last_resort:
                    return 0.0
                if outlook.retry_in is not None and outlook.reason != "unavailable":
                    waits.append(outlook.retry_in)
        return min(waits)

    def refusals(self) -> tuple[tuple[str, Refusal], ...]:
        """Each circuit that refuses, by name; all of them, should none refuse any more."""
        circuits = [candidate.circuit for candidate in self.candidates]
        refusing = [(circuit.name, outlook) for circuit in circuits if (outlook := circuit.outlook()) is not None]
        return tuple(refusing) or tuple((circuit.name, _MAY_PASS_NOW) for circuit in circuits)
