"""The circuit of one (client, model): who may send, what the answers mean for it, and when it moves.

    closed ──(a trip rule, a server's wish, by hand)──► open ──(its time is over)──► half_open
       ▲                                                 ▲                              │
       └──────────────(enough probes succeeded)──────────┼──────────────────────────────┤
                                                         └──────(a probe failed)────────┘

All transitions are in this file. Each starts a new generation, and what an older generation sent no longer moves
anything. The lock is held for counting only: listeners, logs and storage hear of a transition after it is released,
in order, from whichever thread comes first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

from failover.engine.locks import renew_after_fork
from failover.engine.outcome import Outcome
from failover.engine.plan import Refusal
from failover.errors import AttemptFailed
from failover.events import BreakerState, BreakerTransition, Event
from failover.policy.model import BreakerRules

from .keeper import Keeper
from .open_time import OpenTime
from .outbox import Outbox
from .permit import BreakerPermit
from .trip import TripRules

__all__ = ["Breaker"]

_FOREVER = float("inf")
_BUSY = 1.0  # seconds to look again when every probe is out

_Note: TypeAlias = BreakerTransition | AttemptFailed | None
"""What a keeper is told: a transition, a failure, or (`None`) a success."""


class Breaker:
    """One circuit. Thread-safe; made by a `Board`."""

    name: str

    def __init__(
        self,
        name: str,
        rules: BreakerRules,
        *,
        now: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[Event], None],
        make_keeper: Callable[[str, Callable[[BreakerState], None]], Keeper],
    ) -> None:
        self.name = name
        self.late = 0
        """Answers that came after the state had moved on, and were not counted."""
        self.last_resort_at = -_FOREVER
        self._rules = rules
        self._now = now
        self._random = random
        self._emit = emit
        self._trip = TripRules(rules.trip)
        self._open_time = OpenTime(rules.open_for, random)
        self._state: BreakerState = "closed"
        self._generation = 0
        self._reason = ""
        self._open_until = 0.0
        self._closed_at = -_FOREVER
        self._probes: list[BreakerPermit] = []
        self._probe_successes = 0
        self._last_failure: Outcome | None = None
        self._outbox: Outbox[_Note] = Outbox(self._deliver)
        self.after_fork()
        renew_after_fork(self)
        self._keeper = make_keeper(name, self._wished)
        if self._keeper.initial_state() != "closed":
            self._move("open", now(), reason="stored", open_for=self._open_time.next(now() - self._closed_at))
            self._outbox.clear()  # nothing happened just now: the storage said so already

    def after_fork(self) -> None:
        """In a forked child: a lock of its own, and none of the parent's probes."""
        self._lock = threading.RLock()
        self._outbox.after_fork()
        self._probes.clear()
        self._open_the_fast_path()

    def __repr__(self) -> str:
        """The state, and what it waits for."""
        outlook = self.outlook()
        until = "" if outlook is None or outlook.retry_in is None else f", retry in {outlook.retry_in:.1f} s"
        return f"<Breaker {self.name}: {self._state}, {self._trip.consecutive} consecutive failures{until}>"

    @property
    def state(self) -> BreakerState:
        """`closed`, `open` or `half_open`. An open circuit turns half-open when the next call asks."""
        return self._state

    @property
    def pybreaker(self) -> object:
        """The `pybreaker.CircuitBreaker` that keeps the state, for listeners and for opening or closing by hand."""
        return self._keeper.circuit

    # --- asking ----------------------------------------------------------------------------------------------

    def admit(self) -> BreakerPermit | Refusal:
        """Ask to send one attempt now."""
        generation = self._fast_generation
        if generation is not None:
            return BreakerPermit(self, generation, "closed")
        now = self._now()
        with self._lock:
            answer = self._admit_needs_lock(now)
        self._outbox.flush()
        return answer

    def outlook(self) -> Refusal | None:
        """What `admit` would refuse with now, changing nothing; `None` when it would let an attempt through."""
        if self._state == "closed":
            return None
        now = self._now()
        with self._lock:
            return self._refusal_needs_lock(now)

    def last_resort(self) -> BreakerPermit | None:
        """A permit although the circuit refuses, if its refusal is one that a single try may test."""
        with self._lock:
            if self._state == "closed":  # refused for its ramp only
                return BreakerPermit(self, self._generation, "closed")
            refusal = self._refusal_needs_lock(self._now())
            if refusal is None or not refusal.last_resort:
                return None
            return BreakerPermit(self, self._generation, "open")

    def _admit_needs_lock(self, now: float) -> BreakerPermit | Refusal:
        if self._state == "open" and now >= self._open_until:
            self._move("half_open", now, reason="open_time_over")
        if self._state == "closed":
            return self._admit_closed_needs_lock(now)
        refusal = self._refusal_needs_lock(now)
        if refusal is not None:
            return refusal
        probe = BreakerPermit(self, self._generation, "half_open", now + self._rules.probe.lease)
        self._probes.append(probe)
        return probe

    def _admit_closed_needs_lock(self, now: float) -> BreakerPermit | Refusal:
        ramp = self._rules.ramp
        if ramp is not None:
            share = ramp.start + (1 - ramp.start) * (now - self._closed_at) / ramp.over
            if share >= 1:
                self._open_the_fast_path()
            elif self._random() >= share:
                return Refusal("closed", 0.0, "ramp", None, last_resort=True)
        permit = BreakerPermit(self, self._generation, "closed")
        reason = self._trip.started(permit, now) if self._trip.watches_hung_calls else None
        if reason is None:
            return permit
        self._trip_needs_lock(now, reason)
        return self._refusal_needs_lock(now) or permit

    def _refusal_needs_lock(self, now: float) -> Refusal | None:
        """Why a circuit that is not closed lets nothing through now, if so."""
        request_id = self._last_failure.request_id if self._last_failure else None
        if self._state == "open" and now < self._open_until:
            by_hand = self._open_until == _FOREVER
            retry_in = None if by_hand else self._open_until - now
            asked = self._reason in ("retry_after", "isolated")
            return Refusal("open", retry_in, "open", request_id, last_resort=not asked)
        if self._state == "half_open":
            self._probes = [probe for probe in self._probes if probe.lease_until > now]
            if len(self._probes) >= self._rules.probe.permits:
                return Refusal("half_open", _BUSY, "probing", request_id, last_resort=False)
        return None

    # --- being told ------------------------------------------------------------------------------------------

    def settle(self, permit: BreakerPermit, outcome: Outcome | None, seconds: float, open_for: float | None) -> None:
        """A permit came back, with an outcome or (`None`) without a verdict. Called by the permit, once."""
        now = self._now()
        with self._lock:
            if permit in self._probes:
                self._probes.remove(permit)
            if self._trip.watches_hung_calls:
                self._trip.ended(permit)
            if permit.generation != self._generation:
                self.late += 1
            elif outcome is not None:
                self._count_needs_lock(permit, outcome, now, seconds, open_for)
        self._outbox.flush()

    def _count_needs_lock(
        self, permit: BreakerPermit, outcome: Outcome, now: float, seconds: float, open_for: float | None
    ) -> None:
        counts = outcome.counts
        if counts == "success":
            self._count_success_needs_lock(permit, now, seconds)
        elif counts == "failure":
            self._last_failure = outcome
            self._count_failure_needs_lock(outcome, now, seconds)
        elif counts == "open":
            self._last_failure = outcome
            self._trip_needs_lock(now, "unavailable")
        if open_for is not None and counts != "success":
            self._last_failure = outcome
            until = now + open_for
            if self._state != "open" or until > self._open_until:
                self._move("open", now, reason="retry_after", open_for=open_for)

    def _count_success_needs_lock(self, permit: BreakerPermit, now: float, seconds: float) -> None:
        if self._keeper.has_listeners or self._trip.consecutive:
            self._outbox.put(None)
        if permit.state == "closed":
            reason = self._trip.success(now, seconds)
            if reason is not None:
                self._trip_needs_lock(now, reason)
            return
        last_resort = self._state == "open"
        successes = self._probe_successes = self._probe_successes + 1
        if successes >= self._rules.probe.successes:
            self._move("closed", now, reason="probe_succeeded")
        elif last_resort:
            self._move("half_open", now, reason="last_resort_succeeded")
            self._probe_successes = successes

    def _count_failure_needs_lock(self, outcome: Outcome, now: float, seconds: float) -> None:
        self._outbox.put(AttemptFailed(self.name, outcome.error_type, outcome.status, outcome.request_id))
        reason = self._trip.failure(now, seconds)
        if self._state == "half_open":
            reason = "probe_failed"
        if reason is not None and self._state != "open":  # a failed last resort changes nothing
            self._trip_needs_lock(now, reason)

    def _trip_needs_lock(self, now: float, reason: str) -> None:
        self._move("open", now, reason=reason, open_for=self._next_open_time(now))

    def _next_open_time(self, now: float) -> float:
        return self._open_time.next(now - self._closed_at if self._state == "closed" else 0.0)

    # --- by hand ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the circuit as if a rule had tripped it; it probes again by itself."""
        now = self._now()
        with self._lock:
            self._trip_needs_lock(now, "manual")
        self._outbox.flush()

    def close(self) -> None:
        """Close the circuit and forget what was counted."""
        with self._lock:
            self._open_time.forget()
            self._move("closed", self._now(), reason="manual")
        self._outbox.flush()

    def isolate(self) -> None:
        """Hold the circuit open until `close()`: no probe, no last resort."""
        with self._lock:
            self._move("open", self._now(), reason="isolated", open_for=_FOREVER)
        self._outbox.flush()

    def _wished(self, state: BreakerState) -> None:
        """Somebody moved the pybreaker circuit themselves."""
        now = self._now()
        with self._lock:
            if state == self._state:
                return
            open_for = self._next_open_time(now) if state == "open" else None
            self._move(state, now, reason="manual", open_for=open_for)
        self._outbox.flush()

    # --- moving ----------------------------------------------------------------------------------------------

    def _move(self, to: BreakerState, now: float, *, reason: str, open_for: float | None = None) -> None:
        """The only place where the state changes. Needs the lock."""
        before, failures, last = self._state, self._trip.consecutive, self._last_failure
        self._state = to
        self._generation += 1
        self._reason = reason
        self._probes.clear()
        self._probe_successes = 0
        if to == "open":
            self._open_until = now + (open_for or 0.0)
        elif to == "closed":
            self._closed_at = now
            self._trip.reset()
        self._open_the_fast_path()
        self._outbox.put(
            BreakerTransition(
                self.name,
                before,
                to,
                reason,
                failures,
                None if open_for == _FOREVER else open_for,
                last.error_type if last else None,
                last.request_id if last else None,
            )
        )

    def _open_the_fast_path(self) -> None:
        """While closed and with no rule that looks at asking, permits are given without the lock."""
        plain = self._state == "closed" and not self._trip.watches_hung_calls
        ramping = self._rules.ramp is not None and self._now() < self._closed_at + self._rules.ramp.over
        self._fast_generation = self._generation if plain and not ramping else None

    def _deliver(self, note: _Note) -> None:
        if isinstance(note, BreakerTransition):
            self._keeper.move(note.to_state)
            self._emit(note)
        elif note is None:
            self._keeper.succeeded()
        else:
            self._keeper.failed(note)
