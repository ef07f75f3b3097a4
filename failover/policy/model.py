"""What a policy is: every word of the YAML as an immutable, typed value with its default.

The defaults here are the default policy; `policies/default.yaml` says the same with comments. Reading YAML, and
saying where in the file a mistake is, is the business of
`failover.document`. The `examples` of a required field are YAML: they are what a reader is told to write when it is
missing.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, model_validator
from typing_extensions import Self

from failover.document import refuse
from failover.document.units import Count, Factor, Number, Off, Seconds, SecondsOrNone, Share, ShareOrNone
from failover.document.words import shown

from . import checks
from .checks import ERROR_TYPES

__all__ = [
    "ERROR_TYPES",
    "Backoff",
    "BreakerRules",
    "ErrorRule",
    "FailureRate",
    "HungCalls",
    "Ladder",
    "OpenFor",
    "Policy",
    "Probe",
    "Ramp",
    "Retry",
    "RetryAfter",
    "RetryBudget",
    "Rung",
    "SlowRate",
    "Trip",
]

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(checks.one_line)]
BodyField = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(checks.body_field)]
Pattern = Annotated[Name, AfterValidator(checks.pattern)]
ErrorName = Annotated[str, BeforeValidator(checks.error_name)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


def _rung(value: Any) -> Any:
    if isinstance(value, str):
        return {"model": value}
    if isinstance(value, (dict, Rung)):
        return value
    raise ValueError(f"a rung is a model's name or {{model: ..., set: {{...}}}}, not {shown(value)}")


class Rung(_Part):
    """One place a request can go: a model, with an optional patch of the request's body."""

    model: Name = Field(examples=["claude-opus-5"])
    set: Mapping[BodyField, Any] = {}
    """Body fields for this rung: a value overrides, `None` unsets; `output_config` is merged one level deep."""

    @model_validator(mode="after")
    def _patch_is_sound(self) -> Self:
        refuse(checks.unsound_patch(self.set, written="set" in self.model_fields_set))
        return self


def _rungs_differ(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    refuse(checks.repeated(rungs))
    return rungs


class Ladder(_Part):
    """For requested models that match a pattern: the rungs to try after the requested model, in order."""

    match: Pattern = Field(examples=['"claude-opus-*"'])
    rungs: Annotated[
        tuple[Annotated[Rung, BeforeValidator(_rung)], ...],
        Field(max_length=50, examples=["[claude-opus-5]"]),
        AfterValidator(_rungs_differ),
    ]

    def matches(self, model: str) -> bool:
        """Whether this ladder is for a requested model; `*` and `?` as in file names, case included."""
        return fnmatch.fnmatchcase(model, self.match)


class Backoff(_Part):
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


class RetryAfter(_Part):
    """What a server's `retry-after` is worth."""

    max: Seconds = 10.0
    """A wish of at most this is waited out in place; a longer one opens the circuit for its length."""


class RetryBudget(_Part):
    """How much of the traffic may be repeats: a share of the calls, and a floor for quiet programs."""

    ratio: Share = 0.2
    min_per_second: Annotated[Number, Ge(0), Le(10_000)] = 1.0


class Retry(_Part):
    """How often, how long and how patiently one call is tried."""

    tries: Annotated[Count, Le(20)] = 2
    wait: Backoff = Backoff(first=0.5, factor=2, max=4, jitter="full")
    retry_after: RetryAfter = RetryAfter()
    passes: Annotated[Count, Le(100)] = 3
    between_passes: Backoff = Backoff(first=5, factor=2, max=10, jitter="equal")
    deadline: Off[Seconds] = 120.0
    reserve: SecondsOrNone = 20.0
    long_answers: Literal["cut", "stretch"] = "cut"
    """What the deadline means for a call without streaming whose answer may honestly need longer (the SDK reckons
    128,000 tokens an hour): `cut` it all the same, or `stretch` that attempt's time to what `max_tokens` may need."""
    budget: Off[RetryBudget] = RetryBudget()

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        refuse(checks.reserve(self.reserve, self.deadline))
        return self


class _Rate(_Part):
    over: Share = Field(examples=["50%"])
    of_at_least: Count = Field(examples=["20"])
    within: Seconds = Field(examples=["60s"])

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        refuse(checks.too_many_calls(self.of_at_least, self.within))
        return self


class FailureRate(_Rate):
    """Opens when at least `over` of the calls within a time failed, once there are `of_at_least` of them."""


class SlowRate(_Rate):
    """Opens when at least `over` of the calls within a time took longer than `slower_than` to answer."""

    slower_than: Seconds = Field(examples=["30s"])


class HungCalls(_Part):
    """Opens when more than so many calls have been waiting for an answer for longer than `older_than`."""

    more_than: Count = Field(examples=["5"])
    older_than: Seconds = Field(examples=["60s"])


class Trip(_Part):
    """What opens a circuit: any of these."""

    consecutive_failures: Off[Count] = 5
    failure_rate: Off[FailureRate] = FailureRate(over=0.5, of_at_least=20, within=60)
    slow_rate: Off[SlowRate] = None
    hung_calls: Off[HungCalls] = None

    @model_validator(mode="after")
    def _something_trips(self) -> Self:
        if all(
            rule is None for rule in (self.consecutive_failures, self.failure_rate, self.slow_rate, self.hung_calls)
        ):
            raise ValueError("every rule is off, so no circuit could ever open: set at least one")
        return self


class OpenFor(_Part):
    """How long a circuit stays open: longer with each opening until it has stayed closed for a while."""

    first: Seconds = 15.0
    factor: Factor = 2.0
    max: Seconds = 300.0
    jitter: Annotated[ShareOrNone, Le(0.5)] = 0.1

    @model_validator(mode="after")
    def _grows(self) -> Self:
        refuse(checks.longer(first=self.first, max=self.max))
        return self


class Probe(_Part):
    """How a half-open circuit asks whether the model is back."""

    permits: Count = 1
    successes: Count = 2
    lease: Seconds = 60.0
    """A probe that has not reported by then gives its permit back."""
    timeout: Seconds = 30.0

    @model_validator(mode="after")
    def _answers_within_its_lease(self) -> Self:
        refuse(checks.longer(timeout=self.timeout, lease=self.lease))
        return self


class Ramp(_Part):
    """How traffic comes back after closing: a share that grows from `from` to all of it."""

    over: Seconds = Field(examples=["60s"])
    start: Share = Field(alias="from", examples=["10%"])


class BreakerRules(_Part):
    """The circuit of every (client, model)."""

    trip: Trip = Trip()
    open_for: OpenFor = OpenFor()
    probe: Probe = Probe()
    ramp: Off[Ramp] = None
    last_resort: Off[Seconds] = 1.0


class ErrorRule(_Part):
    """An override of one row of the built-in table of outcomes; what is left out stays as built in."""

    do: Literal["repeat", "next", "raise"] | None = None
    counts: Literal["failure", "neutral", "open"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.do is None and self.counts is None:
            raise ValueError("an empty rule changes nothing: set `do`, `counts`, or remove it")
        return self


def _every_ladder_can_be_reached(ladders: tuple[Ladder, ...]) -> tuple[Ladder, ...]:
    refuse(checks.unreachable([ladder.match for ladder in ladders]))
    return ladders


def _wrong_requests_are_not_repeated(errors: Mapping[str, ErrorRule]) -> Mapping[str, ErrorRule]:
    refuse(found for name, rule in errors.items() for found in checks.wrong_request(name, rule.do, rule.counts))
    return errors


def _ladder(match: str, *models: str) -> Ladder:
    return Ladder(match=match, rungs=tuple(Rung(model=model) for model in models))


_DEFAULT_LADDERS = (
    _ladder("claude-fable-*", "claude-fable-5-1", "claude-opus-5-5", "claude-opus-5"),
    _ladder("claude-opus-*", "claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-sonnet-5-5"),
    _ladder("claude-sonnet-*", "claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6"),
    _ladder("claude-haiku-*", "claude-haiku-5-5", "claude-haiku-4-5"),
    _ladder("*"),
)


class Policy(_Part):
    """What one YAML file says. Immutable; equal policies have equal digests."""

    version: Annotated[StrictInt, AfterValidator(checks.version)] = Field(examples=["1"])
    name: Name = Field(examples=["my-policy"])
    description: str = ""
    ladders: Annotated[tuple[Ladder, ...], Field(max_length=100), AfterValidator(_every_ladder_can_be_reached)] = (
        _DEFAULT_LADDERS
    )
    retry: Retry = Retry()
    breaker: BreakerRules = BreakerRules()
    errors: Annotated[Mapping[ErrorName, ErrorRule], AfterValidator(_wrong_requests_are_not_repeated)] = {}

    def rungs_for(self, model: str) -> tuple[Rung, ...]:
        """The rungs for a requested model: itself first, then those of the first ladder that matches."""
        asked = Rung.model_construct(model=model, set={})  # whatever the caller asked for is the API's to judge
        ladder = next((ladder for ladder in self.ladders if ladder.matches(model)), None)
        return (asked, *(rung for rung in (ladder.rungs if ladder else ()) if rung != asked))

    @functools.cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name what the policy says, whatever its file looks like."""
        said = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @model_validator(mode="after")
    def _every_rule_can_fire(self) -> Self:
        trip, deadline = self.breaker.trip, self.retry.deadline if self.retry.long_answers == "cut" else None
        if trip.hung_calls is not None:
            refuse(checks.past_deadline(("hung_calls", "older_than"), trip.hung_calls.older_than, deadline))
        if trip.slow_rate is not None:
            refuse(checks.past_deadline(("slow_rate", "slower_than"), trip.slow_rate.slower_than, deadline))
        return self
