"""What is wrong with a journal's file, in one sentence that says what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from failover.errors import FailoverError

__all__ = ["JournalError", "Reason", "sqlite_errors"]

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
    "unexpected": "it met a mistake in failover itself; please report it",
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


@contextmanager
def sqlite_errors(path: str) -> Iterator[None]:
    """Raise what SQLite raises about a file as a `JournalError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(path, _reason(str(error))) from None


def _reason(said: str) -> Reason:
    return next((reason for words, reason in _OF_SQLITE if words in said), "disk")
