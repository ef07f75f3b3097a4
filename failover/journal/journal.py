"""The journal of a process, as whoever has something to tell sees it."""

from __future__ import annotations

import functools
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from typing_extensions import Self

from .database import Database
from .entry import Entry
from .outage import Pace
from .served import Served
from .worker import Worker
from .writer import Writer

__all__ = ["Journal"]

_DAYS = 24 * 60 * 60.0
_CLOSING = 2.0  # seconds


class Journal:
    """Keeps entries in an SQLite file, and never delays or fails whoever gives them.

    A thread writes them, a fraction of a second later. It starts with the first entry, and the file is made then, for
    its owner alone. Many journals, of many processes and their forks, may share one file on one machine. A file that
    cannot be written costs a line of the log and no more: entries wait in memory while that is tried again, and the
    file says how many had to be given up. Nobody's file is deleted, renamed or overwritten.

    Args:
        path: of the file; its folder must be there. Not on a network's file system, where SQLite cannot lock:
            https://www.sqlite.org/faq.html#q5.
        keep_for: seconds after which an entry is deleted; infinity keeps all.
        keep_bytes: when more are in use in the file, the oldest entries are deleted; infinity keeps all.
        capacity: how many entries can wait in memory. What comes when so many do is dropped and counted.
        wall: tells the seconds since 1970.
        now: tells the seconds on a clock that never steps back.
        pace: how the thread goes about its work.

    Raises:
        TypeError: the path is no path.
        ValueError: the path cannot be one of a file, or a number is not above zero.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_for: float = 30 * _DAYS,
        keep_bytes: float = 100_000_000,
        capacity: int = 100_000,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        for name, number in (("keep_for", keep_for), ("keep_bytes", keep_bytes), ("capacity", capacity)):
            _check(name, number)
        self.path = _absolute(path)
        """Absolute."""
        self.wall = wall
        """What tells the time of entries."""
        pace = pace or Pace()
        make = functools.partial(
            Writer,
            path=self.path,
            capacity=capacity,
            keep_for=keep_for,
            keep_bytes=keep_bytes,
            pace=pace,
            wall=wall,
            now=now,
        )
        self._worker = Worker(Database(self.path, busy=pace.busy), make, capacity)
        weakref.finalize(self, self._worker.leave)

    @classmethod
    def shared(cls, path: str | os.PathLike[str]) -> Journal:
        """The journal with this path that is in use in this process, or a new one with the usual settings.

        For a path that comes from the environment, or is given to many clients: they need no more than one thread.

        Raises:
            TypeError: the path is no path.
            ValueError: the path cannot be one of a file.
        """
        absolute = _absolute(path)
        known = _shared.get(absolute)
        if known is None or known.closed:
            known = _shared[absolute] = cls(absolute)  # of two at the same moment each works
        return known

    def __repr__(self) -> str:
        """The path, and what this process has done."""
        writer, waiting = self._worker.writer, self._worker.inbox.waiting
        return f"<Journal {self.path}: {writer.written} written, {waiting} waiting, {writer.lost} lost>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._worker.closed

    def put(self, entry: Entry | Served) -> None:
        """Have an entry written soon. Takes microseconds, from any thread at any point, and never raises.

        An answer that is only counted is in the file when its minute is over, or earlier with `flush` or `close`.
        """
        self._worker.put(entry)

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until all that was put before is in the file, but for what was given up.

        Returns:
            Whether it is.
        """
        return self._worker.flush(timeout)

    def close(self) -> None:
        """Write what waits, for two seconds at most, and take nothing more. The end of the program does it, too."""
        self._worker.close(_CLOSING)


_shared: weakref.WeakValueDictionary[str, Journal] = weakref.WeakValueDictionary()


def _check(name: str, number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{name} is a {type(number).__name__}; give a number above 0")
    if not number > 0:
        raise ValueError(f"{name} is {number!r}; give a number above 0")


def _absolute(path: object) -> str:
    given = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(given, str):
        raise TypeError(f"a journal's path is a str or a path, not a {type(path).__name__}; give the path of a file")
    if not given or "\0" in given:
        raise ValueError(f"{given!r} is no path; give the path of a file")
    try:
        os.fsencode(given)
    except UnicodeEncodeError:
        raise ValueError(f"{given!r} cannot be a path on this system; give the path of a file") from None
    return str(Path(given).absolute())
