"""Whether a call waits, and how long: before it asks the same rung again, and before its next walk down the ladder."""

from __future__ import annotations

from collections.abc import Callable

from failover.policy.model import Policy

from .actions import Services, Wait
from .backoff import wait_seconds
from .outcome import Outcome

__all__ = ["before_next_pass", "in_incident", "in_place"]

_A_LOOK, _LOOK_AGAIN = 1.0, 5.0  # seconds; an incident may be over before its next probe is due
_A_MOMENT = 0.001  # seconds; so that a circuit's time is over when we ask, whatever rounding says


def in_place(
    policy: Policy,
    services: Services,
    outcome: Outcome,
    *,
    tries: int,
    now: float,
    available: float,
    another: Callable[[], bool],
) -> Wait | None:
    """The wait before asking the same rung again, if that is worth it and the deadline and the budget allow.

    Args:
        policy: how patient a call is.
        services: chance, and the retry budget.
        outcome: what its last attempt brought.
        tries: how many there were in this pass.
        now: the time.
        available: seconds that this rung may still use.
        another: tells whether another rung could be asked instead.
    """
    retry = policy.retry
    wish = outcome.retry_after
    if tries >= retry.tries or (wish is not None and wish > retry.retry_after.max):
        return None
    worth_it = outcome.then == "repeat" or (outcome.then == "wait" and wish is not None)
    if not worth_it and (outcome.then not in ("next_or_repeat", "wait") or another()):
        return None
    seconds = wait_seconds(retry.wait, tries, services.random, wish=wish)
    if available - seconds <= retry.reserve / 2 or not services.budget.take(now):
        return None
    return Wait(seconds, "retry_after" if wish else "backoff")


def before_next_pass(
    policy: Policy, services: Services, *, passes: int, now: float, left: float, soonest: float
) -> Wait | None:
    """The wait before the next pass, or `None` when there is none left, no time, no budget, or no hope.

    Args:
        policy: how patient a call is.
        services: chance, and the retry budget.
        passes: how many there were.
        now: the time.
        left: seconds until the deadline.
        soonest: seconds until some circuit may let a try through.
    """
    retry = policy.retry
    longest = retry.between_passes.max
    if passes >= retry.passes or soonest > min(left, longest * (retry.passes - passes)):
        return None
    seconds = wait_seconds(retry.between_passes, passes, services.random)
    if seconds < soonest <= longest:
        seconds = soonest + _A_MOMENT
    if seconds + retry.reserve > left or not services.budget.take(now):
        return None
    return Wait(seconds, "between_passes")


def in_incident(services: Services, *, soonest: float, left: float) -> Wait | None:
    """The wait before looking again whether an incident is over; `None` when no time is left.

    Args:
        services: chance, so that not all callers look in the same instant.
        soonest: seconds until somebody may ask.
        left: seconds in which an attempt may still start.
    """
    seconds = max(_A_LOOK, min(soonest, _LOOK_AGAIN)) * (0.5 + services.random() / 2) + _A_MOMENT
    return Wait(min(seconds, left), "incident") if left > 0 else None
