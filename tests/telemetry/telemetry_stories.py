"""Calls as the engine would tell them: the same hand-made event sequences drive the spans' and the logs' tests."""

from __future__ import annotations

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    ContentStarted,
    Event,
    ModelSkipped,
    StreamInterrupted,
    Waiting,
)

OPUS = "claude-opus-5"
SONNET = "claude-sonnet-5"


def started(call=1, **changes):
    fields = {"policy": "default", "digest": "0123456789ab", "model": OPUS, "sdk_retries_taken": 0}
    return CallStarted(call, **(fields | changes))


def trying(call, number, model=OPUS, reason="primary", state="closed"):
    return AttemptStarted(call, number, model, reason, breaker=model, state=state)


def answered(call, number, model=OPUS):
    return AttemptFinished(call, number, model, model, "success", 200, None, f"req_{call}_{number}", None, 0.5)


def failed(call, number, model=OPUS, *, status=500, error_type="api_error", verdict="failure", retry_after=None):
    request_id = None if status is None else f"req_{call}_{number}"
    return AttemptFinished(call, number, model, model, verdict, status, error_type, request_id, retry_after, 0.5)


def answering(call, number, model=OPUS):
    return ContentStarted(call, number, model, 0.2)


def streamed(call, number, model=OPUS, *, end="complete", verdict="success", error_type=None):
    """A stream's end: 0.2 s to its first content, 3 s in all."""
    request_id = f"req_{call}_{number}"
    return AttemptFinished(
        call, number, model, model, verdict, 200, error_type, request_id, None, 3.0, first_content=0.2, stream=end
    )


def broken_off(call, number, model=OPUS, *, then="raise", why=None):
    return StreamInterrupted(call, number, model, "overloaded_error", f"req_{call}_{number}", then, why)


def skipped(call, model=OPUS, retry_in=12.5, state="open", reason="open"):
    return ModelSkipped(call, model, model, state, retry_in, reason)


def opened(model=OPUS, from_state="closed", **changes):
    fields = {
        "reason": "consecutive_failures",
        "failures": 5,
        "open_for": 15.0,
        "error_type": "overloaded_error",
        "request_id": "req_last",
    }
    return BreakerTransition(model, from_state, "open", **(fields | changes))


def opened_by_hand(model=OPUS):
    return opened(model, reason="isolated", open_for=None)


def half_opened(model=OPUS):
    return BreakerTransition(model, "open", "half_open", "open_time_over", 5, None, "overloaded_error", "req_last")


def closed(model=OPUS, reason="probe_succeeded"):
    return BreakerTransition(model, "half_open", "closed", reason, 0, None, "overloaded_error", "req_last")


def finished(call, outcome, served=None, *, attempts=1, skips=(), waited=0.0, error_type=None):
    ids = tuple(f"req_{call}_{number}" for number in range(1, attempts + 1))
    return CallFinished(call, outcome, OPUS, served, attempts, skips, waited, error_type, ids)


def primary(call=1):
    return [started(call), trying(call, 1), answered(call, 1), finished(call, "primary", OPUS)]


def saved_by_fallback(call=1):
    """The first model fails twice, the second time its circuit opens; the second model answers."""
    return [
        started(call),
        trying(call, 1),
        failed(call, 1),
        Waiting(call, 0.25, "backoff"),
        trying(call, 2, reason="retry"),
        opened(),
        failed(call, 2, status=529, error_type="overloaded_error"),
        trying(call, 3, SONNET, "fallback"),
        answered(call, 3, SONNET),
        finished(call, "fallback", SONNET, attempts=3, waited=0.25),
    ]


def skipping(call=1):
    """The first model's circuit is open already."""
    return [
        started(call),
        skipped(call),
        trying(call, 1, SONNET, "fallback"),
        answered(call, 1, SONNET),
        finished(call, "fallback", SONNET, skips=(OPUS,)),
    ]


def refused(call=1):
    return [
        started(call),
        skipped(call),
        skipped(call, SONNET, retry_in=None),
        finished(call, "refused", attempts=0, skips=(OPUS, SONNET), error_type="circuit_open"),
    ]


def exhausted(call=1):
    return [
        started(call),
        trying(call, 1),
        failed(call, 1),
        trying(call, 2, SONNET, "fallback"),
        failed(call, 2, SONNET, status=None, error_type="connection_error"),
        Waiting(call, 5.0, "between_passes"),
        trying(call, 3, reason="retry"),
        failed(call, 3),
        finished(call, "exhausted", attempts=3, waited=5.0, error_type="api_error"),
    ]


def wrong_request(call=1):
    return [
        started(call),
        trying(call, 1),
        failed(call, 1, status=400, error_type="invalid_request_error", verdict="neutral"),
        finished(call, "failed", error_type="invalid_request_error"),
    ]


def cancelled(call=1):
    return [started(call), trying(call, 1), finished(call, "cancelled")]


def probing(call=1):
    """The open time is over, the probe succeeds, the circuit closes."""
    return [
        started(call),
        half_opened(),
        trying(call, 1, reason="probe", state="half_open"),
        closed(),
        answered(call, 1),
        finished(call, "primary", OPUS),
    ]


def retried_in_place(call=1):
    """One failure, and the same model answers: an outcome that is `primary`."""
    return [
        started(call),
        trying(call, 1),
        failed(call, 1),
        trying(call, 2, reason="retry"),
        answered(call, 2),
        finished(call, "primary", OPUS, attempts=2),
    ]


def streaming(call=1):
    """A stream that its first model brings to its end."""
    return [
        started(call),
        trying(call, 1),
        answering(call, 1),
        streamed(call, 1),
        finished(call, "primary", OPUS),
    ]


def left_early(call=1):
    """A stream whose reader has seen enough."""
    return [
        started(call),
        trying(call, 1),
        answering(call, 1),
        streamed(call, 1, end="closed", verdict="neutral"),
        finished(call, "cancelled"),
    ]


def interrupted(call=1, why=None):
    """A stream that breaks, and whose reader gets the error."""
    return [
        started(call),
        trying(call, 1),
        answering(call, 1),
        streamed(call, 1, end="error", verdict="failure", error_type="overloaded_error"),
        broken_off(call, 1, why=why),
        finished(call, "interrupted", error_type="overloaded_error"),
    ]


def not_resumed(call=1):
    """A stream that breaks after its model has called a tool."""
    return interrupted(call, why="tool_use")


def resumed(call=1):
    """A stream that breaks, and that another model begins again."""
    return [
        started(call),
        trying(call, 1),
        answering(call, 1),
        streamed(call, 1, end="error", verdict="failure", error_type="overloaded_error"),
        broken_off(call, 1, then="restart"),
        trying(call, 2, SONNET, "fallback"),
        answering(call, 2, SONNET),
        streamed(call, 2, SONNET),
        finished(call, "fallback", SONNET, attempts=2),
    ]


def resumed_in_vain(call=1):
    """A stream that breaks, and the only other model is down."""
    return [
        *resumed(call)[:6],
        failed(call, 2, SONNET, status=529, error_type="overloaded_error"),
        finished(call, "interrupted", attempts=2, error_type="overloaded_error"),
    ]


def resumed_and_lost(call=1):
    """A stream that breaks, and so does the one that takes over."""
    return [
        *resumed(call)[:7],
        streamed(call, 2, SONNET, end="cut", verdict="failure", error_type="connection_error"),
        StreamInterrupted(call, 2, SONNET, "connection_error", f"req_{call}_2", "raise", "no_rung"),
        finished(call, "interrupted", attempts=2, error_type="overloaded_error"),
    ]


ALL = (
    primary,
    saved_by_fallback,
    skipping,
    refused,
    exhausted,
    wrong_request,
    cancelled,
    probing,
    retried_in_place,
    streaming,
    left_early,
    interrupted,
    not_resumed,
    resumed,
    resumed_in_vain,
    resumed_and_lost,
)


def notable(events: list[Event]) -> list[Event]:
    """What is left of a call whose routine nobody wants to hear."""
    return [event for event in events if _is_notable(event)]


def _is_notable(event: Event) -> bool:
    match event:
        case CallStarted() | ContentStarted():
            return False
        case AttemptStarted():
            return event.reason != "primary"
        case AttemptFinished():
            return event.verdict != "success"
        case CallFinished():
            return event.outcome != "primary"
        case _:
            return True
