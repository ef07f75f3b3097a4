"""A journal's file as its one writer sees it: made if need be, appended to, kept from growing.

Other processes write to the same file, so every transaction is short. And this one may fork, see `processes`: then the
file is closed and nobody is inside SQLite.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from failover.engine.locks import renew_after_fork

from .entry import APPLICATION_ID, COLUMNS, SCHEMA, VERSION
from .inspection import is_journal, look_into, refuse_what_is_no_file
from .rows import Row
from .trouble import JournalError, Reason, sqlite_errors

__all__ = ["Database"]

# Python gives up its turn at every statement, and in a busy program gets it back some milliseconds later. So many rows
# are one statement, but no more than have variables in it: https://www.sqlite.org/limits.html#max_variable_number.
_ROWS_OF_A_STATEMENT = 999 // len(COLUMNS)
_WAL_BYTES = 4 * 1024 * 1024
_OWNER_ONLY = 0o600
_KEPT_OPEN = frozenset({"locked", "full"})  # opening anew could not be done any better
_REASONS: dict[int | None, Reason] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.EROFS: "read_only",
}
_INTO = f"INSERT INTO entries ({', '.join(COLUMNS)}) VALUES "  # noqa: S608 - our own words
_ONE = f"({', '.join('?' * len(COLUMNS))})"


class _Creating:
    """Held while a file is made, because that closes one by hand; see `inspection`."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self.lock = threading.Lock()


_creating = _Creating()


_inherited: list[sqlite3.Connection] = []
"""A parent's connections: not even closing one is safe in its child."""


class Database:
    """The file. Opened at the first use, and again after whatever closed it. Used by one thread, and by those that fork.

    Every method raises a `JournalError` for what is wrong with the file, and leaves it as it was.

    Args:
        path: absolute.
        busy: seconds to wait for a lock.
    """

    def __init__(self, path: str, *, busy: float) -> None:
        self._path = path
        self._busy = busy
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._barred = False
        self._held = False
        self._inside = threading.Lock()

    def insert(self, rows: Sequence[Row]) -> None:
        """Append all of them, or none."""
        with self._inside, self._transaction() as connection:
            for start in range(0, len(rows), _ROWS_OF_A_STATEMENT):
                some = rows[start : start + _ROWS_OF_A_STATEMENT]
                connection.execute(_INTO + ", ".join([_ONE] * len(some)), list(chain.from_iterable(some)))

    def prune(self, before: float, keep_bytes: float, *, rows: int, pages: int) -> bool:
        """Take one small step towards what is to be kept.

        Args:
            before: older entries go.
            keep_bytes: while more is in use, the oldest go.
            rows: the most to delete in this step.
            pages: the most to give back to the file system in this step.

        Returns:
            Whether there is more to do.
        """
        with self._inside, self._errors():
            connection = self._connect()
            if connection.execute("SELECT 1 FROM entries WHERE at < ? LIMIT 1", (before,)).fetchone():
                self._delete("WHERE at < ? ORDER BY at LIMIT ?", before, rows)
                return True
            if _used(connection) > keep_bytes and connection.execute("SELECT 1 FROM entries LIMIT 1").fetchone():
                self._delete("ORDER BY id LIMIT ?", rows)
                return True
            return _give_back(connection, pages)

    def close(self) -> None:
        """Let go of the file until it is used again."""
        with self._inside:
            self._close()

    def before_fork(self, seconds: float) -> None:
        """Close the file, if whoever is at it lets go in so many seconds, and keep it closed until after the fork."""
        self._held = False  # of the fork before
        self._held = self._inside.acquire(timeout=seconds)
        if self._held:
            self._close()

    def after_fork_in_parent(self) -> None:
        """Let it be used again."""
        held, self._held = self._held, False
        if held:
            self._inside.release()

    def after_fork(self) -> None:
        """In the child: let it be used, unless the parent could not close it."""
        self._inside = threading.Lock()
        connection, self._connection = self._connection, None
        self._barred = self._barred or not self._held
        if connection is not None:
            _inherited.append(connection)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _delete(self, which: str, *values: float) -> None:
        with self._transaction() as connection:
            connection.execute(f"DELETE FROM entries WHERE id IN (SELECT id FROM entries {which})", values)  # noqa: S608 - our own words

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with sqlite_errors(self._path):
                yield
        except JournalError as error:
            if error.reason not in _KEPT_OPEN:
                self._close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def _connect(self) -> sqlite3.Connection:
        """The connection, to the file that has the path now."""
        if self._barred:
            raise JournalError(self._path, "forked")
        if self._connection is not None and self._opened != _identity(self._path):
            # Somebody has moved or deleted it. What its log alone holds goes to where it is now: closing does not do that
            # for a file that is not under its name.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._close()
        if self._connection is None:
            self._connection = self._open()
            self._opened = _identity(self._path)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        _make(self._path)
        if refuse_what_is_no_file(self._path):
            # One that cannot write, because a connection that can may tidy another program's file as it closes.
            look_into(self._path, self._busy, lambda reader: is_journal(reader, self._path))
        connection = sqlite3.connect(
            self._path, timeout=self._busy, isolation_level=None, check_same_thread=False, cached_statements=8
        )
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if not is_journal(connection, self._path):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is anything in the file
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not is_journal(connection, self._path):  # another process may have been quicker
                    for statement in SCHEMA:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}").fetchone()


def _make(path: str) -> None:
    """Make an empty file, for its owner alone, if there is none: it will hold request ids."""
    try:
        with _creating.lock:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY))
    except FileExistsError:
        pass
    except (FileNotFoundError, NotADirectoryError):
        raise JournalError(path, "missing_folder") from None
    except OSError as error:
        raise JournalError(path, _REASONS.get(error.errno, "cannot_open")) from None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _used(connection: sqlite3.Connection) -> int:
    """Bytes that hold something."""
    pages = _number(connection, "page_count") - _number(connection, "freelist_count")
    return pages * _number(connection, "page_size")


def _give_back(connection: sqlite3.Connection, pages: int) -> bool:
    """Shorten the file by so many free pages; whether there are more."""
    if not _number(connection, "freelist_count"):
        return False
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()  # each row that is fetched frees a page
    if _number(connection, "freelist_count"):
        return True
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # until then the file is as long as it was
    return False


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
