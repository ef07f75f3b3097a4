"""The table of README that tells what becomes of a request on its way to another model: made from the rules themselves.

python tests/request/fit_table.py > fit_table.md
"""

from __future__ import annotations

from bodies import NEED_A_SERVER, body_with, is_valid
from fit_lab import fit

__all__ = ["of_model", "rendered"]

MODELS = {
    "Fable 5.1, Mythos 5.1": ("claude-fable-5-1", "claude-mythos-5-1"),
    "Opus 5.5": ("claude-opus-5-5",),
    "Opus 5": ("claude-opus-5",),
    "Opus 4.8": ("claude-opus-4-8",),
    "Opus 4.6, Sonnet 4.6": ("claude-opus-4-6", "claude-sonnet-4-6"),
    "Opus 4.5": ("claude-opus-4-5",),
    "Sonnet 5.5": ("claude-sonnet-5-5",),
    "Sonnet 5": ("claude-sonnet-5",),
    "Haiku 5.5": ("claude-haiku-5-5",),
    "Haiku 4.5, Sonnet 4.5": ("claude-haiku-4-5", "claude-sonnet-4-5"),
}
PLACES = {
    "the same client": None,
    "another key or workspace": "anthropic",
    "Claude Platform on AWS": "aws",
    "Bedrock": "bedrock",
    "Vertex AI, Google Cloud": "vertex",
    "Foundry": "foundry",
}
LABELS = {
    "plain": "no `effort`, of Opus 5.5, whose default is `medium`",
    "thinking_adaptive": "`thinking: adaptive`",
    "thinking_enabled": "`thinking: enabled`",
    "thinking_disabled": "`thinking: disabled`",
    "thinking_between_tools": "`thinking: between_tools`",
    "effort_low": "`effort: low`",
    "effort_medium": "`effort: medium`",
    "effort_high": "`effort: high`",
    "effort_xhigh": "`effort: xhigh`",
    "effort_max": "`effort: max`",
    "max_tokens_big": "`max_tokens: 128000`",
    "long_prompt": "a prompt of 260,000 tokens",
    "prefill": "a beginning of the answer (prefill)",
    "tool_choice_any": "`tool_choice: any`",
    "tool_choice_tool": "`tool_choice: tool`",
    "speed_fast": "`speed: fast`",
    "speed_standard": "`speed: standard`",
    "temperature": "`temperature`, `top_p`, `top_k`",
    "computer_20251124": "tool `computer_20251124`",
    "computer_20250124": "tool `computer_20250124`",
    "advisor_opus_4_8": "Opus 4.8 as an advisor",
    "clear_thinking": "edit `clear_thinking`, no `thinking` named",
    "system_message": "a `system` message among the others",
    "fallbacks_default": "`fallbacks`",
    "fallback_credit_token": "`fallback_credit_token`",
    "thread_create": "a new `thread`",
    "thread_continue": "a `thread` that is continued",
    "container": "`container`",
    "image_file": "a file of the Files API",
    "inference_geo": "`inference_geo: us`",
    "service_tier_auto": "`service_tier`",
    "mcp_servers": "`mcp_servers`",
    "web_search": "tool `web_search`",
    "code_execution": "tools `code_execution`, `web_fetch`, `advisor`",
}
OF_MODELS = [
    "plain", "thinking_adaptive", "thinking_enabled", "thinking_disabled", "thinking_between_tools", "effort_low",
    "effort_medium", "effort_high", "effort_xhigh", "effort_max", "clear_thinking", "max_tokens_big", "long_prompt",
    "prefill", "tool_choice_any", "tool_choice_tool", "computer_20251124", "computer_20250124", "advisor_opus_4_8",
    "system_message", "inference_geo", "speed_fast", "temperature",
]  # fmt: skip
OF_PLACES = [
    "thread_continue", "thread_create", "fallbacks_default", "fallback_credit_token", "container", "image_file", "inference_geo", "service_tier_auto", "speed_standard", "mcp_servers", "web_search",
    "code_execution",
]  # fmt: skip
FROM = (
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-sonnet-5-5",
    "claude-opus-4-8",
    "claude-opus-4-6",
    "claude-haiku-4-5",
)
"""Who is asked first: the first of these that takes a feature, and is not the target."""
KEPT, SKIPPED, ASKED = "kept", "skipped", "skipped, or asked"
NOTE = f"*{ASKED.capitalize()}*: with `fit: adapt` an instruction at the end of the prompt asks for it."


def _source(feature, target):
    if feature in NEED_A_SERVER | {"temperature", "plain"}:
        return FROM[0]
    takes = [name for name in FROM if is_valid(body_with(name, feature))]
    return next((name for name in takes if name != target), target)


def _cell(feature, target, **place):
    given = body_with(_source(feature, target), feature)
    strict, adapted = (fit(given.body, target, adapt=adapt, betas=given.betas, **place) for adapt in (False, True))
    if strict.misfit is not None:
        return SKIPPED if adapted.misfit is not None else ASKED
    about = [change for change in strict.changes if feature == "plain" or " by default" not in change]
    return _said(about[0]) if about else KEPT


def _said(change):
    what, _, value = change.partition(" -> ")
    if not value:
        return "dropped"
    value = value.partition(",")[0]
    if value == "dropped":
        return value
    return f"{int(value):,}" if what.startswith("max_tokens") else f"`{value}`"


def _rows(features, columns, cell):
    """A table whose rows of the same cells are one."""
    rows = {}
    for feature in features:
        rows.setdefault(tuple(cell(feature, column) for column in columns.values()), []).append(LABELS[feature])
    lines = [f"| {', '.join(labels)} | {' | '.join(cells)} |" for cells, labels in rows.items()]
    return ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns), *lines]


def of_model(feature, names):
    """What becomes of a request with a feature on its way to the first of these models."""
    return _cell(feature, names[0])


def _in_place(feature, platform):
    place = {} if platform is None else {"platform": platform, "other_client": True}
    return _cell(feature, "claude-opus-4-8", **place)


def rendered():
    """Both tables, in Markdown."""
    return "\n".join([*_rows(OF_MODELS, MODELS, of_model), "", NOTE, "", *_rows(OF_PLACES, PLACES, _in_place), ""])


if __name__ == "__main__":
    print(rendered(), end="")  # noqa: T201 - that is what it is for
