"""The step that asks for a shorter answer, for answers that would come too late."""

from __future__ import annotations

from collections.abc import Mapping

from .cut import Body

__all__ = ["capped"]

_LEAST_BUDGET = 1_024
"""Less the API takes for no budget (https://platform.claude.com/docs/en/build-with-claude/extended-thinking)."""


def capped(body: Body, cap: int) -> tuple[Body, str] | None:
    """The body with at most so many `max_tokens`, and what was done; `None` if there is nothing to lower.

    A budget for thinking must be less than `max_tokens`; one that is not keeps its share of them.
    """
    asked = body.get("max_tokens")
    if not isinstance(asked, int) or asked <= cap:
        return None
    done = f"cap_max_tokens: {asked:,} to {cap:,}"
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if not isinstance(thinking, Mapping) or not isinstance(budget, int) or budget < cap:
        return {**body, "max_tokens": cap}, done
    if cap <= _LEAST_BUDGET:
        return None
    lowered = min(max(_LEAST_BUDGET, budget * cap // asked), cap - 1)
    return (
        {**body, "max_tokens": cap, "thinking": {**thinking, "budget_tokens": lowered}},
        f"{done}, budget_tokens: {budget:,} to {lowered:,}",
    )
