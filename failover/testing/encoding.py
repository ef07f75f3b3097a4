"""A response body's content coding, so that programs can be tested on what proxies and the API really send.

Each piece is flushed, because an event that stays in the compressor would look like a stall.
"""

from __future__ import annotations

import re
import zlib
from typing import Literal

__all__ = ["Compressor", "accepts"]

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_NEVER = re.compile(r"q=0(\.0*)?")


class Compressor:
    """Compresses one body, piece by piece."""

    def __init__(self, coding: Literal["gzip", "deflate"]) -> None:
        self._object = zlib.compressobj(wbits=_WINDOW_BITS[coding])

    def piece(self, data: bytes) -> bytes:
        """The next part of the body; all that was said so far can be decoded from it and those before it."""
        return self._object.compress(data) + self._object.flush(zlib.Z_SYNC_FLUSH)

    def last(self, data: bytes) -> bytes:
        """The last part, and the end in good order."""
        return self._object.compress(data) + self._object.flush()


def accepts(accept_encoding: str, coding: str) -> bool:
    """Whether a request with such an `accept-encoding` can be answered in a coding; one with none cannot."""
    weights: dict[str, str] = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "")
    return not _NEVER.fullmatch(weights.get(coding, weights.get("*", "q=0")))
