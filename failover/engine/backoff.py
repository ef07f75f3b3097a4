"""How long to wait before the next try: exponential, capped, with jitter drawn from a source that is passed in."""

from __future__ import annotations

from collections.abc import Callable

from failover.policy.model import Backoff

__all__ = ["wait_seconds"]

_LARGEST_POWER = 64  # beyond any cap; keeps a long-lived caller clear of float overflow


def wait_seconds(backoff: Backoff, times: int, random: Callable[[], float]) -> float:
    """Seconds to wait after `times` (from 1) tries; `random` gives numbers from 0 up to 1."""
    longest = min(backoff.first * backoff.factor ** min(times - 1, _LARGEST_POWER), backoff.max)
    if backoff.jitter == "full":
        return longest * random()
    if backoff.jitter == "equal":
        return longest * (0.5 + 0.5 * random())
    return longest
