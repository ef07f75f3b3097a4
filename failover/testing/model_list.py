"""What the fake API's models endpoint says.

Shapes follow https://platform.claude.com/docs/en/api/models. It says what the fake refuses, and calls the rest
supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .rules import MODELS, KnownModel, known_model
from .rules.models import EFFORTS

__all__ = ["described", "model_info", "model_list"]

_EDITS = ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")
_KINDS = ("adaptive", "between_tools", "disabled", "enabled")


def model_list(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One page that holds all models, and those that are only `said` to be."""
    names = [model.id for model in MODELS]
    models = [model_info(name, said) for name in (*names, *(name for name in said if name not in names))]
    ends = {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {"first_id": None, "last_id": None}
    return {"data": models, "has_more": False, **ends}


def model_info(name: str, said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One model, with what is `said` of it by its id in place of what is known.

    Raises:
        KeyError: there is no such model.
    """
    known = known_model(name)
    model = name if known is None else known.id
    if known is None and model not in said:
        raise KeyError(name)
    return described(_published(known or KnownModel(model, None, window=None, most_output=None)), said.get(model, {}))


def described(info: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The first with the second laid over it, key by key at every depth."""
    merged = dict(info)
    for key, value in said.items():
        under = merged.get(key)
        merged[key] = described(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def _published(model: KnownModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id.replace("-", " ").title(),
        "created_at": _midnight(model.released) or "1970-01-01T00:00:00Z",
        "lifecycle": model.lifecycle,
        "deprecated_at": None,
        "retires_at": _midnight(model.retires),
        "line": model.line,
        "max_input_tokens": model.window,
        "max_tokens": model.most_output,
        "capabilities": None if model.thinking is None else _capabilities(model, model.thinking),
    }


def _midnight(day: str | None) -> str | None:
    return None if day is None else f"{day}T00:00:00Z"


def _capabilities(model: KnownModel, thinking: tuple[str, ...]) -> dict[str, Any]:
    yes = {"supported": True}
    efforts = EFFORTS if model.efforts is None else model.efforts
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": yes,
        "context_management": {**yes, **dict.fromkeys(_EDITS, yes)},
        "effort": {"supported": bool(efforts), **{level: {"supported": level in efforts} for level in EFFORTS}},
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {**yes, "web_search": yes, "code_execution": yes},
        "structured_outputs": yes,
        "thinking": {**yes, "types": {kind: {"supported": kind in thinking} for kind in _KINDS}},
    }
