"""What a call may use: the rungs for one requested model, each with the circuit that guards it.

The circuits are protocols here: the engine decides with anything that can admit and be told how it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from failover.events import BreakerState, SkipReason
from failover.policy.model import Policy, Rung
from failover.policy.shrinking import Shrink

from . import platform
from .outcome import Outcome
from .platform import Incident, Incidents

__all__ = [
    "Bulkheads",
    "Candidate",
    "Cargo",
    "Circuit",
    "Gate",
    "Limit",
    "Load",
    "Misfit",
    "Permit",
    "Place",
    "Plan",
    "Refusal",
    "SizeClass",
    "Ticket",
    "Unmeasured",
]


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
    why: str | None = None
    """What else there is to say: the limits that are full, what the model does not take."""
    limits: tuple[str, ...] = ()
    """The names of the limits that are full."""
    incident: Incident | None = None
    """That its client is in."""


class Circuit(platform.Circuit, Protocol):
    """The circuit of one (client, model)."""

    def admit(self) -> Permit | Refusal:
        """Ask to send one attempt now."""

    def outlook(self) -> Refusal | None:
        """What `admit` would refuse with now, changing nothing; `None` when it would let an attempt through."""

    def cool(self, outcome: Outcome, open_for: float) -> None:
        """Open for so long, for what another model of the same rate limit was told."""


class Gate(Protocol):
    """All circuits together: who may still try when each of them refuses."""

    def last_resort(self, circuits: Sequence[Circuit]) -> tuple[int, Permit] | None:
        """A permit in spite of it all, with its circuit's index; rarely more than one a second."""


class Limit(Protocol):
    """A bulkhead: how many attempts may be out at once."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def full(self) -> bool:
        """Whether a newcomer would have to wait."""


class Ticket(Protocol):
    """The right to have one attempt out, once its turn has come."""

    @property
    def waited(self) -> float:
        """Seconds that it stood in line."""

    def release(self) -> None:
        """Give it to the next in line. Only the first time counts."""


@runtime_checkable
class Place(Protocol):
    """A place in line."""

    @property
    def longest(self) -> float | None:
        """Seconds that its limits let it stand there; `None`: any time."""

    @property
    def ticket(self) -> Ticket | None:
        """What it waits for, once its turn has come."""

    def expected(self) -> float | None:
        """Seconds until its turn; `None` when nothing tells."""

    def leave(self) -> None:
        """Give the place up, and a ticket that came meanwhile."""


class Bulkheads(Protocol):
    """All limits together."""

    def enter(self, limits: Sequence[Limit]) -> Ticket | Place:
        """Ask for a turn under all of these limits at once."""


class SizeClass(NamedTuple):
    """A limit for prompts above a size."""

    over: int | None
    """Tokens; `None`: it is for all prompts."""
    limit: Limit


class Load(Protocol):
    """What is sent to a rung in place of the caller's own request."""

    @property
    def changes(self) -> tuple[str, ...]:
        """How it differs, a line each."""


class Misfit(NamedTuple):
    """A rung cannot take the request as it is meant."""

    reason: SkipReason
    why: str
    rethread: bool = False
    """Whether it could, if the caller sent its whole conversation anew."""


class Unmeasured(NamedTuple):
    """Whether a rung can take the request depends on a count that is still to be made."""

    why: str


class Cargo(Protocol):
    """The request, as far as deciding needs to know it."""

    @property
    def tokens(self) -> int:
        """About how many tokens the prompt has."""

    def load(self, candidate: Candidate) -> Load | Misfit | Unmeasured:
        """What would be sent to this candidate."""

    def shares_rate_limit(self, candidate: Candidate) -> bool:
        """Whether the rate limit of a candidate is that of its bucket."""

    def outgrew(self, candidate: Candidate) -> bool:
        """The prompt was too long for this one; whether another candidate is known to have more room."""

    def shrink(self, rules: Shrink) -> tuple[tuple[str, ...], int, int]:
        """Make the prompt smaller: what was dropped (nothing, if nothing could be), and its tokens before and after."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rung with its circuit."""

    index: int
    rung: Rung
    client: str
    circuit: Circuit
    bucket: str | None = None
    """The rate limit that it shares with others of its client, as far as that is known."""
    limit: Limit | None = None
    """How many attempts it takes at once."""
    shrink: Shrink | None = None
    """When its failures make the prompt smaller."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that calls for one requested model have in common."""

    policy: Policy
    model: str
    candidates: tuple[Candidate, ...]
    gate: Gate
    bulkheads: Bulkheads | None = None
    """`None` if the policy has no limits."""
    sizes: tuple[SizeClass, ...] = ()
    incidents: Incidents | None = None
    """`None` if the policy does not look for any."""
