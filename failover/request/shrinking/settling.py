"""What must follow when an earlier part of a prompt was changed: thinking and citations that hung on it.

A thinking block is valid only after the very `system`, `tools` and messages after which it was made. Models from
Claude Fable 5.1 on check that, for accounts made since 31 August 2026, and refuse the request with a 400
(https://platform.claude.com/docs/en/build-with-claude/preserved-thinking#what-counts-as-an-edit). Of the ways out
that the documentation names, this is the one that needs neither a beta header, which is not the body's, nor an
account of a certain age: all thinking after the change goes. What is left is an unbroken run from the beginning,
which is valid; a gap would not be.

That includes the latest assistant message. Its thinking "cannot be modified", which means that it may not be changed,
moved or left out in part; left out whole, in that message and in all others after the change, it is what the
documentation advises after that 400 (https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting).
With adaptive thinking no assistant turn needs to begin with a thinking block. The model loses its reasoning for the
calls whose results it is about to read, and that is the price: the alternative is that the tool loop of an agent,
whose latest message nearly always has thinking, could never be shrunk at all.

Manual thinking (`thinking.type: enabled`) is the other way round. It demands that an assistant's turn with tool calls
still begins with its thinking, and only models that make no such check take it: there the open turn keeps its own.

With compaction by the API the checked part begins at the latest compaction block, and nothing before it is read:
when all changes are before it, the thinking after it stays and all before it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .cut import THINKING, Body, blocks_of, is_a, messages_of, note, role_of, with_content

__all__ = ["is_compaction", "latest_compaction", "settled", "thinking_blocks"]

_OF_A_SOURCE = ("char_location", "page_location", "content_block_location", "search_result_location")
"""Citations by the place of a document or search result among all of them, which moves when one goes."""
_NOT_RENDERED = "fallback"


def settled(body: Body, first: int, last: int, *, sources_gone: bool = False) -> Body:
    """The body without what was valid only before it was changed.

    Args:
        body: after the change.
        first: the first message that may have been made after something that is gone; 0 for the system prompt.
        last: the last place of a change: no message from there on was changed itself.
        sources_gone: whether a document or a search result went, which later text may cite.
    """
    messages = messages_of(body)
    begin, end = first, len(messages)
    summary = latest_compaction(messages)
    only_before_it = summary is not None and 0 < last <= summary
    if summary is not None and only_before_it:
        begin, end = 0, summary + 1
    if _is_manual(body):
        end = min(end, _open_turn(messages))
    result = []
    for index, message in enumerate(messages):
        after = message
        if role_of(message) == "assistant":
            if begin <= index < end:
                after = _without_thinking(message, up_to_summary=only_before_it and index == summary)
            if sources_gone and index >= first:
                after = _without_citations(after)
        result.append(after)
    return {**body, "messages": result}


def thinking_blocks(body: Mapping[str, Any]) -> int:
    """How many there are."""
    return sum(is_a(block, *THINKING) for message in messages_of(body) for block in blocks_of(message))


def is_compaction(block: Any) -> bool:
    """Whether a block holds a summary; one without content is of a compaction that failed, and stands for nothing."""
    return is_a(block, "compaction") and block.get("content") is not None


def latest_compaction(messages: Sequence[Any]) -> int | None:
    """The index of the last message with a summary of what stands before it."""
    holding = (index for index in reversed(range(len(messages))) if any(map(is_compaction, blocks_of(messages[index]))))
    return next(holding, None)


def _is_manual(body: Mapping[str, Any]) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("type") == "enabled"


def _open_turn(messages: list[Any]) -> int:
    """Where the turn begins that the model is to go on with: after the last words of a user that answer no call."""
    for index in reversed(range(len(messages))):
        if role_of(messages[index]) == "user" and not any(
            is_a(block, "tool_result") for block in blocks_of(messages[index])
        ):
            return index
    return 0


def _without_thinking(message: Mapping[str, Any], *, up_to_summary: bool) -> Mapping[str, Any]:
    blocks = blocks_of(message)
    until = len(blocks)
    if up_to_summary:
        until = max(at for at, block in enumerate(blocks) if is_compaction(block))
    kept = [block for at, block in enumerate(blocks) if at >= until or not is_a(block, *THINKING)]
    if len(kept) == len(blocks):
        return message
    if all(is_a(block, _NOT_RENDERED) for block in kept):
        kept.append(note("Thinking"))  # no message may be empty
    return with_content(message, kept)


def _without_citations(message: Mapping[str, Any]) -> Mapping[str, Any]:
    blocks = blocks_of(message)
    kept = [_without_citations_of_sources(block) for block in blocks]
    changed = any(after is not before for after, before in zip(kept, blocks, strict=True))
    return with_content(message, kept) if changed else message


def _without_citations_of_sources(block: Any) -> Any:
    citations = block.get("citations") if is_a(block, "text") else None
    if not isinstance(citations, (list, tuple)) or not any(is_a(cited, *_OF_A_SOURCE) for cited in citations):
        return block
    others = [cited for cited in citations if not is_a(cited, *_OF_A_SOURCE)]
    bare = {key: value for key, value in block.items() if key != "citations"}
    return {**bare, "citations": others} if others else bare
