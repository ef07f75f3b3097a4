"""How long one request may take: the client's own time-outs, none of them longer than the policy allows."""

from __future__ import annotations

import functools
from typing import Any

import httpx2

__all__ = ["least_of", "least_seconds", "no_longer"]

_SHORTEST_TIMEOUT = 0.01  # seconds; httpx2 reads 0 as "at once"
# The SDK's own reckoning of how long an answer without streaming may take, 128,000 tokens an hour:
# https://platform.claude.com/docs/en/cli-sdks-libraries/sdks/python#long-requests
_SECONDS_PER_TOKEN = 3600 / 128_000
_MOST_TOKENS = 1_000_000  # beyond any model's; a slip must not become a time-out of days


def least_of(*seconds: float | None) -> float | None:
    """The shortest of some limits, of which `None` is none."""
    return min((value for value in seconds if value is not None), default=None)


def no_longer(timeout: httpx2.Timeout, seconds: float) -> httpx2.Timeout:
    """The same time-outs, none of them longer than `seconds`."""
    return _at_most(timeout.connect, timeout.read, timeout.write, timeout.pool, round(seconds, 2))


@functools.lru_cache(maxsize=256)
def _at_most(
    connect: float | None, read: float | None, write: float | None, pool: float | None, seconds: float
) -> httpx2.Timeout:
    """Time-outs of which none is longer than `seconds`; `None` is httpx2's word for no limit at all."""
    seconds = max(seconds, _SHORTEST_TIMEOUT)
    longest = [seconds if phase is None else min(phase, seconds) for phase in (connect, read, write, pool)]
    return httpx2.Timeout(connect=longest[0], read=longest[1], write=longest[2], pool=longest[3])


def least_seconds(body: dict[str, Any]) -> float:
    """Seconds that an answer without streaming may honestly need. A stream needs none: its headers come at once."""
    tokens = body.get("max_tokens")
    if not isinstance(tokens, int) or tokens < 0:
        return 0.0
    return (min(_MOST_TOKENS, tokens)) * _SECONDS_PER_TOKEN
