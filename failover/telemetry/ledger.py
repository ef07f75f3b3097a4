"""The instruments at one meter provider, and the way that a measurement takes to them.

A measurement is noted first and recorded a little later. OpenTelemetry's locks are not re-entrant, and the end of a
stream that somebody dropped is told by the garbage collector, which may have interrupted the very thread that holds
one of them: to record there and then would hang that thread, and every call after it. To note takes no lock. What was
noted is recorded when the next attempt starts and whenever metrics are collected, so that nothing is missing from them.
"""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, NoOpMeter, Observation

from .attributes import Attributes, series_of_circuit
from .lookup import SCOPE, scope_version

__all__ = ["Board", "Circuits", "Ledger", "ledger_of"]

_log = logging.getLogger(__name__)

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Bounds of buckets: from an overload that is told at once to the ten minutes after which the SDK gives up."""

_STAND_INS = "opentelemetry.metrics."
"""Where providers come from that stand for "nobody has configured one"; they remember whoever asks them for a meter."""

_NO_TRACE = trace.set_span_in_context(trace.INVALID_SPAN)
"""An empty context would mean the one in which the measurement is recorded: that of the next call."""

_STATES = ("closed", "open", "half_open")


class Breaker(Protocol):
    """A circuit, as far as it is looked at here."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


class Board(Protocol):
    """All circuits of one `Failover`, as far as they are looked at here. Asked from whatever thread collects."""

    def breakers(self) -> Iterable[Breaker]:
        """Those that calls have asked for so far."""


class Circuits:
    """The circuits of one policy that a gauge shows, for as long as anybody else has use for them."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self._board: weakref.ref[Board] | None = None

    def watch(self, board: Board) -> None:
        """Look at this board from now on; it is not kept alive."""
        self._board = weakref.ref(board)

    def states(self) -> list[tuple[str, str]]:
        """Name and state of each; none if they cannot be asked, which must not hide the others."""
        board = None if self._board is None else self._board()
        try:
            return [] if board is None else [(breaker.name, breaker.state) for breaker in board.breakers()]
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in the collector's thread
            _log.debug("states not observed: %s", type(error).__name__)
            return []


class _Note(NamedTuple):
    record: Callable[[float, Attributes, otel_context.Context], None]
    amount: float
    attributes: Attributes
    context: otel_context.Context
    """Where it was measured: a sampled trace there becomes the measurement's exemplar."""


class Ledger:
    """What all `Failover`s that share a meter provider measure.

    There is one for each provider, because the SDK takes the callback of an observable instrument once: of a second
    instrument of the same name it returns the first, and forgets the callback that came with it.
    """

    def __init__(self) -> None:
        self._notes: deque[_Note] = deque()
        # By identity, and not a set: this kind of dictionary can be read while others add to it.
        self._watched: weakref.WeakValueDictionary[int, Circuits] = weakref.WeakValueDictionary()

    def open(self, meter: Meter) -> None:
        """Make the instruments, or get those that there are: they are the same however often they are asked for."""
        self.calls = meter.create_histogram(
            "failover.call.duration",
            unit="s",
            description="From the beginning of a guarded call to its answer, its error, or the end of its stream.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.attempts = meter.create_histogram(
            "failover.attempt.duration",
            unit="s",
            description="From sending one request to its outcome; of a stream, to its end.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.transitions = meter.create_counter(
            "failover.breaker.transitions", unit="{transition}", description="Changes of a circuit's state."
        )
        self.skips = meter.create_counter(
            "failover.model.skips", unit="{skip}", description="Models that a call passed over without asking them."
        )
        meter.create_observable_gauge(
            "failover.breaker.state",
            callbacks=[self._collect],
            unit="{circuit}",
            description="1 for the state that a circuit is in, and 0 for the others.",
        )

    def watch(self, circuits: Circuits) -> None:
        """Show these circuits in the gauge until nobody else holds them."""
        self._watched[id(circuits)] = circuits

    def note(
        self, record: Callable[[float, Attributes, otel_context.Context], None], amount: float, attributes: Attributes
    ) -> None:
        """Have something recorded soon. It takes no lock."""
        self._notes.append(_Note(record, amount, attributes, otel_context.get_current() or _NO_TRACE))

    def record(self) -> None:
        """Record what was noted so far; not to be called from a finaliser."""
        while True:
            try:
                note = self._notes.popleft()
            except IndexError:
                return
            try:
                note.record(note.amount, note.attributes, note.context)
            except Exception as error:  # noqa: BLE001 - a meter is anybody's code, and the call goes on
                _log.debug("not recorded: %s", type(error).__name__)

    def _collect(self, _: CallbackOptions) -> list[Observation]:
        """What the gauge shows. The SDK calls it before it looks at the other instruments, and with their locks free."""
        self.record()
        found: dict[tuple[str, str], set[str]] = {}
        for reference in self._watched.valuerefs():
            circuits = reference()
            if circuits is not None:
                for name, state in circuits.states():
                    found.setdefault((circuits.policy, name), set()).add(state)
        return [
            Observation(int(state in states), series_of_circuit(policy, name, state))
            for (policy, name), states in found.items()
            for state in _STATES
        ]


_ledgers: weakref.WeakKeyDictionary[MeterProvider, Ledger] = weakref.WeakKeyDictionary()


def ledger_of(provider: MeterProvider) -> Ledger | None:
    """The one ledger of a provider; `None` if it measures nothing."""
    if type(provider).__module__.startswith(_STAND_INS):
        return None
    meter = provider.get_meter(SCOPE, scope_version())
    if isinstance(meter, NoOpMeter):  # OTEL_SDK_DISABLED
        return None
    ledger = _ledgers.setdefault(provider, Ledger())
    ledger.open(meter)
    return ledger
