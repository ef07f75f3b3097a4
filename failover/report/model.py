"""What a report says, as data. Times are seconds since 1970, UTC; durations are seconds.

Each failed attempt and each call is counted in one place only: in a platform incident, in the outage of one circuit, or
outside of both. So the costs of all places add up to the total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "Cost",
    "Ending",
    "ErrorCount",
    "Evidence",
    "FailedRequest",
    "Incident",
    "Outage",
    "Outside",
    "Period",
    "Report",
    "Said",
    "Served",
]

Ending: TypeAlias = Literal["over", "going_on", "unheard"]
"""`over`: it ended. `going_on`: it had not ended as the period did. `unheard`: the process that knew fell silent before it
said that it was over, as a process does that is stopped."""


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a report is about. `None` if neither was it asked for, nor is there an entry."""

    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What an outage took from those who called."""

    attempts: int = 0
    """That failed."""
    seconds: float = 0.0
    """That they took together."""
    input_tokens: int = 0
    """Of answers that broke off: of their prompts."""
    output_tokens: int = 0
    """Of the same: written before they broke off."""
    saved: int = 0
    """Calls that another model answered, or another attempt."""
    lost: int = 0
    """Calls that ended without a whole answer because no model gave one: `exhausted`, `refused`, `interrupted`."""
    failed: int = 0
    """Calls whose error no other model could have helped."""
    cancelled: int = 0
    """Calls that the caller gave up."""
    rethreaded: int = 0
    """Calls that the SDK sent again as a whole conversation."""
    other: int = 0
    """Calls that are in the journal for another reason, such as a wait in line."""
    waited: float = 0.0
    """Seconds that calls spent waiting before an attempt."""

    @property
    def calls(self) -> int:
        """All of them; those that went well at once are not in a journal."""
        return self.saved + self.lost + self.failed + self.cancelled + self.rethreaded + self.other


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often one error came."""

    error_type: str | None
    status: int | None
    """`None`: no response came."""
    count: int
    neutral: bool
    """Whether it says nothing about a model, such as an error about the request itself."""


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request that failed, as support can look it up."""

    at: float
    request_id: str
    place: str
    """The model; of a client other than the caller's own `client/model`."""
    status: int | None
    error_type: str | None
    probe: bool = False
    """Whether it was a tiny request that asked if an incident was over."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of failed attempts and probes."""

    errors: tuple[ErrorCount, ...] = ()
    """The most frequent first."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Failed attempts by model, or `client/model`; the most frequent first."""
    request_ids: int = 0
    """How many different ones there are, of attempts and of probes; without errors that are about the request itself."""
    first: tuple[FailedRequest, ...] = ()
    """Those with a request id, from the first on; at most ten."""
    last: tuple[FailedRequest, ...] = ()
    """The last ones of the others, in order; at most ten."""
    traces: tuple[str, ...] = ()
    """Trace ids of the first of these attempts that were traced."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the provider's status page said, from a time on."""

    at: float
    indicator: str | None
    """Such as `none`, `minor`, `major`, `critical`."""
    incidents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incident:
    """Nobody behind a client answered for long, or several of its models failed together."""

    number: int
    """From 1, in order of time."""
    client: str
    began: float
    """When the first of the failures came that made it one."""
    noticed: float | None
    """When it was called an incident; `None` if that was before the period."""
    ended: float | None
    ending: Ending
    last_heard: float
    """The end, or the last moment that is known of."""
    processes: int
    """How many found it."""
    causes: tuple[str, ...]
    models: tuple[str, ...]
    failures: int
    """That made it one, over all processes."""
    probes: int
    probes_answered: int
    kept_back: int
    """Calls that were not sent, by what the processes counted as it ended."""
    cost: Cost
    evidence: Evidence
    said: tuple[Said, ...]
    outages: tuple[int, ...]
    """The numbers of the outages that began in it; their attempts and calls are counted here."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A circuit was open, from the first opening in any process to the last closing."""

    number: int
    """From 1, in order of time."""
    circuit: str
    client: str
    opened: float
    before_period: bool
    """Whether it was open when the period began; `opened` is then the beginning of the period."""
    closed: float | None
    ending: Ending
    last_heard: float
    """The closing, or the last moment that is known of."""
    processes: int
    reasons: tuple[str, ...]
    """Why it was opened, and opened again, each once."""
    reopened: int
    """How often a probe failed, or a rule opened it once more before it closed."""
    failures_before: int
    """Failed attempts up to the first opening."""
    cost: Cost
    evidence: Evidence
    incident: int | None
    """The incident in which it began; its attempts and calls are counted there, and `cost` and `evidence` are empty."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What failed while no circuit was open and no incident was on."""

    cost: Cost
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Served:
    """Who answered."""

    place: str
    answers: int
    seconds: float
    """That they took together."""


@dataclass(frozen=True, slots=True)
class Report:
    """What happened in a period."""

    period: Period
    entries: int
    processes: tuple[str, ...]
    policies: tuple[str, ...]
    lost: int
    """Entries that could not be written: so much is missing."""
    lost_reasons: Mapping[str, int]
    ignored: Mapping[str, int]
    """Entries of kinds that this version does not know, by kind."""
    unusable: int
    """Entries whose time is none."""
    clock_steps: int
    """How often a process's clock went back by more than two seconds."""
    incidents: tuple[Incident, ...]
    outages: tuple[Outage, ...]
    outside: Outside
    total: Cost
    served: tuple[Served, ...]
    """The most answers first."""
    said: tuple[Said, ...]

    @property
    def answers(self) -> int:
        """How many attempts were answered well."""
        return sum(served.answers for served in self.served)

    @property
    def quiet(self) -> bool:
        """Whether nothing went wrong, as far as was written down."""
        return not (self.incidents or self.outages or self.total.attempts or self.total.lost or self.total.failed)
