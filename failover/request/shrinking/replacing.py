"""Steps that put a short note where something large was: old results of tools, old images and documents."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from failover.policy.shrinking import ClearToolResults, DropImages
from failover.request.size import tokens_of_block

from .cut import Body, Cut, blocks_of, is_a, messages_of, note, with_content
from .settling import settled

__all__ = ["clearing", "unpicturing"]

_SOURCES = ("document", "search_result")
_CLEARED = "[Old result removed to make the prompt smaller]"
_Place: TypeAlias = tuple[int, ...]
"""The index of a message, of a block in it, and of a block inside that one's content."""


def clearing(body: Body, rule: ClearToolResults) -> Cut:
    """The results of tools that could be cleared, the oldest first."""
    messages = messages_of(body)
    results = [
        (index, at)
        for index, message in enumerate(messages)
        for at, block in enumerate(blocks_of(message))
        if is_a(block, "tool_result")
    ]
    old = results[: max(0, len(results) - rule.keep)]
    worth = [place for place in old if _can_be_cleared(_at(messages, place))]
    return Cut(len(worth), lambda count: _replaced(body, worth[:count]), "result")


def unpicturing(body: Body, rule: DropImages) -> Cut:
    """The images and documents that could go, the oldest first."""
    messages = messages_of(body)
    pictures = [
        place
        for index, message in enumerate(messages)
        for at, block in enumerate(blocks_of(message))
        for place in _pictures((index, at), block)
    ]
    old = pictures[: max(0, len(pictures) - rule.keep)]
    worth = [place for place in old if _saves(_at(messages, place))]
    return Cut(len(worth), lambda count: _replaced(body, worth[:count]), "image or document")


def _pictures(place: _Place, block: Any) -> list[_Place]:
    if is_a(block, "image", "document"):
        return [place]
    if not is_a(block, "tool_result"):
        return []
    return [(*place, at) for at, inner in enumerate(blocks_of(block)) if is_a(inner, "image", "document")]


def _can_be_cleared(result: Mapping[str, Any]) -> bool:
    """Not if it is small; nor if it names tools, for by that they became callable."""
    return not any(is_a(inner, "tool_reference") for inner in blocks_of(result)) and _saves(result)


def _saves(block: Mapping[str, Any]) -> bool:
    return tokens_of_block(_instead_of(block)) < tokens_of_block(block)


def _instead_of(block: Mapping[str, Any]) -> dict[str, Any]:
    if is_a(block, "tool_result"):
        return with_content(block, _CLEARED)
    return note("Image" if is_a(block, "image") else "Document")


def _at(messages: Sequence[Any], place: _Place) -> Any:
    block = messages[place[0]]
    for at in place[1:]:
        block = blocks_of(block)[at]
    return block


def _replaced(body: Body, places: Sequence[_Place]) -> Body:
    if not places:
        return body
    messages = messages_of(body)
    gone = [_at(messages, place) for place in places]
    inside: dict[int, list[_Place]] = {}
    for place in places:
        inside.setdefault(place[0], []).append(place[1:])
    changed = [
        _with_notes(message, inside[index]) if index in inside else message for index, message in enumerate(messages)
    ]
    return settled(
        {**body, "messages": changed},
        places[0][0] + 1,
        places[-1][0] + 1,
        sources_gone=any(is_a(block, *_SOURCES) for one in gone for block in (one, *blocks_of(one))),
    )


def _with_notes(holder: Mapping[str, Any], places: Collection[_Place]) -> dict[str, Any]:
    """A message, or a result in it, with notes in some places."""
    content = blocks_of(holder)
    for at in {place[0] for place in places}:
        deeper = [place[1:] for place in places if place[0] == at and len(place) > 1]
        content[at] = _with_notes(content[at], deeper) if deeper else _instead_of(content[at])
    return with_content(holder, content)
