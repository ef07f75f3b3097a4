"""What all steps work with: how messages are read, and what a step offers to take away.

Bodies come from callers and are only read as far as they are understood; what is not is left alone, for the API says
better what is wrong with it. Nothing is ever changed in place, and what stays is the very same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

__all__ = ["THINKING", "Body", "Cut", "blocks_of", "is_a", "messages_of", "note", "role_of", "with_content"]

Body: TypeAlias = dict[str, Any]

THINKING = ("thinking", "redacted_thinking")


class Cut(NamedTuple):
    """What a step could take away from a body, and what would be left."""

    most: int
    """How many things it could take."""
    after: Callable[[int], Body]
    """The body without the first so many of them."""
    noun: str
    """What one of them is called."""


def messages_of(body: Mapping[str, Any]) -> list[Any]:
    """The messages, as far as there are any."""
    messages = body.get("messages")
    return messages if isinstance(messages, list) else []


def role_of(message: Any) -> str | None:
    """Who speaks."""
    return message.get("role") if isinstance(message, Mapping) else None


def blocks_of(message: Any) -> list[Any]:
    """The content blocks of a message or of a tool's result; none if its content is plain text."""
    content = message.get("content") if isinstance(message, Mapping) else None
    return list(content) if isinstance(content, (list, tuple)) else []


def is_a(block: Any, *kinds: str) -> bool:
    """Whether a content block is of one of these types."""
    return isinstance(block, Mapping) and block.get("type") in kinds


def with_content(holder: Mapping[str, Any], content: Any) -> dict[str, Any]:
    """A message or a tool's result with another content."""
    return {**holder, "content": content}


def note(what: str) -> dict[str, Any]:
    """What stands where something was taken away, so that the model does not wonder."""
    return {"type": "text", "text": f"[{what} removed to make the prompt smaller]"}
