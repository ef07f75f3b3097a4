"""The queue before the thread that writes.

Whoever has something to tell puts it here and goes: it may be a finaliser, in the middle of anything, so that side
takes no lock and waits for nothing (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeAlias

from .entry import Entry
from .served import Served

__all__ = ["Inbox", "Item", "Mark"]


@dataclass(slots=True, eq=False)
class Mark:
    """Stands behind what is to be written before it is `done`."""

    last: bool = False
    """Nothing comes after it."""
    done: threading.Event = field(default_factory=threading.Event)


Item: TypeAlias = Entry | Served | Mark


class Inbox:
    """Takes items from any thread at any point, as long as there is room, and gives them to one thread.

    Args:
        capacity: how many entries can wait, here and with the thread.
    """

    kept = 0
    """How many entries the thread has taken and not written; said by the thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._urgent = threading.Event()
        self._drops = itertools.count()  # its step is atomic; it cannot be read without one
        self._drops_seen = 0

    # --- anybody's side ---------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """About how many entries are on their way."""
        return self._queue.qsize() + self.kept

    def put(self, item: Entry | Served) -> None:
        """Take an item, or drop it and count that. Never blocks, and never raises."""
        # What is only counted is not kept: for that there is room as long as the thread goes on.
        waiting = self._queue.qsize() + (0 if isinstance(item, Served) else self.kept)
        if waiting < self._capacity:
            self._queue.put(item)
        else:
            self.drop()

    def drop(self) -> None:
        """Count an entry that was not taken."""
        next(self._drops)

    def mark(self, mark: Mark) -> None:
        """Put a mark behind all that was put so far. Never blocks."""
        self._queue.put(mark)

    def hurry(self) -> None:
        """Have what is here taken at once. Takes a lock, so it is not for finalisers."""
        self._urgent.set()

    # --- the thread's side ------------------------------------------------------------------------------------

    def gather(self, timeout: float | None, linger: float) -> list[Item]:
        """Wait for an item, and for others that come soon after it.

        That callers do not wake the thread for each costs them less than the queue does.

        Args:
            timeout: seconds to wait for the first; `None`: until there is one.
            linger: seconds to wait for others.
        """
        try:
            items = [self._queue.get(timeout=timeout)]
        except Empty:
            return []
        self._urgent.wait(linger)
        self._urgent.clear()
        arrived = self._queue.qsize()  # not all that comes until it is empty, which may never be
        return [*items, *(self._queue.get() for _ in range(arrived))]

    def dropped(self) -> int:
        """How many were dropped since this was asked last."""
        step = next(self._drops)
        count, self._drops_seen = step - self._drops_seen, step + 1
        return count
