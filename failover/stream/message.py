"""The message that a stream's events add up to, as the JSON that a call without streaming would have brought.

Events: https://platform.claude.com/docs/en/build-with-claude/streaming#event-types
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import jiter

from .sse import EventReader, data_of

__all__ = ["Collected", "collect", "merged_usage", "parsed"]

_NOT_OF_THE_MESSAGE = frozenset({"type", "delta", "usage"})


class Collected:
    """A message that grows event by event."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        """The message so far, up to the last block that ended; empty before its `message_start`."""
        self.open: int | None = None
        """The index of the content block that has not ended."""
        self._pieces: dict[str, list[str]] = {}
        """Of the open block, what its deltas have brought for each of its fields."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event's data into the message."""
        kind = event.get("type")
        if kind == "message_start":
            self.message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            self.open = event["index"]
            self.message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            self._add_delta(self.message["content"][event["index"]], event["delta"])
        elif kind == "content_block_stop":
            self._end_block(event["index"])
            self.open = None
        elif kind == "message_delta":
            self.message.update(event["delta"])
            self.message.update({key: value for key, value in event.items() if key not in _NOT_OF_THE_MESSAGE})
            self.message["usage"] = {**self.message.get("usage", {}), **_present(event.get("usage") or {})}

    def so_far(self) -> dict[str, Any]:
        """The message as it stands, with what can be read of a tool's input that has not ended."""
        if self.open is not None:
            with contextlib.suppress(ValueError):
                self._end_block(self.open)
        return self.message

    def _add_delta(self, block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        if delta["type"] == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
            return
        for key, value in delta.items():
            if key == "signature" or not isinstance(value, str):
                block[key] = value
            elif key != "type":  # text, thinking, a tool's input and their like come in pieces
                self._pieces.setdefault(key, []).append(value)

    def _end_block(self, index: int) -> None:
        """Put the pieces together; a tool's input that `max_tokens` cut short is read as far as it goes, as the SDK does."""
        block, pieces = self.message["content"][index], self._pieces
        self._pieces = {}
        text = "".join(pieces.pop("partial_json", ()))
        for key, values in pieces.items():
            block[key] = (block.get(key) or "") + "".join(values)
        if text:
            block["input"] = jiter.from_json(text.encode(), partial_mode=True)


def collect(events: bytes) -> Collected:
    """The message that whole events add up to.

    Raises:
        ValueError: an event is no JSON, or stands where it makes no sense.
    """
    collected = Collected()
    try:
        for data in parsed(events):
            collected.add(data)
        collected.so_far()["content"]
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the events of this stream do not make a message") from error
    return collected


def parsed(events: bytes) -> list[dict[str, Any]]:
    """The data of whole events, those without any left out."""
    reader = EventReader()
    _, found = reader.feed(events)
    data = [data_of(event) for event in (*found, reader.rest())]
    return [json.loads(text) for text in data if text]


def merged_usage(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The usage of two attempts that made one answer: numbers are added, of anything else the later counts."""
    merged = {**before, **_present(after)}
    for key, count in _present(after).items():
        earlier = before.get(key)
        if _is_count(count) and _is_count(earlier):
            merged[key] = earlier + count
    return merged


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _present(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in usage.items() if value is not None}
