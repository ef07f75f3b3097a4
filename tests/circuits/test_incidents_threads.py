"""Many threads, finalisers and forks on one program's incidents: nobody waits, nobody hangs, nothing is lost."""

from __future__ import annotations

import os
import threading

import pytest
from elsewhere import LONG, ends, passes_in_a_child, together
from incident_lab import IncidentLab

from failover.events import IncidentEnded, IncidentStarted


@pytest.mark.parametrize("every", ["30s", "1s"])
def test_of_fifty_threads_whose_turn_it_may_be_one_gets_it(every):
    lab = IncidentLab(probe={"every": every, "timeout": "1s"})
    lab.begin()
    lab.clock.advance(30)
    assert sorted(together(50, lambda _: lab.turn() or ""))[-2:] == ["", "a"]


def test_threads_that_find_nobody_together_begin_one_incident():
    lab = IncidentLab()
    lab.fail("ab")
    together(32, lambda _: lab.nobody())
    assert len(lab.starts()) == 1


def test_threads_that_fail_together_are_counted_one_by_one():
    lab = IncidentLab(after="1s", of_at_least=32 * 50 + 1, models="off")

    def fail(index):
        for _ in range(50):
            lab.fail("abcd"[index % 4])

    together(32, fail)
    lab.clock.advance(1)
    assert lab.open() is None
    lab.fail("a")
    assert lab.found().failures == 32 * 50 + 1


def test_threads_whose_answers_come_together_end_it_once():
    lab = IncidentLab()
    lab.begin()
    together(32, lambda index: lab.answer("cdef"[index % 4]))
    assert len(lab.ends()) == 1
    assert lab.open() is None


class Outage:
    """A platform that breaks and heals, under threads that live as calls do: they fail, are kept back, ask, are answered."""

    def __init__(self):
        self.lab = IncidentLab(probe={"every": "1s", "timeout": "1s"})
        self.down = threading.Event()
        self.given = self.out = self.most_out = 0
        self._lock = threading.Lock()
        self._circuits = [self.lab.circuit(model) for model in "ab"]

    def live(self, index):
        for number in range(200):
            if index == 0:
                self.lab.clock.advance(0.7)
                (self.down.clear if number // 20 % 2 else self.down.set)()
            if self.lab.keeps_back("a"):
                self.ask()
            elif self.down.is_set():
                self.lab.fail("ab")
                self.lab.nobody()
            else:
                self.lab.answer("a")

    def ask(self):
        turn = self.lab.incidents.take_turn("default", self._circuits)
        if turn is None:
            self.lab.incidents.kept_back("default")
            return
        with self._lock:
            self.given += 1
            self.out += 1
            self.most_out = max(self.most_out, self.out)
        answered = not self.down.is_set()
        with self._lock:
            self.out -= 1
        self.lab.incidents.probed("default", turn.number, self._circuits[turn.which], answered=answered)


def test_an_outage_that_comes_and_goes_under_thirty_two_threads_has_one_probe_out_at_a_time():
    outage = Outage()
    lab = outage.lab
    together(32, outage.live)
    assert outage.most_out == 1
    outage.down.clear()
    while lab.open() is not None:
        lab.clock.advance(10)
        outage.ask()
    assert len(lab.starts()) > 1
    kinds = [type(event) for event in lab.events]
    assert kinds == [IncidentStarted, IncidentEnded] * len(lab.starts())
    assert sum(event.probes for event in lab.ends()) == outage.given


def test_a_listener_that_takes_its_time_delays_no_other_call():
    told, go_on = threading.Event(), threading.Event()

    def slow(event):
        told.set()
        go_on.wait(LONG)

    lab = IncidentLab(tell=slow)
    lab.fail("ab")
    thread = threading.Thread(target=lab.nobody)
    thread.start()
    assert told.wait(LONG)
    lab.clock.advance(30)
    assert ends(
        lambda: [lab.keeps_back("a"), lab.fail("c"), lab.ask(answered=True), lab.answer("d"), repr(lab.incidents)]
    )
    go_on.set()
    thread.join(LONG)
    assert lab.open() is None


def test_a_listener_may_act_on_what_it_is_told_of():
    heard = []

    def act(event):
        heard.append((type(event), lab.open()))
        if isinstance(event, IncidentStarted):
            lab.answer("c")

    lab = IncidentLab(tell=act)
    lab.fail("ab")
    assert ends(lab.nobody)
    assert heard == [(IncidentStarted, "models"), (IncidentEnded, None)]


class Interrupting:
    """A circuit that lets something run as soon as anybody looks at it, as a garbage collector may."""

    def __init__(self, act):
        self.name = "a"
        self.held = None
        self.woken = 0
        self._acts = [act]

    @property
    def state(self):
        if self._acts:
            self._acts.pop()()
        return "open"

    def wake(self):
        self.woken += 1


@pytest.mark.parametrize(
    ("act", "open_after"),
    [
        (lambda lab: lab.fail("b"), True),
        (lambda lab: lab.fail("c"), True),
        (lambda lab: lab.answer("a"), False),
        (lambda lab: lab.answer("c"), False),
        (lambda lab: lab.nobody("b"), True),
        (lambda lab: lab.nobody("ab"), True),
        (lambda lab: lab.turn(), True),
        (lambda lab: lab.incidents.kept_back("default"), True),
        (lambda lab: (lab.answer("a"), lab.fail("ab")), None),
    ],
)
def test_a_finaliser_may_run_while_it_looks(act, open_after):
    lab = IncidentLab()
    lab.circuits["a"] = Interrupting(lambda: act(lab))
    lab.fail("ab")
    assert ends(lab.nobody)
    assert open_after is None or (lab.open() is not None) == open_after
    assert len(lab.starts()) == (lab.open() is not None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
class TestAForkedChild:
    def test_does_not_hang_on_a_lock_that_another_thread_held(self):
        inside, go_on = threading.Event(), threading.Event()

        def hold():
            inside.set()
            go_on.wait(LONG)

        lab = IncidentLab()
        lab.circuits["a"] = Interrupting(hold)
        lab.fail("ab")
        thread = threading.Thread(target=lab.nobody)
        thread.start()
        assert inside.wait(LONG)

        def check():
            lab.circuits.clear()
            lab.answer("a")
            lab.clock.advance(60)
            lab.begin("cd")
            lab.end("cd")
            return len(lab.starts()) == len(lab.ends()) == 1

        try:
            assert passes_in_a_child(check)
        finally:
            go_on.set()
            thread.join(LONG)
        assert lab.open() == "models"

    def test_is_in_the_incident_of_its_parent_and_finds_its_end_itself(self):
        lab = IncidentLab()
        lab.begin()

        def check():
            assert lab.keeps_back("a")
            lab.end()
            return [type(event) for event in lab.events] == [IncidentStarted, IncidentEnded]

        assert passes_in_a_child(check)
        assert lab.open() == "models"

    def test_does_not_wait_for_ever_for_its_parents_probe(self):
        lab = IncidentLab()
        lab.begin()
        lab.clock.advance(30)
        assert lab.turn() == "a"

        def check():
            lab.clock.advance(60)
            return lab.turn() == "b"

        assert passes_in_a_child(check)

    def test_does_not_tell_its_parents_news(self):
        told, verdicts = [], []

        def tell(event):
            told.append(type(event))
            if not verdicts:
                lab.answer("c")  # ends it, which is told after this event, and by the parent
                verdicts.append(None)
                verdicts[0] = passes_in_a_child(check)

        def check():
            told.clear()
            lab.clock.advance(60)
            lab.begin()
            return told == [IncidentStarted]

        lab = IncidentLab(tell=tell)
        lab.fail("ab")
        lab.nobody("ab")
        assert verdicts == [True]
        assert told == [IncidentStarted, IncidentEnded]
