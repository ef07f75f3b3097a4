"""Whether the prompt has room in the target's context window, with what is to be written after it."""

from __future__ import annotations

from failover.engine.plan import Unmeasured

from .draft import Draft

__all__ = ["context_window"]

_LEAST_ANSWER = 1024
"""Tokens; a shorter answer than that is no answer to a request for a longer one."""
_CLOSE = 0.4
"""The share by which an estimate may be wrong, either way."""
_MARGIN = 0.2
"""The share of an estimate that is left free beside it."""


def context_window(draft: Draft) -> str | Unmeasured | None:
    """The prompt and `max_tokens` must fit the window together
    (https://platform.claude.com/docs/en/build-with-claude/context-windows); the answer may be cut a little for it.
    """
    window = draft.model.context_window if draft.model is not None else None
    wished = draft.number("max_tokens")
    if window is None or wished is None or draft.tokens + wished <= window * (1 - _CLOSE):
        return None
    if draft.counts and abs(draft.tokens - window) <= window * _CLOSE:
        return Unmeasured("context_window")
    room = window - draft.tokens
    if (
        not draft.counted and room >= _LEAST_ANSWER
    ):  # an estimate may be too low, and a cut answer costs less than a 400
        room = max(_LEAST_ANSWER, room // 2, window - int(draft.tokens * (1 + _MARGIN)))
    if room >= wished:
        return None
    if room >= _LEAST_ANSWER and not draft.pins("max_tokens"):
        draft.put("max_tokens", room, f"max_tokens: {wished} -> {room}, the context window is {window}")
        return None
    return f"context_window: the prompt has about {draft.tokens} tokens, and the window is {window}"
