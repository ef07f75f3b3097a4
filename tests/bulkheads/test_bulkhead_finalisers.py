"""Finalisers, which come in at any point of any thread: they never wait, and what they do is not forgotten."""

from __future__ import annotations

import pytest
from bulkhead_lab import Lab
from elsewhere import ends

from failover.bulkheads import Limit, Ticket, wait


class Abandoned:
    """Something whose finaliser acts on the bulkheads, like a stream that somebody dropped."""

    def __init__(self, act):
        self.act = act

    def __del__(self):
        self.act()


ACTS = {
    "enter": lambda lab, held, place: lab.enter("a"),
    "enter and find room": lambda lab, held, place: lab.enter("free"),
    "release": lambda lab, held, place: held.release(),
    "leave": lambda lab, held, place: place.leave(),
    "drop a ticket": lambda lab, held, place: lab.enter("free"),
}


@pytest.mark.parametrize("step", ["take", "give_back", "lets_in", "first"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("finaliser", ["release", "leave", "drop", "enter"])
def test_a_finaliser_may_come_in_at_any_step(monkeypatch, step, act, finaliser):
    lab = Lab(a=2, free=5)
    held, dropped = lab.ticket("a"), [lab.ticket("a")]
    place, leaver, patient = lab.place("a"), lab.place("a"), lab.place("a")
    lab.answers = []
    finalisers = {
        "release": dropped[0].release,
        "leave": leaver.leave,
        "drop": dropped.clear,
        "enter": lambda: lab.answers.append(lab.enter("a")),
    }
    abandoned = [Abandoned(finalisers[finaliser])]
    real = getattr(Limit, step)

    def interrupted(*arguments):
        abandoned.clear()
        return real(*arguments)

    monkeypatch.setattr(Limit, step, interrupted)
    assert ends(lambda: lab.answers.append(ACTS[act](lab, held, place)))
    monkeypatch.undo()
    for kept in (abandoned, finalisers, lab.answers, dropped):
        kept.clear()
    held.release()
    for one in (place, leaver):
        one.leave()
    assert isinstance(patient.ticket, Ticket)
    patient.ticket.release()
    assert lab.is_empty


class Notes(type(Lab().bulkheads._notes)):
    """Notes to which a finaliser adds one in the moment in which somebody has found that there are none left."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    def __len__(self):
        length = super().__len__()
        if not length and self.act:
            act, self.act = self.act, None
            act()
        return length

    def __bool__(self):
        return len(self) > 0  # Python 3.10 does not ask an overridden `__len__` for it


def test_a_finaliser_that_comes_in_at_the_very_end_is_not_forgotten():
    lab = Lab(a=1, b=1)
    held = lab.ticket("a")
    place = lab.place("a")
    lab.bulkheads._notes = Notes(held.release)
    lab.other = lab.ticket("b")
    assert place.ticket is not None


def test_a_finaliser_may_wake_the_very_thread_that_it_interrupts():
    """It comes in while a thread begins to wait, and releases what that thread waits for."""
    lab = Lab(a=1)
    held = lab.ticket("a")
    place = lab.place("a")
    abandoned = [Abandoned(held.release)]
    real = place.call_when_over

    class Interrupted:
        waiting = True

        def call_when_over(self, wake):
            answer = real(wake)
            abandoned.clear()
            return answer

    assert ends(lambda: wait(Interrupted(), None))
    assert place.ticket is not None
