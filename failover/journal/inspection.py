"""What a file is, before anybody reads or writes it.

A file that is no journal is left as it is, and nothing is made beside it. Nor is a file opened but by SQLite: closing
one by hand takes away the locks that SQLite has on it elsewhere in this process
(https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from .entry import APPLICATION_ID, VERSION
from .trouble import JournalError, sqlite_errors

__all__ = ["is_journal", "look_into", "refuse_what_is_no_file"]

Found = TypeVar("Found")

# One statement, for another process may be making the journal right now.
_WHAT_IT_SAYS = (
    "SELECT application_id, user_version, made"
    " FROM pragma_application_id, pragma_user_version, (SELECT count(*) AS made FROM sqlite_master)"
)
_SMALLEST = 512  # bytes; SQLite takes a file of one byte for an empty one


def refuse_what_is_no_file(path: str) -> bool:
    """Make sure that a path can be opened without waiting, or writing where a database cannot be.

    Returns:
        Whether there is a file with something in it.

    Raises:
        JournalError: there is no file, or something else than a database.
    """
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise JournalError(path, "missing") from None
    except OSError:
        raise JournalError(path, "cannot_open") from None
    if stat.S_ISDIR(found.st_mode):
        raise JournalError(path, "directory")
    if not stat.S_ISREG(found.st_mode):
        raise JournalError(path, "special_file")
    if 0 < found.st_size < _SMALLEST:
        raise JournalError(path, "not_a_database")
    return found.st_size > 0


def look_into(path: str, busy: float, work: Callable[[sqlite3.Connection], Found]) -> Found:
    """What `work` finds in a file, by a connection that cannot write.

    Args:
        path: absolute, of a file that is there.
        busy: seconds to wait for a lock.
        work: done twice if somebody writes meanwhile.

    Raises:
        JournalError: it cannot be read.
    """
    before = _at_rest(path)
    if before is not None:
        # To share a file SQLite makes two others beside it. Nobody has it open: it can be read as it lies there, also
        # in a folder where nothing can be made.
        try:
            found = _look(path, "mode=ro&immutable=1", busy, work)
        except JournalError:
            if _at_rest(path) == before:
                raise
        else:
            if _at_rest(path) == before:
                return found
    return _look(path, "mode=ro", busy, work)


def _look(path: str, mode: str, busy: float, work: Callable[[sqlite3.Connection], Found]) -> Found:
    uri = f"{Path(path).as_uri()}?{mode}"
    with sqlite_errors(path), closing(sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None)) as connection:
        return work(connection)


def _at_rest(path: str) -> tuple[int, int, int] | None:
    """Which file it is and when it was changed, if there is no log of writes that are not in it yet."""
    real = os.path.realpath(path)
    try:
        found = Path(real).stat()
    except OSError:
        return None
    if _size(f"{real}-wal") or _size(f"{real}-journal"):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def is_journal(connection: sqlite3.Connection, path: str) -> bool:
    """Whether a database is a journal; `False` if nothing is in it yet.

    Raises:
        JournalError: it is another program's, damaged, or of a newer version.
        sqlite3.Error: it cannot be read.
    """
    application, version, made = connection.execute(_WHAT_IT_SAYS).fetchone()
    if application == APPLICATION_ID:
        if version > VERSION:
            raise JournalError(path, "newer")
        if not made:
            raise JournalError(path, "damaged")
        return True
    if application or version or made:
        raise JournalError(path, "foreign")
    return False
