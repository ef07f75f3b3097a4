"""An entry as a row and back.

Whatever an upstream sends must be storable, and one entry that is not must not hold up the others. So the limits of
SQLite are minded here, before a transaction: text that no Unicode encoding has, whole numbers beyond 64 bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, TypeAlias

from .entry import COLUMNS, Entry

__all__ = ["Row", "from_row", "to_row"]

Row: TypeAlias = tuple[str | int | float | None, ...]
"""The values of `COLUMNS`."""

_LARGEST = 2**63 - 1
_PLAIN = COLUMNS.index("detail")  # all columns before it hold plain values
_plain_values = attrgetter(*COLUMNS[:_PLAIN])
_NOTHING = "{}"


def to_row(entry: Entry) -> Row:
    """The row of an entry. Text that cannot be encoded is escaped, and a number that is too large made smaller.

    Raises:
        TypeError: a value is neither text nor a number, or `detail` is no JSON.
        ValueError: the time is not finite.
    """
    if not math.isfinite(entry.at):
        raise ValueError("an entry's time must be finite")
    detail = json.dumps(dict(entry.detail), separators=(",", ":")) if entry.detail else _NOTHING
    return (*map(_storable, _plain_values(entry)), detail)


def from_row(row: Sequence[Any]) -> Entry:
    """The entry of a row; what comes after its columns is not looked at.

    Raises:
        ValueError: `detail` is no JSON.
    """
    detail = row[_PLAIN]
    known: list[Any] = [*row[:_PLAIN], {} if detail == _NOTHING else json.loads(detail)]
    return Entry(*known)


def _storable(value: object) -> str | int | float | None:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, int):
        return max(-_LARGEST, min(value, _LARGEST))
    raise TypeError(f"a {type(value).__name__} is neither text nor a number")
