"""All limits of one process: the one lock, who may go, and who is woken.

Order is strict: nobody takes a slot of a limit for which somebody who came earlier still waits. An attempt that needs
several limits takes them all together or none, so it may leave a slot of one idle while it waits for the other. That
is the price of a promise: with every slot always put to use, a steady stream for one limit alone would keep those who
need two of them waiting for ever. With strict order the earliest of all who wait is first in each of its lines, so it
waits for attempts that are out, and for nothing else: no starvation, no deadlock.

What changes the books is noted first and then done under the lock, by whoever holds it. A finaliser that comes in
while its own thread is at it leaves its note and goes; one that another thread left is done on the way. Owners are
woken after the lock is released.

A Ctrl-C can end any step half-way. So a note and a wake-up are dropped when they are done, each can be done twice,
and whoever comes next finishes what was left.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from failover.engine.locks import renew_after_fork

from .limit import Limit
from .turn import Place, Ticket

if TYPE_CHECKING:
    from failover.engine.plan import Limit as AnyLimit

__all__ = ["Bulkheads"]


class Bulkheads:
    """The limits of one process, each made when first asked for. Thread-safe, and tied to no event loop.

    Args:
        now: seconds on a clock that never steps back. Not called under the lock.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._limits: dict[str, Limit] = {}
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: a lock of its own, nobody out and nobody in line; what was learned of times is kept."""
        self._lock = threading.RLock()
        self._busy = threading.Lock()  # a flag; but a Ctrl-C cannot keep `with` from clearing it
        self._notes: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._woken: deque[Place] = deque()
        for limit in self._limits.values():
            limit.clear()

    def __repr__(self) -> str:
        """Every limit, and how full it is."""
        limits = "; ".join(f"{limit.name}: {limit.summary()}" for limit in self.limits())
        return f"<Bulkheads {limits or 'no limits yet'}>"

    def limits(self) -> tuple[Limit, ...]:
        """All limits, in the order in which they were first asked for."""
        return tuple(self._limits.values())

    def limit(self, name: str, at_once: int, queue: float | None) -> Limit:
        """The limit called `name`, made now if need be; one that is there keeps its numbers."""
        return self._limits.get(name) or self._limits.setdefault(name, Limit(name, at_once, queue))

    def enter(self, limits: Sequence[AnyLimit]) -> Ticket | Place:
        """Ask to have one attempt out under all of these limits: a ticket, or else a place in line."""
        now = self._now()
        place = Place(self, tuple(cast("Sequence[Limit]", limits)), now)
        try:
            self._do(self._join_needs_lock, place, now)
        except BaseException:  # Ctrl-C: the traceback would keep the place
            place.leave()
            raise
        return place.ticket or place

    # --- for places and tickets ------------------------------------------------------------------------------

    def settle(self, ticket: Ticket) -> None:
        """A ticket comes back. Called by the ticket."""
        self._do(self._settle_needs_lock, ticket, self._now())

    def give_up(self, place: Place) -> None:
        """A place is given up, with the ticket that it may have got. Called by the place."""
        self._do(self._give_up_needs_lock, place, self._now())

    def watch(self, place: Place, wake: Callable[[], object]) -> bool:
        """Whether `wake` will be called: the place still stands in line. Called by the place."""
        with self._lock:  # so that its turn comes either before or after, and is not missed
            if place.waiting:
                place.awaits_a_call(wake)
            return place.waiting

    def expected(self, place: Place) -> float | None:
        """See `Place.expected`."""
        with self._lock:
            if not all(place in limit.line for limit in place.limits):
                return None if place.ticket is None else 0.0
            times = []
            standing = [place]
            for one in standing:  # joined by those who are first in line: they may wait for something else
                for limit in one.limits:
                    times.append(limit.expected(one))
                    first = limit.first()
                    if first is not None and first not in standing:
                        standing.append(first)
        return max((time for time in times if time is not None), default=None)

    # --- under the lock --------------------------------------------------------------------------------------

    def _join_needs_lock(self, place: Place, now: float) -> None:
        if place.waiting and not all(limit.lets_in(None) for limit in place.limits):
            for limit in place.limits:
                limit.line[place] = None
        else:
            self._grant_needs_lock(place, now)

    def _settle_needs_lock(self, ticket: Ticket, now: float) -> None:
        ticket.over = True
        for limit in ticket.limits:
            limit.give_back(ticket.stub, max(0.0, now - ticket.since))
        self._note_turns(ticket.limits, now)

    def _give_up_needs_lock(self, place: Place, now: float) -> None:
        if place.ticket is not None:
            self._settle_needs_lock(place.ticket, now)
            return
        place.left = True
        for limit in place.limits:
            limit.line.pop(place, None)
        self._note_turns(place.limits, now)

    def _give_turn_needs_lock(self, limit: Limit, now: float) -> None:
        """Let in who has waited longest for this limit, if it is first in each of its lines and finds room."""
        place = limit.first()
        if place is None or (place.waiting and not all(one.lets_in(place) for one in place.limits)):
            return
        self._grant_needs_lock(place, now)
        self._woken.append(place)
        self._note_turns(place.limits, now)
        for one in place.limits:
            if one is not limit:
                one.line.pop(place, None)
        limit.line.pop(place, None)  # the last thing: until then it is found again

    def _grant_needs_lock(self, place: Place, now: float) -> None:
        if place.ticket is None:
            place.ticket = Ticket(self, place.limits, now, max(0.0, now - place.since))
        for limit in place.limits:
            limit.take(place.ticket.stub)

    def _note_turns(self, limits: Iterable[Limit], now: float) -> None:
        """Something has changed at these limits: it may be somebody's turn."""
        for limit in limits:
            if limit.line:
                self._notes.append((self._give_turn_needs_lock, (limit, now)))

    # --- the lock --------------------------------------------------------------------------------------------

    def _do(self, work: Callable[..., None], *arguments: Any) -> None:
        """Note what is to be done, do all that is noted under the lock, and wake whose turn has come."""
        self._notes.append((work, arguments))
        while self._work_off() and (self._wake_one() or self._notes):
            pass

    def _work_off(self) -> bool:
        """Do all that is noted; False when this very thread is at it already, further out, and will."""
        with self._lock:
            if self._busy.locked():
                return False
            with self._busy:
                while self._notes:
                    work, arguments = self._notes[0]
                    work(*arguments)
                    self._notes.popleft()
        return True

    def _wake_one(self) -> bool:
        """Tell one whose turn has come, if any. Who cannot be told has given up: it is the next one's turn."""
        if not self._woken:
            return False
        with contextlib.suppress(IndexError, ValueError):  # another thread was quicker
            place = self._woken[0]
            try:
                place.wake()
            except Exception:  # noqa: BLE001 - a closed event loop, most likely: not the business of who releases
                self._notes.append((self._give_up_needs_lock, (place, self._now())))
            self._woken.remove(place)
        return True
