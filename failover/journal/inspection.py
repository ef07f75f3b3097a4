"""What a file is, before anybody reads or writes it, and what is wrong with it, in one sentence that says what to do.

A file that is no journal is never written to. Nor is it opened but by SQLite: closing a file by hand takes away
the locks that SQLite has on it elsewhere in this process (https://www.sqlite.org/howtocorrupt.html#posix_close_bug).
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from failover.errors import FailoverError

from .entry import APPLICATION_ID, VERSION

__all__ = ["JournalError", "Reason", "connect_to_read", "is_journal", "refuse_what_is_no_file", "sqlite_errors"]

Reason: TypeAlias = Literal[
    "missing",
    "missing_folder",
    "directory",
    "special_file",
    "not_a_database",
    "foreign",
    "newer",
    "damaged",
    "read_only",
    "cannot_open",
    "locked",
    "full",
    "disk",
    "log_left",
    "forked",
    "unexpected",
]

_WHY: dict[Reason, str] = {
    "missing": "there is no such file; check the path",
    "missing_folder": "its folder does not exist; create the folder, or name another file",
    "directory": "it is a directory; name a file in it",
    "special_file": "it is no regular file; name one",
    "not_a_database": "it is no SQLite database, and was left as it is; name another file",
    "foreign": "it is the database of another program, and was left as it is; name another file",
    "newer": "a newer version of failover has written it; upgrade this one, or name another file",
    "damaged": "it is damaged; move it away, together with the files of its name that end in -wal and -shm",
    "read_only": "it must not be written; allow it for the file and for its folder",
    "cannot_open": "it cannot be opened; check the permissions of the file and of its folder",
    "locked": "another program has locked it; let that program finish",
    "full": "the disk is full; make room",
    "disk": "the disk reports an error; check the disk, and what is left of it",
    "log_left": "its last entries are in the file of its name that ends in -wal, which can only be read where files can be"
    " written; copy both to a folder of your own",
    "forked": "this process was forked in the middle of a write; fork before the first call, or when no calls are made",
    "unexpected": "of a mistake in failover itself; please report it",
}

# SQLite's own words, which are the same in all versions: https://www.sqlite.org/c3ref/errcode.html. Python tells
# their numbers only from 3.11 on.
_OF_SQLITE: tuple[tuple[str, Reason], ...] = (
    ("locked", "locked"),
    ("locking protocol", "locked"),
    ("disk is full", "full"),
    ("readonly", "read_only"),
    ("unable to open", "cannot_open"),
    ("not a database", "not_a_database"),
    ("malformed", "damaged"),
    ("no such", "damaged"),
    ("has no column", "damaged"),
)
_SMALLEST = 512  # bytes; SQLite takes a file of one byte for an empty one


class JournalError(FailoverError):
    """A file cannot be read, or written, as a journal. The message says which file, why, and what to do."""

    path: str
    """Of the file."""

    reason: Reason
    """What is wrong, in a word."""

    def __init__(self, path: str, reason: Reason) -> None:
        super().__init__(f"{path}: {_WHY[reason]}")
        self.path = path
        self.reason = reason

    @property
    def why(self) -> str:
        """The message without the path."""
        return _WHY[self.reason]


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
        raise JournalError(path, "missing" if Path(path).parent.is_dir() else "missing_folder") from None
    except OSError:
        raise JournalError(path, "cannot_open") from None
    if stat.S_ISDIR(found.st_mode):
        raise JournalError(path, "directory")
    if not stat.S_ISREG(found.st_mode):
        raise JournalError(path, "special_file")
    if 0 < found.st_size < _SMALLEST:
        raise JournalError(path, "not_a_database")
    return found.st_size > 0


def connect_to_read(path: str, *, busy: float, immutable: bool = False) -> sqlite3.Connection:
    """A connection that cannot write, on an absolute path.

    Args:
        path: of a file that is there.
        busy: seconds to wait for a lock.
        immutable: promise that nobody writes; then SQLite needs no files of its own beside this one.
    """
    uri = f"{Path(path).as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"
    return sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None, check_same_thread=False)


def is_journal(connection: sqlite3.Connection, path: str) -> bool:
    """Whether a database is a journal; `False` if nothing is in it yet.

    Raises:
        JournalError: it is another program's, or a newer version has written it.
        sqlite3.Error: it cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (made,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION_ID:
        if version > VERSION:
            raise JournalError(path, "newer")
        return True
    if application or version or made:
        raise JournalError(path, "foreign")
    return False


@contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Raise what SQLite raises about a file as a `JournalError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, _reason(str(error))) from None


def _reason(said: str) -> Reason:
    return next((reason for words, reason in _OF_SQLITE if words in said), "disk")
