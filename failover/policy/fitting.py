"""How a request is made to fit another model, and how many may be out at once: small parts of a policy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, StrictBool, model_validator
from typing_extensions import Self

from failover.document.units import Count, Off, SecondsOrNone, Tokens
from failover.document.words import shown

from .part import Part

__all__ = ["Bulkhead", "Fit", "FitOrWord", "Multiple"]

_TIMES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s*", re.ASCII)  # noqa: RUF001 - people write it so
_MOST_CHARACTERS = 20


class Fit(Part):
    """What is done with a request that another model would not take as it is."""

    mode: Literal["strict", "adapt", "off"] = "strict"
    """`strict`: change what cannot alter what was asked, and skip a rung that cannot take the rest; `adapt`: also ask
    in words for what it does not take otherwise; `off`: send as is."""
    count_tokens: StrictBool = False
    """Whether the API is asked for the size of a prompt where it is a close call if it fits a context window."""

    @model_validator(mode="after")
    def _counts_for_something(self) -> Self:
        if self.mode == "off" and self.count_tokens:
            raise ValueError("with `mode: off` nothing is fitted, so nothing is counted: remove `count_tokens`")
        return self


def _fit(value: Any) -> Any:
    if value is False:
        return {"mode": "off"}
    if isinstance(value, str):
        return {"mode": value}
    if isinstance(value, (dict, Fit)):
        return value
    raise ValueError(f"must be strict, adapt or off, or a mapping of mode and count_tokens, not {shown(value)}")


FitOrWord = Annotated[Fit, BeforeValidator(_fit)]
"""A `Fit`, or its `mode` alone."""


class Bulkhead(Part):
    """How many attempts with large prompts, or with any, may be out at once."""

    over: Off[Tokens] = None
    """Only for prompts of more tokens than this, by a quick estimate; `None`: for all."""
    at_once: Count = Field(examples=["2"])
    queue: SecondsOrNone = 30.0
    """How long an attempt may wait for its turn."""


def _times(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= _MOST_CHARACTERS and (match := _TIMES.fullmatch(value)):
        return float(match[1])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{shown(value)} is no multiple: write 3x, or a number from 1")


Multiple = Annotated[float, BeforeValidator(_times), Ge(1), Le(10_000)]
"""How many times as much: `3x`, or a number from 1."""
