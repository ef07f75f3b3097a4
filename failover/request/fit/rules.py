"""All rules in their order, and what they make of a request together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from failover.engine.plan import Misfit, Unmeasured

from . import place, room, thinking, tools, words
from .draft import Draft

__all__ = ["RULES", "fitted"]

Rule: TypeAlias = Callable[[Draft], "str | Misfit | Unmeasured | None"]

RULES: tuple[Rule, ...] = (
    place.retired,
    place.thread,
    place.container,
    place.files,
    place.geography,
    place.fallbacks,
    place.credit,
    place.speed,
    place.tier,
    place.diagnostics,
    tools.tool_versions,
    tools.advisor,
    tools.server_tools,
    tools.mcp,
    tools.context_management,
    words.images,
    words.pdfs,
    words.citations,
    words.structured_output,
    words.sampling,
    words.system_messages,
    words.prefill,
    words.forced_tool,
    thinking.max_tokens,
    room.context_window,
    thinking.thinking,
    thinking.effort,
    thinking.budget,
    thinking.edits,
    place.betas,
)
"""Each changes one field, or says why the request cannot go. Thinking before effort, of which there may be less when
thinking is off; what limits `max_tokens` before the budget within it."""


def fitted(draft: Draft) -> Misfit | Unmeasured | None:
    """Make the draft fit its destination: `None` once it does, or why it cannot."""
    rethread: Misfit | None = None
    for rule in RULES:
        found = rule(draft)
        if isinstance(found, str):
            return Misfit("unfit", found)
        if isinstance(found, Misfit) and found.rethread:
            rethread = found  # of use only to who could take the whole conversation
        elif found is not None and not (rethread and isinstance(found, Unmeasured)):
            return found
    return rethread
