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

from annotated_types import Le
from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, model_validator
from typing_extensions import Self

from failover.document import refuse
from failover.document.units import Count, Factor, Off, Seconds, SecondsOrNone, Share, ShareOrNone
from failover.document.words import shown

from . import checks
from .checks import ERROR_TYPES
from .fitting import Bulkhead, Fit, FitOrWord, Multiple
from .incident import IncidentProbe, IncidentRules, StatusPage, unreachable_models
from .part import Part
from .retry import Backoff, Retry, RetryAfter, RetryBudget
from .shrinking import Shrink
from .stream import StreamRules

__all__ = [
    "ERROR_TYPES",
    "Backoff",
    "BreakerRules",
    "Bulkhead",
    "ErrorRule",
    "FailureRate",
    "Fit",
    "HungCalls",
    "IncidentProbe",
    "IncidentRules",
    "Ladder",
    "OpenFor",
    "Policy",
    "Probe",
    "Ramp",
    "Retry",
    "RetryAfter",
    "RetryBudget",
    "Rung",
    "Shrink",
    "SlowRate",
    "StatusPage",
    "StreamRules",
    "Trip",
]

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(checks.one_line)]
BodyField = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(checks.body_field)]
ClientName = Annotated[Name, AfterValidator(checks.client_name)]
Pattern = Annotated[Name, AfterValidator(checks.pattern)]
ErrorName = Annotated[str, BeforeValidator(checks.error_name)]


def _rung(value: Any) -> Any:
    if isinstance(value, str):
        return {"model": value}
    if isinstance(value, (dict, Rung)):
        return value
    raise ValueError(f"a rung is a model's name or {{model: ..., client: ..., set: {{...}}}}, not {shown(value)}")


OWN_CLIENT = "default"


class Rung(Part):
    """One place a request can go: a model on a client, with an optional patch of the request's body."""

    model: Name = Field(examples=["claude-opus-5"])
    client: ClientName = OWN_CLIENT
    """One of the clients that `wrap` is given by name; `default` is the caller's own."""
    set: Mapping[BodyField, Any] = {}
    """Body fields for this rung: a value overrides, `None` unsets; `output_config` is merged one level deep."""
    at_once: Off[Count] = None
    """How many attempts may be out at once at this model and client, whichever ladder sent them."""
    queue: SecondsOrNone = 30.0
    """How long an attempt may wait for its turn under `at_once`."""
    shrink: Off[Shrink] = None
    """When failures of this rung make the prompt smaller; left out: as the policy has it."""

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        refuse(checks.unsound_patch(self.set, written="set" in self.model_fields_set))
        refuse(checks.queue_before_nothing(self.at_once, written="queue" in self.model_fields_set))
        return self

    @property
    def is_plain(self) -> bool:
        """Whether it is the model that the caller's own client would ask, with the request as it is."""
        return self.client == OWN_CLIENT and not self.set


def _rungs_differ(rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    refuse(checks.repeated(rungs))
    return rungs


class Ladder(Part):
    """For requested models that match a pattern: the rungs to try after the requested model, in order. A rung that is
    the requested model itself, without a `set`, says how many of its attempts may be out at once, and when it shrinks.
    """

    match: Pattern = Field(examples=['"claude-opus-*"'])
    rungs: Annotated[
        tuple[Annotated[Rung, BeforeValidator(_rung)], ...],
        Field(max_length=50, examples=["[claude-opus-5]"]),
        AfterValidator(_rungs_differ),
    ]

    def matches(self, model: str) -> bool:
        """Whether this ladder is for a requested model; `*` and `?` as in file names, case included."""
        return fnmatch.fnmatchcase(model, self.match)


class _Rate(Part):
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


class HungCalls(Part):
    """Opens when more than so many calls have been waiting for an answer for longer than `older_than`."""

    more_than: Count = Field(examples=["5"])
    older_than: Seconds = Field(examples=["60s"])


class Trip(Part):
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


class OpenFor(Part):
    """How long a circuit stays open: longer with each opening until it has stayed closed for a while."""

    first: Seconds = 15.0
    factor: Factor = 2.0
    max: Seconds = 300.0
    jitter: Annotated[ShareOrNone, Le(0.5)] = 0.1

    @model_validator(mode="after")
    def _grows(self) -> Self:
        refuse(checks.longer(first=self.first, max=self.max))
        return self


class Probe(Part):
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


class Ramp(Part):
    """How traffic comes back after closing: a share that grows from `from` to all of it."""

    over: Seconds = Field(examples=["60s"])
    start: Share = Field(alias="from", examples=["10%"])


class BreakerRules(Part):
    """The circuit of every (client, model)."""

    trip: Trip = Trip()
    open_for: OpenFor = OpenFor()
    probe: Probe = Probe()
    ramp: Off[Ramp] = None
    last_resort: Off[Seconds] = 1.0


class ErrorRule(Part):
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


def _every_override_is_of_use(errors: Mapping[str, ErrorRule]) -> Mapping[str, ErrorRule]:
    refuse(found for name, rule in errors.items() for found in checks.useless_override(name, rule.do, rule.counts))
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


class Policy(Part):
    """What one YAML file says. Immutable; equal policies have equal digests."""

    version: Annotated[StrictInt, AfterValidator(checks.version)] = Field(examples=["1"])
    name: Name = Field(examples=["my-policy"])
    description: str = ""
    ladders: Annotated[tuple[Ladder, ...], Field(max_length=100), AfterValidator(_every_ladder_can_be_reached)] = (
        _DEFAULT_LADDERS
    )
    retry: Retry = Retry()
    breaker: BreakerRules = BreakerRules()
    errors: Annotated[Mapping[ErrorName, ErrorRule], AfterValidator(_every_override_is_of_use)] = {}
    stream: StreamRules = StreamRules()
    fit: FitOrWord = Fit()
    cost_at_most: Off[Multiple] = None
    """Rungs whose tokens cost more than so many times the requested model's are passed over, where prices are known."""
    shrink: Off[Shrink] = None
    bulkheads: Annotated[Mapping[ClientName, Bulkhead], Field(max_length=20)] = {}
    incident: Off[IncidentRules] = None
    """When the whole platform is taken to be down."""

    def rungs_for(self, model: str) -> tuple[Rung, ...]:
        """The rungs for a requested model: itself first, then those of the first ladder that matches."""
        ladder = next((ladder for ladder in self.ladders if ladder.matches(model)), None)
        rungs = ladder.rungs if ladder else ()
        asked = next((rung for rung in rungs if rung.model == model and rung.is_plain), None)
        if asked is None:
            asked = Rung.model_construct(model=model)  # whatever the caller asked for is the API's to judge
        return (asked, *(rung for rung in rungs if rung is not asked))

    @functools.cached_property
    def limits(self) -> Mapping[tuple[str, str], Rung]:
        """For each (client, model) whose attempts are limited, a rung that says how: it binds all ladders."""
        rungs = [rung for ladder in self.ladders for rung in ladder.rungs]
        return {(rung.client, rung.model): rung for rung in rungs if rung.at_once is not None}

    @property
    def clients(self) -> frozenset[str]:
        """The names of all clients that rungs are on, besides the caller's own."""
        named = {rung.client for ladder in self.ladders for rung in ladder.rungs}
        return frozenset(named - {OWN_CLIENT})

    def __hash__(self) -> int:
        """Of the parts that can be hashed: a digest tells 5 and 5.0 in a `set` apart, which are equal."""
        return hash((self.name, self.retry, self.breaker, frozenset(self.errors.items())))

    @functools.cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name what the policy says, whatever its file looks like."""
        said = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @model_validator(mode="after")
    def _every_rule_can_fire(self) -> Self:
        refuse(checks.contradicting_limits([ladder.rungs for ladder in self.ladders]))
        refuse(unreachable_models(self.incident, self.ladders, OWN_CLIENT))
        for rule in (self.shrink, *(rung.shrink for ladder in self.ladders for rung in ladder.rungs)):
            if rule is not None:
                refuse(
                    checks.raised_all_the_same(
                        rule.when, {name for name, one in self.errors.items() if one.do == "raise"}
                    )
                )
        trip, deadline = self.breaker.trip, self.retry.deadline if self.retry.long_answers == "cut" else None
        if trip.hung_calls is not None:
            refuse(checks.past_deadline(("hung_calls", "older_than"), trip.hung_calls.older_than, deadline))
        if trip.slow_rate is not None:
            refuse(checks.past_deadline(("slow_rate", "slower_than"), trip.slow_rate.slower_than, deadline))
        return self
