"""The units our files are written in: durations, shares, tokens, days and `off`.

Each becomes a plain value as the file is loaded (seconds; a share between 0 and 1; a count; a date; `None`), so that
nothing after that knows how it was spelled.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator, Strict

from .words import shown

__all__ = [
    "OFF",
    "Count",
    "Day",
    "Factor",
    "Number",
    "Off",
    "Seconds",
    "SecondsOrNone",
    "Share",
    "ShareOrNone",
    "Tokens",
    "format_duration",
    "format_tokens",
    "parse_day",
    "parse_duration",
    "parse_share",
    "parse_tokens",
]

T = TypeVar("T")

_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION = re.compile(r"\s*(-?(?:\d+(?:\.\d+)?|\.\d+))\s*(ms|s|m|h|d)\s*", re.ASCII)
_PERCENT = re.compile(r"\s*(-?(?:\d+(?:\.\d+)?|\.\d+))\s*%\s*", re.ASCII)
_TOKENS = re.compile(r"\s*(-?(?:\d+(?:_\d+)*(?:\.\d+)?|\.\d+))\s*([kKM]?)\s*(?:tokens?)?\s*", re.ASCII)
_THOUSANDS = {"": 1, "k": 1000, "K": 1000, "M": 1_000_000}
_MOST_TOKENS = 1_000_000_000
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST = 365 * 86400.0
_MOST_CHARACTERS = 400  # the smallest float written out has 330; more digits would only slow the reading


def parse_duration(value: object) -> float:
    """Seconds from `500ms`, `15s`, `5m`, `2h`, `1d` or a number of seconds.

    Raises:
        ValueError: anything else, NaN, infinity and more than 365 days included.
    """
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)) and len(value) <= _MOST_CHARACTERS:
        seconds = float(Decimal(match[1]) * _UNITS[match[2]])
    elif _is_number(value):
        seconds = _as_float(value)
    else:
        raise ValueError(f"{shown(value)} is not a duration: write 500ms, 15s, 5m, 2h, or a number of seconds")
    if seconds > _LONGEST:
        raise ValueError(f"{shown(value)} is too long: a duration is at most 365d")
    return seconds + 0.0  # -0.0 becomes 0.0, so that equal files print alike


def format_duration(seconds: float) -> str:
    """A duration as a file spells it, in the largest unit that keeps it short: `500ms`, `15s`, `5m`.

    `parse_duration` reads it back as the very same number.
    """
    exact = Decimal(repr(seconds))
    for unit, length in reversed(_UNITS.items()):
        count = exact / length
        if count and count == count.to_integral_value():
            return f"{count.to_integral_value():f}{unit}"
    return f"{exact.normalize():f}s"


def parse_share(value: object) -> float:
    """A share from `20%` or a number between 0 and 1.

    Raises:
        ValueError: anything else, NaN and numbers above 1 included (20 may mean 20 % or a slip).
    """
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)) and len(value) <= _MOST_CHARACTERS:
        return float(Decimal(match[1]) / 100) + 0.0
    if _is_number(value) and (share := _as_float(value)) <= 1:
        return share + 0.0
    raise ValueError(f"{shown(value)} is not a share: write 20% or a number from 0 to 1")


def parse_tokens(value: object) -> int:
    """A count of tokens from `50k`, `50k tokens`, `1M`, `50_000` or a whole number.

    Raises:
        ValueError: anything else, a part of a token and more than a billion included.
    """
    count: int | Decimal | None = None
    if isinstance(value, str) and (match := _TOKENS.fullmatch(value)) and len(value) <= _MOST_CHARACTERS:
        count = Decimal(match[1].replace("_", "")) * _THOUSANDS[match[2]]
    elif isinstance(value, int) and not isinstance(value, bool):
        count = value
    if count is None or count != int(count):
        raise ValueError(f"{shown(value)} is not a count of tokens: write 50k, 1M, or a whole number")
    if count > _MOST_TOKENS:
        raise ValueError(f"{shown(value)} is too many: a count of tokens is at most 1000M")
    return int(count)


def format_tokens(count: int) -> str:
    """A count of tokens as a file spells it, in the largest unit that keeps it short: `1M`, `200k`, `8192`.

    `parse_tokens` reads it back as the very same number.
    """
    for unit, size in (("M", 1_000_000), ("k", 1000)):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def parse_day(value: object) -> dt.date:
    """A day from `2026-09-22`.

    Raises:
        ValueError: anything else, and days that no calendar has.
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"{shown(value)} is not a day: write year, month and day as 2026-09-22")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(_as_float(value))


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _off(value: Any) -> Any:
    return None if value is False or value == "off" else value


Seconds = Annotated[float, BeforeValidator(parse_duration), Gt(0)]
"""A duration above zero."""

SecondsOrNone = Annotated[float, BeforeValidator(parse_duration), Ge(0)]
"""A duration that may be zero."""

Share = Annotated[float, BeforeValidator(parse_share), Gt(0), Le(1)]
"""A share above 0, at most 1."""

ShareOrNone = Annotated[float, BeforeValidator(parse_share), Ge(0), Le(1)]
"""A share that may be zero."""

Number = Annotated[float, Strict()]
"""A number; `true` and quoted digits are none."""

Factor = Annotated[Number, Ge(1), Le(100)]
"""What a wait is multiplied by from one time to the next."""

Count = Annotated[int, Strict(), Ge(1), Le(1_000_000)]
"""A whole number from 1."""

Tokens = Annotated[int, BeforeValidator(parse_tokens), Ge(1)]
"""A count of tokens from 1."""

Day = Annotated[dt.date, BeforeValidator(parse_day)]
"""A day of the calendar."""

OFF = BeforeValidator(_off)
"""Marks a field that may be `off`."""

Off = Annotated[T | None, OFF]
"""Either a T, or `off`."""
