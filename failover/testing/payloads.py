"""What the Messages API says when it is well, and the words of its errors, as bytes ready to send.

Shapes follow the API reference: https://platform.claude.com/docs/en/api/messages,
https://platform.claude.com/docs/en/build-with-claude/streaming and https://platform.claude.com/docs/en/api/errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .samples import sample

__all__ = ["Reply", "error_body", "error_event", "error_type_of", "model_info", "model_list", "reply_to", "sse"]

_ERRORS = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your payment details need attention."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    409: ("conflict_error", "The resource was changed by another request."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out while processing."),
    529: ("overloaded_error", "Overloaded"),
}
_MESSAGES = dict(_ERRORS.values())
_MODELS = (
    "claude-fable-5-1",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
)
_DELTA_CHARACTERS = 6


def error_type_of(status: int) -> str:
    """The `error.type` that the API gives with a status."""
    return _ERRORS[status][0] if status in _ERRORS else "api_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's own border


def error_body(
    error_type: str, message: str | None, *, request_id: str, error_code: str | None = None
) -> dict[str, Any]:
    """An error as the API words it."""
    error: dict[str, Any] = {"type": error_type, "message": message or _MESSAGES.get(error_type, "Error")}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": request_id}


def error_event(error_type: str, message: str | None, *, request_id: str) -> bytes:
    """An error in the middle of a stream."""
    return sse(error_body(error_type, message, request_id=request_id))


def sse(data: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by its data's `type`."""
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), json.dumps(data).encode())


def model_info(model: str) -> dict[str, Any]:
    """What the models endpoint says of one model; every model's limits are the same here."""
    return {
        "type": "model",
        "id": model,
        "display_name": model.replace("-", " ").title(),
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def model_list() -> dict[str, Any]:
    """One page that holds all models."""
    models = [model_info(model) for model in _MODELS]
    return {"data": models, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model: as a message, and as the events of a stream."""

    message: Mapping[str, Any]
    """The body of an answer that is not streamed."""
    deltas: tuple[bytes, ...]
    """Its content as events; at least one."""

    def opening(self) -> bytes:
        """`message_start`: all but what is not known yet."""
        usage = {**self.message["usage"], "output_tokens": 1}
        unknown: dict[str, Any] = {"content": [], "stop_reason": None, "usage": usage}
        return sse({"type": "message_start", "message": {**self.message, **unknown}})

    def before_content(self) -> tuple[bytes, ...]:
        """The block's start and a ping."""
        (block,) = self.message["content"]
        empty: dict[str, Any] = {"text": ""} if block["type"] == "text" else {"input": {}}
        start = {"type": "content_block_start", "index": 0, "content_block": {**block, **empty}}
        return sse(start), sse({"type": "ping"})

    def after_content(self) -> tuple[bytes, ...]:
        """The block's end and why the model stopped; `closing` comes after it."""
        delta = {"stop_reason": self.message["stop_reason"], "stop_sequence": None}
        usage = {"output_tokens": self.message["usage"]["output_tokens"]}
        stop = {"type": "content_block_stop", "index": 0}
        return sse(stop), sse({"type": "message_delta", "delta": delta, "usage": usage})

    def closing(self) -> bytes:
        """`message_stop`: without it a stream is not complete."""
        return sse({"type": "message_stop"})


def reply_to(body: Mapping[str, Any], *, message_id: str, tool_use_id: str, input_tokens: int) -> Reply:
    """A model's answer: a tool call, JSON that fits the asked schema, or a greeting that names the model.

    A request with tools gets a tool call first, and text once its last message brings a tool's result.
    """
    tool = _tool_to_call(body)
    schema = _asked_schema(body)
    content: dict[str, Any]
    if tool is not None:
        arguments = sample(tool["input_schema"])
        content = {"type": "tool_use", "id": tool_use_id, "name": tool["name"], "input": arguments}
        text, delta, key = json.dumps(arguments), "input_json_delta", "partial_json"
    else:
        text = f"Hello from {body['model']}." if schema is None else json.dumps(sample(schema))
        content, delta, key = {"type": "text", "text": text}, "text_delta", "text"
    pieces = [text[start : start + _DELTA_CHARACTERS] for start in range(0, len(text), _DELTA_CHARACTERS)]
    message = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [content],
        "stop_reason": "tool_use" if tool is not None else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "output_tokens": len(pieces)},
    }
    events = ({"type": "content_block_delta", "index": 0, "delta": {"type": delta, key: piece}} for piece in pieces)
    return Reply(message, tuple(sse(event) for event in events))


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
