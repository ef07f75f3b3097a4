"""What is left of a call once its answer has begun: the caller reads, and the verdict falls at the end.

By then the middleware has returned, and whoever reads may be another thread, another task or a garbage collector.
So everything that is told from here on is told in the context in which the call was made, by one of them at a time.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import Any

from .engine import Action, Begun, Finish
from .exchange import Exchange
from .judging import failure_of
from .opened import Opened
from .recording import EXTENSION, attach
from .sdk import message_of
from .stream.message import Collected, collect
from .stream.resume import Splice, obstacle

__all__ = ["Tail"]

_MOST_KEPT = 16 * 1024 * 1024
"""Bytes of events; the longest answers of today's models come to about as much."""


class Tail:
    """Follows one answer to its end; the streams that the caller reads are made of it."""

    def __init__(self, exchange: Exchange, opened: Opened) -> None:
        """Begin as the answer is handed out."""
        self.extensions: dict[str, Any] = {}
        """Those of the response that is handed out, where its route stands."""
        self._exchange = exchange
        self._opened: Opened | None = opened
        self._context = exchange.context = contextvars.copy_context()
        self._turn = threading.RLock()
        self._given: list[bytes] | None = []
        self._size = 0
        self._splice: Splice | None = None
        self._failure: Exception | None = None
        self._from: tuple[str, str | None] = ("", None)

    def give(self, events: bytes) -> bytes:
        """What the caller gets of these events."""
        if self._splice is not None:
            events = self._splice.rewrite(events)
        if self._given is not None:
            self._given.append(events)
            self._size += len(events)
            if self._size > _MOST_KEPT:
                self._given = None
        return events

    def ended(self) -> None:
        """The stream that was being read is over; tell the call, which decides what comes now."""
        with self._turn:
            opened, self._opened = self._opened, None
            if opened is not None:
                self._context.run(self._report, opened)

    def go_on(self, action: Action) -> Opened | None:
        """What to read now; `None` at the end of a complete answer.

        Raises:
            anthropic.APIError: the answer broke, and nobody took over; with its route and what had been given.
        """
        exchange = self._exchange
        with self._turn:
            if isinstance(action, Begun) and exchange.opened is not None:
                self._opened = exchange.opened
                self._splice = self._spliced()
                self.extensions[EXTENSION] = action.route
                return self._opened
            if isinstance(action, Finish):
                self._context.run(self._finish)
        if self._failure is not None and isinstance(action, Finish) and action.outcome == "interrupted":
            raise self._failure
        return None

    def close(self) -> None:
        """Nobody reads on. An answer that was not complete until then gets no verdict."""
        with self._turn:
            opened, self._opened = self._opened, None
            if self._exchange.call.route is None:
                self._context.run(self._close, opened)

    def _report(self, opened: Opened) -> None:
        exchange = self._exchange
        outcome = exchange.judge(opened)
        if outcome.then == "return":
            exchange.call.report(outcome)
            return
        given = self._collected()
        mode = exchange.rules.on_interrupt
        why = None if mode == "raise" else obstacle(mode, exchange.body, given)
        resume = None if mode == "raise" or why is not None else mode
        exchange.call.report(outcome, resume=resume, why=why)
        exchange.takes_over = given if resume == "continue" else None
        self._from = (exchange.sent_model, outcome.error_type)
        self._failure = self._failure or failure_of(opened)
        exchange.opened = None

    def _spliced(self) -> Splice:
        given = self._collected()
        mode = self._exchange.rules.on_interrupt
        if given is None or mode == "raise":
            raise RuntimeError("nothing to go on from")
        model, error_type = self._from
        return Splice(mode, given, from_model=model, to_model=self._exchange.sent_model, error_type=error_type)

    def _close(self, opened: Opened | None) -> None:
        exchange = self._exchange
        if opened is None:
            exchange.call.abandon("cancelled")
        else:
            opened.listening.broke("closed")
            outcome = exchange.judge(opened)
            if outcome.counts == "neutral" and outcome.then == "return":
                exchange.call.abandon("cancelled", outcome)
            else:
                exchange.call.report(outcome)
        self._finish()

    def _finish(self) -> None:
        route = self.extensions[EXTENSION] = self._exchange.recorded()
        failure = self._failure
        if failure is not None:
            attach(failure, route)
            given = self._collected()
            if given is not None:
                failure.failover_partial_message = message_of(self._exchange.request, given.so_far())  # type: ignore[attr-defined]

    def _collected(self) -> Collected | None:
        """What the caller has been given; `None` if it was not kept or makes no sense."""
        if self._given is not None:
            with contextlib.suppress(ValueError):
                return collect(b"".join(self._given))
        return None
