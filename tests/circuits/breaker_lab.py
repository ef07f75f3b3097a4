"""One breaker on a board of its own, with a clock to move and everything that it told."""

from __future__ import annotations

import pybreaker

from failover.circuits import Board, BreakerPermit
from failover.engine import Outcome, Refusal, success
from failover.policy.model import BreakerRules
from failover.testing.clock import FakeClock

__all__ = ["BAD", "GONE", "OK", "WRONG", "Lab", "Listener"]

OK = success(200, {"request-id": "req_ok"})
BAD = Outcome("failure", "model", "repeat", 500, "api_error", "req_bad")
WRONG = Outcome("neutral", "request", "raise", 400, "invalid_request_error", "req_wrong")
GONE = Outcome("open", "model", "next", 404, "not_found_error", "req_gone")


class Lab:
    """A breaker with rules as a policy spells them: `Lab(trip={"consecutive_failures": 3})`.

    Chance stands in the middle, so that an open time is exactly what the policy says, unless `random` is given.
    """

    def __init__(self, *, random=lambda: 0.5, listeners=(), storage=None, clock=None, tell=None, **rules):
        self.clock = clock or FakeClock()
        self.events = []
        self.board = Board(
            BreakerRules.model_validate(rules),
            now=self.clock.now,
            random=random,
            emit=tell or self.events.append,
            listeners=listeners,
            storage=storage,
        )
        self.breaker = self.board.breaker("claude-a")

    def permit(self):
        """A permit; fails the test if the breaker refuses."""
        permit = self.breaker.admit()
        assert isinstance(permit, BreakerPermit), permit
        return permit

    def refusal(self):
        """A refusal; fails the test if the breaker admits."""
        refusal = self.breaker.admit()
        assert isinstance(refusal, Refusal), refusal
        return refusal

    def send(self, outcome, *, times=1, seconds=0.1, open_for=None):
        """Attempts that are let through and end at once."""
        for _ in range(times):
            self.permit().report(outcome, seconds=seconds, open_for=open_for)

    def last_resort(self):
        """The permit of a last resort, or `None`."""
        chosen = self.board.last_resort([self.breaker])
        return chosen and chosen[1]

    def half_open(self):
        """Bring a breaker that is open for a known time to where it lets a probe through."""
        self.clock.advance(self.breaker.outlook().retry_in)

    @property
    def state(self):
        return self.breaker.state

    @property
    def moves(self):
        """Every transition told so far, as (from, to, reason)."""
        return [(event.from_state, event.to_state, event.reason) for event in self.events]

    @property
    def open_times(self):
        """The open time of every opening told so far."""
        return [event.open_for for event in self.events if event.to_state == "open"]


class Listener(pybreaker.CircuitBreakerListener):
    """A pybreaker listener that writes down what it hears, and may act on a change."""

    def __init__(self, on_change=lambda circuit: None):
        self.heard = []
        self._on_change = on_change

    def before_call(self, cb, func, *args, **kwargs):
        raise AssertionError("nothing is ever called through the pybreaker circuit")

    def state_change(self, cb, old_state, new_state):
        self.heard.append((old_state.name, new_state.name))
        self._on_change(cb)

    def success(self, cb):
        self.heard.append("success")

    def failure(self, cb, exc):
        self.heard.append(exc)
