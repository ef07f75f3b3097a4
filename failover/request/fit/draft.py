"""A request on its way to another model: what the rules read, and the few ways in which they may change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from failover.policy.model import Rung
from failover.request.body import patched
from failover.request.catalogue import Model

__all__ = ["Destination", "Draft", "blocks_of"]

_API = frozenset({"anthropic", "aws"})
"""Platforms that serve the whole API of the Claude Platform."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a rung sends to, and what is known of its model."""

    rung: Rung
    model: Model | None = None
    """What the catalogue says; `None` if it does not know the model."""
    platform: str | None = "anthropic"
    """Whose API it is; `None` if that cannot be told."""
    own_client: bool = True
    """Whether it is the caller's own client, and so the same workspace."""
    reads_events: bool = True
    """Whether its streams are of server-sent events."""

    @property
    def whole_api(self) -> bool:
        """Whether nothing of the API is known to be missing there. What the caller uses on its own client, that one has."""
        return self.own_client or self.platform is None or self.platform in _API


@dataclass(slots=True)
class Draft:
    """The body for a rung, with what was changed in it. Its containers are shared with the caller's body until a rule
    puts others in their place.
    """

    body: dict[str, Any]
    to: Destination
    asked: Model | None
    """The model that the caller asked for, as far as it is known."""
    betas: tuple[str, ...]
    """What the `anthropic-beta` header names."""
    adapts: bool
    """Whether what carries meaning may be put in other words."""
    tokens: int
    """About how many the prompt has."""
    threads: bool = False
    """Whether the SDK's helper for threads made the request, which can send the whole conversation again."""
    counted: bool = False
    """Whether `tokens` is the API's own count."""
    counts: bool = False
    """Whether `tokens` may be counted by the API where it is a close call."""
    changes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, body: dict[str, Any], to: Destination, **known: Any) -> Draft:
        """The draft that a rung's own patch makes of a body."""
        return cls(body=patched(body, to.rung), to=to, **known)

    @property
    def model(self) -> Model | None:
        """What is known of the model that it goes to."""
        return self.to.model

    @property
    def elsewhere(self) -> bool:
        """Whether it goes to another client than the caller's, which knows nothing of the caller's workspace."""
        return not self.to.own_client

    def pins(self, name: str, inner: str | None = None) -> bool:
        """Whether the rung's `set` says what this field is: its word is the last."""
        value = self.to.rung.set.get(name, _ABSENT)
        if inner is None or not isinstance(value, Mapping):
            return value is not _ABSENT
        return inner in value

    def get(self, name: str, inner: str | None = None) -> Any:
        """A field's value, or that of a field in it; `None` if there is none, or it was not the kind of value it must be."""
        value = self.body.get(name)
        if inner is None:
            return value
        return value.get(inner) if isinstance(value, Mapping) else None

    def number(self, name: str, inner: str | None = None) -> int | None:
        """The same, if it is a whole number."""
        value = self.get(name, inner)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def put(self, name: str, value: Any, change: str) -> None:
        """Give a field another value."""
        self.body[name] = value
        self.changes.append(change)

    def put_inner(self, name: str, inner: str, value: Any, change: str) -> None:
        """Give a field in a field another value; `None` drops it, and the outer one should it be left empty."""
        outer = {**(self.body.get(name) or {}), inner: value}
        if value is None:
            del outer[inner]
        if outer:
            self.body[name] = outer
        else:
            del self.body[name]
        self.changes.append(change)

    def drop(self, name: str, why: str) -> None:
        """Leave a field out."""
        del self.body[name]
        self.changes.append(f"{name}: dropped, {why}")

    def put_edits(self, kept: list[Any], why: str) -> None:
        """Leave edits of the context out."""
        gone = len(self.get("context_management", "edits")) - len(kept)
        self.put_inner("context_management", "edits", kept or None, f"context_management: {gone} edits dropped, {why}")

    def drop_betas(self, *beginnings: str) -> None:
        """Leave betas out of the header, with what they are for."""
        self.betas = tuple(beta for beta in self.betas if not beta.startswith(beginnings))

    def last_turn(self) -> tuple[int, Mapping[str, Any]] | None:
        """The last message that is the user's or the assistant's, and its index."""
        messages = self.body.get("messages")
        if isinstance(messages, list):
            for index in range(len(messages) - 1, -1, -1):
                message = messages[index]
                if not isinstance(message, Mapping):
                    break
                if message.get("role") != "system":
                    return index, message
        return None

    def instruct(self, text: str) -> bool:
        """Add a text to the end of the last message, if that is the user's; whether it is.

        Nothing before it changes, which the API may have bound to the thinking that followed it
        (https://platform.claude.com/docs/en/build-with-claude/preserved-thinking).
        """
        index, last = self.last_turn() or (0, {})
        content = last.get("content")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        if last.get("role") != "user" or not isinstance(content, list):
            return False
        messages = self.body["messages"]
        said = {**last, "content": [*content, {"type": "text", "text": text}]}
        self.body["messages"] = [*messages[:index], said, *messages[index + 1 :]]
        return True


_ABSENT = object()
_MAPPING = (dict, Mapping)  # asking for the first is much quicker


def blocks_of(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All content blocks of the messages, those in tool results and in documents too."""
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        yield from _blocks(message.get("content") if isinstance(message, _MAPPING) else None)


def _blocks(content: Any) -> Iterator[Mapping[str, Any]]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, _MAPPING):
            yield block
            if block.get("type") == "tool_result":
                yield from _blocks(block.get("content"))
            source = block.get("source")
            if isinstance(source, _MAPPING) and source.get("type") == "content":
                yield from _blocks(source.get("content"))
