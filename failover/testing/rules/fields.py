"""What a model takes of a request's fields, and how the API words it when it does not.

From https://platform.claude.com/docs/en/api/errors, https://platform.claude.com/docs/en/build-with-claude/effort,
https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting and, for what API version 2026-10-21
removed, https://platform.claude.com/docs/en/api/migration-2026-10-21. Some errors' words are published nowhere, and
are made up to match.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .models import EFFORTS, KnownModel, known_model
from .violation import Violation

__all__ = ["NEWEST_VERSION", "field_violations"]

NEWEST_VERSION = "2026-10-21"
_FAST_MODE = "fast-mode-2026-02-01"
_FALLBACKS = frozenset({"server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01"})
_THREADS = "message-threads-2026-08-12"
_BINDING_CONTROLS = "thinking-binding-controls-2026-08-01"
_OVERRIDES = ("max_tokens", "thinking", "output_config", "speed")
_MOST_FALLBACKS = 3
_LEAST_BUDGET = 1024
_EXTRA = "Extra inputs are not permitted"
_SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": None}


def field_violations(
    body: Mapping[str, Any], model: KnownModel, betas: Collection[str], version: str = NEWEST_VERSION
) -> Iterator[Violation]:
    """Every field that this model does not take as it is; not a word about the messages."""
    yield from _attempt(body, model, betas)
    yield from _sampling(body, model, version)
    yield from _tools(body, model)
    yield from _fallbacks(body, model, betas)
    if body.get("inference_geo") is not None and not model.geography:
        yield Violation("inference_geo: not supported for this model.")
    if body.get("thread") is not None and _THREADS not in betas:
        yield Violation(f"thread: {_EXTRA}")


def _attempt(body: Mapping[str, Any], model: KnownModel, betas: Collection[str]) -> Iterator[Violation]:
    """What a fallback's entry may set for itself as well."""
    yield from _thinking(body, model, betas)
    yield from _effort(body, model)
    most = model.most_output
    asked = body.get("max_tokens")
    if asked is not None and most is not None and asked > most:
        yield Violation(
            f"max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model.id}"
        )
    if body.get("speed") == "fast":
        if model.fast == "no":
            yield Violation("speed: fast mode is not supported for this model.")
        elif _FAST_MODE not in betas:
            yield Violation(f"speed: {_EXTRA}")


def _thinking(body: Mapping[str, Any], model: KnownModel, betas: Collection[str]) -> Iterator[Violation]:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if model.thinking is not None and kind not in model.thinking:
        yield Violation(_unsupported(kind))
    elif kind in {"disabled", "between_tools"} and _above(_effort_of(body), model.off_up_to):
        yield Violation(
            f'"thinking.type.{kind}" is not supported for this model with "output_config.effort" above {model.off_up_to}.'
        )
    elif kind == "enabled":
        yield from _budget(thinking.get("budget_tokens"), body.get("max_tokens"))
    if thinking.get("block_binding") is not None and _BINDING_CONTROLS not in betas:
        yield Violation(
            f"thinking.{kind}.block_binding: {_EXTRA} without the beta header anthropic-beta: {_BINDING_CONTROLS}"
        )


def _unsupported(kind: object) -> str:
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    instead = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    return f'"thinking.type.{kind}" is not supported for this model.{instead if kind == "enabled" else ""}'


def _budget(budget: object, most: object) -> Iterator[Violation]:
    if not isinstance(budget, int):
        yield Violation("thinking.enabled.budget_tokens: Field required")
    elif budget < _LEAST_BUDGET:
        yield Violation(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}")
    elif isinstance(most, int) and budget >= most:
        yield Violation("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _effort_of(body: Mapping[str, Any]) -> Any:
    return (body.get("output_config") or {}).get("effort")


def _above(effort: object, limit: str | None) -> bool:
    return limit is not None and effort in EFFORTS and EFFORTS.index(str(effort)) > EFFORTS.index(limit)


def _effort(body: Mapping[str, Any], model: KnownModel) -> Iterator[Violation]:
    effort = _effort_of(body)
    if effort is None or model.efforts is None or effort in model.efforts:
        return
    if not model.efforts:
        yield Violation("This model does not support the effort parameter.")
    else:
        levels = ", ".join(model.efforts)
        yield Violation(f"This model does not support effort level '{effort}'. Supported levels: {levels}.")


def _sampling(body: Mapping[str, Any], model: KnownModel, version: str) -> Iterator[Violation]:
    for name, default in _SAMPLING.items():
        value = body.get(name)
        if version >= NEWEST_VERSION and name in body:
            yield Violation(f"{name}: {_EXTRA}")
        elif value is not None and not model.sampling and value != default:
            yield Violation(f"{name}: only the default value is supported for this model.")


def _tools(body: Mapping[str, Any], model: KnownModel) -> Iterator[Violation]:
    choice = (body.get("tool_choice") or {}).get("type")
    if choice in {"any", "tool"} and not model.forced_tool:
        yield Violation('tool_choice: type "tool" and "any" are not supported for this model.')
    elif choice in {"any", "tool"} and (body.get("thinking") or {}).get("type") == "enabled":
        yield Violation("Thinking may not be enabled when tool_choice forces tool use.")
    for index, tool in enumerate(body.get("tools") or ()):
        kind = str(tool.get("type") or "custom")
        another_computer = model.computer_tool is not None and kind.startswith("computer_")
        if kind in model.refused_tools or (another_computer and kind != model.computer_tool):
            yield Violation(f"tools.{index}: '{model.id}' does not support tool types: {kind}.")
        elif kind.startswith("advisor_") and tool.get("model") in model.refused_advisors:
            yield Violation(f"tools.{index}.model: {tool['model']} cannot be an advisor to {model.id}.")


def _fallbacks(body: Mapping[str, Any], model: KnownModel, betas: Collection[str]) -> Iterator[Violation]:
    fallbacks = body.get("fallbacks")
    if fallbacks is None:
        return
    if _FALLBACKS.isdisjoint(betas):
        yield Violation(f"fallbacks: {_EXTRA}")
    elif body.get("fallback_credit_token") is not None:
        yield Violation("fallback_credit_token: cannot be combined with `fallbacks`.")
    elif isinstance(fallbacks, str):
        if fallbacks != "default":
            yield Violation('fallbacks: Input should be "default" or a valid list')
    elif not model.fallbacks:
        yield Violation("fallbacks: not supported for this model.")
    else:
        yield from _chain(fallbacks, body, model, betas)


def _chain(
    entries: list[Mapping[str, Any]], body: Mapping[str, Any], model: KnownModel, betas: Collection[str]
) -> Iterator[Violation]:
    if len(entries) > _MOST_FALLBACKS:
        yield Violation(f"fallbacks: List should have at most {_MOST_FALLBACKS} items")
    seen = {model.id}
    for index, entry in enumerate(entries):
        where = f"fallbacks.{index}"
        target = known_model(entry["model"])
        name = entry["model"] if target is None else target.id
        if name in seen:
            yield Violation(f"{where}.model: must differ from `model` and from the other entries")
        seen.add(name)
        for key in entry.keys() - {"model", *_OVERRIDES}:
            yield Violation(f"{where}.{key}: {_EXTRA}")
        if target is not None and target.lifecycle == "retired":
            yield Violation(f"{where}.model: {name} is not available")
        elif target is not None:
            attempt = {key: entry[key] for key in _OVERRIDES if entry.get(key) is not None}
            if "thinking" in attempt:
                attempt.setdefault("max_tokens", body.get("max_tokens"))
            for violation in _attempt(attempt, target, betas):
                yield Violation(f"{where}.{violation.message}")
