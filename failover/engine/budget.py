"""The retry budget: how much of a whole program's traffic may be repeats.

Retries help while few calls fail and hurt when most do: then they multiply the load on a model that is already
down. Over the last ten seconds repeats may be at most a share of the calls, plus a floor for quiet programs.
"""

from __future__ import annotations

import threading

from failover.policy.model import RetryBudget

from .locks import renew_after_fork
from .rolling import RollingCounts

__all__ = ["Budget"]

_SECONDS = 10.0


class Budget:
    """Counts calls and repeats of all calls that share it; thread-safe. `None` as rules allows everything."""

    def __init__(self, rules: RetryBudget | None) -> None:
        self._rules = rules
        self._counts = RollingCounts(_SECONDS)  # total: calls; marked: repeats
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self._lock = threading.RLock()

    def call(self, now: float) -> None:
        """A call began at `now` (seconds)."""
        if self._rules is not None:
            with self._lock:
                self._counts.add(now)

    def take(self, now: float) -> bool:
        """Whether one more repeat is affordable at `now`; if so it is spent."""
        if self._rules is None:
            return True
        with self._lock:
            self._counts.roll(now)
            allowed = self._rules.min_per_second * _SECONDS + self._rules.ratio * self._counts.total
            if self._counts.marked + 1 > allowed:
                return False
            self._counts.add(now, total=0, marked=1)
            return True
