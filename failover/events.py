"""What happened, as data: the frozen events that spans, logs and users' own listeners are made of.

The engine and the circuits emit them and know nothing of who listens. Times are seconds. No event holds prompt
text, tool inputs, keys or an exception's message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "BreakerTransition",
    "CallFinished",
    "CallStarted",
    "ContentStarted",
    "Event",
    "IncidentEnded",
    "IncidentProbed",
    "IncidentStarted",
    "ModelSkipped",
    "PromptShrunk",
    "StatusSeen",
    "StreamInterrupted",
    "Waiting",
]

CallOutcome: TypeAlias = Literal[
    "primary", "fallback", "exhausted", "refused", "failed", "interrupted", "cancelled", "rethreaded"
]
AttemptReason: TypeAlias = Literal["primary", "retry", "fallback", "probe", "last_resort"]
BreakerState: TypeAlias = Literal["closed", "open", "half_open"]
Verdict: TypeAlias = Literal["success", "failure", "neutral", "open"]
SkipReason: TypeAlias = Literal[
    "open", "probing", "ramp", "account", "unavailable", "deadline", "unfit", "cost", "full", "incident"
]
WaitCause: TypeAlias = Literal["backoff", "retry_after", "between_passes", "queue", "incident"]
IncidentCause: TypeAlias = Literal["after", "models"]
StreamEnd: TypeAlias = Literal["complete", "error", "cut", "stall", "truncated", "malformed", "closed", "not_judged"]
Resumption: TypeAlias = Literal["restart", "continue"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A guarded call began."""

    call: int
    """A number that all events of one call share; unique in the process."""
    policy: str
    digest: str
    model: str
    """The model that the caller asked for."""
    sdk_retries_taken: int
    """How often the SDK's own loop had already run this call: 0 unless its retries were left on."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A request is about to be sent."""

    call: int
    number: int
    """From 1, over all rungs and passes of the call."""
    model: str
    reason: AttemptReason
    breaker: str
    state: BreakerState
    """The circuit's state as it let this attempt through."""
    client: str = "default"
    """Which client sends it: `default` is the caller's own."""
    changes: tuple[str, ...] = ()
    """How the request differs from the caller's, besides its model: a line each, without content."""
    queued: float | None = None
    """Seconds that it stood in line before a bulkhead; `None` if it did not."""


@dataclass(frozen=True, slots=True)
class ContentStarted:
    """The first content of a streamed answer is on its way to the caller."""

    call: int
    number: int
    model: str
    seconds: float
    """Since the request was sent."""


@dataclass(frozen=True, slots=True)
class StreamInterrupted:
    """A stream broke after the caller had seen some of it."""

    call: int
    number: int
    model: str
    error_type: str | None
    request_id: str | None
    then: Literal["raise", "restart", "continue"]
    why: str | None
    """Why it is raised although the policy says otherwise, such as `tool_use`; else `None`."""


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """An attempt's outcome was reported to its circuit."""

    call: int
    number: int
    model: str
    breaker: str
    verdict: Verdict
    status: int | None
    error_type: str | None
    """The API's own `error.type`, or the status; or `connection_error`, `client_timeout_error`, `pool_timeout`,
    `stream_truncated`, `malformed_response`, `circuit_open`; `None` on success."""
    request_id: str | None
    retry_after: float | None
    seconds: float
    first_content: float | None = None
    """Seconds from sending until the first content of a stream; `None` if there was none."""
    stream: StreamEnd | None = None
    """How the stream ended; `not_judged` if it is in a form that cannot be read here; `None` if it was no stream."""
    reason: AttemptReason = "primary"
    client: str = "default"
    input_tokens: int | None = None
    """Of a failed attempt that had begun to answer: the tokens of its prompt, as it said; else `None`."""
    output_tokens: int | None = None
    """Of the same: the tokens that it had written, as it said last, or as estimated from what came."""


@dataclass(frozen=True, slots=True)
class ModelSkipped:
    """A rung was passed over, and nothing was sent to it."""

    call: int
    model: str
    breaker: str
    state: BreakerState
    retry_in: float | None
    """Seconds until its circuit, or a bulkhead, may let a try through; `None` if that cannot be told."""
    reason: SkipReason
    why: str | None = None
    """What the model does not take, for `unfit`; the limit that is full, for `full`; else `None`."""


@dataclass(frozen=True, slots=True)
class PromptShrunk:
    """The prompt was made smaller after failures that a smaller one may not meet, or could not be."""

    call: int
    number: int
    """The attempt that failed last."""
    model: str
    done: tuple[str, ...]
    """What each step dropped, in counts and sizes; empty if nothing could be dropped."""
    tokens_before: int
    tokens_after: int
    """Both are estimates."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The call waits before it goes on; in a queue before a bulkhead, or in an incident, it has waited and tells so then."""

    call: int
    seconds: float
    cause: WaitCause


@dataclass(frozen=True, slots=True)
class BreakerTransition:
    """A circuit changed its state."""

    breaker: str
    from_state: BreakerState
    to_state: BreakerState
    reason: str
    """Why: `consecutive_failures`, `failure_rate`, `slow_rate`, `hung_calls`, `retry_after`, `unavailable`,
    `probe_failed`, `probe_succeeded`, `last_resort_succeeded`, `open_time_over`, `manual`, or `isolated`."""
    failures: int
    """Consecutive failures as it changed."""
    open_for: float | None
    """Seconds that it will stay open; `None` unless it opened for a known time."""
    error_type: str | None
    """Of the last failure that the circuit saw, whatever the transition is."""
    request_id: str | None
    """Of the same failure."""

    @property
    def by_hand(self) -> bool:
        """Whether somebody moved it, and no failure or success did."""
        return self.reason in {"manual", "isolated"}


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A guarded call ended, in whatever way."""

    call: int
    outcome: CallOutcome
    model: str
    served_model: str | None
    attempts: int
    skipped: tuple[str, ...]
    """Models passed over at least once, in order, without repetition."""
    waited: float
    error_type: str | None
    """What the caller sees; `None` when it was answered or cancelled."""
    request_ids: tuple[str, ...]
    """Of every attempt that had one, in order."""
    seconds: float = 0.0
    """From its beginning until its answer, its error, or the end of its stream."""


@dataclass(frozen=True, slots=True)
class IncidentStarted:
    """Nobody behind a client has answered for long, or several of its models fail at once: the platform is down."""

    client: str
    """`default` is the caller's own."""
    cause: IncidentCause
    """What made it one: no answer for so long, or so many models."""
    failing_for: float
    """Seconds since the first of the failures."""
    failures: int
    """How many there were, without one good answer among them."""
    models: tuple[str, ...]
    """That failed, in the order in which they began to."""
    error_types: tuple[str, ...]
    """Of these failures, each once."""
    request_ids: tuple[str, ...]
    """Of the first and the last of these failures."""


@dataclass(frozen=True, slots=True)
class IncidentProbed:
    """In an incident, a tiny request asked whether a model answers again."""

    call: int
    """The call that sent it before its own request."""
    client: str
    model: str
    answered: bool
    status: int | None
    error_type: str | None
    request_id: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """During an incident, what the provider's status page says; told when that changes."""

    indicator: str
    """`none`, `minor`, `major`, `critical` or `maintenance`."""
    incidents: tuple[str, ...]
    """The names of those that it knows of."""


@dataclass(frozen=True, slots=True)
class IncidentEnded:
    """Enough probes were answered, or a model did that had not failed in it: calls go to the client's models again."""

    client: str
    seconds: float
    """Since the first of the failures that made it one."""
    models: tuple[str, ...]
    """That failed in it."""
    probes: int
    kept_back: int
    """Calls that were not sent to this client because of it."""


Event: TypeAlias = (
    CallStarted
    | AttemptStarted
    | ContentStarted
    | StreamInterrupted
    | AttemptFinished
    | ModelSkipped
    | PromptShrunk
    | Waiting
    | BreakerTransition
    | IncidentStarted
    | IncidentProbed
    | IncidentEnded
    | StatusSeen
    | CallFinished
)
