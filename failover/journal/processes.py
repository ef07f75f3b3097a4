"""What a process is to its journals: a name, forks, and an end.

SQLite must not be taken through a fork: a child that opens a file which its parent had open believes to hold the
parent's locks, and a lock inside SQLite that some thread held is held for ever
(https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_). So before a fork every
file is closed, and nobody is inside SQLite while it happens.
"""

from __future__ import annotations

import atexit
import os
import platform
import secrets
import sys
import threading
import time
import weakref
from typing import Protocol

from failover.engine.locks import renew_after_fork

__all__ = ["Writes", "close_at_exit", "process_name", "register"]

_PATIENCE = 2.0  # seconds that a fork, or the end of the process, may be held up by all journals together


class Writes(Protocol):
    """Whoever has a file open."""

    def before_fork(self, seconds: float) -> None:
        """Close the file, if that is possible in so many seconds, and open none until the fork has happened."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def close(self, seconds: float) -> None:
        """Write what is still to be written, in so many seconds."""


class _Process:
    """The process that this is."""

    def __init__(self) -> None:
        self._writers: weakref.WeakSet[Writes] = weakref.WeakSet()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.RLock()  # never taken while events are told
        self._forking = False
        self._asked: list[Writes] = []
        self._exits = False
        self.name = f"{platform.node() or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"

    def register(self, writer: Writes) -> None:
        with self._lock:
            self._writers.add(writer)

    def before_fork(self) -> None:
        self._asked, self._forking = [], False
        self._lock.acquire()
        self._forking = True
        until = time.monotonic() + _PATIENCE
        for writer in self._writers:
            self._asked.append(writer)  # before it is: Ctrl-C may come while it waits
            writer.before_fork(max(0.0, until - time.monotonic()))

    def after_fork_in_parent(self) -> None:
        forking, self._forking = self._forking, False
        asked, self._asked = self._asked, []
        try:
            for writer in asked:
                writer.after_fork_in_parent()
        finally:
            if forking:
                self._lock.release()

    def close_at_exit(self) -> None:
        if self._exits:
            return
        self._exits = True
        family, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        if family is not None and util is not None and family.parent_process() is not None:
            util.Finalize(None, self.close_all, exitpriority=0)  # such a child ends without what `atexit` knows

    def close_all(self) -> None:
        until = time.monotonic() + _PATIENCE
        with self._lock:
            writers = list(self._writers)
        for writer in writers:
            writer.close(max(0.0, until - time.monotonic()))


_process = _Process()
register = _process.register
"""Have a writer told of forks and of the end, for as long as it lives."""
close_at_exit = _process.close_at_exit
"""Call before the first write of a process: not every kind of process runs what `atexit` knows. Never blocks."""


def process_name() -> str:
    """The name of this process, which no other process has, on this machine or another, before or after."""
    return _process.name


atexit.register(_process.close_all)
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_process.before_fork, after_in_parent=_process.after_fork_in_parent)
