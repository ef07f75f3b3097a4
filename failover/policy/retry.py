"""How one call is tried again: the `retry` part of a policy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from failover.document import refuse
from failover.document.units import Count, Factor, Number, Off, Seconds, SecondsOrNone, Share

from . import checks
from .part import Part

__all__ = ["Backoff", "Retry", "RetryAfter", "RetryBudget"]


class Backoff(Part):
    """A wait that grows: `first`, then times `factor`, up to `max` seconds."""

    first: Seconds = Field(examples=["1s"])
    factor: Factor = 2.0
    max: Seconds = Field(examples=["10s"])
    jitter: Literal["full", "equal", "none"] = "full"
    """`full`: from 0 to the wait; `equal`: from half the wait to all of it; `none`: the wait."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        refuse(checks.longer(first=self.first, max=self.max))
        return self


class RetryAfter(Part):
    """What a server's `retry-after` is worth."""

    max: Seconds = 10.0
    """A wish of at most this is waited out in place; a longer one opens the circuit for its length."""


class RetryBudget(Part):
    """How much of the traffic may be repeats: a share of the calls, and a floor for quiet programs."""

    ratio: Share = 0.2
    min_per_second: Annotated[Number, Ge(0), Le(10_000)] = 1.0


class Retry(Part):
    """How often, how long and how patiently one call is tried."""

    tries: Annotated[Count, Le(20)] = 2
    wait: Backoff = Backoff(first=0.5, factor=2, max=4, jitter="full")
    retry_after: RetryAfter = RetryAfter()
    passes: Annotated[Count, Le(100)] = 3
    between_passes: Backoff = Backoff(first=5, factor=2, max=10, jitter="equal")
    deadline: Off[Seconds] = 120.0
    reserve: SecondsOrNone = 20.0
    long_answers: Literal["cut", "stretch"] = "stretch"
    """What the deadline means for a call without streaming whose answer may honestly need longer (the SDK reckons
    128,000 tokens an hour): `cut` it all the same, or `stretch` that attempt's time to what `max_tokens` may need.
    Left out beside a `deadline` that is given, it is `cut`: a deadline of one's own is kept to the letter."""
    budget: Off[RetryBudget] = RetryBudget()

    @model_validator(mode="before")
    @classmethod
    def _own_deadline_is_kept(cls, given: Any) -> Any:
        if isinstance(given, dict) and "deadline" in given:
            return {"long_answers": "cut", **given}
        return given

    @model_serializer(mode="wrap")
    def _beside_a_deadline_nothing_is_left_out(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """So that what was dumped without defaults reads back the same."""
        said: dict[str, Any] = dump(self)
        return {**said, "long_answers": self.long_answers} if "deadline" in said else said

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        refuse(checks.reserve(self.reserve, self.deadline))
        return self
