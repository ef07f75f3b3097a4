"""The thread that writes a journal: what waits is its own, so it needs no locks.

It puts up with whatever is wrong with the file, keeps what it cannot write, and tries again.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import islice

from .database import Database
from .entry import Entry
from .inbox import Inbox, Mark
from .outage import Outage, Pace, tell
from .processes import process_name
from .rows import Row, to_row
from .served import Served, ServedCounts
from .trouble import JournalError

__all__ = ["Writer"]


class Writer:
    """Writes what comes in to one file, until a mark that is the last.

    Args:
        inbox: where it comes in.
        database: the file.
        path: of the file.
        capacity: how many entries can wait.
        keep_for: seconds after which an entry is deleted.
        keep_bytes: while more are in use, the oldest entries are deleted.
        pace: how it goes about its work.
        wall: seconds since 1970.
        now: seconds on a clock that never steps back.
    """

    written = 0
    """Entries that are in the file."""
    lost = 0
    """Entries that were given up, as far as the file tells."""

    def __init__(
        self,
        inbox: Inbox,
        database: Database,
        *,
        path: str,
        capacity: int,
        keep_for: float,
        keep_bytes: float,
        pace: Pace,
        wall: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._inbox = inbox
        self._database = database
        self._path = path
        self._keep_for = keep_for
        self._keep_bytes = keep_bytes
        self._pace = pace
        self._wall = wall
        self._now = now
        self._pending: deque[Entry | Mark] = deque()
        self._counts = ServedCounts()
        self._outage = Outage(path, capacity, pace, now)
        self._given_up: Counter[str] = Counter()
        self._prune_at = -float("inf")
        self._unpruned = 0
        self._last: Mark | None = None

    def run(self) -> None:
        """Work until the last mark. Never raises."""
        while self._last is None:
            self._safely(self._round)
        self._safely(self._end)
        self._last.done.set()

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the program goes on, whatever this is
            self._outage.failed(JournalError(self._path, "unexpected"))
            kind = type(error).__name__
            tell(logging.DEBUG, "journal %s met a %s", self._path, kind, event="journal_mistake", error=kind)
            time.sleep(self._pace.retry)

    def _round(self) -> None:
        self._accept()
        if self._last is not None:
            return
        if self._pending and self._outage.retry_in() == 0:
            self._write()
        if not self._pending and self.written:
            self._prune()

    def _accept(self) -> None:
        for item in self._inbox.gather(self._patience(), self._pace.gather):
            if isinstance(item, Served):
                self._counts.add(item)
                continue
            if isinstance(item, Mark):
                self._pending.extend(self._counts.take())
                self._outage.hurry()
                if item.last:  # is done when the file is closed, too
                    self._last = item
                    continue
            self._pending.append(item)
        self._pending.extend(self._counts.take(self._wall()))
        self._inbox.kept = len(self._pending)

    def _patience(self) -> float | None:
        """Seconds until there is something to do although nothing comes in; `None` if there is nothing."""
        waits = []
        if self._pending:
            waits.append(self._outage.retry_in())
        elif self.written:
            waits.append(self._prune_at - self._now())
        minute = self._counts.due(self._wall())
        if minute is not None:
            waits.append(minute)
        return max(0.0, min(waits)) if waits else None

    def _write(self) -> bool:
        """Write what waits, one transaction after the other; whether all of it is in the file now."""
        while self._pending:
            batch = list(islice(self._pending, self._pace.rows))
            if not self._write_batch([item for item in batch if isinstance(item, Entry)]):
                return False
            for item in batch:
                self._pending.popleft()
                if isinstance(item, Mark):
                    item.done.set()
            self._inbox.kept = len(self._pending)
        return True

    def _write_batch(self, entries: Sequence[Entry]) -> bool:
        rows = [row for row in map(_row, entries) if row is not None]
        self._given_up[self._outage.reason or "too_many"] += self._inbox.dropped()
        given_up = self._given_up + Counter(unstorable=len(entries) - len(rows))  # of which only what is not 0 is left
        rows += [to_row(self._lost(reason, count)) for reason, count in given_up.items()]
        if not rows:
            return True
        try:
            self._database.insert(rows)
        except JournalError as error:
            self._outage.failed(error)
            return False
        self._given_up.clear()
        self.written += len(rows)
        self._unpruned += len(rows)
        self.lost += given_up.total()
        self._outage.over(given_up.total())
        return True

    def _lost(self, reason: str, count: int) -> Entry:
        return Entry(self._wall(), "lost", process_name(), reason=reason, count=count)

    def _prune(self) -> None:
        """Take the next step of deleting what is too old or too much, if it is time."""
        now = self._now()
        if now < self._prune_at and self._unpruned < self._pace.prune_rows:
            return
        self._unpruned = 0
        oldest = self._wall() - self._keep_for
        try:
            more = self._database.prune(oldest, self._keep_bytes, rows=self._pace.rows, pages=self._pace.pages)
        except JournalError as error:
            more = False
            if error.reason != "locked":
                self._outage.failed(error)
        self._prune_at = now + (self._pace.pause if more else self._pace.prune)

    def _end(self) -> None:
        until = self._now() + self._pace.end
        while not self._write() and self._outage.reason == "locked" and self._now() < until:
            time.sleep(self._pace.retry)  # not every lock is waited for inside SQLite
        self._database.close()
        left = sum(isinstance(item, Entry) for item in self._pending)
        self.lost += left
        self._outage.ended(left)


def _row(entry: Entry) -> Row | None:
    try:
        return to_row(entry)
    except Exception:  # noqa: BLE001 - whatever is wrong with one entry, the others are written
        return None
