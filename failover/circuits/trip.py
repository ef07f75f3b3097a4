"""What opens a closed circuit: any of the policy's rules, counted over the calls that the circuit let through.

A rule looks when something bad is counted (a failure, a slow answer, or too many calls still hanging as a new one
asks), so a quick success never opens a circuit.
"""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING

from failover.engine.rolling import RollingCounts
from failover.policy.model import Trip

if TYPE_CHECKING:
    from .permit import BreakerPermit

__all__ = ["TripRules"]


class TripRules:
    """The counters of one circuit. Not thread-safe: the breaker holds its lock."""

    __slots__ = ("_failures", "_in_flight", "_rules", "_slow", "consecutive", "watches_hung_calls")

    def __init__(self, rules: Trip) -> None:
        self._rules = rules
        rate, slow = rules.failure_rate, rules.slow_rate
        self._failures = RollingCounts(rate.within) if rate else None
        self._slow = RollingCounts(slow.within) if slow else None
        self._in_flight: weakref.WeakKeyDictionary[BreakerPermit, float] = weakref.WeakKeyDictionary()
        self.consecutive = 0
        self.watches_hung_calls = rules.hung_calls is not None
        """Whether permits must be announced with `started` and `ended`."""

    def reset(self) -> None:
        """Forget everything, as a circuit does when it closes."""
        self.consecutive = 0
        self.forget_calls()
        for window in (self._failures, self._slow):
            if window is not None:
                window.reset()

    def forget_calls(self) -> None:
        """Forget which calls are under way: in a forked child they are the parent's."""
        self._in_flight.clear()

    def plain_success(self, now: float) -> bool:
        """Count a success if nothing else could come of it: no failure before it, no rule that asks how slow it was."""
        if self.consecutive or self._slow is not None:
            return False
        if self._failures is not None:
            self._failures.add(now)
        return True

    def success(self, now: float, seconds: float) -> str | None:
        """Count a success that took `seconds`; the name of the rule that it broke by being slow, if any."""
        self.consecutive = 0
        if self._failures is not None:
            self._failures.add(now)
        return None if self._slow is None else self._slowness(now, seconds)

    def failure(self, now: float, seconds: float) -> str | None:
        """Count a failure that took `seconds`; the name of the rule that it broke, if any."""
        self.consecutive += 1
        limit, rate = self._rules.consecutive_failures, self._rules.failure_rate
        reason = self._slowness(now, seconds)
        if rate is not None and self._failures is not None:
            self._failures.add(now, marked=1)
            if _breaks(self._failures, rate.over, rate.of_at_least):
                reason = "failure_rate"
        if limit is not None and self.consecutive >= limit:
            reason = "consecutive_failures"
        return reason

    def started(self, permit: BreakerPermit, now: float) -> str | None:
        """A call was let through; the name of the rule that the calls still waiting break, if any."""
        self._in_flight[permit] = now
        hung = self._rules.hung_calls
        if hung is None or len(self._in_flight) <= hung.more_than:
            return None
        oldest = itertools.islice(self._in_flight.values(), hung.more_than + 1)
        return "hung_calls" if all(now - since > hung.older_than for since in oldest) else None

    def ended(self, permit: BreakerPermit) -> None:
        """A call that was let through has been heard of."""
        self._in_flight.pop(permit, None)

    def _slowness(self, now: float, seconds: float) -> str | None:
        rule = self._rules.slow_rate
        if rule is None or self._slow is None:
            return None
        slow = seconds > rule.slower_than
        self._slow.add(now, marked=int(slow))
        return "slow_rate" if slow and _breaks(self._slow, rule.over, rule.of_at_least) else None


def _breaks(counts: RollingCounts, over: float, of_at_least: int) -> bool:
    return counts.total >= of_at_least and counts.marked >= over * counts.total
