"""A journal's thread in this process: started by the first entry, replaced after a fork, ended with the process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from failover.engine.locks import renew_after_fork

from .database import Database
from .entry import Entry
from .inbox import Inbox, Mark
from .processes import close_at_exit, register
from .served import Served
from .writer import Writer

__all__ = ["Worker"]


class Worker:
    """Has what it is given written by a thread. The thread keeps it alive, and nothing that its user holds.

    Args:
        database: the file.
        make: makes who writes what comes into an inbox.
        capacity: how many entries can wait.
    """

    def __init__(self, database: Database, make: Callable[[Inbox, Database], Writer], capacity: int) -> None:
        self._database = database
        self._make = make
        self._capacity = capacity
        self._closed = False
        self._renew()
        register(self)
        renew_after_fork(self)

    def _renew(self) -> None:
        self.inbox = Inbox(self._capacity)
        self.writer = self._make(self.inbox, self._database)
        self._starting = threading.Lock()
        self._runs = False
        self._last = Mark(last=True)

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    def put(self, item: Entry | Served) -> None:
        """Have an item written some time. Never blocks, and never raises."""
        if self._closed:
            self.inbox.drop()
            return
        self.inbox.put(item)
        if not self._runs:
            self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was put before is written; whether it is."""
        if self._closed or not (self._runs or self.inbox.waiting):
            return self.inbox.waiting == 0
        mark = Mark()
        self.inbox.mark(mark)
        self._start()
        self.inbox.hurry()
        return mark.done.wait(seconds)

    def close(self, seconds: float) -> None:
        """Take nothing more, and wait until what there is is written."""
        self.leave()
        if self._runs:
            self.inbox.hurry()
            self._last.done.wait(seconds)

    def leave(self) -> None:
        """Take nothing more, and let the thread end when it has written what there is. Never blocks."""
        self._closed = True
        if self._runs:
            self.inbox.mark(self._last)

    def _start(self) -> None:
        # A flag and no lock: whoever finds it taken leaves it to the other, which may be its own thread further out.
        # And while the interpreter ends, Python before 3.12 would wait for ever for a new thread.
        if sys.is_finalizing() or not self._starting.acquire(blocking=False):
            return
        try:
            if not self._runs:
                self._runs = True
                close_at_exit()
                threading.Thread(target=self._run, name="failover-journal", daemon=True).start()
        except BaseException as error:
            self._runs = False
            if not isinstance(error, (RuntimeError, MemoryError)):  # Ctrl-C
                raise
            # There are too many threads, or the interpreter ends: the entry waits for better times.
        finally:
            self._starting.release()

    def _run(self) -> None:
        self.writer.run()

    def before_fork(self, seconds: float) -> None:
        """Close the file in so many seconds, and let nobody open it until the fork has happened."""
        self._database.before_fork(seconds)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._database.after_fork_in_parent()

    def after_fork(self) -> None:
        """In a forked child: begin anew, with nothing of what the parent has still to write."""
        self._database.after_fork()
        self._renew()
