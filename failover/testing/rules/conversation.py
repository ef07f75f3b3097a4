"""What holds for the messages of every request, and what a program that edits a conversation can break.

From https://platform.claude.com/docs/en/build-with-claude/working-with-messages,
https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls,
https://platform.claude.com/docs/en/api/errors#prefill-not-supported,
https://platform.claude.com/docs/en/build-with-claude/extended-thinking and
https://platform.claude.com/docs/en/api/migration-2026-10-21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .binding import binding_violations
from .fields import NEWEST_VERSION
from .models import KnownModel
from .violation import Violation

__all__ = ["conversation_violations"]

_ROLES = ("user", "assistant", "system")
_ONLY_ASSISTANT = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "thinking", "redacted_thinking"})
_SERVER_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
_THINKING = frozenset({"thinking", "redacted_thinking"})
_PREFILLS = frozenset({"text", *_THINKING})


@dataclass(slots=True)
class _Turn:
    """Messages of one role in a row, which the API reads as one."""

    role: str
    last: int
    """The index of its last message."""
    blocks: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Each with the path that errors name it by."""

    def ids(self, kind: str, key: str) -> list[str]:
        return [block[key] for _, block in self.blocks if block.get("type") == kind]


def conversation_violations(
    body: Mapping[str, Any], model: KnownModel | None, version: str = NEWEST_VERSION
) -> Iterator[Violation]:
    """All that is wrong with the messages and the system prompt; `None` for a model means: for any model."""
    for block in body.get("system") or () if not isinstance(body.get("system"), str) else ():
        yield from _words("system", block)
    turns = list(_turns(body["messages"]))
    for index, message in enumerate(body["messages"]):
        yield from _message(index, message, last=index == len(body["messages"]) - 1, version=version)
    if turns and turns[0].role == "assistant" and turns[0].blocks[:1] and not _is_summary(turns[0]):
        yield Violation('messages: first message must use the "user" role')
    yield from _calls(turns)
    yield from _server_calls(turns)
    yield from binding_violations(body, model)
    if model is not None and (body.get("thinking") or {}).get("type") == "enabled":
        yield from _thought_before(turns)
    roles = [message.get("role") for message in body.get("messages") or ()]
    if model is not None and not model.system_messages and "system" in roles:
        yield Violation(f"messages.{roles.index('system')}: role 'system' is not supported on this model")
    prefilled = turns and turns[-1].role == "assistant" and _is_prefill(turns[-1])
    if prefilled and model is not None and not model.prefill and body.get("fallback_credit_token") is None:
        yield Violation(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _blocks(content: Any) -> list[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


def _turns(messages: list[Mapping[str, Any]]) -> Iterator[_Turn]:
    turn: _Turn | None = None
    for index, message in enumerate(messages):
        if message.get("role") == "system":
            continue  # it may stand anywhere, even between a call and its result
        if turn is None or turn.role != message.get("role"):
            if turn is not None:
                yield turn
            turn = _Turn(str(message.get("role")), index)
        turn.last = index
        turn.blocks += [
            (f"messages.{index}.content.{inner}", block) for inner, block in enumerate(_blocks(message.get("content")))
        ]
    if turn is not None:
        yield turn


def _is_summary(turn: _Turn) -> bool:
    """A compaction stands first, in place of the messages that it sums up."""
    return turn.blocks[0][1].get("type") == "compaction"


def _is_prefill(turn: _Turn) -> bool:
    """Whether the model is to go on with these words; a turn that ends in a server's tool was only paused."""
    return bool(turn.blocks) and turn.blocks[-1][1].get("type") in _PREFILLS


def _thought_before(turns: list[_Turn]) -> Iterator[Violation]:
    """With manual thinking, the turn that is to go on begins with its thinking."""
    asked = [
        index for index, turn in enumerate(turns) if turn.role == "user" and not turn.ids("tool_result", "tool_use_id")
    ]
    going_on = turns[asked[-1] + 1 :] if asked else turns
    if not going_on or not going_on[0].blocks:
        return
    where, block = going_on[0].blocks[0]
    if going_on[0].role == "assistant" and block.get("type") not in _THINKING:
        yield Violation(
            f"{where}.type: Expected `thinking` or `redacted_thinking`, but found `{block.get('type')}`. "
            "When `thinking` is enabled, a final `assistant` message must start with a thinking block "
            "(preceding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def _message(index: int, message: Mapping[str, Any], *, last: bool, version: str) -> Iterator[Violation]:
    role = message.get("role")
    if role not in _ROLES:
        yield Violation(f"messages.{index}.role: Input should be 'user' or 'assistant'")
    if not message.get("content") and not (last and role == "assistant"):
        yield Violation(
            f"messages.{index}: all messages must have non-empty content except for the optional final assistant message"
        )
        return
    results_over = False
    for inner, block in enumerate(_blocks(message.get("content"))):
        where = f"messages.{index}.content.{inner}"
        kind = str(block.get("type"))
        if kind in _ONLY_ASSISTANT and role != "assistant":
            yield Violation(f"{where}: `{kind}` blocks can only be in `assistant` messages")
        if kind == "tool_result" and role == "assistant":
            yield Violation(f"{where}: `tool_result` blocks can only be in `user` messages")
        if kind == "tool_result" and results_over:
            yield Violation(f"{where}: `tool_result` blocks must come first in the content of a message")
        results_over = results_over or kind != "tool_result"
        yield from _words("messages", block)
        if kind == "tool_result" and isinstance(block.get("content"), list):
            for part in block["content"]:
                yield from _words(f"{where}.tool_result.content", part)
        if version >= NEWEST_VERSION:
            yield from _removed(where, role, block)


def _words(where: str, block: Mapping[str, Any]) -> Iterator[Violation]:
    if block.get("type") != "text":
        return
    if not block["text"]:
        yield Violation(f"{where}: text content blocks must be non-empty")
    elif not block["text"].strip():
        yield Violation(f"{where}: text content blocks must contain non-whitespace text")


def _removed(where: str, role: object, block: Mapping[str, Any]) -> Iterator[Violation]:
    """What API version 2026-10-21 no longer takes."""
    if role == "assistant" and block.get("type") == "document":
        yield Violation(f"{where}: `document` blocks can only be in `user` messages")
    if role == "user" and block.get("type") == "text" and block.get("citations"):
        yield Violation(f"{where}.text.citations: Extra inputs are not permitted")


def _calls(turns: list[_Turn]) -> Iterator[Violation]:
    """Every call has its result in the next message, and every result its call in the one before."""
    seen: set[str] = set()
    for index, turn in enumerate(turns):
        called = turn.ids("tool_use", "id")
        if len(set(called)) < len(called) or seen & set(called):
            yield Violation("messages: `tool_use` ids must be unique")
        seen |= set(called)
        answered = turns[index + 1].ids("tool_result", "tool_use_id") if index + 1 < len(turns) else []
        missing = [name for name in called if name not in answered]
        if missing:
            yield Violation(
                f"messages.{turn.last}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        before = turns[index - 1].ids("tool_use", "id") if index else []
        yield from _results(turn, before)


def _results(turn: _Turn, called: list[str]) -> Iterator[Violation]:
    left = list(called)
    for where, block in turn.blocks:
        if block.get("type") != "tool_result" or turn.role != "user":
            continue
        name = block["tool_use_id"]
        if name in left:
            left.remove(name)
        elif name in called:
            yield Violation(f"{where}: each tool_use must have a single result. Found multiple for id: {name}")
        else:
            yield Violation(
                f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )


def _server_calls(turns: list[_Turn]) -> Iterator[Violation]:
    """The same for tools that the API runs itself; those of the latest turn may still be running."""
    answers = [turn for turn in turns if turn.role == "assistant"]
    open_calls: dict[str, str] = {}
    for turn in answers:
        if turn is answers[-1]:
            still_open = dict(open_calls)
        for where, block in turn.blocks:
            kind = str(block.get("type"))
            if kind in _SERVER_CALLS:
                open_calls[block["id"]] = where
            elif kind.endswith("tool_result"):
                if block["tool_use_id"] not in open_calls:
                    yield Violation(
                        f"{where}: unexpected `tool_use_id` found in `{kind}` blocks: {block['tool_use_id']}"
                    )
                open_calls.pop(block["tool_use_id"], None)
    for name in open_calls.keys() & still_open.keys() if answers else ():
        yield Violation(f"{open_calls[name]}: `{name}` was found without its result block")
