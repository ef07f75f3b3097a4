"""Events as a trace: one span for each run of a policy, one for each attempt in it, and why it went that way.

    anthropic.messages.create   CLIENT     the SDK's own span of the call
    └ failover <policy>         INTERNAL   one run of the policy
      ├ try <model>             CLIENT     one HTTP request
      └ try <model>             CLIENT

Nothing here is named `gen_ai.*`: the SDK's span counts as the model call, and ours would count it again. A call
that fallback saved is no error, its failed attempts are:
https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, Tracer, TracerProvider

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    ContentStarted,
    Event,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    PromptShrunk,
    StatusSeen,
    StreamInterrupted,
    Waiting,
)

from .attributes import (
    Attributes,
    at_attempt,
    at_attempt_end,
    at_end,
    at_incident,
    at_interruption,
    at_probe,
    at_shrinking,
    at_skip,
    at_start,
    at_transition,
    at_wait,
    error_of_attempt,
    error_of_call,
)
from .lookup import SCOPE, Lookup, scope_version

__all__ = ["SpanListener"]

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Run:
    """The open spans of one call."""

    listener: SpanListener
    call: int
    policy: str
    tracer: Tracer
    span: Span
    linked: set[str] = field(default_factory=set)
    """The breakers whose opening this run is linked to."""
    attempt: Span | None = None
    outside: otel_context.Context | None = None
    """What was current before the attempt."""
    ended: bool = False


# A call inside another one's attempt is legal, so a context has a stack of runs. Tasks and threads that were started
# inside a run inherit it and may outlive it, which is why a run knows that it has ended.
_runs: ContextVar[tuple[_Run, ...]] = ContextVar("failover_span_runs", default=())


class SpanListener:
    """Turns events into OpenTelemetry spans. It never raises: what goes wrong is a debug log.

    All events of one call must come from one `contextvars` context or a copy of it, in order. While an attempt has not
    begun to answer, its span is the current one, so that spans of an HTTP instrumentation fall under it; not of one that
    takes over a stream, which is sent from wherever the caller reads.

    Args:
        tracer_provider: Where spans go. If absent, the global provider, also if it is set later.
        now: Tells the seconds between two looks for a provider that is not there yet.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._lookup = Lookup(tracer_provider, trace.get_tracer_provider, _tracer_of, now=now)
        # For each circuit that is not closed, the span that saw it open: as many as there are circuits.
        self._openers: dict[str, SpanContext] = {}

    def active(self) -> bool:
        """Whether a call that starts here and now would be recorded.

        It would not if no tracer provider is configured, if the OpenTelemetry SDK is disabled, or if the current trace
        is not sampled. Such a call need not send its events here, except `BreakerTransition`s.
        """
        try:
            if self._lookup.look() is None:  # first, because it is the commonest reason
                return False
            parent = trace.get_current_span().get_span_context()
        except Exception as error:  # noqa: BLE001 - a provider is anybody's code, and the call goes on
            _log.debug("no tracer: %s", type(error).__name__)
            return False
        return parent.trace_flags.sampled or not parent.is_valid

    def trace_id(self) -> str | None:
        """The trace that is recorded here and now, in 32 hexadecimal digits; `None` if there is none."""
        try:
            run = self._run()
            context = (trace.get_current_span() if run is None else run.span).get_span_context()
        except Exception as error:  # noqa: BLE001 - a provider is anybody's code, and the call goes on
            _log.debug("no trace: %s", type(error).__name__)
            return None
        return trace.format_trace_id(context.trace_id) if context.is_valid and context.trace_flags.sampled else None

    def __call__(self, event: Event) -> None:
        """Record one event; those of a call whose start was not seen, or not recorded, do nothing."""
        try:
            self._record(event)
        except Exception as error:  # noqa: BLE001 - processors and exporters are anybody's code, and the call goes on
            _log.debug("%s not recorded: %s", type(event).__name__, type(error).__name__)

    def _record(self, event: Event) -> None:
        if isinstance(event, StatusSeen):  # it comes from a thread that is in no call
            return
        if isinstance(event, (BreakerTransition, IncidentStarted, IncidentEnded)):
            self._record_change(event)
            return
        if isinstance(event, CallStarted):
            self._start_run(event)
            return
        run = self._run(event.call)
        if run is None:
            return
        if isinstance(event, AttemptStarted):
            self._start_attempt(run, event)
        elif isinstance(event, AttemptFinished):
            _end_attempt(run, event)
        elif isinstance(event, ModelSkipped):
            self._record_skip(run, event)
        elif isinstance(event, ContentStarted):
            _leave_attempt(run)
        elif isinstance(event, CallFinished):
            _end_run(run, event)
        else:
            _tell(run, event)

    def _run(self, call: int | None = None) -> _Run | None:
        """The open run of a call, or the innermost one."""
        for run in reversed(_runs.get()):
            if run.listener is self and not run.ended and (call is None or call == run.call):
                return run
        return None

    def _start_run(self, event: CallStarted) -> None:
        tracer = self._lookup.made if self.active() else None
        if tracer is None:
            return
        span = tracer.start_span(f"failover {event.policy}", kind=SpanKind.INTERNAL, attributes=at_start(event))
        # A streamed call ends in a copy of this context, and is still here.
        open_runs = [run for run in _runs.get() if not run.ended]
        _runs.set((*open_runs, _Run(self, event.call, event.policy, tracer, span)))

    def _start_attempt(self, run: _Run, event: AttemptStarted) -> None:
        _end_attempt(run, None)  # should its end be lost, an attempt ends as the next one starts
        span = run.tracer.start_span(
            f"try {event.model}",
            context=trace.set_span_in_context(run.span),
            kind=SpanKind.CLIENT,
            attributes=at_attempt(run.policy, event),
            # A probe or a last resort goes through a circuit that something opened.
            links=None if event.state == "closed" else self._links(event.breaker),
        )
        run.attempt = span
        run.outside = otel_context.get_current()
        otel_context.attach(trace.set_span_in_context(span))

    def _links(self, breaker: str) -> list[Link]:
        opener = self._openers.get(breaker)
        if opener is None:
            return []
        return [Link(opener, {"failover.link": "opened_by", "failover.breaker.name": breaker})]

    def _record_skip(self, run: _Run, event: ModelSkipped) -> None:
        if event.breaker not in run.linked:
            for link in self._links(event.breaker):
                run.span.add_link(link.context, link.attributes)
                run.linked.add(event.breaker)
        _add_event(run, "failover.model.skipped", at_skip(event))

    def _record_change(self, event: BreakerTransition | IncidentStarted | IncidentEnded) -> None:
        """On whichever call it was that saw it."""
        if isinstance(event, BreakerTransition):
            self._record_transition(event)
            return
        run = self._run()
        if run is not None:
            started = isinstance(event, IncidentStarted)
            _add_event(run, f"failover.incident.{'started' if started else 'ended'}", at_incident(event))

    def _record_transition(self, event: BreakerTransition) -> None:
        run = self._run()
        if event.to_state == "closed":
            self._openers.pop(event.breaker, None)
        elif event.to_state == "open":
            self._keep_opener(event, run)
        if run is not None:
            _add_event(run, "failover.breaker.transition", at_transition(event))

    def _keep_opener(self, event: BreakerTransition, run: _Run | None) -> None:
        """Remember who opened a circuit; nobody to link to if it was opened by hand or by a call that is not sampled."""
        if run is not None and not event.by_hand:
            opener = (run.attempt or run.span).get_span_context()
            if opener.is_valid and opener.trace_flags.sampled:
                self._openers[event.breaker] = opener
                return
        self._openers.pop(event.breaker, None)


def _tracer_of(provider: TracerProvider) -> Tracer | None:
    # The API's proxy stands for "nobody has configured one yet".
    if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return None
    tracer = provider.get_tracer(SCOPE, scope_version())
    return None if isinstance(tracer, trace.NoOpTracer) else tracer  # no-op: OTEL_SDK_DISABLED


def _leave_attempt(run: _Run) -> None:
    """The open attempt's span is the current one no more."""
    outside, run.outside = run.outside, None
    if outside is not None:
        # Not `detach`: that logs an error wherever the token is not this very context's, for example in a child task.
        otel_context.attach(outside)


def _end_attempt(run: _Run, event: AttemptFinished | None) -> None:
    """End the open attempt; without an event it was cancelled."""
    _leave_attempt(run)
    span, run.attempt = run.attempt, None
    if span is None:
        return
    if event is None:
        span.end()
        return
    _end(span, at_attempt_end(event), error_of_attempt(event))


def _end_run(run: _Run, event: CallFinished) -> None:
    run.ended = True
    _runs.set(tuple(other for other in _runs.get() if not other.ended))
    try:
        _end_attempt(run, None)
    finally:
        _end(run.span, at_end(event), error_of_call(event))


def _end(span: Span, attributes: Attributes, error_type: str | None) -> None:
    try:
        if error_type is not None:
            attributes["error.type"] = error_type
            span.set_status(StatusCode.ERROR)
        span.set_attributes(attributes)
    finally:
        span.end()


def _tell(run: _Run, event: Waiting | PromptShrunk | IncidentProbed | StreamInterrupted) -> None:
    """What is no span of its own, and changes none."""
    if isinstance(event, Waiting):
        _add_event(run, "failover.wait", at_wait(event))
    elif isinstance(event, PromptShrunk):
        _add_event(run, "failover.prompt.shrunk", at_shrinking(event))
    elif isinstance(event, IncidentProbed):
        _add_event(run, "failover.incident.probed", at_probe(event))
    else:
        _add_event(run, "failover.stream.interrupted", at_interruption(event))


def _add_event(run: _Run, name: str, attributes: Attributes) -> None:
    """The one place that writes span events, which OpenTelemetry means to replace by log events one day."""
    (run.attempt or run.span).add_event(name, attributes)
