"""What each client went through, call by call, and the figures that two such accounts are compared by."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from failover import Route
from failover.events import AttemptFinished, BreakerTransition, Event
from failover.testing import ReceivedRequest

from .script import Script

__all__ = ["CallSeen", "Figures", "Moment", "Tally", "figures", "opening_failures"]


class CallSeen(NamedTuple):
    """One call, as the program that made it saw it."""

    started: float
    seconds: float
    served: str | None
    """The model that answered; `None`: the call failed."""
    status: int | None
    error: str | None
    """The class of the error that it failed with."""
    request_id: str | None
    """Of the answer or the error."""
    route: Route | None
    """What was tried; `None` without failover."""


class Moment(NamedTuple):
    """An event of the middleware, and when it came."""

    at: float
    event: Event


@dataclass(slots=True)
class Tally:
    """The account of one client."""

    calls: list[CallSeen] = field(default_factory=list)
    """Those that have ended, in that order."""
    served: Counter[str] = field(default_factory=Counter)
    """Calls answered, by model."""
    failed: int = 0
    moments: list[Moment] = field(default_factory=list)
    """Circuits that moved and attempts that ended; none without failover."""

    def add(self, call: CallSeen) -> None:
        """A call ended."""
        self.calls.append(call)
        if call.served is None:
            self.failed += 1
        else:
            self.served[call.served] += 1

    def listen(self, at: float, event: Event) -> None:
        """The middleware told something."""
        if isinstance(event, (BreakerTransition, AttemptFinished)):
            self.moments.append(Moment(at, event))

    def transitions(self, breaker: str) -> list[tuple[float, BreakerTransition]]:
        """How one circuit moved."""
        return [
            (at, event)
            for at, event in self.moments
            if isinstance(event, BreakerTransition) and event.breaker == breaker
        ]


@dataclass(frozen=True, slots=True)
class Figures:
    """One column of the comparison. Seconds are the scenario's; `None`: it did not happen."""

    calls: int
    answered: int
    failed: int
    requests: int
    """HTTP requests for messages that reached the fake API."""
    dead_requests: int
    """Those of them that went to the failing model during its outage."""
    median: float | None
    """Seconds until an answer or an error, of the calls that started during the outage."""
    slow: float | None
    """The same for the slowest twentieth: the 95th percentile."""
    opened_after: float | None
    """From the start of the outage until the circuit opened."""
    closed_after: float | None
    """From the end of the outage until the circuit was closed for good."""
    back_after: float | None
    """From the end of the outage until the requested model answered a call."""


def figures(tally: Tally, received: Iterable[ReceivedRequest], script: Script) -> Figures:
    """Count one client's account together with what its fake API saw."""
    outage = script.outage
    requests = [request for request in received if request.path == "/v1/messages"]
    during = sorted(call.seconds for call in tally.calls if outage and outage.holds(call.started))
    back = [
        call.started + call.seconds - outage.end
        for call in tally.calls
        if outage and call.served == script.model and call.started + call.seconds >= outage.end
    ]
    return Figures(
        calls=len(tally.calls),
        answered=len(tally.calls) - tally.failed,
        failed=tally.failed,
        requests=len(requests),
        dead_requests=sum(request.model == script.model and outage.holds(request.time) for request in requests)
        if outage
        else 0,
        median=_share(during, 0.5),
        slow=_share(during, 0.95),
        opened_after=_opened_after(tally, script),
        closed_after=_closed_after(tally, script),
        back_after=min(back, default=None),
    )


def opening_failures(tally: Tally, breaker: str) -> list[AttemptFinished]:
    """The failures that opened a circuit for the first time, oldest first: what support asks for."""
    opening = next((event for _, event in tally.transitions(breaker) if event.to_state == "open"), None)
    if opening is None:
        return []
    failures: list[AttemptFinished] = []
    for _, event in tally.moments:
        if isinstance(event, AttemptFinished) and event.breaker == breaker:
            failures = [*failures, event] if event.verdict == "failure" else []
            if event.request_id == opening.request_id:
                break
    return failures[-opening.failures :] if opening.failures else failures


def _opened_after(tally: Tally, script: Script) -> float | None:
    if script.outage is None:
        return None
    opened = (at for at, event in tally.transitions(script.model) if event.to_state == "open")
    return next((at - script.outage.start for at in opened if at >= script.outage.start), None)


def _closed_after(tally: Tally, script: Script) -> float | None:
    moved = tally.transitions(script.model)
    if script.outage is None or not moved or moved[-1][1].to_state != "closed":
        return None
    return moved[-1][0] - script.outage.end


def _share(ordered: Sequence[float], share: float) -> float | None:
    """The value that a share of all values does not exceed, by nearest rank."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None
