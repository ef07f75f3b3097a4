"""The message that a stream's events add up to, as the JSON that a call without streaming would have brought.

Events: https://platform.claude.com/docs/en/build-with-claude/streaming#event-types
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import jiter

from .sse import data_of, name_of, split

__all__ = ["Collected", "collect", "merged_usage", "parsed"]

_NOT_OF_THE_MESSAGE = frozenset({"type", "delta", "usage"})
_MAY_BE_NULL = frozenset({"stop_reason", "stop_sequence", "stop_details"})
_WHOLE = frozenset({"signature_delta", "compaction_delta"})


class Collected:
    """A message that grows event by event."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        """The message so far, up to the last block that ended; empty before its `message_start`."""
        self.open: int | None = None
        """The index of the content block that has not ended."""
        self._pieces: dict[int, dict[str, list[str]]] = {}
        """For each block, what its deltas have brought for each of its fields."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event's data into the message."""
        kind = event.get("type")
        if kind == "message_start":
            self.message = {**event["message"], "content": []}
        elif kind == "content_block_start":
            self._start_block(event["index"], event["content_block"])
        elif kind == "content_block_delta":
            self._add_delta(event["index"], event["delta"])
        elif kind == "content_block_stop":
            self._put_together(event["index"])
            self.open = None
        elif kind == "message_delta":
            said = {**event["delta"], **{key: event[key] for key in event if key not in _NOT_OF_THE_MESSAGE}}
            self.message.update({key: said[key] for key in said if said[key] is not None or key in _MAY_BE_NULL})
            self.message["usage"] = {**self.message.get("usage", {}), **_present(event.get("usage") or {})}

    def so_far(self) -> dict[str, Any]:
        """The message as it stands, with what can be read of a tool's input that has not ended."""
        if self.open is not None:
            with contextlib.suppress(ValueError):
                self._put_together(self.open)
        return self.message

    def _start_block(self, index: int, block: Mapping[str, Any]) -> None:
        self.open = index
        self._pieces[index] = {}
        self.message["content"].append(dict(block))
        if block["type"] == "fallback":  # the message is said to be of the model that goes on
            self.message["model"] = block["to"]["model"]

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block, kind = self.message["content"][index], delta["type"]
        if kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
            return
        for key, value in delta.items():
            if key == "type":
                continue
            if kind in _WHOLE or not isinstance(value, str):
                block[key] = value
            else:  # text, thinking, a tool's input and their like come in pieces
                self._pieces[index].setdefault(key, [block.get(key) or ""]).append(value)

    def _put_together(self, index: int) -> None:
        """A tool's input that `max_tokens` cut short is read as far as it goes, as the SDK does."""
        block = self.message["content"][index]
        for key, values in self._pieces[index].items():
            text = "".join(values)
            if key != "partial_json":
                block[key] = text
            elif text:
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
    """The data of events; one without a name or without data says nothing, as to the SDK.

    Raises:
        ValueError: the data of an event is no JSON object.
    """
    read = [json.loads(data) for event in split(events) if name_of(event) and (data := data_of(event))]
    if not all(isinstance(data, dict) for data in read):
        raise ValueError("the data of an event is no object")
    return read


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
