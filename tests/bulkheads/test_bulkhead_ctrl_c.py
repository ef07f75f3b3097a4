"""A Ctrl-C between any two lines: it passes, costs no permit and no turn, and the next one who comes mends the rest."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path

import pytest
from bulkhead_lab import Lab
from elsewhere import ends

import failover.bulkheads

HOME = str(Path(failover.bulkheads.__file__).parent)


class CtrlC:
    """Raises `KeyboardInterrupt` before the line with this number, counted from 1, of all that bulkheads run.

    Not at the end of a `with`: the interpreter lets no signal in between the last line of its body and its exit, but
    a tracing function sees a line there.
    """

    def __init__(self, number):
        self.left = number

    def __call__(self, frame, event, argument):
        return Lines(self) if frame.f_code.co_filename.startswith(HOME) else None

    def line(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def during(self, work):
        """Whether it came while `work()` ran; what `work` returned is dropped."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        return self.left <= 0


class Lines:
    """Sees the lines of one call of a function."""

    def __init__(self, ctrl_c):
        self.ctrl_c = ctrl_c
        self.inside = set()

    def __call__(self, frame, event, argument):
        if event == "line" and not self.ends_a_with(frame.f_code.co_filename, frame.f_lineno):
            self.ctrl_c.line()
        return self

    def ends_a_with(self, path, number):
        if not linecache.getline(path, number).strip().startswith("with "):
            return False
        self.inside ^= {number}
        return number not in self.inside


class Street:
    """Two limits with somebody out, and two who wait to be told."""

    def __init__(self):
        self.lab = Lab(large=1, a=1)
        self.held = [self.lab.ticket("large", "a")]
        self.first, self.first_woken = self.lab.watched("large", "a")
        self.second, self.second_woken = self.lab.watched("a")

    def release(self):
        self.held[0].release()

    def leave(self):
        self.first.leave()

    def enter(self):
        self.lab.enter("a", "large")

    def enter_elsewhere(self):
        self.held.append(self.lab.enter())

    def everybody_gets_through(self):
        """Whoever was interrupted is gone; somebody else comes and gives up; then all others have their turns."""
        self.held.clear()
        assert ends(lambda: self.lab.enter("large"))  # in another thread, for which a lock may be held
        self.lab.enter("a")
        if not self.first.left:
            assert self.first.ticket is not None
            assert self.first_woken
            self.first.ticket.release()
        assert self.second.ticket is not None
        assert self.second_woken
        self.second.ticket.release()
        self.lab.ticket("a", "large").release()
        return self.lab.is_empty


def interrupted_before_each_line(work):
    """What `work(ctrl_c)` returned for each line that a Ctrl-C can come before; it returns None when none came."""
    for number in range(1, 1000):
        answer = work(CtrlC(number))
        if answer is None:
            return
        yield number, answer


@pytest.mark.parametrize("what", ["release", "leave", "enter", "enter_elsewhere"])
def test_before_any_line_it_costs_nobody_a_turn(what):
    def work(ctrl_c):
        street = Street()
        if not ctrl_c.during(getattr(street, what)):
            return None
        return street.everybody_gets_through()

    results = dict(interrupted_before_each_line(work))
    assert len(results) > 25
    assert all(results.values())


def test_before_any_line_of_a_call_that_finds_room_it_costs_no_permit():
    def work(ctrl_c):
        lab, held = Lab(large=1, a=1), []

        def call():
            held.append(lab.enter("large", "a"))
            held[0].release()

        if not ctrl_c.during(call):
            return None
        held.clear()
        lab.ticket("large", "a").release()
        return lab.is_empty

    results = dict(interrupted_before_each_line(work))
    assert len(results) > 30
    assert all(results.values())
