"""Reading a journal, while others write it or after they were killed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from .entry import COLUMNS, Entry
from .inspection import JournalError, connect_to_read, is_journal, refuse_what_is_no_file, sqlite_errors
from .rows import from_row

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
    "WHERE id > ? AND at >= ? AND at < ? ORDER BY id LIMIT ?"
)


def read(
    path: str | os.PathLike[str], *, since: float | None = None, until: float | None = None, after: int = 0
) -> Iterator[tuple[int, Entry]]:
    """The entries of a journal with their numbers, in the order in which they were written.

    Nothing is written, and nobody who writes is kept waiting. What is written meanwhile comes, too.

    Args:
        path: of the file.
        since: seconds since 1970; earlier entries are left out.
        until: likewise; entries of this time and later are left out.
        after: only entries with a higher number, such as the last one that was read before.

    Raises:
        JournalError: there is no such file, it is no journal, or it cannot be read. At once, or while it is read.
    """
    file = str(Path(path).absolute())
    span = (_FROM if since is None else since, _UNTIL if until is None else until)
    return _entries(file, span, _look(file, span, after))


def _entries(file: str, span: tuple[float, float], rows: list[Any]) -> Iterator[tuple[int, Entry]]:
    while rows:
        for row in rows:
            try:
                entry = from_row(row)
            except ValueError:
                raise JournalError(file, "damaged") from None
            yield row[-1], entry
        rows = _look(file, span, rows[-1][-1]) if len(rows) == _AT_ONCE else []


def _look(file: str, span: tuple[float, float], after: int) -> list[Any]:
    """The next rows."""
    if not refuse_what_is_no_file(file):
        return []  # made a moment ago
    with sqlite_errors(file):
        try:
            return _fetch(file, span, after)
        except sqlite3.OperationalError:
            # In a folder that cannot be written SQLite cannot make the files by which it shares this one. It does
            # without them if nobody else can be writing.
            if os.access(Path(file).parent, os.W_OK) or not os.access(file, os.R_OK):
                raise
            if _has_unfinished_log(file):
                raise JournalError(file, "log_left") from None
            return _fetch(file, span, after, immutable=True)


def _fetch(file: str, span: tuple[float, float], after: int, *, immutable: bool = False) -> list[Any]:
    with closing(connect_to_read(file, busy=_BUSY, immutable=immutable)) as connection:
        if not is_journal(connection, file):
            return []
        return connection.execute(_SELECT, (after, *span, _AT_ONCE)).fetchall()


def _has_unfinished_log(file: str) -> bool:
    try:
        return Path(f"{os.path.realpath(file)}-wal").stat().st_size > 0
    except OSError:
        return False
