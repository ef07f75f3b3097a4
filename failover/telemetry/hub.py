"""One event to every listener, whatever a listener does: seeing a call must never be able to break it."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import logging
from collections.abc import Callable, Iterable
from typing import TypeAlias

from failover.events import Event

from .log import LogListener
from .metrics import MetricListener
from .spans import SpanListener

__all__ = ["Hub", "Listener"]

Listener: TypeAlias = Callable[[Event], None]
"""Called in the thread or task of the call, so it must be quick and must not block."""

_log = logging.getLogger("failover")


class Hub:
    """Hands every event to our own listeners, then to each of the user's, in the order in which they were given.

    Args:
        listeners: The user's: callables that take one event. Anything else, an `async def` included, is a `TypeError`.
        journal: What keeps a journal, if anything does. It is told first, while the spans of an attempt are still open.
        metrics: What counts and measures, if anything does.
        spans: What makes spans, if anything does.
        log: What writes the log, if anything does.
        status: What looks at the status page, if anything does.
    """

    verbose: Callable[[], bool]
    """Whether routine events of a call that starts here and now would be used by anybody.

    Asked once for each call. If not, only notable events need to be emitted: skips, waits, attempts that failed or were
    not the first choice, transitions, and the end of a call unless all of it was routine.
    """

    def __init__(
        self,
        listeners: Iterable[Listener] = (),
        *,
        journal: Listener | None = None,
        metrics: MetricListener | None = None,
        spans: SpanListener | None = None,
        log: LogListener | None = None,
        status: Listener | None = None,
    ) -> None:
        users = tuple(listeners)
        for index, listener in enumerate(users):
            _check(index, listener)
        everybody: tuple[Listener | None, ...] = (journal, metrics, spans, log, status)
        ours = tuple(listener for listener in everybody if listener is not None)
        self._listeners = (*ours, *users)
        # A counter's step is atomic: of several threads exactly one sees its 0.
        self._faults = tuple(itertools.count() for _ in self._listeners)
        active = tuple(listener.active for listener in (spans, metrics) if listener is not None)
        self.verbose = _always if users or journal is not None else _any_of(active)

    def emit(self, event: Event) -> None:
        """Deliver one event. An `Exception` of a listener is logged; `KeyboardInterrupt` and its like pass."""
        for index, listener in enumerate(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001, PERF203 - whatever a listener raises, the call and the others go on
                self._report(index, event, error)

    def _report(self, index: int, event: Event, error: Exception) -> None:
        """The first fault of a listener is a warning, the others are details: it may fail at every event."""
        level = logging.DEBUG if next(self._faults[index]) else logging.WARNING
        with contextlib.suppress(Exception):  # a logging handler may raise as well
            _log.log(
                level,
                "listener %s raised %s at %s; the call went on",
                _name(self._listeners[index]),
                type(error).__name__,
                type(event).__name__,
            )


def _always() -> bool:
    return True


def _any_of(active: tuple[Callable[[], bool], ...]) -> Callable[[], bool]:
    if len(active) == 1:
        return active[0]
    return lambda: any(one() for one in active)


def _check(index: int, listener: object) -> None:
    if not callable(listener):
        raise TypeError(
            f"listeners[{index}] is a {type(listener).__name__}, which cannot be called; give a function of one event"
        )
    if inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(type(listener).__call__):
        raise TypeError(
            f"listeners[{index}] ({_name(listener)}) is async, and events are delivered inside the call;"
            " give a plain function, for example one that puts the event on a queue"
        )


def _name(listener: object) -> str:
    return str(getattr(listener, "__qualname__", type(listener).__qualname__))
