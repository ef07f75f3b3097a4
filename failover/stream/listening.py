"""One stream of events as it is read: what may be passed on, how long to wait for more, and what its end meant.

Until the first content nothing is passed on, so that a failure before it can be hidden from the caller. From then on
whole events pass in the read in which they became whole, and only `error`, `message_stop` and the clocks are watched.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from failover.events import StreamEnd
from failover.policy.stream import StreamRules

from .sse import EventReader, data_of, holds_an_object, name_of

__all__ = ["Listening", "Patience"]

_PLAIN_DELTA = b'event: content_block_delta\ndata: {"'
_CONTENT = frozenset({b"content_block_delta", b"content_block_stop", b"message_delta", b"message_stop"})
_RUN_BY_THE_API = frozenset({"server_tool_use", "mcp_tool_use"})
_SILENT_WORK = _RUN_BY_THE_API | {"thinking", "redacted_thinking"}
_FOREVER = float("inf")
_A_MOMENT = 1.0  # seconds


class Patience:
    """How long the next read may take. Silence is only what passes while somebody waits for a read."""

    __slots__ = ("_asked_at", "_idle", "_left", "_now", "_pings", "_thinking", "_to_the_end", "_until", "longest_read")

    def __init__(
        self,
        rules: StreamRules,
        now: Callable[[], float],
        *,
        sent_at: float,
        until: float,
        longest_read: float | None,
        to_the_end: bool = False,
    ) -> None:
        """Begin to wait for the first content.

        Args:
            rules: the policy's.
            now: seconds on a clock that never steps back.
            sent_at: when the request was sent.
            until: when the call has no more time for an answer to begin.
            to_the_end: whether it has none for the rest of the answer either.
            longest_read: seconds that the client itself would wait for one read; `None`: for ever.
        """
        self._now = now
        self._idle = _FOREVER if rules.idle is None else rules.idle
        self._left = _FOREVER if rules.first_event is None else rules.first_event - (now() - sent_at)
        self._until = until
        self._to_the_end = to_the_end
        self.longest_read = longest_read
        self._pings = rules.pings
        self._thinking = False
        self._asked_at = 0.0

    def next_read(self) -> float | None:
        """Seconds that the next read may take; `None`: no limit; zero or less: it has been silent for too long."""
        now = self._asked_at = self._now()
        limit = self._left
        if self.longest_read is not None and self.longest_read < limit:
            limit = self.longest_read
        if self._until != _FOREVER and (self._to_the_end or not self._thinking):
            limit = min(limit, self._until - now)
        return None if limit == _FOREVER else limit

    def read(self) -> None:
        """The read came back, with whatever."""
        self._left -= self._now() - self._asked_at

    def content(self) -> None:
        """It brought content."""
        self._left = self._idle
        if not self._to_the_end:
            self._until = _FOREVER

    def thinking(self, *, now: bool) -> None:
        """A block began, or ended: whether the model now thinks, or waits for a tool that the API runs for it.

        One that does has begun to answer, and may send nothing but pings for minutes.
        """
        self._thinking = now
        if now:
            self._left = self._idle

    def over(self) -> None:
        """The message is complete. What may still come of the body is not worth waiting for, but for its connection."""
        self._left, self._idle = min(self._left, _A_MOMENT), _A_MOMENT
        self._pings = "silence"

    def ping(self) -> None:
        """It brought a ping."""
        if self._pings == "life" or (self._pings == "thinking" and self._thinking):
            self._left = max(self._left, self._idle)


class Listening:
    """One stream of events. Used by one reader at a time; it is given what was read and does no reading."""

    __slots__ = ("_block", "_held", "_reader", "begun", "cause", "end", "error", "patience", "start", "stopped")

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.start = b""
        """Its `message_start` event, once it has come."""
        self.begun = False
        """Whether content has come."""
        self.stopped = False
        """Whether the message is complete."""
        self.end: StreamEnd | None = None
        """How the stream ended, once it has."""
        self.error = b""
        """The data of its `error` event, if that was the end."""
        self.cause: Exception | None = None
        """What broke it, if an exception did."""
        self._reader = EventReader()
        self._held: list[bytes] = []
        self._block = ""

    def feed(self, piece: bytes) -> bytes:
        """What may be passed on now that this piece was read: whole events, as they came; often nothing at first."""
        if self.begun and piece.startswith(_PLAIN_DELTA) and self._reader.is_one_event(piece):
            self.patience.content()
            return piece
        self.patience.read()
        passed, events = self._reader.feed(piece)
        heard = False
        for index, event in enumerate(events):
            begun = self.begun or heard
            heard = (begun and event.startswith(_PLAIN_DELTA)) or self._see(event, begun=begun) or heard
            if self.end is not None:
                passed = b"".join(events[:index])
                break
        if heard:
            self.patience.content()
        if self.stopped:
            self.patience.over()
        return self._released(passed, begins=heard)

    def finish(self) -> bytes:
        """The body is over, in good order: what may still be passed on."""
        if self.end is not None or self.stopped:
            self.end = self.end or "complete"
            return b""
        rest = self._reader.rest()  # what lacks the empty line that would end it; half an event is nobody's
        name = name_of(rest)
        whole = _is_json(data_of(rest))
        if name == b"message_stop" and whole:
            self.stopped, self.end = True, "complete"
            return self._released(rest, begins=True)
        self.end = "truncated"
        if name == b"error" and whole:
            self.end, self.error = "error", data_of(rest)
        return b""

    def broke(self, end: StreamEnd, cause: Exception | None = None) -> None:
        """The body will not come to its end: it was cut or stalled, or the caller closed it."""
        if self.end is None:
            self.end = "complete" if self.stopped else end
            self.cause = cause

    def _see(self, event: bytes, *, begun: bool) -> bool:
        """Look at an event; whether it is content."""
        name = name_of(event)
        if name == b"error":
            self.end, self.error = ("complete", b"") if self.stopped else ("error", data_of(event))
        elif name == b"ping":
            self.patience.ping()
        elif name == b"content_block_start":
            self._block = _kind_of_block(event)
            self.patience.thinking(now=self._block in _SILENT_WORK)
            return begun  # an empty block is nothing to show, but a sign of life
        elif name in _CONTENT:
            if not (holds_an_object(event) if begun else _is_json(data_of(event))):
                self.end = "complete" if self.stopped else "malformed"
                return False
            if name == b"content_block_stop":
                self.patience.thinking(now=self._block in _RUN_BY_THE_API)
            self.stopped = self.stopped or name == b"message_stop"
            return True
        elif name == b"message_start":
            self.start = event
        return False

    def _released(self, passed: bytes, *, begins: bool) -> bytes:
        if self.begun:
            return passed
        self._held.append(passed)
        if not begins:
            return b""
        self.begun = True
        held, self._held = b"".join(self._held), []
        return held


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _kind_of_block(event: bytes) -> str:
    try:
        return str(json.loads(data_of(event))["content_block"]["type"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
