"""The models that the API knows, and what of a request each takes.

From https://platform.claude.com/docs/en/about-claude/models/overview, the models' own pages below
https://platform.claude.com/docs/en/models/, https://platform.claude.com/docs/en/about-claude/model-deprecations and
https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EFFORTS", "MODELS", "KnownModel", "known_model"]

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""From the least to the most."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model. What is `None` is published nowhere, and nothing is refused for it."""

    id: str
    line: str | None
    released: str | None = None
    """The day, as `2026-09-22`."""
    aliases: tuple[str, ...] = ()
    lifecycle: Literal["active", "deprecated", "retired"] = "active"
    retires: str | None = None
    """The day that is set for it; an active model has none."""
    window: int | None = 1_000_000
    most_output: int | None = 128_000
    thinking: tuple[str, ...] | None = None
    """The values of `thinking.type` that it takes."""
    off_up_to: str | None = None
    """The highest effort at which thinking can be turned off; `None`: any."""
    efforts: tuple[str, ...] | None = EFFORTS
    """Empty: it takes no effort at all."""
    forced_tool: bool = True
    prefill: bool = False
    sampling: bool = False
    """Whether it takes sampling parameters under API versions that still have them."""
    fast: Literal["yes", "ignored", "no"] = "no"
    computer_tool: str | None = None
    """The only computer tool that it takes; `None`: any but those in `refused_tools`."""
    refused_tools: tuple[str, ...] = ()
    refused_advisors: tuple[str, ...] = ()
    fallbacks: bool = True
    geography: bool = True
    """Whether it takes `inference_geo`
    (https://platform.claude.com/docs/en/build-with-claude/data-residency)."""
    system_messages: bool = True
    """Whether messages of the system may stand among the others
    (https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages)."""
    reads: tuple[str, ...] | None = None
    """Whose bound thinking blocks it reads. `None`: it checks no binding, and drops what it cannot read."""


_COMPUTER = ("computer_20251124",)
_PARTLY = ("low", "medium", "high", "max")
_BOUND_BY_FABLE = ("claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-haiku-5-5")

MODELS: tuple[KnownModel, ...] = (
    KnownModel("claude-fable-5-2", "fable", window=None, most_output=None, efforts=None),
    KnownModel("claude-mythos-5-2", "mythos", window=None, most_output=None, efforts=None),
    KnownModel(
        "claude-haiku-5-5",
        "haiku",
        "2026-10-07",
        thinking=("adaptive", "disabled"),
        off_up_to="high",
        computer_tool="computer_toolset_20260801",
        fallbacks=False,
        reads=("claude-haiku-5-5",),
    ),
    KnownModel(
        "claude-sonnet-5-5",
        "sonnet",
        "2026-09-28",
        thinking=("adaptive", "between_tools"),
        off_up_to="high",
        forced_tool=False,
        refused_tools=_COMPUTER,
        refused_advisors=("claude-opus-4-8", "claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5"),
        reads=("claude-sonnet-5-5",),
    ),
    KnownModel(
        "claude-opus-5-5",
        "opus",
        "2026-09-22",
        thinking=("adaptive",),
        forced_tool=False,
        fast="yes",
        refused_tools=_COMPUTER,
        reads=("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
    ),
    KnownModel(
        "claude-fable-5-1", "fable", "2026-09-01", thinking=("adaptive",), forced_tool=False, reads=_BOUND_BY_FABLE
    ),
    KnownModel(
        "claude-mythos-5-1", "mythos", "2026-09-01", thinking=("adaptive",), forced_tool=False, reads=_BOUND_BY_FABLE
    ),
    KnownModel("claude-opus-5", "opus", "2026-07-24", thinking=("adaptive", "disabled"), off_up_to="high", fast="yes"),
    KnownModel("claude-sonnet-5", "sonnet", "2026-06-30", thinking=("adaptive", "disabled")),
    KnownModel("claude-fable-5", "fable", "2026-06-09", thinking=("adaptive",)),
    KnownModel("claude-mythos-5", "mythos", "2026-06-09", thinking=("adaptive",)),
    KnownModel("claude-opus-4-8", "opus", "2026-05-28", thinking=("adaptive", "disabled"), fast="yes"),
    KnownModel("claude-opus-4-7", "opus", "2026-04-16", thinking=("adaptive", "disabled"), system_messages=False),
    KnownModel(
        "claude-mythos-preview",
        "mythos",
        lifecycle="deprecated",
        retires="2026-06-30",
        thinking=("adaptive", "enabled"),
        efforts=_PARTLY,
    ),
    KnownModel(
        "claude-sonnet-4-6",
        "sonnet",
        "2026-02-17",
        thinking=("adaptive", "disabled", "enabled"),
        efforts=_PARTLY,
        system_messages=False,
        sampling=True,
    ),
    KnownModel(
        "claude-opus-4-6",
        "opus",
        "2026-02-05",
        thinking=("adaptive", "disabled", "enabled"),
        efforts=_PARTLY,
        system_messages=False,
        sampling=True,
        fast="ignored",
    ),
    KnownModel(
        "claude-opus-4-5-20251101",
        "opus",
        "2025-11-24",
        aliases=("claude-opus-4-5",),
        window=200_000,
        most_output=64_000,
        thinking=("disabled", "enabled"),
        efforts=("low", "medium", "high"),
        prefill=True,
        geography=False,
        system_messages=False,
        sampling=True,
    ),
    KnownModel(
        "claude-haiku-4-5-20251001",
        "haiku",
        "2025-10-15",
        aliases=("claude-haiku-4-5",),
        window=200_000,
        most_output=64_000,
        thinking=("disabled", "enabled"),
        efforts=(),
        prefill=True,
        geography=False,
        system_messages=False,
        sampling=True,
    ),
    KnownModel(
        "claude-sonnet-4-5-20250929",
        "sonnet",
        "2025-09-29",
        aliases=("claude-sonnet-4-5",),
        lifecycle="deprecated",
        retires="2026-11-30",
        window=200_000,
        most_output=64_000,
        thinking=("disabled", "enabled"),
        efforts=(),
        prefill=True,
        geography=False,
        system_messages=False,
        sampling=True,
    ),
    *(
        KnownModel(
            name,
            line,
            aliases=aliases,
            lifecycle="retired",
            retires=day,
            window=None,
            most_output=None,
            efforts=None,
        )
        for name, line, day, aliases in (
            ("claude-opus-4-1-20250805", "opus", "2026-08-05", ("claude-opus-4-1",)),
            ("claude-opus-4-20250514", "opus", "2026-06-15", ("claude-opus-4-0",)),
            ("claude-sonnet-4-20250514", "sonnet", "2026-06-15", ("claude-sonnet-4-0",)),
            ("claude-3-7-sonnet-20250219", "sonnet", "2026-02-19", ("claude-3-7-sonnet-latest",)),
            ("claude-3-5-haiku-20241022", "haiku", "2026-02-19", ("claude-3-5-haiku-latest",)),
            ("claude-3-haiku-20240307", "haiku", "2026-04-20", ()),
            ("claude-3-opus-20240229", "opus", "2026-01-05", ("claude-3-opus-latest",)),
            ("claude-3-sonnet-20240229", "sonnet", "2025-07-21", ()),
        )
    ),
)
_BY_NAME = {name: model for model in MODELS for name in (model.id, *model.aliases)}


def known_model(name: object) -> KnownModel | None:
    """A model by its id or an alias; `None` if there is none of that name."""
    return _BY_NAME.get(name) if isinstance(name, str) else None
