"""Following a journal while others write it: by the numbers of its entries, so that no clock can hide one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from failover.journal import read
from failover.journal.entry import Entry

__all__ = ["Follower"]


class Follower:
    """Gives each entry once. Numbers are only given again after all rows were deleted, or the file was replaced; then the
    last entry that was seen is no longer under its number, and all that is in the file is new.

    Args:
        path: of the file, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, Entry] | None = None

    def look(self) -> Iterator[Entry]:
        """What was written since the last look; at the first, all there is.

        Raises:
            JournalError: the file is missing, or no journal, or cannot be read.
        """
        numbered = self._new()
        self._last, last = None, self._last
        for number, entry in numbered:
            self._last = number, entry
            if self._last != last:
                yield entry

    def forget(self) -> None:
        """The file is gone: whatever comes under its name is new."""
        self._last = None

    def _new(self) -> Iterator[tuple[int, Entry]]:
        """The last entry that was seen and what came after it, or all there is."""
        if self._last is None:
            return read(self._path)
        number, _ = self._last
        since = read(self._path, after=number - 1)
        first = next(since, None)
        return _beginning(first, since) if first == self._last else read(self._path)


def _beginning(first: tuple[int, Entry], others: Iterator[tuple[int, Entry]]) -> Iterator[tuple[int, Entry]]:
    yield first
    yield from others
