"""The trace of a call through the real SDK: its own span, our run below it, and one span for each attempt."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, policy, trip

from failover.testing import Fault

SDKS_OWN = "anthropic.messages.create"
RUN = "failover test"


class Trace:
    """The spans that a program exports."""

    def __init__(self, exporter=None):
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(exporter or self._memory))

    @property
    def spans(self):
        return sorted(self._memory.get_finished_spans(), key=lambda span: span.start_time)

    def tree(self):
        """(depth, name, outcome) of each span in the order of its start."""
        parents = {span.context.span_id: span.parent for span in self.spans}

        def depth(span):
            above, levels = span.parent, 0
            while above is not None:
                above, levels = parents[above.span_id], levels + 1
            return levels

        return [(depth(span), span.name, span.status.status_code.name) for span in self.spans]

    def named(self, name):
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def traced(connect):
    """Makes a caller whose SDK and whose guard both export to one trace."""

    def traced(a_policy=None, **options):
        record = Trace()
        caller = connect(
            a_policy or policy(retry=NO_REPEAT),
            tracer_provider=record.provider,
            open_telemetry={"tracer_provider": record.provider},
            **options,
        )
        return caller, record

    return traced


def test_a_saved_call_is_no_error_and_its_failed_attempt_is(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529)
    caller.create()
    assert record.tree() == [
        (0, SDKS_OWN, "OK"),
        (1, RUN, "UNSET"),
        (2, f"try {FIRST}", "ERROR"),
        (2, f"try {SECOND}", "UNSET"),
    ]
    assert [span.kind for span in record.spans] == [
        SpanKind.CLIENT,
        SpanKind.INTERNAL,
        SpanKind.CLIENT,
        SpanKind.CLIENT,
    ]


def test_attempts_have_the_request_ids_that_the_api_gave(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529)
    caller.create()
    attempts = [span.attributes for span in record.spans if span.name.startswith("try ")]
    assert [(a["anthropic.request.id"], a["http.response.status_code"]) for a in attempts] == [
        (request.request_id, request.status) for request in fake_claude.requests
    ]
    assert [(a["failover.model"], a["failover.attempt.number"], a["failover.attempt.reason"]) for a in attempts] == [
        (FIRST, 1, "primary"),
        (SECOND, 2, "fallback"),
    ]
    assert attempts[0]["error.type"] == "overloaded_error"
    assert "error.type" not in attempts[1]


def test_the_run_says_what_was_asked_for_and_who_answered(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529)
    caller.create()
    (run,) = record.named(RUN)
    assert run.instrumentation_scope.name == "failover"
    assert {key: run.attributes[key] for key in run.attributes if key != "failover.policy.digest"} == {
        "failover.policy.name": "test",
        "failover.model.requested": FIRST,
        "failover.sdk_retries_taken": 0,
        "failover.outcome": "fallback",
        "failover.attempts": 2,
        "failover.wait.total": 0.0,
        "failover.model.served": SECOND,
    }
    assert not [key for span in record.spans[1:] for key in span.attributes if key.startswith("gen_ai.")]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, "api_error"),
        ({"drop": True}, "connection_error"),
        ({"malformed": "html"}, "malformed_response"),
    ],
)
def test_a_call_that_nobody_answered_is_an_error_on_every_level(traced, fake_claude, fault, kind):
    caller, record = traced()
    fake_claude.fail("*", **fault)
    caller.error()
    assert [(depth, status) for depth, _, status in record.tree()] == [(0, "ERROR"), (1, "ERROR")] + [(2, "ERROR")] * 2
    assert [span.attributes["error.type"] for span in record.spans[1:]] == [kind] * 3
    assert record.named(RUN)[0].attributes["failover.outcome"] == "exhausted"


def test_a_refused_call_has_a_run_and_no_attempt(traced, fake_claude):
    breaker = {**trip(consecutive_failures=1), "last_resort": "off"}
    caller, record = traced(policy(retry=NO_REPEAT, breaker=breaker))
    fake_claude.fail("*", 529)
    caller.error()
    caller.error()
    refused = record.named(RUN)[1]
    assert record.tree()[-2:] == [(0, SDKS_OWN, "ERROR"), (1, RUN, "ERROR")]
    assert (refused.attributes["failover.outcome"], refused.attributes["error.type"]) == ("refused", "circuit_open")
    assert refused.attributes["failover.models.skipped"] == (FIRST, SECOND)


def test_the_whole_story_of_a_circuit_can_be_read(traced, fake_claude, fake_clock):
    caller, record = traced(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
    fake_claude.fail(FIRST, 529, times=1)
    for seconds in (0, 0, 15, 0):
        fake_clock.advance(seconds)
        caller.create()
    transitions = [
        (span.name, event.attributes["failover.breaker.from"], event.attributes["failover.breaker.to"])
        for span in record.spans
        for event in span.events
        if event.name == "failover.breaker.transition"
    ]
    assert transitions == [
        (f"try {FIRST}", "closed", "open"),
        (RUN, "open", "half_open"),
        (f"try {FIRST}", "half_open", "closed"),
    ]
    opener = record.named(f"try {FIRST}")[0]
    passed_over, probe = record.named(RUN)[1], record.named(f"try {FIRST}")[1]
    assert [link.context.span_id for link in passed_over.links] == [opener.context.span_id]
    assert [link.context.span_id for link in probe.links] == [opener.context.span_id]
    assert probe.attributes["failover.attempt.reason"] == "probe"
    assert [event.name for event in passed_over.events] == ["failover.model.skipped"]


def test_waits_are_in_the_run(traced, fake_claude):
    caller, record = traced(policy(retry={"tries": 2, "passes": 1}))
    fake_claude.script(FIRST, [Fault(status=500)])
    caller.create()
    (run,) = record.named(RUN)
    assert [(event.name, dict(event.attributes)) for event in run.events] == [
        ("failover.wait", {"failover.wait.delay": 0.25, "failover.wait.cause": "backoff"})
    ]
    assert [span.attributes["failover.attempt.reason"] for span in record.named(f"try {FIRST}")] == ["primary", "retry"]


def test_a_stream_has_the_same_tree(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529)
    caller.stream()
    assert [(depth, status) for depth, _, status in record.tree()] == [
        (0, "OK"),
        (1, "UNSET"),
        (2, "ERROR"),
        (2, "UNSET"),
    ]


def test_a_programs_own_span_is_above_all_of_it(traced):
    caller, record = traced()
    tracer = record.provider.get_tracer("program")
    with tracer.start_as_current_span("chat"):
        caller.create()
    assert [(depth, name) for depth, name, _ in record.tree()] == [
        (0, "chat"),
        (1, SDKS_OWN),
        (2, RUN),
        (3, f"try {FIRST}"),
    ]


def test_calls_at_the_same_time_have_each_their_own_tree(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529, times=3)
    caller.together(20)
    runs = {span.context.span_id: span for span in record.named(RUN)}
    assert len(runs) == len({span.context.trace_id for span in runs.values()}) == 20
    for attempt in (span for span in record.spans if span.name.startswith("try ")):
        assert runs[attempt.parent.span_id].context.trace_id == attempt.context.trace_id


def test_a_provider_set_globally_after_the_client_was_made_is_used(connect, monkeypatch):
    caller = connect(open_telemetry=False)
    record = Trace()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", record.provider)  # as `set_tracer_provider`, which works only once
    caller.create()
    assert [name for _, name, _ in record.tree()] == ["failover default", f"try {FIRST}"]


def test_after_a_call_the_programs_own_span_is_current_again(traced, fake_claude):
    caller, record = traced()
    fake_claude.fail(FIRST, 529)
    with record.provider.get_tracer("program").start_as_current_span("chat") as chat:
        caller.create()
        assert trace.get_current_span() is chat


def test_a_call_that_is_interrupted_ends_its_spans_and_is_no_error_of_ours(traced):
    def interrupt(_request):
        raise KeyboardInterrupt

    caller, record = traced()
    caller.client = caller.client.with_middleware(Watcher(interrupt))
    with record.provider.get_tracer("program").start_as_current_span("chat") as chat:
        caller.error()
        assert trace.get_current_span() is chat
    assert [(name, status) for _, name, status in record.tree()][2:] == [(RUN, "UNSET"), (f"try {FIRST}", "UNSET")]
    assert record.named(RUN)[0].attributes["failover.outcome"] == "cancelled"


class TestABrokenExporter:
    class Broken(SpanExporter):
        def export(self, spans):
            raise RuntimeError("the exporter's bug")

        def shutdown(self):
            pass

    def test_harms_no_call(self, connect, fake_claude):
        record = Trace(self.Broken())
        caller = connect(tracer_provider=record.provider)
        fake_claude.fail(FIRST, 529)
        assert [caller.create().model for _ in range(7)] == [SECOND] * 7

    def test_that_is_a_broken_provider_harms_no_call_either(self, connect, fake_claude):
        class Broken(TracerProvider):
            def get_tracer(self, *args, **kwargs):
                raise RuntimeError("the provider's bug")

        caller = connect(tracer_provider=Broken())
        fake_claude.fail(FIRST, 529)
        assert caller.create().model == SECOND
