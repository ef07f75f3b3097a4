"""Events as OpenTelemetry metrics: what a dashboard shows, and what an alert is made of.

Nothing here is named `gen_ai.*`: those metrics count model calls, and ours would count them again.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable

from opentelemetry import metrics
from opentelemetry.metrics import MeterProvider

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    Event,
    ModelSkipped,
)

from .attributes import series_of_attempt, series_of_call, series_of_skip, series_of_transition
from .ledger import Board, Circuits, Ledger, ledger_of
from .lookup import Lookup

__all__ = ["MetricListener"]

_log = logging.getLogger(__name__)


class MetricListener:
    """Turns events into measurements. It never raises: what goes wrong is a debug log.

    | instrument | kind and unit | attributes besides `failover.policy.name` |
    |---|---|---|
    | `failover.call.duration` | histogram, s | `failover.outcome`, `error.type` of a call that got no answer |
    | `failover.attempt.duration` | histogram, s | `failover.model`, `failover.client` if it is not the caller's own, `failover.attempt.reason`, `error.type` of one that failed |
    | `failover.breaker.transitions` | counter, {transition} | `failover.breaker.name`, `.from`, `.to` |
    | `failover.breaker.state` | observable gauge, {circuit} | `failover.breaker.name`, `.state`: 1 for the state that it is in, 0 for the others |
    | `failover.model.skips` | counter, {skip} | `failover.model`, `failover.breaker.name`, `failover.skip.reason` |

    An attempt that the caller gave up before it began to be answered is not among the attempts. Of circuits of one name,
    of several `Failover`s with policies of one name, the gauge tells every state that any of them is in.

    There are as many series as there are combinations of what the policy names: its models, their clients and their
    circuits. Besides, there are those of every model that callers ask for, so a program whose users may name any model
    should check the name before it calls. The other values are fixed words, or what the API calls its errors.

    Args:
        policy: The name of the policy, which every series tells.
        meter_provider: Where measurements go. If absent, the global provider, also if it is set later.
        now: Tells the seconds between two looks for a provider that is not there yet.
    """

    def __init__(
        self, policy: str, meter_provider: MeterProvider | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._policy = policy
        self._circuits = Circuits(policy)
        make = functools.partial(_watching_ledger, self._circuits)
        self._lookup: Lookup[MeterProvider, Ledger] = Lookup(meter_provider, metrics.get_meter_provider, make, now=now)

    def watch(self, board: Board) -> None:
        """Show the circuits of this board in `failover.breaker.state`, until the board is gone; it is not kept alive."""
        self._circuits.watch(board)
        self._lookup.look()  # so that what is moved by hand before the first call is counted, too

    def active(self) -> bool:
        """Whether anybody measures: whether a meter provider is configured, and the OpenTelemetry SDK is not disabled.

        If not, events need not be sent here.
        """
        return self._lookup.look() is not None

    def __call__(self, event: Event) -> None:
        """Measure what one event tells; those that tell nothing to measure do nothing."""
        try:
            if isinstance(event, (CallStarted, AttemptStarted)):
                self._record()
            else:
                self._note(event)
        except Exception as error:  # noqa: BLE001 - a meter is anybody's code, and the call goes on
            _log.debug("%s not measured: %s", type(event).__name__, type(error).__name__)

    def _record(self) -> None:
        """Have all that was noted recorded, by a call that goes on: it is not a finaliser that is telling."""
        ledger = self._lookup.look()
        if ledger is not None:
            ledger.record()

    def _note(self, event: Event) -> None:
        ledger = self._lookup.made  # and not a look, which may take a lock: it may be a finaliser that is telling
        if ledger is None:
            return
        if isinstance(event, AttemptFinished):
            ledger.note(ledger.attempts.record, event.seconds, series_of_attempt(self._policy, event))
        elif isinstance(event, CallFinished):
            ledger.note(ledger.calls.record, event.seconds, series_of_call(self._policy, event))
        elif isinstance(event, ModelSkipped):
            ledger.note(ledger.skips.add, 1, series_of_skip(self._policy, event))
        elif isinstance(event, BreakerTransition):
            ledger.note(ledger.transitions.add, 1, series_of_transition(self._policy, event))


def _watching_ledger(circuits: Circuits, provider: MeterProvider) -> Ledger | None:
    ledger = ledger_of(provider)
    if ledger is not None:
        ledger.watch(circuits)
    return ledger
