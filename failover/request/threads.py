"""Turns of message threads that another model answered, marked as the API marks them, so that the SDK keeps no wrong idea.

The requested model's thread does not hold such a turn. The SDK's helper begins a new thread after an answer whose
`usage.iterations` says that a fallback model gave it
(https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback); without that word it would continue a
thread that nobody has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from anthropic import APIRequest

from failover.stream.message import parsed
from failover.stream.sse import event, split

from .body import is_bound_to_its_model
from .cargo import sent_by_a_thread

__all__ = ["Mark", "Replay", "marked"]

_MARK = "fallback_message"
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def marked(usage: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The usage of an answer that says that this model gave it, which is not the one that was asked."""
    iterations = list(usage.get("iterations") or ())
    last = max((at for at, one in enumerate(iterations) if one.get("type") == "message"), default=None)
    if last is not None:
        iterations[last] = {**iterations[last], "type": _MARK, "model": model}
    elif not any(one.get("type") == _MARK for one in iterations):
        counts = {name: usage.get(name) or 0 for name in _COUNTS}
        iterations.append({"type": _MARK, "model": model, **counts})
    return {**usage, "iterations": iterations}


class Mark:
    """Marks a stream: its last word about usage stands in its `message_delta`."""

    def __init__(self, model: str, *, elsewhere: bool) -> None:
        """Begin.

        Args:
            model: who answers.
            elsewhere: whether another client sent the request: the container that it names is of that one's workspace.
        """
        self._model = model
        self._elsewhere = elsewhere
        self._usage: dict[str, Any] = {}

    def rewrite(self, events: bytes) -> bytes:
        """Whole events as the caller gets them; what cannot be read passes as it is."""
        if b"message_start" not in events and b"message_delta" not in events:
            return events
        return b"".join(map(self._rewritten, split(events)))

    def _rewritten(self, said: bytes) -> bytes:
        try:
            for data in parsed(said):
                if data["type"] == "message_start":
                    self._usage = data["message"].get("usage") or {}
                    if self._elsewhere and data["message"].get("container"):
                        return event({**data, "message": {**data["message"], "container": None}})
                elif data["type"] == "message_delta":
                    known = {key: count for key, count in (data.get("usage") or {}).items() if count is not None}
                    iterations = marked({**self._usage, **known}, self._model)["iterations"]
                    delta = {**data["delta"], "container": None} if self._elsewhere else data["delta"]
                    usage = {**(data.get("usage") or {}), "iterations": iterations}
                    return event({**data, "delta": delta, "usage": usage})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # the SDK will say what it thinks of it
        return said


_expected: ContextVar[tuple[str, float] | None] = ContextVar("failover_replay", default=None)
"""The model of a turn that was sent back, and when that turn is to be over."""


class Replay:
    """The call with which the SDK's helper sends its whole conversation, at once and in the same context, after it was
    told to: to whoever waits, both are one call with one deadline.
    """

    @staticmethod
    def expect(model: str, deadline: float) -> None:
        """A turn is being sent back."""
        _expected.set((model, deadline))

    @staticmethod
    def taken(request: APIRequest, body: Mapping[str, Any], now: float) -> float | None:
        """When this call is to be over, if it is the replay of the one before it; of one that never came nothing is left
        once its time is over.
        """
        expected = _expected.get()
        if expected is None:
            return None
        _expected.set(None)
        model, deadline = expected
        replays = not is_bound_to_its_model(body) and body["model"] == model and sent_by_a_thread(request)
        return deadline if replays and deadline > now else None
