"""Any sequence of calls, answers, hands and time: the breaker does what a page of text says, and nothing else."""

from __future__ import annotations

from breaker_lab import BAD, GONE, OK, WRONG, Lab
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from failover.circuits import BreakerPermit

FOREVER = float("inf")
ARROWS = {("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")}
ARROWS_BY_HAND = ARROWS | {("open", "closed")}


class Model:
    """The breaker as its documentation tells it: five failures in a row, `permits` probes, `successes` to close."""

    def __init__(self, trip, permits, successes):
        self.trip, self.permits, self.successes = trip, permits, successes
        self.state, self.generation, self.row, self.good, self.until = "closed", 0, 0, 0, 0.0
        self.last_resorts, self.openings, self.last_open, self.closed_at = True, 0, 0.0, -FOREVER
        self.probes = {}

    def move(self, state):
        self.state, self.generation, self.good = state, self.generation + 1, 0

    def open(self, now, reason, wish=None):
        """Open for a reason or a wish, whichever lasts longer; an open one is only ever held for longer."""
        if self.state == "open":
            if wish is not None and now + wish > self.until:
                self.until, self.last_resorts, self.generation = now + wish, False, self.generation + 1
            return
        seconds = 0.0
        if reason:
            if self.state == "closed" and now - self.closed_at > self.last_open:
                self.openings = 0
            seconds = self.last_open = min(15.0 * 2**self.openings, 300.0)
            self.openings += 1
        self.last_resorts = reason != "gone" and (wish is None or wish <= seconds)
        self.until = now + max(seconds, wish or 0.0)
        self.move("open")

    def close(self, now):
        self.row, self.closed_at = 0, now
        self.move("closed")

    def admits(self, now):
        if self.state == "open" and now >= self.until:
            self.move("half_open")
        self.probes = {key: lease for key, lease in self.probes.items() if lease > now}
        return self.state == "closed" or (self.state == "half_open" and len(self.probes) < self.permits)

    def report(self, permit_state, outcome, now, wish):
        if outcome is OK:
            if permit_state == "closed":
                self.row = 0
                return
            good = self.good + 1
            if self.state == "open":
                self.move("half_open")
            self.good = good
            if good >= self.successes:
                self.close(now)
            return
        self.row += outcome is BAD
        tripped = outcome is GONE or (outcome is BAD and (self.state == "half_open" or self.row >= self.trip))
        if tripped or wish is not None:
            reason = "gone" if outcome is GONE else "tripped" if tripped else None
            self.open(now, reason if self.state != "open" else None, wish)


class BreakerMachine(RuleBasedStateMachine):
    permits = Bundle("permits")

    @initialize(trip=st.integers(1, 4), permits=st.integers(1, 3), successes=st.integers(1, 3))
    def begin(self, trip, permits, successes):
        probe = {"permits": permits, "successes": successes, "lease": "60s", "timeout": "30s"}
        self.lab = Lab(trip={"consecutive_failures": trip, "failure_rate": "off"}, probe=probe, last_resort="1ms")
        self.model = Model(trip, permits, successes)
        self.out = 0
        self.late = 0

    @property
    def now(self):
        return self.lab.clock.now()

    @rule(target=permits)
    def ask(self):
        expected = self.model.admits(self.now)
        answer = self.lab.breaker.admit()
        assert isinstance(answer, BreakerPermit) == expected
        if not expected:
            assert answer.retry_in is None or answer.retry_in >= 0
            return multiple()
        assert answer.state == self.model.state
        self.out += 1
        if self.model.state == "half_open":
            self.model.probes[self.out] = self.now + 60
        return (answer, self.model.generation, self.out)

    @precondition(lambda self: self.model.state != "closed")
    @rule(target=permits)
    def ask_as_a_last_resort(self):
        self.lab.clock.advance(0.01)
        refuses = self.model.state == "open" and self.now < self.model.until
        permit = self.lab.last_resort()
        assert (permit is not None) == (refuses and self.model.last_resorts)
        if permit is None:
            return multiple()
        self.out += 1
        return (permit, self.model.generation, self.out)

    @rule(
        permit=consumes(permits),
        outcome=st.sampled_from([OK, OK, BAD, BAD, WRONG, GONE]),
        wish=st.sampled_from([None, None, 5.0, 40.0, 400.0]),
    )
    def answer(self, permit, outcome, wish):
        permit, generation, number = permit
        wish = None if outcome is OK else wish
        self.model.probes.pop(number, None)
        if generation == self.model.generation:
            self.model.report(permit.state, outcome, self.now, wish)
            permit.report(outcome, seconds=1, open_for=wish)
            return
        before = (self.lab.state, len(self.lab.events))
        permit.report(outcome, seconds=1, open_for=wish)
        self.late += 1
        assert (self.lab.state, len(self.lab.events)) == before

    @rule(permit=consumes(permits))
    def give_back(self, permit):
        permit, _, number = permit
        self.model.probes.pop(number, None)
        permit.release()

    @rule(permit=consumes(permits))
    def drop(self, permit):
        """Nobody ever hears of it again; only time gives a probe back."""

    @rule(seconds=st.sampled_from([0.1, 5.0, 15.0, 29.9, 60.0, 300.0]))
    def time_passes(self, seconds):
        self.lab.clock.advance(seconds)

    @precondition(lambda self: self.model.state == "open" and self.model.until < FOREVER)
    @rule()
    def its_open_time_passes(self):
        self.lab.clock.advance(max(self.model.until - self.now, 0))

    @rule(hand=st.sampled_from(["open", "close", "isolate"]), through_pybreaker=st.booleans())
    def by_hand(self, hand, through_pybreaker):
        circuit = self.lab.breaker.pybreaker if through_pybreaker and hand != "isolate" else self.lab.breaker
        getattr(circuit, hand)()
        if hand == "open":
            self.model.open(self.now, "manual")
        elif hand == "isolate":
            self.model.open(self.now, None, FOREVER)
        else:
            self.model.openings, self.model.last_open, self.model.row = 0, 0.0, 0
            if self.model.state != "closed":
                self.model.close(self.now)

    @invariant()
    def it_is_where_the_model_is(self):
        lab, model = self.lab, self.model
        assert lab.state == model.state
        assert f"{model.row} consecutive failures" in repr(lab.breaker)
        assert lab.breaker.late == self.late
        assert lab.breaker.pybreaker.current_state == model.state.replace("_", "-")

    @invariant()
    def it_moves_along_the_documented_arrows(self):
        state = "closed"
        for event in self.lab.events:
            assert event.from_state == state
            assert (event.from_state, event.to_state) in (ARROWS_BY_HAND if event.by_hand else ARROWS)
            state = event.to_state

    @invariant()
    def no_more_probes_are_out_within_their_lease_than_the_policy_permits(self):
        assert sum(lease > self.now for lease in self.model.probes.values()) <= self.model.permits

    @invariant()
    def it_refuses_while_it_is_open(self):
        outlook = self.lab.breaker.outlook()
        if self.model.state == "open" and self.now < self.model.until:
            expected = None if self.model.until == FOREVER else self.model.until - self.now
            assert outlook.reason in ("open", "unavailable")
            assert (outlook.retry_in, outlook.last_resort) == (expected, self.model.last_resorts)
        if self.model.state == "half_open":
            busy = sum(lease > self.now for lease in self.model.probes.values()) >= self.model.permits
            assert (outlook is not None) == busy


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(
    deadline=None,
    max_examples=150,
    stateful_step_count=50,
    report_multiple_bugs=False,
    phases=set(Phase) - {Phase.explain},
)
