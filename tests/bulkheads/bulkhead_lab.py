"""Bulkheads on a clock that a test moves, and callers that behave as the middleware does."""

from __future__ import annotations

import threading

from failover.bulkheads import Bulkheads, Place, Ticket, wait, wait_async
from failover.testing import FakeClock


class Lab:
    """Limits by name, `at_once` each: `Lab(large=1, a=2)`."""

    def __init__(self, **at_once):
        self.clock = FakeClock()
        self.bulkheads = Bulkheads(now=self.clock.now)
        self.limits = {name: self.bulkheads.limit(name, most, None) for name, most in at_once.items()}

    def enter(self, *names):
        return self.bulkheads.enter([self.limits[name] for name in names])

    def ticket(self, *names):
        """A ticket that there is room for."""
        ticket = self.enter(*names)
        assert isinstance(ticket, Ticket)
        return ticket

    def place(self, *names):
        """A place in line, as there is no room."""
        place = self.enter(*names)
        assert isinstance(place, Place)
        return place

    def watched(self, *names):
        """A place in line, and a list that fills when its owner is woken."""
        place, woken = self.place(*names), []
        assert place.call_when_over(lambda: woken.append("woken"))
        return place, woken

    def held(self, seconds, *names):
        """Have a permit out for so long."""
        ticket = self.ticket(*names)
        self.clock.advance(seconds)
        ticket.release()

    @property
    def running(self):
        return {name: limit.running for name, limit in self.limits.items()}

    @property
    def waiting(self):
        return {name: limit.waiting for name, limit in self.limits.items()}

    @property
    def is_empty(self):
        """Whether nobody is out or in line, in the counts and in what is behind them."""
        bulkheads = self.bulkheads
        nothing_left = not (bulkheads._notes or bulkheads._woken or bulkheads._busy.locked())
        return nothing_left and not any([*self.running.values(), *self.waiting.values()])


class Crowd:
    """Counts how many are inside at once, and who came in, in order."""

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0
        self.order = []

    def come(self, name):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.order.append(name)

    def go(self):
        with self._lock:
            self._inside -= 1


def turn(entered):
    """The ticket of whoever has entered, after a wait if need be."""
    if isinstance(entered, Ticket):
        return entered
    try:
        wait(entered, None)
    except BaseException:
        entered.leave()
        raise
    return entered.ticket


async def turn_async(entered):
    """As `turn`, in a task."""
    if isinstance(entered, Ticket):
        return entered
    try:
        await wait_async(entered, None)
    except BaseException:
        entered.leave()
        raise
    return entered.ticket
