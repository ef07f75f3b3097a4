"""One lock, and what has to be told once it is free.

A breaker counts under its lock, and must not call listeners, logs or storage there. It leaves notes instead; they
are told after the lock is released, in order, by whichever thread comes first. A listener that acts on the breaker
while it is being told adds to the notes and returns, so it can neither deadlock nor be told out of order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Monitor"]

Answer = TypeVar("Answer")
Note = TypeVar("Note")


class Monitor(Generic[Note]):
    """A re-entrant lock with a queue of notes, told by one thread at a time."""

    __slots__ = ("_inside", "_lock", "_notes", "_tell", "_telling")

    def __init__(self, tell: Callable[[Note], None]) -> None:
        self._tell = tell
        self._notes: deque[Note] = deque()
        self.renew()

    def renew(self) -> None:
        """Forget all notes, and, in a forked child, the parent's threads that held the lock or were telling."""
        self._lock = threading.RLock()
        self._inside = False
        self._notes.clear()
        self._telling = threading.Lock()

    def note(self, note: Note) -> None:
        """Leave a note. Under the lock."""
        self._notes.append(note)

    def run(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        """Do `work` under the lock, then tell what came of it.

        A finaliser may come in while this very thread is inside; then the outer call does the telling.
        """
        with self._lock:
            nested = self._inside
            try:
                self._inside = True
                answer = work(*arguments)
            finally:
                self._inside = nested
        if self._notes and not nested:
            self._flush()
        return answer

    def _flush(self) -> None:
        """Tell everything, unless somebody is at it and will. Never blocks."""
        while self._notes and self._telling.acquire(blocking=False):
            try:
                while self._notes:
                    self._tell(self._notes.popleft())
            finally:
                self._telling.release()
