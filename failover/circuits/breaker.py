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

from collections.abc import Callable
from typing import TypeAlias

from pybreaker import CircuitBreaker

from failover.engine.locks import renew_after_fork
from failover.engine.outcome import Outcome
from failover.engine.plan import Refusal
from failover.errors import AttemptFailed
from failover.events import BreakerState, BreakerTransition, Event, SkipReason
from failover.policy.model import BreakerRules

from .keeper import Keeper
from .monitor import Monitor
from .open_time import OpenTime
from .permit import BreakerPermit
from .trip import TripRules

__all__ = ["Breaker"]

_FOREVER = float("inf")
_NOT_FOR_A_LAST_RESORT = frozenset({"isolated", "retry_after", "unavailable"})
_NOTHING_YET = Outcome("neutral", "model", "next")
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
        self._last_failure = _NOTHING_YET
        self._monitor: Monitor[_Note] = Monitor(self._tell)
        self._keeper = make_keeper(name, self._wished)
        self._choose_path()
        if self._keeper.remembered_state() != "closed":
            self._open_needs_lock(now(), "stored")
            self._monitor.renew()  # nothing happened just now: the storage said so already
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: locks of its own, and none of the parent's probes or news."""
        self._monitor.renew()
        self._keeper.renew()
        self._probes.clear()
        self._trip.forget_calls()

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
    def pybreaker(self) -> CircuitBreaker:
        """The `pybreaker.CircuitBreaker` that keeps the state, for listeners and for opening or closing by hand."""
        return self._keeper.circuit

    @property
    def held(self) -> str | None:
        """Why it is open, if not for failures: `isolated` by hand, `unavailable`, or `retry_after`, as the server asked."""
        held = self._state == "open" and self._reason in _NOT_FOR_A_LAST_RESORT and self._now() < self._open_until
        return self._reason if held else None

    @property
    def idle(self) -> bool:
        """Whether it is closed and has seen no failure since its last success, so that nothing is lost without it."""
        return self._state == "closed" and not self._trip.consecutive

    # --- asking ----------------------------------------------------------------------------------------------

    def admit(self) -> BreakerPermit | Refusal:
        """Ask to send one attempt now."""
        generation = self._fast_generation
        if generation is not None:
            return BreakerPermit(self, generation, "closed")
        now = self._now()
        return self._refusal_while_open(now) or self._monitor.run(self._admit_needs_lock, now)

    def outlook(self) -> Refusal | None:
        """What `admit` would refuse with now, changing nothing; `None` when it would let an attempt through."""
        if self._state == "closed":
            return None
        now = self._now()
        return self._refusal_while_open(now) or self._monitor.run(self._refusal_needs_lock, now)

    def wake(self) -> None:
        """Let a probe through now, if it is open for its failures."""
        self._monitor.run(self._wake_needs_lock)

    def _wake_needs_lock(self) -> None:
        if self._state == "open" and not self.held:
            self._open_until = self._now()

    def last_resort(self) -> BreakerPermit | None:
        """A permit although the circuit refuses, if its refusal is one that a single try may test."""
        return self._monitor.run(self._last_resort_needs_lock, self._now())

    def _admit_needs_lock(self, now: float) -> BreakerPermit | Refusal:
        if self._state == "open" and now >= self._open_until:
            self._move("half_open", now, "open_time_over")
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
                self._choose_path()
            elif self._random() >= share:
                return Refusal("closed", 0.0, "ramp", None, None, last_resort=True)
        permit = BreakerPermit(self, self._generation, "closed")
        reason = self._trip.started(permit, now) if self._trip.watches_hung_calls else None
        if reason is None:
            return permit
        self._open_needs_lock(now, reason)
        return self._refusal_needs_lock(now) or permit

    def _last_resort_needs_lock(self, now: float) -> BreakerPermit | None:
        if self._state == "closed":  # refused for its ramp only
            return BreakerPermit(self, self._generation, "closed")
        refusal = self._refusal_needs_lock(now)
        if refusal is None or not refusal.last_resort:
            return None
        return BreakerPermit(self, self._generation, "open")

    def _refusal_while_open(self, now: float) -> Refusal | None:
        """The refusal of an open circuit whose time is not over; needs no lock, for a moment ago is as good as now."""
        if self._state != "open" or now >= self._open_until:
            return None
        retry_in = None if self._open_until == _FOREVER else self._open_until - now
        testable = self._rules.last_resort is not None and self._reason not in _NOT_FOR_A_LAST_RESORT
        reason: SkipReason = "unavailable" if self._reason == "unavailable" else "open"
        last = self._last_failure
        return Refusal("open", retry_in, reason, last.request_id, last.error_type, testable)

    def _refusal_needs_lock(self, now: float) -> Refusal | None:
        """Why a circuit that is not closed lets nothing through now, if so."""
        if self._state == "half_open":
            self._probes = [probe for probe in self._probes if probe.lease_until > now]
            if len(self._probes) >= self._rules.probe.permits:
                last = self._last_failure
                return Refusal("half_open", _BUSY, "probing", last.request_id, last.error_type, last_resort=False)
        return self._refusal_while_open(now)

    def cool(self, outcome: Outcome, open_for: float) -> None:
        """Open for so long, for what another model of the same rate limit was told. Counts as nothing."""
        self._monitor.run(self._cool_needs_lock, outcome, open_for)

    def _cool_needs_lock(self, outcome: Outcome, open_for: float) -> None:
        if self._state != "open":
            self._last_failure = outcome
        self._open_needs_lock(self._now(), None, open_for)

    # --- being told ------------------------------------------------------------------------------------------

    def answering(self, permit: BreakerPermit) -> None:
        """The answer to a permit's attempt has begun: it does not hang. Called by the permit."""
        if self._trip.watches_hung_calls:
            self._monitor.run(self._trip.ended, permit)

    def settle(self, permit: BreakerPermit, outcome: Outcome | None, seconds: float, open_for: float | None) -> None:
        """A permit came back, with an outcome or (`None`) without a verdict. Called by the permit, once."""
        self._monitor.run(self._settle_needs_lock, permit, outcome, seconds, open_for)

    def _settle_needs_lock(
        self, permit: BreakerPermit, outcome: Outcome | None, seconds: float, open_for: float | None
    ) -> None:
        if outcome is not None and outcome.counts == "success" and self._was_plain_success(permit):
            return
        if permit in self._probes:
            self._probes.remove(permit)
        if self._trip.watches_hung_calls:
            self._trip.ended(permit)
        if outcome is None:
            return
        if permit.generation != self._generation:
            self.late += 1
            return
        now, reason = self._now(), None
        if outcome.counts == "success":
            self._count_success_needs_lock(permit, now, seconds)
            return
        if outcome.counts == "failure":
            reason = self._count_failure_needs_lock(outcome, now, seconds)
        elif outcome.counts == "open":
            reason = "unavailable"
        if reason is not None or open_for is not None:
            self._last_failure = outcome
            self._open_needs_lock(now, reason, open_for)

    def _was_plain_success(self, permit: BreakerPermit) -> bool:
        """Whether it was the success of a healthy circuit, which changes nothing and is told to nobody; if so, counted."""
        healthy = permit.generation == self._fast_generation and not self._keeper.has_listeners
        return healthy and self._trip.plain_success(self._now())

    def _count_success_needs_lock(self, permit: BreakerPermit, now: float, seconds: float) -> None:
        if self._trip.consecutive or self._keeper.has_listeners:
            self._monitor.note(None)
        if permit.state == "closed":
            reason = self._trip.success(now, seconds)
            if reason is not None:
                self._open_needs_lock(now, reason)
            return
        successes = self._probe_successes + 1
        if self._state == "open":
            self._move("half_open", now, "last_resort_succeeded")
        self._probe_successes = successes
        if successes >= self._rules.probe.successes:
            self._move("closed", now, "probe_succeeded")

    def _count_failure_needs_lock(self, outcome: Outcome, now: float, seconds: float) -> str | None:
        """Count it; the reason to open, if it is one. A failed last resort is none: the circuit is open."""
        self._last_failure = outcome
        self._monitor.note(AttemptFailed(self.name, outcome.error_type, outcome.status, outcome.request_id))
        reason = self._trip.failure(now, seconds)
        return "probe_failed" if self._state == "half_open" else reason

    # --- by hand ---------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the circuit as if a rule had tripped it; it probes again by itself. An open one stays as it is."""
        self._monitor.run(self._open_needs_lock, self._now(), "manual")

    def close(self) -> None:
        """Close the circuit and forget what was counted."""
        self._monitor.run(self._wish_needs_lock, "closed")

    def isolate(self) -> None:
        """Hold the circuit open until `close()`: no probe, no last resort."""
        self._monitor.run(self._open_needs_lock, self._now(), "isolated", _FOREVER)

    def _wished(self, state: BreakerState) -> None:
        """Somebody moved the pybreaker circuit themselves."""
        self._monitor.run(self._wish_needs_lock, state)

    def _wish_needs_lock(self, state: BreakerState) -> None:
        now = self._now()
        if state == "open":
            self._open_needs_lock(now, "manual")
            return
        self._open_time.forget()
        self._trip.reset()
        if state != self._state:
            self._move(state, now, "manual")

    # --- moving ----------------------------------------------------------------------------------------------

    def _open_needs_lock(self, now: float, reason: str | None, wish: float | None = None) -> None:
        """Open for a `reason`, or for as long as the server (or a hand) wishes, whichever is longer."""
        if self._state == "open":
            if wish is not None and now + wish > self._open_until:
                self._open_until = now + wish
                self._reason = reason if wish == _FOREVER and reason else "retry_after"
                self._generation += 1  # a last resort that is out no longer speaks for it
            return
        seconds = self._open_time.next(now - self._closed_at if self._state == "closed" else 0.0) if reason else 0.0
        if wish is not None and wish > seconds:
            seconds = wish
            reason = reason if wish == _FOREVER else "retry_after"
        self._open_until = now + seconds
        self._move("open", now, reason or "retry_after")

    def _move(self, to: BreakerState, now: float, reason: str) -> None:
        """The only place where the state changes. Needs the lock."""
        before, failures, last = self._state, self._trip.consecutive, self._last_failure
        self._state = to
        self._generation += 1
        self._reason = reason
        self._probe_successes = 0  # probes that are still out keep their permits: they are requests at the model
        if to == "closed":
            self._closed_at = now
            self._trip.reset()
        self._choose_path()
        self._monitor.note(
            BreakerTransition(
                self.name,
                before,
                to,
                reason,
                failures,
                self._open_until - now if to == "open" and self._open_until < _FOREVER else None,
                last.error_type,
                last.request_id,
            )
        )

    def _choose_path(self) -> None:
        """While closed and with no rule that looks at asking, permits are given without the lock."""
        plain = self._state == "closed" and not self._trip.watches_hung_calls
        ramping = self._rules.ramp is not None and self._now() < self._closed_at + self._rules.ramp.over
        self._fast_generation = self._generation if plain and not ramping else None

    def _tell(self, note: _Note) -> None:
        if isinstance(note, BreakerTransition):
            self._keeper.move(note.to_state)
            self._emit(note)
        elif note is None:
            self._keeper.succeeded()
        else:
            self._keeper.failed(note)
