"""How a program learns what became of its calls without a tracer: from an error, a raw response, or a block of code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from .engine.route import Route

__all__ = ["EXTENSION", "attach", "record", "recording", "route"]

EXTENSION = "failover"
"""The key of a response's `extensions` that holds its route."""

_NOTE = "failover: "
_recordings: ContextVar[tuple[list[Route], ...]] = ContextVar("failover_recordings", default=())


@contextlib.contextmanager
def recording() -> Iterator[list[Route]]:
    """Collect the routes of the guarded calls made inside the block, in the order in which they end.

    Calls of tasks that the block starts are collected too; those of threads that it starts are not, unless the
    thread runs in a copy of the block's context. Blocks may be nested.
    """
    routes: list[Route] = []
    _recordings.set((*_recordings.get(), routes))
    try:
        yield routes
    finally:  # not by a token: a fixture may end in another context than it began in
        _recordings.set(tuple(other for other in _recordings.get() if other is not routes))


def record(route: Route) -> None:
    """Add a route to every block that is recording."""
    for routes in _recordings.get():
        routes.append(route)


def route(result: object) -> Route | None:
    """What became of the call that this error or raw response is of; `None` if it was not a guarded call's.

    Args:
        result: an exception that a guarded call raised, a response from `with_raw_response` or
            `with_streaming_response`, a stream, or an `httpx2.Response`.
    """
    attached = getattr(result, "failover_route", None)
    if isinstance(attached, Route):
        return attached
    for name in ("http_response", "response", None):
        response: Any = result if name is None else getattr(result, name, None)
        extensions = getattr(response, "extensions", None)
        if isinstance(extensions, dict) and isinstance(extensions.get(EXTENSION), Route):
            found: Route = extensions[EXTENSION]
            return found
    return None


def attach(error: BaseException, route: Route) -> None:
    """Give an error its route, and a note that shows every attempt in the traceback.

    An error that takes neither stays as it is; one that is raised again and again keeps only the last note.
    """
    with contextlib.suppress(Exception):
        error.failover_route = route  # type: ignore[attr-defined]
        notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith(_NOTE)]
        error.__notes__ = [*notes, f"{_NOTE}{route}"]
