"""Moments as an option names them: how long ago, or a time in UTC."""

from __future__ import annotations

import datetime as dt
import re

from failover.document.units import parse_duration
from failover.document.words import shown
from failover.errors import FailoverError

__all__ = ["moment"]

_DURATION = re.compile(r"\s*[0-9.]+\s*(ms|s|m|h|d)\s*", re.ASCII)


def moment(option: str, text: str, now: float) -> float:
    """Seconds since 1970 from `24h` (before `now`), `2026-11-21T22:00Z`, `2026-11-21 22:00` or `2026-11-21`.

    A time without an offset is in UTC.

    Raises:
        FailoverError: it is neither.
    """
    wrong = FailoverError(
        f"{option} {shown(text)} is no moment: write how long ago (90m, 24h, 7d) or a time in UTC (2026-11-21T22:00Z)"
    )
    if _DURATION.fullmatch(text):
        try:
            return now - parse_duration(text.strip())
        except ValueError as error:
            raise FailoverError(f"{option}: {error}") from None
    try:
        time = dt.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip()))
        at = (time if time.tzinfo else time.replace(tzinfo=dt.timezone.utc)).timestamp()
        dt.datetime.fromtimestamp(at, dt.timezone.utc)  # in UTC it may be in a year that no calendar has
    except (ValueError, OverflowError, OSError):
        raise wrong from None
    if at < 0:
        raise wrong
    return at
