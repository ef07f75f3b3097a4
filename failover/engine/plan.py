"""What a call may use: the rungs for one requested model, each with the circuit that guards it.

The circuits are protocols here: the engine decides with anything that can admit and be told how it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from failover.events import BreakerState, SkipReason
from failover.policy.model import Policy, Rung

from .outcome import Outcome

__all__ = ["Candidate", "Circuit", "Gate", "Permit", "Plan", "Refusal"]


class Permit(Protocol):
    """The leased right to send one attempt."""

    state: BreakerState
    """The circuit's state as it gave the permit: `open` for a last resort."""

    def report(self, outcome: Outcome, *, seconds: float, open_for: float | None = None) -> None:
        """Tell how the attempt went: it took `seconds`; the circuit should open for `open_for`, if given."""

    def answering(self) -> None:
        """The answer has begun, so the attempt no longer waits for one."""

    def release(self) -> None:
        """Give the permit back without a verdict. Does nothing after a report."""


class Refusal(NamedTuple):
    """A circuit lets nothing through now."""

    state: BreakerState
    retry_in: float | None
    """Seconds until it may; `None` while it is held open by hand."""
    reason: SkipReason
    request_id: str | None
    """Of the last failure that the circuit saw."""
    error_type: str | None
    """Of the same failure."""
    last_resort: bool
    """Whether a last resort may still try it: not when it is held open by hand, or because the server asked."""


class Circuit(Protocol):
    """The circuit of one (client, model)."""

    name: str

    def admit(self) -> Permit | Refusal:
        """Ask to send one attempt now."""

    def outlook(self) -> Refusal | None:
        """What `admit` would refuse with now, changing nothing; `None` when it would let an attempt through."""


class Gate(Protocol):
    """All circuits together: who may still try when each of them refuses."""

    def last_resort(self, circuits: Sequence[Circuit]) -> tuple[int, Permit] | None:
        """A permit in spite of it all, with its circuit's index; rarely more than one a second."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rung with its circuit."""

    index: int
    rung: Rung
    client: str
    circuit: Circuit


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that calls for one requested model have in common."""

    policy: Policy
    model: str
    candidates: tuple[Candidate, ...]
    gate: Gate
