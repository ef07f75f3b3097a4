"""Any sequence of comings, goings and failures: the bulkheads do what a page of text says, and nothing else."""

from __future__ import annotations

from bulkhead_lab import Lab
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from failover.bulkheads import Ticket

NAMES = ("large", "a", "b")


class Model:
    """Bulkheads as their documentation tells them: one list of who waits, gone through from the front each time."""

    def __init__(self, at_once):
        self.at_once = at_once
        self.out = []
        self.line = []
        self.unreachable = set()

    def running(self, name):
        return sum(name in attempt.names for attempt in self.out)

    def waiting(self, name):
        return sum(name in attempt.names for attempt in self.line)

    def come(self, attempt):
        self.line.append(attempt)
        self.move_up()

    def end(self, attempt):
        self.out.remove(attempt)
        self.move_up()

    def leave(self, attempt):
        self.line.remove(attempt)
        self.move_up()

    def move_up(self):
        """Whoever has room behind each of its limits, and nobody before it in the line of one, goes."""
        kept_for_earlier = set()
        for attempt in list(self.line):
            full = {name for name in attempt.names if self.running(name) >= self.at_once[name]}
            if full or kept_for_earlier & attempt.names:
                kept_for_earlier |= attempt.names
                continue
            self.line.remove(attempt)
            if attempt in self.unreachable:
                self.move_up()
                return
            self.out.append(attempt)


class Attempt:
    """One attempt: what it asked for, what it got, and whether it was told."""

    def __init__(self, names, answer):
        self.names = frozenset(names)
        self.answer = answer
        self.is_watched = False
        self.times_woken = 0

    def wake(self):
        self.times_woken += 1

    def fail_to_wake(self):
        self.times_woken += 1
        raise RuntimeError("Event loop is closed")

    @property
    def ticket(self):
        return self.answer if isinstance(self.answer, Ticket) else self.answer.ticket


class BulkheadMachine(RuleBasedStateMachine):
    @initialize(numbers=st.tuples(*[st.integers(1, 3)] * len(NAMES)))
    def set_up(self, numbers):
        at_once = dict(zip(NAMES, numbers, strict=True))
        self.lab = Lab(**at_once)
        self.model = Model(at_once)
        self.everybody = []
        self.over = []

    def pick(self, data, among):
        return data.draw(st.sampled_from(among))

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1).map(sorted), turned=st.booleans())
    def come(self, names, turned):
        names = names[::-1] if turned else names
        attempt = Attempt(names, self.lab.enter(*names))
        self.everybody.append(attempt)
        self.model.come(attempt)
        assert isinstance(attempt.answer, Ticket) == (attempt in self.model.out)

    @precondition(lambda self: self.model.line)
    @rule(data=st.data(), reachable=st.sampled_from([True, True, False]))
    def wait(self, data, reachable):
        attempt = self.pick(data, self.model.line)
        assert attempt.answer.call_when_over(attempt.wake if reachable else attempt.fail_to_wake)
        attempt.is_watched = True
        self.model.unreachable.discard(attempt)
        if not reachable:
            self.model.unreachable.add(attempt)

    @precondition(lambda self: self.model.out)
    @rule(data=st.data(), how=st.sampled_from(["release", "leave", "drop"]))
    def end(self, data, how):
        attempt = self.pick(data, self.model.out)
        self.over.append(attempt)
        self.model.end(attempt)
        if how == "release":
            attempt.ticket.release()
        elif how == "leave" and not isinstance(attempt.answer, Ticket):
            attempt.answer.leave()
        else:
            attempt.answer = None
            self.everybody.remove(attempt)

    @precondition(lambda self: self.model.line)
    @rule(data=st.data())
    def leave(self, data):
        attempt = self.pick(data, self.model.line)
        self.over.append(attempt)
        self.model.leave(attempt)
        attempt.answer.leave()

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def do_again_what_is_over(self, data):
        attempt = self.pick(data, self.over)
        if attempt.answer is None:
            return
        if attempt.ticket is not None:
            attempt.ticket.release()
        if not isinstance(attempt.answer, Ticket):
            attempt.answer.leave()

    @rule(seconds=st.sampled_from([0.5, 3.0, 60.0]))
    def time_passes(self, seconds):
        self.lab.clock.advance(seconds)

    @invariant()
    def as_many_are_out_and_in_line_as_in_the_model_and_never_too_many(self):
        assert self.lab.running == {name: self.model.running(name) for name in NAMES}
        assert self.lab.waiting == {name: self.model.waiting(name) for name in NAMES}
        assert all(limit.running <= limit.at_once for limit in self.lab.limits.values())

    @invariant()
    def exactly_those_have_a_ticket_whose_turn_it_is(self):
        for attempt in self.everybody:
            goes = attempt.ticket is not None and not attempt.ticket.over
            assert goes == (attempt in self.model.out)

    @invariant()
    def whoever_waits_to_be_told_is_told_once_and_only_in_its_turn(self):
        for attempt in self.everybody:
            came = attempt.ticket is not None
            assert attempt.times_woken == (attempt.is_watched and came)

    @invariant()
    def what_is_expected_makes_sense(self):
        so_far = {}
        for attempt in self.model.line:
            expected = attempt.answer.expected()
            returns = max(self.model.waiting(name) + self.model.at_once[name] for name in NAMES)
            assert expected is None or 0 <= expected <= returns * (self.lab.clock.now() - 1000)
            before = so_far.get(attempt.names)
            assert before is None or expected >= before
            so_far[attempt.names] = expected
        for attempt in self.model.out:
            assert isinstance(attempt.answer, Ticket) or attempt.answer.expected() == 0.0

    def teardown(self):
        if not hasattr(self, "lab"):
            return
        while self.model.out:
            self.end_first()
        assert not self.model.line
        assert self.lab.is_empty

    def end_first(self):
        attempt = self.model.out[0]
        self.model.end(attempt)
        attempt.ticket.release()
        self.exactly_those_have_a_ticket_whose_turn_it_is()


TestBulkheadMachine = BulkheadMachine.TestCase
TestBulkheadMachine.settings = settings(
    deadline=None,
    max_examples=150,
    stateful_step_count=50,
    report_multiple_bugs=False,
    phases=set(Phase) - {Phase.explain},
)
