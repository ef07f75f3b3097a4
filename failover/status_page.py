"""What the provider says of itself while an incident lasts: a hint for whoever reads the log, and never more.

The page is asked by a thread of its own, only while some client is in an incident. It may be down as well, refuse
programs, or say anything: what cannot be read is a line for debugging, and of what can only known words and short texts
are passed on. Nothing is decided by it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import httpx2

from .engine.locks import renew_after_fork
from .events import Event, IncidentEnded, IncidentStarted, StatusSeen
from .policy.incident import StatusPage

__all__ = ["StatusWatch"]

_log = logging.getLogger("failover")
_INDICATORS = frozenset({"none", "minor", "major", "critical", "maintenance"})
"""https://support.atlassian.com/statuspage/docs/what-are-the-different-apis-under-statuspage/."""
_MOST_BYTES = 1024 * 1024
_MOST_INCIDENTS = 5
_LONGEST_NAME = 120
_TIMEOUT, _PATIENCE = 5.0, 15.0  # seconds, for each read and for all


class StatusWatch:
    """A listener that asks the page while an incident is open, and tells what it says whenever that changes."""

    def __init__(self, page: StatusPage, emit: Callable[[Event], None]) -> None:
        self._page = page
        self._emit = emit
        self._last: StatusSeen | None = None
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: the parent's thread is not there, and nothing is asked until the next incident begins."""
        self._clients: set[str] = set()
        self._over: threading.Event | None = None

    def __call__(self, event: Event) -> None:
        """Begin to ask with the first incident, and stop with the end of the last."""
        if isinstance(event, IncidentStarted):
            self._clients.add(event.client)
            if self._over is None:
                self._over = threading.Event()
                self._last = None
                asker = threading.Thread(
                    target=_ask_again_and_again,
                    args=(weakref.ref(self), self._over, self._page.every),
                    name="failover-status-page",
                    daemon=True,
                )
                asker.start()
        elif isinstance(event, IncidentEnded):
            self._clients.discard(event.client)
            over = self._over
            if over is not None and not self._clients:
                self._over = None
                over.set()

    def ask(self) -> None:
        """Ask once."""
        try:
            seen = _read(_fetch(self._page.url))
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            _log.debug("the status page could not be read: %s", type(error).__name__)
            return
        if seen != self._last:
            self._last = seen
            self._emit(seen)


def _ask_again_and_again(watch: weakref.ref[StatusWatch], over: threading.Event, every: float) -> None:
    while True:
        asking = watch()
        if asking is None:  # the program has dropped what it belonged to
            return
        asking.ask()
        del asking
        if over.wait(every):
            return


def _fetch(url: str, now: Callable[[], float] = time.monotonic) -> bytes:
    body, until = bytearray(), now() + _PATIENCE
    with httpx2.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as response:
        response.raise_for_status()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _MOST_BYTES or now() > until:
                raise ValueError("the page is too long, or too long in coming")
    return bytes(body)


def _read(page: bytes) -> StatusSeen:
    try:
        said = json.loads(page)
        indicator = said["status"]["indicator"]
        incidents = said.get("incidents") or []
        names = tuple(_short(incident["name"]) for incident in incidents[:_MOST_INCIDENTS])
        known = indicator in _INDICATORS
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the page has another form") from error
    if not known:
        raise ValueError("the page says nothing that is known")
    return StatusSeen(indicator, names)


def _short(name: Any) -> str:
    printable = "".join(char if char.isprintable() else " " for char in str(name)[:_LONGEST_NAME])
    return " ".join(printable.split())
