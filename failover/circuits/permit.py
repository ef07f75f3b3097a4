"""The leased right to send one attempt through a breaker.

It carries the breaker's generation, so that an answer that arrives after the state has moved on cannot move it
again; and a probe's permit has a lease, so that a probe nobody hears of any more cannot keep a circuit shut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from failover.engine.outcome import Outcome
from failover.events import BreakerState

if TYPE_CHECKING:
    from .breaker import Breaker

__all__ = ["BreakerPermit"]


class BreakerPermit:
    """One permit; report or release it once, whatever comes later is ignored."""

    __slots__ = ("__weakref__", "_breaker", "generation", "lease_until", "state")

    def __init__(self, breaker: Breaker, generation: int, state: BreakerState, lease_until: float = 0.0) -> None:
        self._breaker: Breaker | None = breaker
        self.generation = generation
        self.state: BreakerState = state
        self.lease_until = lease_until

    def report(self, outcome: Outcome, *, seconds: float, open_for: float | None = None) -> None:
        """Tell how the attempt went: it took `seconds`; the circuit should open for `open_for` seconds, if given."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.settle(self, outcome, seconds, open_for)

    def answering(self) -> None:
        """The answer has begun, so the attempt no longer waits for one."""
        if self._breaker is not None:
            self._breaker.answering(self)

    def release(self) -> None:
        """Give the permit back without a verdict."""
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.settle(self, None, 0.0, None)
