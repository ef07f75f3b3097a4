"""What a breaker has to tell, told in order and outside of its lock.

Whichever thread comes first delivers everything that waits. A listener that acts on the breaker while it is being
told adds to the queue and returns, so it can neither deadlock nor be told out of order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Outbox"]

Note = TypeVar("Note")


class Outbox(Generic[Note]):
    """A queue of notes with one deliverer at a time."""

    __slots__ = ("_deliver", "_delivering", "_lock", "_notes")

    def __init__(self, deliver: Callable[[Note], None]) -> None:
        self._deliver = deliver
        self._notes: deque[Note] = deque()
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child nobody is delivering, and nobody holds the lock."""
        self._lock = threading.Lock()
        self._delivering = False

    def put(self, note: Note) -> None:
        """Add a note; it is told at the next `flush`."""
        self._notes.append(note)

    def clear(self) -> None:
        """Forget what has not been told."""
        self._notes.clear()

    def flush(self) -> None:
        """Tell everything that waits, unless somebody else is at it and will."""
        while self._notes:
            with self._lock:
                if self._delivering or not self._notes:
                    return
                self._delivering = True
                note = self._notes.popleft()
            try:
                self._deliver(note)
            finally:
                self._delivering = False
