"""What a request says of the answer's form: how it begins, which tool is called, how it is sampled.

These carry meaning. Where the target does not take them, a strict fit says so; one that adapts asks in words instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .draft import Draft, blocks_of

__all__ = ["citations", "forced_tool", "images", "pdfs", "prefill", "sampling", "structured_output"]

_WORDS = ("text", "thinking", "redacted_thinking")
_SAMPLING = ("temperature", "top_p", "top_k")


def sampling(draft: Draft) -> str | None:
    """`temperature`, `top_p` and `top_k` go (https://platform.claude.com/docs/en/api/migration-2026-10-21)."""
    if draft.model is not None and draft.model.sampling is False:
        for name in _SAMPLING:
            if draft.get(name) is not None and not draft.pins(name):
                draft.drop(name, "not taken")
    return None


def prefill(draft: Draft) -> str | None:
    """The beginning of the answer, given as a last message of the assistant, is taken up to Claude 4.5 only
    (https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery).
    """
    if draft.model is None or draft.model.prefill is not False:
        return None
    index, last = draft.last_turn() or (0, {})
    beginning = _beginning(last)
    if beginning is None:
        return None
    before = draft.body["messages"]
    draft.body["messages"] = [*before[:index], *before[index + 1 :]]
    if isinstance(beginning, str) and not beginning.strip():
        draft.changes.append("prefill: dropped, it says nothing")
        return None
    asked = f"Begin your answer with exactly this text, and go on from there:\n\n{beginning}"
    if draft.adapts and isinstance(beginning, str) and draft.instruct(asked):
        draft.changes.append("prefill: the beginning of the answer -> an instruction")
        return None
    draft.body["messages"] = before
    return "prefill: a beginning of the answer is not taken"


def _beginning(message: Mapping[str, Any]) -> str | list[Any] | None:
    """What a last message of the assistant gives as the beginning of the answer: words, or blocks if they are not all
    words; `None` if it is none. One that ends in what the API's own tools did is a turn that was paused.
    """
    content = message.get("content")
    if message.get("role") != "assistant" or isinstance(content, str):
        return content if message.get("role") == "assistant" else None
    if not isinstance(content, list):
        return None
    if not content:
        return ""
    texts = [_text(block) for block in content]
    if all(text is not None for text in texts):
        return "".join(text for text in texts if text is not None)
    last = content[-1]
    return content if isinstance(last, Mapping) and last.get("type") in _WORDS else None


def _text(block: Any) -> str | None:
    said = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
    return said if isinstance(said, str) else None


def system_messages(draft: Draft) -> str | None:
    """Messages of the system among the others, which older models do not take
    (https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages).
    """
    if draft.model is None or draft.model.system_messages is not False:
        return None
    messages = draft.body.get("messages")
    roles = (
        [message.get("role") for message in messages if isinstance(message, Mapping)]
        if isinstance(messages, list)
        else ()
    )
    return "system_message: one among the messages is not taken" if "system" in roles else None


def forced_tool(draft: Draft) -> str | None:
    """A tool that must be called: some models take only `auto` and `none`
    (https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools#forcing-tool-use).
    """
    choice = draft.get("tool_choice")
    kind = draft.get("tool_choice", "type")
    if draft.model is None or draft.model.forced_tool_choice is not False or kind not in ("any", "tool"):
        return None
    if draft.pins("tool_choice"):
        return None
    which = f"the tool `{choice.get('name')}`" if kind == "tool" else "one of the tools"
    if draft.adapts and draft.instruct(f"You must call {which} now. Do not answer in any other way."):
        kept = {key: value for key, value in choice.items() if key not in ("type", "name")}
        draft.put("tool_choice", {"type": "auto", **kept}, f"tool_choice: {kind} -> auto and an instruction")
        return None
    return f"tool_choice: {kind} is not taken"


def structured_output(draft: Draft) -> str | None:
    """An answer after a schema, and tools whose calls keep to theirs
    (https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
    """
    if draft.model is None or draft.model.structured_outputs is not False:
        return None
    tools = None if draft.pins("tools") else draft.get("tools")
    strict = isinstance(tools, list) and any(isinstance(tool, Mapping) and tool.get("strict") for tool in tools)
    form = None if draft.pins("output_config", "format") else draft.get("output_config", "format")
    alias = None if draft.pins("output_format") else draft.get("output_format")
    return "structured_output: not taken" if form or alias or strict else None


def images(draft: Draft) -> str | None:
    """https://platform.claude.com/docs/en/build-with-claude/vision."""
    if draft.model is None or draft.model.images is not False:
        return None
    return "image: not taken" if any(block.get("type") == "image" for block in blocks_of(draft.body)) else None


def pdfs(draft: Draft) -> str | None:
    """https://platform.claude.com/docs/en/build-with-claude/pdf-support."""
    if draft.model is None or draft.model.pdfs is not False:
        return None
    for block in blocks_of(draft.body):
        source = block.get("source")
        if block.get("type") == "document" and isinstance(source, Mapping) and source.get("type") in ("base64", "url"):
            return "pdf: not taken"
    return None


def citations(draft: Draft) -> str | None:
    """https://platform.claude.com/docs/en/build-with-claude/citations."""
    if draft.model is None or draft.model.citations is not False:
        return None
    for block in blocks_of(draft.body):
        asked = block.get("citations")
        if isinstance(asked, Mapping) and asked.get("enabled"):
            return "citations: not taken"
    return None
