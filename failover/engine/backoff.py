"""How long to wait, and how long to leave a model alone: the arithmetic of a policy's times.

Chance comes from a source that is passed in. Everything is in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from failover.policy.model import Backoff, Policy

from .outcome import Outcome

__all__ = ["cooling_seconds", "wait_seconds"]

_LARGEST_POWER = 64  # beyond any cap; keeps a long-lived caller clear of float overflow
_LONGEST_COOLING = 86_400.0  # a day; a server's wish beyond that is more likely a slip than a plan


def wait_seconds(backoff: Backoff, times: int, random: Callable[[], float], wish: float | None = None) -> float:
    """How long to wait after `times` (from 1) tries: exponential, capped, with jitter.

    Args:
        backoff: the policy's words for it.
        times: how often it was tried.
        random: gives numbers from 0 up to 1.
        wish: what the server asked for; never less than that, and not all callers at the same moment.
    """
    seconds = min(backoff.first * backoff.factor ** min(times - 1, _LARGEST_POWER), backoff.max)
    if backoff.jitter == "full":
        seconds *= random()
    elif backoff.jitter == "equal":
        seconds *= 0.5 + 0.5 * random()
    return max(seconds, wish * (1 + 0.1 * random())) if wish else seconds


def cooling_seconds(policy: Policy, outcome: Outcome) -> float | None:
    """How long the server wants a model to be left alone, when a call moves on because of it; `None`: it said nothing."""
    wish = outcome.retry_after
    if outcome.scope != "model" or outcome.then == "raise":
        return None
    if outcome.then == "wait":
        return min(policy.breaker.open_for.first if wish is None else wish, _LONGEST_COOLING) or None
    if wish is not None and wish > policy.retry.retry_after.max:
        return min(wish, _LONGEST_COOLING)
    return None
