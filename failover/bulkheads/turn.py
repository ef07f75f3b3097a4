"""What a call holds of its limits: first perhaps a place in line, then a ticket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .limit import Limit

if TYPE_CHECKING:
    from .bulkheads import Bulkheads

__all__ = ["Place", "Ticket"]


class Ticket:
    """The right to have one attempt out, under all of its limits. Thread-safe.

    One that is dropped gives itself back, so that an interrupt between two lines of a caller costs no permit.
    """

    __slots__ = ("__weakref__", "_bulkheads", "limits", "over", "since", "stub", "waited")

    def __init__(self, bulkheads: Bulkheads, limits: tuple[Limit, ...], since: float, waited: float) -> None:
        self._bulkheads = bulkheads
        self.limits = limits
        self.stub = object()
        """What its limits keep of it: not the ticket, which they would keep from being dropped."""
        self.since = since
        self.waited = waited
        """Seconds that it stood in line."""
        self.over = False

    def __del__(self) -> None:
        if hasattr(self, "over"):  # not so when Ctrl-C came while it was made
            self.release()

    def release(self) -> None:
        """The attempt has ended. Does nothing the second time; may be called by a finaliser, anywhere."""
        if not self.over:
            self._bulkheads.settle(self)


class Place:
    """A place in the line of each of its limits. Thread-safe; its owner waits, and leaves if its turn never came."""

    __slots__ = ("__weakref__", "_bulkheads", "_wake", "left", "limits", "since", "ticket")

    def __init__(self, bulkheads: Bulkheads, limits: tuple[Limit, ...], since: float) -> None:
        self._bulkheads = bulkheads
        self.limits = limits
        self.since = since
        self.ticket: Ticket | None = None
        """The ticket, once its turn has come. It is the caller's, who releases it."""
        self.left = False
        self._wake: Callable[[], object] | None = None

    @property
    def waiting(self) -> bool:
        """Whether it has neither got its ticket nor left."""
        return self.ticket is None and not self.left

    @property
    def longest(self) -> float | None:
        """How many seconds it may wait: the shortest `queue` of its limits; `None`: they set no time."""
        return min((limit.queue for limit in self.limits if limit.queue is not None), default=None)

    def expected(self) -> float | None:
        """Seconds that it would still take: an estimate, from those before it and how long permits were held lately.

        Of several limits, the slowest counts. `None` when nothing is known yet, or when it has left. Asked of a
        newcomer it costs the same however long the line is.
        """
        return self._bulkheads.expected(self)

    def call_when_over(self, wake: Callable[[], object]) -> bool:
        """Have `wake` called, from any thread, when its turn comes. False: it is over already, and nobody will call.

        `wake` must not block, and may be called twice. What it raises stays with whoever called it: this place is
        given up then, for its owner cannot be told.
        """
        return self._bulkheads.watch(self, wake)

    def leave(self) -> None:
        """Give up. A ticket that came meanwhile is given back. Does nothing the second time."""
        if self.waiting or (self.ticket is not None and not self.ticket.over):
            self._bulkheads.give_up(self)

    # --- for its Bulkheads -----------------------------------------------------------------------------------

    def awaits_a_call(self, wake: Callable[[], object]) -> None:
        """Keep `wake` until its turn comes."""
        self._wake = wake

    def wake(self) -> None:
        """Tell its owner, if it waits to be told."""
        wake = self._wake
        if wake is not None:
            wake()
            self._wake = None
