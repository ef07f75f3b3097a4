"""Who is told what happens: the listeners that a `Failover` has by itself, put together from what it was given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from .events import Event
from .policy import Policy
from .status_page import StatusWatch
from .telemetry import Hub, Listener, LogListener, MeterProvider, MetricListener, SpanListener, TracerProvider

if TYPE_CHECKING:
    from .journal import Journal

__all__ = ["JournalOption", "Telling", "telling"]

JournalOption: TypeAlias = "str | os.PathLike[str] | Journal | Literal[False] | None"
"""A journal, the path of one, `False` for none, or `None`: what the environment names, if anything."""

_VARIABLE = "FAILOVER_JOURNAL"


class Telling(NamedTuple):
    """What a `Failover` needs of it."""

    hub: Hub
    metrics: MetricListener
    journal: Journal | None


def telling(
    policy: Policy,
    listeners: Sequence[Callable[[Event], None]],
    *,
    journal: JournalOption,
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
) -> Telling:
    """Make the hub of one `Failover`.

    Raises:
        TypeError: the journal is none of what it may be, or a listener cannot be called.
    """
    kept = _journal(journal)
    spans = SpanListener(tracer_provider)
    metrics = MetricListener(policy.name, meter_provider)
    page = None if policy.incident is None else policy.incident.status_page

    def emit(event: Event) -> None:
        hub.emit(event)

    hub = Hub(
        listeners,
        journal=_keeping(kept, policy.name, spans.trace_id),
        metrics=metrics,
        spans=spans,
        log=LogListener(),
        status=None if page is None else StatusWatch(page, emit),
    )
    return Telling(hub, metrics, kept)


def _journal(option: JournalOption) -> Journal | None:
    if option is None:
        option = os.environ.get(_VARIABLE) or False
    if option is False:
        return None
    from .journal import Journal  # noqa: PLC0415 - most programs keep none, and need no database

    return option if isinstance(option, Journal) else Journal.shared(option)


def _keeping(journal: Journal | None, policy: str, trace_id: Callable[[], str | None]) -> Listener | None:
    if journal is None:
        return None
    from .journal import JournalListener  # noqa: PLC0415

    return JournalListener(journal, policy, trace_id)
