"""The rungs of one call: which of them can still be tried, now or later, and what each would be sent."""

from __future__ import annotations

from .outcome import Outcome
from .plan import Candidate, Cargo, Gate, Load, Misfit, Permit, Plan, Refusal, Unmeasured

__all__ = ["Rungs"]

_FOREVER = float("inf")
_ACCOUNT_REFUSES = Refusal("closed", None, "account", None, None, last_resort=False)
_GONE = Refusal("open", None, "unavailable", None, None, last_resort=False)
_MAY_PASS_NOW = Refusal("closed", 0.0, "ramp", None, None, last_resort=False)


class Rungs:
    """The candidates of a plan, less those that this call has no more business with."""

    __slots__ = ("_blocked", "_cargo", "_gate", "_incidents", "_loads", "candidates", "shrunk")

    def __init__(self, plan: Plan, cargo: Cargo) -> None:
        self.candidates = plan.candidates
        self.shrunk = False
        """Whether the prompt is smaller than the caller's."""
        self._cargo = cargo
        self._gate: Gate = plan.gate
        self._incidents = plan.incidents
        self._blocked: dict[int, Refusal] = {}
        self._loads: dict[int, Load | Misfit | Unmeasured | None] = {}

    # --- what would be sent ------------------------------------------------------------------------------------

    def load(self, candidate: Candidate) -> Load | Misfit | Unmeasured | None:
        """What this candidate would be sent; `None`: the caller's own request, at which nobody looks."""
        if candidate.index == 0 and not self.shrunk:
            return None
        if candidate.index not in self._loads:
            self._loads[candidate.index] = self._cargo.load(candidate)
        return self._loads[candidate.index]

    def load_all(self) -> None:
        """Find out who can take the request at all: once something has failed, that decides what happens now."""
        for candidate in self.candidates:
            self.load(candidate)

    def unload(self) -> None:
        """More is known of the request."""
        self._loads.clear()

    def reload(self) -> None:
        """The request has changed."""
        self.unload()
        self.load_all()

    # --- who can be tried --------------------------------------------------------------------------------------

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """Why this call will not try a candidate, whatever its circuit says, as far as that is known."""
        blocked = self._blocked.get(candidate.index)
        if blocked is not None:
            return blocked
        load = self._loads.get(candidate.index)
        if not isinstance(load, Misfit) or load.rethread:
            return None
        return Refusal("closed", None, load.reason, None, None, last_resort=False, why=load.why)

    def outlook(self, candidate: Candidate) -> Refusal | None:
        """Why nobody may send to a candidate now: its client's incident, or its circuit."""
        return self.incident(candidate) or candidate.circuit.outlook()

    def incident(self, candidate: Candidate) -> Refusal | None:
        """The incident that its client is in."""
        found = None if self._incidents is None else self._incidents.of(candidate.client, candidate.circuit)
        if found is None:
            return None
        request_id = found.request_ids[-1] if found.request_ids else None
        error_type = found.error_types[-1] if found.error_types else None
        return Refusal(
            "open", found.next_probe_in, "incident", request_id, error_type, last_resort=False, incident=found
        )

    @property
    def all_kept_back(self) -> bool:
        """Whether nobody at all is asked because of incidents."""
        left = [candidate for candidate in self.candidates if self.refusal(candidate) is None]
        return bool(left) and all(self.incident(candidate) is not None for candidate in left)

    def to_probe(self, client: str) -> list[Candidate]:
        """Those of a client that could be asked with a tiny request: of nobody else is it known that they fail."""
        return [
            one
            for one in self.candidates
            if one.client == client
            and one.index not in self._blocked
            and not one.circuit.held
            and self.incident(one) is not None
        ]

    def that_may_answer(self, client: str) -> list[Candidate]:
        """Those of a client whose account does not refuse this call."""
        refused = {index for index, refusal in self._blocked.items() if refusal.reason == "account"}
        return [one for one in self.candidates if one.client == client and one.index not in refused]

    def block(self, candidate: Candidate, refusal: Refusal = _GONE) -> None:
        """This call has no more business with a candidate; by default because its model is gone."""
        self._blocked[candidate.index] = refusal

    def block_client(self, client: str) -> None:
        """The account of a client refuses: none of its candidates can help."""
        for candidate in self.candidates:
            if candidate.client == client:
                self._blocked[candidate.index] = _ACCOUNT_REFUSES

    def cool_bucket(self, limited: Candidate, outcome: Outcome, open_for: float) -> None:
        """A rate limit is used up for so long: the other models that share it need not be asked."""
        if limited.bucket is None or not self._cargo.shares_rate_limit(limited):
            return
        for candidate in self.candidates:
            shared = candidate.bucket == limited.bucket
            if shared and candidate.client == limited.client and candidate.circuit is not limited.circuit:
                candidate.circuit.cool(outcome, open_for)

    @property
    def all_blocked(self) -> bool:
        """Whether there is nobody left to try."""
        return all(self.refusal(candidate) is not None for candidate in self.candidates)

    def another_after(self, candidate: Candidate) -> bool:
        """Whether a pass that stands at this candidate could still go to a later one."""
        for later in self.candidates[candidate.index + 1 :]:
            if self.refusal(later) is None and self.outlook(later) is None:
                return True
        return False

    def last_resort(self) -> tuple[Candidate, Permit] | None:
        """Every circuit refuses: the one that may be tried all the same, if it is this call's turn."""
        refusing = [
            candidate
            for candidate in self.candidates
            if self.refusal(candidate) is None
            and self.incident(candidate) is None
            and not isinstance(self.load(candidate), (Misfit, Unmeasured))
        ]
        chosen = self._gate.last_resort([candidate.circuit for candidate in refusing])
        if chosen is None:
            return None
        index, permit = chosen
        return refusing[index], permit

    def soonest(self) -> float:
        """Seconds until some circuit may let a try of this call through."""
        waits = [_FOREVER]
        for candidate in self.candidates:
            if self.refusal(candidate) is None:
                outlook = self.outlook(candidate)
                if outlook is None or outlook.last_resort:
                    return 0.0
                if outlook.retry_in is not None and outlook.reason != "unavailable":
                    waits.append(outlook.retry_in)
        return min(waits)

    def refusals(self) -> tuple[tuple[str, Refusal], ...]:
        """Each circuit or limit that refuses, by name; all circuits, should none refuse any more."""
        refusing: list[tuple[str, Refusal]] = []
        for candidate in self.candidates:
            blocked = self._blocked.get(candidate.index)
            full = blocked if blocked is not None and blocked.reason == "full" else None
            refusal = full or self.outlook(candidate)
            if refusal is not None:
                refusing.append((candidate.circuit.name, refusal))
        return tuple(refusing) or tuple((candidate.circuit.name, _MAY_PASS_NOW) for candidate in self.candidates)
