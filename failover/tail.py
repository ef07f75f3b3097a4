"""What is left of a call once its answer has begun: the caller reads, and the verdict falls at the end.

By then the middleware has returned, and whoever reads may be another thread or task, while a third one or a garbage
collector closes. So what is told from here on is told in the context in which the call was made, and only by the one
who was first to end a stream; until another stream takes over, the call is in that one's hands.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import Any

import httpx2

from .engine import Action, Begun, Finish
from .exchange import Exchange
from .judging import failure_of
from .opened import Opened
from .partial import keep
from .recording import EXTENSION, attach
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
        self._lock = threading.RLock()  # held for an assignment, and re-entrant for a finaliser that comes in between
        self._closed = False
        self._given: bytearray | None = bytearray()
        self._given_before = 0  # bytes, by other streams than the one that is being read
        self._so_far: Collected | None = None
        self._splice: Splice | None = None
        self._mark = exchange.mark()
        self._failure: Exception | None = None
        self._from: tuple[str, str | None] = ("", None)

    def give(self, events: bytes) -> bytes:
        """What the caller gets of these events."""
        if self._splice is not None:
            events = self._splice.rewrite(events)
        if self._mark is not None:
            events = self._mark.rewrite(events)
        if self._given is not None:
            self._given += events
            if len(self._given) > _MOST_KEPT:
                self._given = None
        return events

    def ended(self) -> None:
        """The stream that was being read is over; tell the call, which decides what comes now.

        Raises:
            httpx2.StreamClosed: somebody else has closed it.
        """
        opened = self._taken()
        if opened is None:
            raise httpx2.StreamClosed
        self._context.run(self._report, opened)

    def go_on(self, action: Action) -> Opened | None:
        """What to read now; `None` at the end of a complete answer.

        Raises:
            anthropic.APIError: the answer broke, and nobody took over; with its route and what had been given.
        """
        if isinstance(action, Finish):
            self._context.run(self._finish)
            if self._closed:
                raise httpx2.StreamClosed
            failure, self._failure, self._given = self._failure, None, None
            if failure is None or action.outcome != "interrupted":
                return None
            try:
                raise failure
            finally:
                del failure  # its traceback holds this frame: neither may hold the other
        opened = self._exchange.opened
        if opened is None or not isinstance(action, Begun):
            raise RuntimeError("nothing has begun, and nothing is over")
        self._splice = self._spliced()
        self._given_before = 0 if self._given is None else len(self._given)
        self.extensions[EXTENSION] = action.route
        with self._lock:
            self._opened = opened
        if self._closed:  # while the stream was taken over
            opened.first = None
            self.close()
        return opened

    def close(self) -> None:
        """Nobody reads on. An answer that was not complete until then gets no verdict."""
        self._closed = self._exchange.given_up = True
        opened = self._taken()
        if opened is not None:
            self._context.run(self._close, opened)

    def fail(self, error: Exception) -> None:
        """An error that is nobody's outage came out of the stream that was being read."""
        if self._taken() is not None:
            self.abandon(error)

    def abandon(self, error: BaseException) -> None:
        """An error that is no answer has ended the call between two streams."""
        failure, self._failure = self._failure, None
        if failure is not None and error.__context__ is None:
            error.__context__ = failure  # what broke the stream that was to be taken over
        if self._given is not None and isinstance(error, Exception):
            keep(error, bytes(self._given), self._exchange.request)
        self._given = None
        self._context.run(self._exchange.abandon, error)
        self.extensions[EXTENSION] = self._exchange.call.route

    def _taken(self) -> Opened | None:
        """The stream that is being read, for whoever is the first to end it."""
        with self._lock:
            opened, self._opened = self._opened, None
            return opened

    def _report(self, opened: Opened) -> None:
        exchange = self._exchange
        outcome = exchange.judge(opened, None if self._given is None else self._given[self._given_before :])
        if outcome.then == "return":
            exchange.call.report(outcome)
            return
        mode = exchange.rules.on_interrupt
        if mode == "raise":
            exchange.call.report(outcome)
        else:
            given = self._so_far = self._collected()
            why = obstacle(mode, exchange.body, given)
            exchange.cargo.taking_over = why is None
            exchange.call.report(outcome, resume=mode if why is None else None, why=why)
            exchange.takes_over = given if mode == "continue" else None
        self._from = (exchange.sent_model, outcome.error_type)
        self._failure = self._failure or failure_of(opened)
        opened.listening.cause = None  # its traceback holds who read it, and so itself
        exchange.opened = None

    def _spliced(self) -> Splice:
        given, mode = self._so_far, self._exchange.rules.on_interrupt
        if given is None or mode == "raise":
            raise RuntimeError("nothing to go on from")
        model, error_type = self._from
        to_model = self._exchange.sent_model
        return Splice(mode, given, from_model=model, to_model=to_model, error_type=error_type, before=self._splice)

    def _close(self, opened: Opened) -> None:
        opened.listening.broke("closed")
        outcome = self._exchange.judge(opened)
        if outcome.stream == "closed":
            self._exchange.call.abandon("cancelled", outcome)
        else:  # its end was read already, and not yet given
            self._exchange.call.report(outcome)
        self._finish()

    def _finish(self) -> None:
        route = self.extensions[EXTENSION] = self._exchange.recorded()
        failure = self._failure
        if failure is not None:
            attach(failure, route)
            if self._given is not None:
                keep(failure, bytes(self._given), self._exchange.request)

    def _collected(self) -> Collected | None:
        """What the caller has been given; `None` if it was not kept or makes no sense."""
        if self._given is not None:
            with contextlib.suppress(ValueError):
                return collect(bytes(self._given))
        return None
