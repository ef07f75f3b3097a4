"""The step that drops the oldest turns: where a conversation can be cut, and what must stay.

A turn is what a user says with all that follows until a user speaks again. In the last turn, which a model is in the
middle of, every round of calls and their results counts as one: the long loop of an agent is a single turn, and could
not be shortened otherwise. No cut is made while a call waits for its result, whoever runs the tool.

What stays may have two user messages in a row; the API reads them as one
(https://platform.claude.com/docs/en/api/messages/create: "Consecutive `user` or `assistant` turns in your request
will be combined into a single turn"). A `system` message among the messages must stand before one of the assistant's,
so it goes with that one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from failover.policy.shrinking import DropTurns

from .cut import Body, Cut, blocks_of, is_a, messages_of, role_of
from .settling import latest_compaction, settled

__all__ = ["dropping_turns"]

_SOURCES = ("document", "search_result")
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_SETS_TOOLS = ("tool_addition", "tool_removal", "tool_reference", "mcp_tool_listing")
"""Blocks by which tools come and go: what is called later may be there only by them."""


def dropping_turns(body: Body, rule: DropTurns) -> Cut:
    """The turns that could go, the oldest first."""
    messages = messages_of(body)
    droppable = _droppable(messages, rule)

    def after(count: int) -> Body:
        gone = droppable[:count]
        if not gone:
            return body
        indexes = {index for turn in gone for index in turn}
        kept = [message for index, message in enumerate(messages) if index not in indexes]
        left_before_the_end = sum(index not in indexes for index in range(gone[-1].stop))
        return settled(
            {**body, "messages": kept},
            gone[0].start,
            max(1, left_before_the_end),
            sources_gone=any(_has_source(messages[index]) for index in indexes),
        )

    return Cut(len(droppable), after, "turn")


def _droppable(messages: Sequence[Any], rule: DropTurns) -> list[range]:
    if not messages:
        return []
    latest, turns = _turns(messages, split_first=rule.keep_first)
    fixed = {0} if rule.keep_first else set()
    if turns[-1].start != latest:
        fixed.add(latest)
    loose = [turn for turn in turns if turn.start not in fixed]
    summary = latest_compaction(messages)
    old = {turn.start for turn in loose[: max(0, len(loose) - rule.keep_last)]}
    if summary is not None:  # the API reads nothing of what stands before it
        old |= {turn.start for turn in loose if turn.stop <= summary}
    return [turn for turn in loose if turn.start in old and summary not in turn and not _must_stay(messages, turn)]


def _turns(messages: Sequence[Any], *, split_first: bool) -> tuple[int, list[range]]:
    """Where the last turn begins, and all turns, those of the last one by rounds; a first message may stand alone."""
    waiting: set[Any] = set()
    before: str | None = "assistant"
    speaks: list[int] = []
    answers: list[int] = []
    for index, message in enumerate(messages):
        role = role_of(message)
        if not waiting and role == "user" and before == "assistant":
            speaks.append(index)
        elif not waiting and role == "assistant" and before == "user":
            answers.append(index)
        for block in blocks_of(message):
            if is_a(block, *_CALLS):
                waiting.add(block.get("id"))
            else:
                waiting.discard(_answered(block))
        before = role if role in ("user", "assistant") else before
    latest = speaks[-1] if speaks else 0
    starts = {0, *speaks, *(index for index in answers if index > latest)}
    if split_first:
        starts.add(next((index for index, message in enumerate(messages) if role_of(message) != "user"), 0))
    ordered = [*sorted(starts), len(messages)]
    return latest, [range(start, stop) for start, stop in itertools.pairwise(ordered)]


def _answered(block: Any) -> Any:
    return block.get("tool_use_id") if isinstance(block, Mapping) else None


def _has_source(message: Any) -> bool:
    blocks = blocks_of(message)
    return any(is_a(inner, *_SOURCES) for block in blocks for inner in (block, *blocks_of(block)))


def _must_stay(messages: Sequence[Any], turn: range) -> bool:
    """A turn by which tools or the effort were changed for what follows."""
    if any(isinstance(messages[index], Mapping) and "output_config" in messages[index] for index in turn):
        return True
    blocks = [block for index in turn for block in blocks_of(messages[index])]
    return any(is_a(inner, *_SETS_TOOLS) for block in blocks for inner in (block, *blocks_of(block)))
