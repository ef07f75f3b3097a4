"""What a model says in the fake API, as a message and as the events of a stream.

It reads no prompt. What a reply is made of follows from the request's fields alone: `thinking`, `tools`,
`tool_choice` and `output_config`. Shapes follow https://platform.claude.com/docs/en/api/messages and
https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from .payloads import sse
from .rules import signature
from .samples import sample

__all__ = ["BlockEvents", "Reply", "reply_to"]

_DELTA_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class BlockEvents:
    """One content block as a stream sends it."""

    start: tuple[bytes, ...]
    """What comes before its content; a ping comes with the first block."""
    deltas: tuple[bytes, ...]
    """Its content; at least one."""
    stop: bytes


@dataclass(frozen=True, slots=True)
class _Block:
    content: Mapping[str, Any]
    """As a message has it."""
    empty: Mapping[str, Any]
    """What differs in it before its first delta."""
    deltas: tuple[Mapping[str, Any], ...]
    tokens: int

    def events(self, index: int) -> BlockEvents:
        start = sse({"type": "content_block_start", "index": index, "content_block": {**self.content, **self.empty}})
        deltas = ({"type": "content_block_delta", "index": index, "delta": delta} for delta in self.deltas)
        return BlockEvents(
            start=(start,) if index else (start, sse({"type": "ping"})),
            deltas=tuple(sse(delta) for delta in deltas),
            stop=sse({"type": "content_block_stop", "index": index}),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model."""

    message_id: str
    model: str
    input_tokens: int
    stop_reason: str
    blocks: tuple[_Block, ...]
    """The last one is the answer proper, text or a tool call."""

    @property
    def message(self) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [block.content for block in self.blocks],
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self._output_tokens},
        }

    @property
    def length(self) -> int:
        """How many content deltas a stream of it has, over all blocks."""
        return sum(len(block.deltas) for block in self.blocks)

    def saying(self, text: str) -> Self:
        """The same with a text block before the answer proper."""
        return replace(self, blocks=(*self.blocks[:-1], _text(text), self.blocks[-1]))

    def opening(self) -> bytes:
        """`message_start`: all but what is not known yet."""
        usage = {"input_tokens": self.input_tokens, "output_tokens": 1}
        unknown: dict[str, Any] = {"content": [], "stop_reason": None, "usage": usage}
        return sse({"type": "message_start", "message": {**self.message, **unknown}})

    def content(self) -> Iterator[BlockEvents]:
        """Its blocks in order."""
        return (block.events(index) for index, block in enumerate(self.blocks))

    def closing(self) -> tuple[bytes, ...]:
        """Why the model stopped, and `message_stop`, without which a stream is not complete."""
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        usage = {"output_tokens": self._output_tokens}
        return sse({"type": "message_delta", "delta": delta, "usage": usage}), sse({"type": "message_stop"})

    @property
    def _output_tokens(self) -> int:
        return sum(block.tokens for block in self.blocks)


def reply_to(body: Mapping[str, Any], *, message_id: str, tool_use_id: str, input_tokens: int) -> Reply:
    """A model's answer: a tool call, JSON that fits the asked schema, or a greeting that names the model.

    A request with tools gets a tool call first, and text once its last message brings a tool's result. A request
    that asks for thinking gets a thinking block before that.
    """
    tool = _tool_to_call(body)
    schema = _asked_schema(body)
    if tool is not None:
        answer = _tool_use(tool, tool_use_id)
    else:
        answer = _text(f"Hello from {body['model']}." if schema is None else json.dumps(sample(schema)))
    thinking = body.get("thinking") or {}
    thinks = thinking.get("type") in {"enabled", "adaptive"}
    return Reply(
        message_id=message_id,
        model=body["model"],
        input_tokens=input_tokens,
        stop_reason="tool_use" if tool is not None else "end_turn",
        blocks=(_thinking(body, message_id), answer) if thinks else (answer,),
    )


def _text(text: str) -> _Block:
    pieces = _pieces(text)
    deltas = tuple({"type": "text_delta", "text": piece} for piece in pieces)
    return _Block({"type": "text", "text": text}, {"text": ""}, deltas, len(pieces))


def _tool_use(tool: Mapping[str, Any], tool_use_id: str) -> _Block:
    arguments = sample(tool["input_schema"])
    content = {"type": "tool_use", "id": tool_use_id, "name": tool["name"], "input": arguments}
    pieces = _pieces(json.dumps(arguments))
    deltas = tuple({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return _Block(content, {"input": {}}, deltas, len(pieces))


def _thinking(body: Mapping[str, Any], message_id: str) -> _Block:
    """Thinking; what is not shown costs its tokens all the same."""
    pieces = _pieces("A greeting will do.")
    shown = () if body["thinking"].get("display") == "omitted" else pieces
    text = "".join(shown)
    mark = signature(body, body["model"], text, message_id)
    content = {"type": "thinking", "thinking": text, "signature": mark}
    deltas: tuple[dict[str, Any], ...] = (
        *({"type": "thinking_delta", "thinking": piece} for piece in shown),
        {"type": "signature_delta", "signature": mark},
    )
    return _Block(content, {"thinking": "", "signature": ""}, deltas, len(pieces))


def _pieces(text: str) -> list[str]:
    return [text[start : start + _DELTA_CHARACTERS] for start in range(0, len(text), _DELTA_CHARACTERS)]


def _tool_to_call(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choice = body.get("tool_choice") or {}
    if choice.get("type") == "none" or _brings_a_tool_result(body["messages"]):
        return None
    named = choice.get("name")
    for tool in body.get("tools") or ():
        if "input_schema" in tool and named in (None, tool.get("name")):
            return tool  # type: ignore[no-any-return]  # from JSON
    return None


def _brings_a_tool_result(messages: list[Any]) -> bool:
    content = messages[-1].get("content")
    return isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)


def _asked_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    asked = (body.get("output_config") or {}).get("format") or {}
    return asked.get("schema") if asked.get("type") == "json_schema" else None
