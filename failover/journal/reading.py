"""Reading a journal, while others write it or after they were killed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .entry import COLUMNS, Entry, Kind
from .inspection import is_journal, look_into, refuse_what_is_no_file
from .rows import from_row
from .trouble import JournalError

__all__ = ["read"]

# The entries of one look into the file. Between two looks nothing is held: a slow reader keeps no writer from
# tidying its log of writes, which would grow without end.
_AT_ONCE = 2_000
_BUSY = 5.0  # seconds to wait for whoever makes the file, or puts it in order after a crash
_FROM = float("-inf")
_UNTIL = float("inf")
_SELECT = (
    # Their times would let SQLite go by the index, and sort; they are in the order of their times already, nearly.
    f"SELECT {', '.join(COLUMNS)}, id FROM entries NOT INDEXED "  # noqa: S608 - our own words
    "WHERE id > ? AND at >= ? AND at < ? AND {} ORDER BY id LIMIT ?"
)


def read(
    path: str | os.PathLike[str],
    *,
    since: float | None = None,
    until: float | None = None,
    after: int = 0,
    kinds: Collection[Kind] | None = None,
) -> Iterator[tuple[int, Entry]]:
    """The entries of a journal with their numbers, in the order in which they were written.

    The file is not changed, and nobody who writes is kept waiting. What is written meanwhile comes, too.

    Args:
        path: of the file.
        since: seconds since 1970; earlier entries are left out.
        until: likewise; entries of this time and later are left out.
        after: only entries with a higher number, such as the last one that was read before.
        kinds: only entries of these.

    Raises:
        JournalError: there is no such file, it is no journal, or it cannot be read. At once, or while it is read.
    """
    file = str(Path(path).absolute())
    wanted = _Wanted(_FROM if since is None else since, _UNTIL if until is None else until, tuple(kinds or ()))
    return _entries(file, wanted, _look(file, wanted, after))


class _Wanted(NamedTuple):
    since: float
    until: float
    kinds: tuple[str, ...]

    @property
    def select(self) -> str:
        return _SELECT.format(f"kind IN ({', '.join('?' * len(self.kinds))})" if self.kinds else "1")


def _entries(file: str, wanted: _Wanted, rows: list[Any]) -> Iterator[tuple[int, Entry]]:
    while rows:
        for row in rows:
            try:
                entry = from_row(row)
            except ValueError:
                raise JournalError(file, "damaged") from None
            yield row[-1], entry
        rows = _look(file, wanted, rows[-1][-1]) if len(rows) == _AT_ONCE else []


def _look(file: str, wanted: _Wanted, after: int) -> list[Any]:
    """The next rows."""

    def fetch(connection: sqlite3.Connection) -> list[Any]:
        if not is_journal(connection, file):
            return []
        values = (after, wanted.since, wanted.until, *wanted.kinds, _AT_ONCE)
        return connection.execute(wanted.select, values).fetchall()

    if not refuse_what_is_no_file(file):
        return []  # made a moment ago
    try:
        return look_into(file, _BUSY, fetch)
    except JournalError as error:
        if error.reason in {"cannot_open", "read_only"} and os.access(file, os.R_OK):
            raise JournalError(file, "log_left") from None
        raise
