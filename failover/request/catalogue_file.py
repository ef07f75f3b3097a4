"""What can be known of a model, what a catalogue's file may say of it, and where each value is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, StrictBool

from failover.document.units import Day, Number, Tokens
from failover.document.words import shown
from failover.policy.part import Part

__all__ = ["CatalogueFile", "Effort", "Entry", "Facts", "LongPrice", "Model", "Platform", "Price", "Source", "Thinking"]

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]
Thinking: TypeAlias = Literal["adaptive", "enabled", "disabled", "between_tools"]
Platform: TypeAlias = Literal["bedrock", "vertex", "foundry"]


def _one_word(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError(f"{shown(text)} is no name: a name has no spaces in it")
    return text


def _link(text: str) -> str:
    if not text.startswith("https://"):
        raise ValueError(f"{shown(text)} is no link: write one that begins with https://")
    return text


Name = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_one_word)]
Dollars = Annotated[Number, Ge(0), Le(1_000_000)]


class Source(Part):
    """A page that says what the catalogue says, and when it was read; a file of the user's has neither."""

    url: Annotated[str, AfterValidator(_link)] | None = None
    read: Day | None = None


class LongPrice(Part):
    """What a request costs when its prompt is longer than `over` tokens: all of it, not only what is above."""

    over: Tokens = Field(examples=["100k"])
    input: Dollars = Field(examples=["0.50"])
    output: Dollars = Field(examples=["2.50"])


class Price(Part):
    """USD for a million tokens."""

    input: Dollars = Field(examples=["5"])
    output: Dollars = Field(examples=["25"])
    above: LongPrice | None = None


class Facts(Part):
    """What can be known of a model. `None` is not known; an empty list is known to be empty."""

    aliases: tuple[Name, ...] = ()
    line: Literal["haiku", "sonnet", "opus", "fable", "mythos"] | None = None
    released: Day | None = None
    lifecycle: Literal["active", "deprecated", "retired"] | None = None
    retires: Day | None = None
    """When it was retired; of one that is not, the day before which it will not be."""
    context_window: Tokens | None = None
    max_output: Tokens | None = None
    thinking: tuple[Thinking, ...] | None = None
    """The kinds that a request may name."""
    thinking_default: Literal["off", "adaptive", "between_tools"] | None = None
    """What a request gets that names no kind."""
    thinking_off_up_to: Effort | None = None
    """The highest effort at which thinking may be off (`disabled` or `between_tools`); `None`: at any."""
    effort: tuple[Effort, ...] | None = None
    """The levels that are accepted; none: the field is refused."""
    effort_default: Effort | None = None
    forced_tool_choice: StrictBool | None = None
    """Whether `tool_choice` may be `any` or one tool."""
    prefill: StrictBool | None = None
    """Whether the last message may be the assistant's."""
    sampling: StrictBool | None = None
    """Whether temperature, top_p and top_k are accepted, by any version of the API."""
    fast_mode: StrictBool | None = None
    priority_tier: StrictBool | None = None
    inference_geo: StrictBool | None = None
    """Whether a request may say where it is to be answered."""
    system_messages: StrictBool | None = None
    """Whether messages of the system may stand among the others."""
    structured_outputs: StrictBool | None = None
    images: StrictBool | None = None
    pdfs: StrictBool | None = None
    citations: StrictBool | None = None
    context_edits: tuple[Name, ...] | None = None
    """The types of edits in `context_management` that are accepted."""
    server_tools: tuple[Name, ...] | None = None
    refused_tools: tuple[Name, ...] = ()
    """Types of tools that the Claude API answers with 400."""
    refused_advisors: tuple[Name, ...] = ()
    """Models that cannot be this one's advisor."""
    bucket: Name | None = None
    """Models with the same one share their rate limits."""
    price: Price | None = None
    ids: Mapping[Platform, tuple[Name, ...]] = {}
    """What other platforms call it; Bedrock's without a region."""


class Model(Facts):
    """What is known of one model."""

    id: str
    sources: Mapping[str, str] = {}
    """Field to the key, in `Catalogue.sources`, of where its value is from."""


class Entry(Facts):
    """What a file says of one model."""

    like: Name | None = None
    """Another model: what is not said here is as it is there, but for its aliases and its ids."""
    sources: Mapping[str, str] = {}
    """Field to a key of the file's `sources`, where that is not the usual one."""


class CatalogueFile(Part):
    """What one YAML file says."""

    sources: Mapping[Name, Source] = {}
    """Where values are from, under names to point at them with."""
    fields: Mapping[str, str] = {}
    """Field to the source that it usually has."""
    models: Mapping[Name, Entry] = Field(examples=["{claude-opus-5-5: {max_output: 64k}}"])
