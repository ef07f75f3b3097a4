"""Server-sent events out of bytes, however a network has split them.

Only what costs nothing is done to every event: bytes are cut where an event ends, and its name is read. The grammar
is that of https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["EventReader", "data_of", "event", "holds_an_object", "name_of", "split"]

_BOM = b"\xef\xbb\xbf"
# A line's end, and then the end of an empty line. The first `\n` of `\r\n` ends no line of its own.
_END = re.compile(rb"(?:\n|\r(?!\n))(?:\r\n?|\n)")


class EventReader:
    """Cuts a stream of bytes into whole events; what is not yet whole is kept back."""

    __slots__ = ("_fresh", "_last", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._last = b""
        """The last byte of the pieces: of an event's end at most one byte stands before the byte that completes it."""
        self._fresh = True

    def feed(self, piece: bytes) -> tuple[bytes, list[bytes]]:
        """The bytes of all events that are whole now, as they came, and the same bytes event by event."""
        if self._fresh:
            piece = self._without_bom(piece)
        if self._pieces:
            self._pieces.append(piece)
            if not _holds_an_end(self._last + piece):
                self._last = piece[-1:] or self._last
                return b"", []
            piece = self.rest()
            self._pieces = []
        events = _cut(piece)
        rest = events.pop()
        self._pieces = [rest] if rest else []
        self._last = rest[-1:]
        return (piece[: len(piece) - len(rest)] if rest else piece), events

    def is_one_event(self, piece: bytes) -> bool:
        """Whether a piece is just one whole event, the commonest read; it need not be fed then."""
        return not self._pieces and piece.find(b"\n\n") == len(piece) - 2 and b"\r" not in piece

    def rest(self) -> bytes:
        """What has come of an event that is not whole."""
        return b"".join(self._pieces)

    def _without_bom(self, piece: bytes) -> bytes:
        """A byte order mark may stand before the first event, and is none of it."""
        begun = self.rest() + piece
        self._pieces = []
        self._fresh = len(begun) < len(_BOM) and _BOM.startswith(begun)
        if self._fresh:
            self._pieces = [begun] if begun else []
            return b""
        return begun.removeprefix(_BOM)


def split(events: bytes) -> list[bytes]:
    """Bytes event by event; the last may lack the empty line that would end it."""
    parts = _cut(events)
    return parts if parts[-1] else parts[:-1]


def _holds_an_end(data: bytes) -> bool:
    return b"\n\n" in data or (b"\r" in data and _END.search(data) is not None)


def _cut(data: bytes) -> list[bytes]:
    """Data event by event, each with what ends it; the last is what is not whole, if only nothing."""
    if b"\r" not in data:
        parts = data.split(b"\n\n")
        rest = parts.pop()
        return [*[part + b"\n\n" for part in parts], rest]
    ends = [match.end() for match in _END.finditer(data)]
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def name_of(event: bytes) -> bytes:
    """The name of an event, which the API gives to each (`content_block_delta`); empty if it has none."""
    names = _values(event, b"event")
    return names[-1] if names else b""


def data_of(event: bytes) -> bytes:
    """The data of an event; its lines are joined by line feeds."""
    return b"\n".join(_values(event, b"data"))


def holds_an_object(event: bytes) -> bool:
    """Whether the data of an event looks like a JSON object, without reading it: a proxy's words do not."""
    return data_of(event).lstrip().startswith(b"{")


def event(data: Mapping[str, Any]) -> bytes:
    """An event, named by its data's `type`, as the API writes it."""
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), json.dumps(data, separators=(",", ":")).encode())


def _values(event: bytes, field: bytes) -> list[bytes]:
    """The values of all lines that have this name."""
    lines = [line.partition(b":") for line in event.splitlines()]
    return [value.removeprefix(b" ") for name, _, value in lines if name == field]
