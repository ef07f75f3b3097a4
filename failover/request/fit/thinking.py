"""How much a model is to think: kinds of thinking, effort, and the tokens that both may use.

Where the target does not take what was asked for, it is given what the API's own server-side fallbacks would give it:
the nearest that it takes, or its default (https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failover.request.catalogue import Model

from .draft import Draft

__all__ = ["budget", "edits", "effort", "max_tokens", "thinking"]

_LEVELS = ("low", "medium", "high", "xhigh", "max")
_LEAST_BUDGET = 1024
_QUIET = ("disabled", "between_tools")
_INTERLEAVED = "interleaved-thinking-"


def max_tokens(draft: Draft) -> str | None:
    """No more than the target can write (https://platform.claude.com/docs/en/about-claude/models/overview)."""
    most = draft.model.max_output if draft.model is not None else None
    wished = draft.number("max_tokens")
    if most is not None and wished is not None and wished > most and not draft.pins("max_tokens"):
        draft.put("max_tokens", most, f"max_tokens: {wished} -> {most}")
    return None


def thinking(draft: Draft) -> str | None:
    """The kind asked for, its nearest relative, or the target's default
    (https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting#rejected-configurations).
    """
    kinds = draft.model.thinking if draft.model is not None else None
    asked = draft.get("thinking")
    kind = draft.get("thinking", "type")
    if draft.model is None or kinds is None or not isinstance(kind, str) or draft.pins("thinking"):
        return None
    instead: dict[str, Any] | None = None
    if kind in _QUIET:
        taken = [] if _effort_is_pinned_above(draft, draft.model) else kinds
        if kind in taken:
            return None
        instead = next(({"type": other} for other in _QUIET if other in taken), None)
    elif kind in kinds:
        return None
    elif kind == "enabled" and "adaptive" in kinds:
        instead = {key: value for key, value in asked.items() if key != "budget_tokens"} | {"type": "adaptive"}
    if instead is None:
        draft.drop("thinking", f"{kind if kind in _KINDS else 'its kind'} is not taken")
    else:
        draft.put("thinking", instead, f"thinking: {kind} -> {instead['type']}")
    return None


_KINDS = ("enabled", "adaptive", *_QUIET)


def _effort_is_pinned_above(draft: Draft, model: Model) -> bool:
    """Whether the rung asks for more effort than a model takes whose thinking is off."""
    level = draft.get("output_config", "effort")
    return draft.pins("output_config", "effort") and level in _LEVELS and level not in _up_to(model.thinking_off_up_to)


def _up_to(level: str | None) -> tuple[str, ...]:
    return _LEVELS if level is None else _LEVELS[: _LEVELS.index(level) + 1]


def effort(draft: Draft) -> str | None:
    """The highest level that the target takes with this thinking and that is not above the one asked for; where none was
    asked for, the requested model's default, if the target's differs
    (https://platform.claude.com/docs/en/build-with-claude/effort).
    """
    model, outer = draft.model, draft.get("output_config")
    if model is None or draft.pins("output_config", "effort") or not (outer is None or isinstance(outer, Mapping)):
        return None
    quiet = draft.get("thinking", "type") in _QUIET
    most = _up_to(model.thinking_off_up_to if quiet else None)
    taken = [level for level in most if model.effort is None or level in model.effort]
    wished = draft.get("output_config", "effort")
    if wished is None:
        usual = draft.asked.effort_default if draft.asked is not None else None
        if model.effort is not None and usual in taken and model.effort_default not in (None, usual):
            change = f"effort: {model.effort_default} by default -> {usual}, the requested model's"
            draft.put_inner("output_config", "effort", usual, change)
    elif wished in _LEVELS and wished not in taken:
        lower = [level for level in taken if level in _up_to(wished)]
        nearest = lower[-1] if lower else None
        draft.put_inner("output_config", "effort", nearest, f"effort: {wished} -> {nearest or 'dropped'}")
    return None


def budget(draft: Draft) -> str | None:
    """A budget below `max_tokens` and of at least 1,024 tokens, or none. A budget for thinking between tools as well may
    be larger (https://platform.claude.com/docs/en/build-with-claude/extended-thinking#interleaved-thinking).
    """
    wished, most = draft.number("thinking", "budget_tokens"), draft.number("max_tokens")
    if wished is None or most is None or wished < most or draft.pins("thinking"):
        return None
    if draft.model is None or any(beta.startswith(_INTERLEAVED) for beta in draft.betas):
        return None
    if most > _LEAST_BUDGET:
        draft.put_inner("thinking", "budget_tokens", most - 1, f"thinking.budget_tokens: {wished} -> {most - 1}")
    else:
        draft.drop("thinking", f"max_tokens leaves no room for a budget of {wished}")
    return None


def edits(draft: Draft) -> str | None:
    """Thinking of the past cannot be cleared by a request that does not think: the API refuses the edit
    (https://platform.claude.com/docs/en/build-with-claude/context-editing).
    """
    model, wished = draft.model, draft.get("context_management", "edits")
    if model is None or not isinstance(wished, list) or draft.pins("context_management"):
        return None
    kind = draft.get("thinking", "type") or model.thinking_default
    if kind not in ("off", "disabled") or (draft.asked is not None and draft.asked.id == model.id):
        return None
    kept = [edit for edit in wished if not _clears_thinking(edit)]
    if len(kept) < len(wished):
        draft.put_edits(kept, "thinking is off")
    return None


def _clears_thinking(edit: Any) -> bool:
    return isinstance(edit, Mapping) and str(edit.get("type")).startswith("clear_thinking_")
