"""Keeps Python programs that call Claude answering while some of Claude is failing.

    client = failover.wrap(anthropic.Anthropic(), "policies/default.yaml")

wraps a client of the official SDK; nothing else in a program changes. What happens during an outage is written in a
YAML policy, and every decision can be seen as a trace.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

import anthropic as _anthropic  # noqa: F401 - first: imported from deep inside, it takes twice as long

from . import events, tracing
from .circuits import Board, Breaker
from .clock import Clock
from .engine.platform import Incident
from .engine.route import Attempt, Route
from .errors import (
    AttemptFailed,
    BulkheadFull,
    CatalogueError,
    CircuitOpen,
    FailoverError,
    MissingExtra,
    PlatformIncident,
    PolicyError,
    StreamTruncated,
)
from .middleware import Failover, wrap
from .partial import partial_message
from .policy import Policy, default_policy, load_policy, parse_policy
from .recording import recording, route
from .request.shrink import optional
from .stream.resume import without_seams

if _TYPE_CHECKING:
    from .journal import Journal, JournalError

__all__ = [
    "Attempt",
    "AttemptFailed",
    "Board",
    "Breaker",
    "BulkheadFull",
    "CatalogueError",
    "CircuitOpen",
    "Clock",
    "Failover",
    "FailoverError",
    "Incident",
    "Journal",
    "JournalError",
    "MissingExtra",
    "PlatformIncident",
    "Policy",
    "PolicyError",
    "Route",
    "StreamTruncated",
    "default_policy",
    "events",
    "load_policy",
    "optional",
    "parse_policy",
    "partial_message",
    "recording",
    "route",
    "tracing",
    "without_seams",
    "wrap",
]


def __getattr__(name: str) -> _Any:
    if name not in {"Journal", "JournalError"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import journal  # noqa: PLC0415 - most programs keep none, and need no database

    return getattr(journal, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
