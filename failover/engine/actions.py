"""What a call can ask of its driver, and what it is handed to decide with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from failover.events import CallOutcome, Event, WaitCause

from .budget import Budget
from .plan import Candidate, Load, Place, Refusal
from .route import Route

__all__ = ["Action", "Begun", "Finish", "Measure", "Ping", "Queue", "Send", "Services", "Wait"]


class Send(NamedTuple):
    """Send the request to this candidate now, giving it at most `timeout` seconds (`None`: no limit of ours)."""

    candidate: Candidate
    timeout: float | None
    load: Load | None = None
    """What to send; `None`: the caller's own request."""


class Queue(NamedTuple):
    """Stand in this place until its turn comes, or so many seconds are over; then ask again."""

    place: Place
    seconds: float | None


class Measure(NamedTuple):
    """Have the prompt counted for this candidate within so many seconds, then ask again."""

    candidate: Candidate
    seconds: float


class Ping(NamedTuple):
    """Ask this candidate's model with a tiny request whether it answers, within so many seconds; tell `pinged`."""

    candidate: Candidate
    seconds: float
    turn: int


class Wait(NamedTuple):
    """Wait so many seconds, then ask again."""

    seconds: float
    cause: WaitCause


class Begun(NamedTuple):
    """The answer has begun: hand it to the caller, and report how it ends."""

    route: Route
    """The call so far."""


class Finish(NamedTuple):
    """The call is over."""

    outcome: CallOutcome
    attempt: int | None
    """The attempt, from 1, whose answer or error the caller gets; `None` when nothing was sent."""
    refusals: tuple[tuple[str, Refusal], ...] = ()
    """When nothing was sent: each circuit that refused, by name."""


Action: TypeAlias = Send | Wait | Queue | Measure | Ping | Begun | Finish


@dataclass(frozen=True, slots=True)
class Services:
    """What every call of a program shares and is handed: time, chance, the retry budget, and who listens."""

    now: Callable[[], float]
    """Seconds on a clock that never steps back."""
    random: Callable[[], float]
    """A number from 0 up to 1."""
    budget: Budget
    emit: Callable[[Event], None]
    verbose: Callable[[], bool]
    """Whether anybody wants the events of calls in which nothing goes wrong."""
