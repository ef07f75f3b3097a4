"""Message threads: conversations that the fake API holds, so that a request brings only what is new.

As https://platform.claude.com/docs/en/build-with-claude/message-threads has it: a thread goes on from its last
answer, with the model that gave it, and from each answer once. Threads here do not expire.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .rules import Violation, known_model

__all__ = ["ThreadRefusedError", "Threads"]

_CREATE_ONLY = ("system", "tools")


class ThreadRefusedError(Exception):
    """The thread cannot go on so."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation


@dataclass(slots=True)
class _Held:
    """A conversation up to one answer."""

    model: object
    fields: dict[str, Any]
    """What the thread was created with and keeps."""
    messages: list[Any]
    continued: bool = False


class Threads:
    """All threads of one fake API. Threads of execution may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def whole(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request as if it had brought the whole conversation; one that continues no thread is that already.

        Raises:
            ThreadRefusedError: it continues a thread that there is not, or not in that way.
        """
        previous = _previous(body)
        if previous is None:
            return dict(body)
        with self._lock:
            held = self._held.get(previous)
            if held is None or held.model != _same_name(body["model"]):
                raise ThreadRefusedError(_not_found(previous))
            if held.continued:
                words = f"thread: `{previous}` was already continued. Each response can be continued only once."
                raise ThreadRefusedError(Violation(words, error_code="thread_already_continued"))
            for name in _CREATE_ONLY:
                if body.get(name) is not None:
                    raise ThreadRefusedError(Violation(f"{name}: cannot be set when a thread is continued"))
            return {**body, **held.fields, "messages": [*held.messages, *body["messages"]]}

    def keep(self, body: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        """Hold a conversation that was answered, if its request wants that; `body` is the whole of it."""
        if body.get("thread") is None:
            return
        previous = _previous(body)
        answer = {"role": "assistant", "content": message["content"]}
        fields = {name: body[name] for name in _CREATE_ONLY if body.get(name) is not None}
        with self._lock:
            if previous is not None and previous in self._held:
                self._held[previous].continued = True
            self._held[message["id"]] = _Held(_same_name(body["model"]), fields, [*body["messages"], answer])


def _previous(body: Mapping[str, Any]) -> str | None:
    thread = body.get("thread") or {}
    return str(thread["previous_message_id"]) if thread.get("type") == "continue" else None


def _same_name(model: object) -> object:
    known = known_model(model)
    return model if known is None else known.id


def _not_found(previous: str) -> Violation:
    return Violation(
        f"thread: no thread to continue from `{previous}`. Create a new one with the whole conversation.",
        status=404,
        error_type="not_found_error",
        error_code="thread_not_found",
    )
