"""A journal that cannot be written: when to try again, and what to tell of it, once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .trouble import JournalError, Reason

__all__ = ["Outage", "Pace", "tell"]

_log = logging.getLogger("failover")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a journal goes about its work. Times are seconds."""

    rows: int = 1_000
    """The most that are written, or deleted, in one transaction."""
    gather: float = 0.2
    """How long entries wait for others to be written with."""
    busy: float = 1.0
    """How long SQLite waits for a lock."""
    retry: float = 0.25
    """The wait after a write that failed; each further one is twice as long, except for a lock."""
    retry_most: float = 60.0
    patience: float = 5.0
    """How long the file may be locked before that is told."""
    end: float = 2.0
    """How long the last entries are tried to be written."""
    prune: float = 600.0
    """From one look at what is too old or too much to the next, ..."""
    prune_rows: int = 10_000
    """... which comes earlier after so many rows."""
    pause: float = 0.02
    """Between two steps of deleting, for other processes to write in."""
    pages: int = 256
    """The most that are given back to the file system in one step."""


def tell(level: int, message: str, *values: object, **fields: Any) -> None:
    """Write one line of the log, with the same facts as data."""
    with suppress(Exception):  # a logging handler may raise
        _log.log(level, message, *values, extra={"failover": fields})


class Outage:
    """From the first write that fails until the next that does not. Used by the thread that writes.

    Args:
        path: of the journal.
        capacity: how many entries can wait.
        pace: when to try again.
        now: seconds on a clock that never steps back.
    """

    reason: Reason | None = None
    """Why the last write failed; `None` if it did not."""

    def __init__(self, path: str, capacity: int, pace: Pace, now: Callable[[], float]) -> None:
        self._path = path
        self._capacity = capacity
        self._pace = pace
        self._now = now
        self._clear()

    def _clear(self) -> None:
        self.reason = None
        self._since: float | None = None
        self._told: set[Reason] = set()
        self._wait = self._pace.retry
        self._retry_at = -float("inf")

    def retry_in(self) -> float:
        """Seconds until the next try; 0 if it may come now."""
        return max(0.0, self._retry_at - self._now())

    def hurry(self) -> None:
        """Somebody waits for what is to be written: try once, now."""
        self._retry_at = -float("inf")

    def failed(self, error: JournalError) -> None:
        """A write failed; tell it, unless that was told or may pass."""
        now = self._now()
        self.reason = error.reason
        self._since = now if self._since is None else self._since
        if error.reason == "locked":
            self._retry_at = now + self._pace.retry
        else:
            self._retry_at = now + self._wait
            self._wait = min(2 * self._wait, self._pace.retry_most)
        if error.reason == "locked" and now - self._since < self._pace.patience:
            return
        if error.reason not in self._told:
            self._told.add(error.reason)
            tell(
                logging.ERROR,
                "journal %s cannot be written: %s. Up to %d entries are kept in memory until it can",
                self._path,
                error.why,
                self._capacity,
                event="journal_failed",
                path=self._path,
                reason=error.reason,
            )

    def over(self, lost: int) -> None:
        """A write did not fail; tell that, if the failure was told.

        Args:
            lost: how many entries were given up meanwhile.
        """
        if self._told and self._since is not None:
            seconds = self._now() - self._since
            tell(
                logging.INFO,
                "journal %s is written again after %.1f s; %d entries were lost",
                self._path,
                seconds,
                lost,
                event="journal_written",
                path=self._path,
                seconds=seconds,
                lost=lost,
            )
        if self._since is not None:
            self._clear()

    def ended(self, left: int) -> None:
        """There will be no other try; tell how many entries could not be written, if any."""
        if left and self.reason is not None:
            tell(
                logging.ERROR,
                "journal %s: %d entries are lost, because it could not be written: %s",
                self._path,
                left,
                JournalError(self._path, self.reason).why,
                event="journal_lost",
                path=self._path,
                reason=self.reason,
                lost=left,
            )
