"""What an answer had cost that nobody will use: the tokens of a stream that broke after it had begun.

The SDK's own span counts the answer that was given in the end; what was spent on others is nowhere else to be seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .request.size import tokens_of_text
from .stream.message import parsed
from .stream.sse import data_of

__all__ = ["Discarded", "discarded"]

_WRITTEN = ("text", "thinking", "partial_json")
"""What the deltas of a block bring: https://platform.claude.com/docs/en/build-with-claude/streaming#content-block-delta-types."""

_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_SAMPLE = 256 * 1024
"""Bytes of events that are looked at; of a longer answer the rest is taken to be like them."""

_MOST = 1_000_000_000
"""Tokens; whoever says more than that is joking, and a database would choke on it."""

_OF_THE_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance."""


class Discarded(NamedTuple):
    """Tokens; `None`: nothing is known."""

    input_tokens: int | None = None
    output_tokens: int | None = None


def discarded(start: bytes, given: bytes | bytearray) -> Discarded:
    """What a broken stream had spent.

    Args:
        start: its `message_start` event, which counts the prompt; empty if none came.
        given: the events that came, whole ones from the first on. They are counted as written texts are, because the API
            says at the end how many tokens it wrote (https://platform.claude.com/docs/en/build-with-claude/streaming), and
            there was no end.
    """
    if not start:
        return Discarded()
    try:
        usage = json.loads(data_of(start))["message"]["usage"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Discarded(None, _written(0, given))
    prompt = [count for name in _OF_THE_PROMPT if (count := _count(usage, name)) is not None]
    return Discarded(sum(prompt) if prompt else None, _written(_count(usage, "output_tokens") or 0, given))


def _written(said: int, given: bytes | bytearray) -> int:
    sample = _whole_events(bytes(given[:_SAMPLE]))
    try:
        deltas = [event.get("delta") for event in parsed(sample) if event.get("type") == "content_block_delta"]
    except (ValueError, RecursionError):
        return said
    pieces = [delta.get(field) for delta in deltas if isinstance(delta, dict) for field in _WRITTEN]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    return max(said, int(tokens_of_text(text) * len(given) / len(sample))) if text else said


def _whole_events(events: bytes) -> bytes:
    """Up to the last empty line, however lines end."""
    return events[: max((events.rfind(end) + len(end) for end in _ENDS if end in events), default=0)]


def _count(usage: Any, name: str) -> int | None:
    count = usage.get(name) if isinstance(usage, Mapping) else None
    known = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST
    return count if known else None
