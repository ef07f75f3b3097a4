"""Broken telemetry harms no call, and where nobody records nothing is started."""

from __future__ import annotations

import importlib.metadata
import logging
import subprocess
import sys
import textwrap

import pytest
import telemetry_stories as stories
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from telemetry_recorder import parent_that_is, provider_with

from failover.telemetry import SpanListener
from failover.telemetry.lookup import scope_version
from failover.telemetry.spans import _runs

EVERY_STORY = [event for call, story in enumerate(stories.ALL, 1) for event in story(call)]


class Broken:
    """Raises whatever it is asked to do."""

    def __getattr__(self, name):
        raise RuntimeError(name)


class BrokenProvider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        raise RuntimeError("no tracer today")


class BrokenTracerProvider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return Broken()


class BrokenSpan(trace.NonRecordingSpan):
    def set_attributes(self, attributes):
        raise RuntimeError("no attributes today")

    add_event = add_link = set_status = end = set_attributes


class BrokenSpanProvider(trace.TracerProvider):
    def get_tracer(self, *args, **kwargs):
        return self

    def start_span(self, *args, **kwargs):
        return BrokenSpan(parent_that_is(sampled=1).get_span_context())


class BrokenAtStart(SpanProcessor):
    def on_start(self, span, parent_context=None):
        raise RuntimeError("full")


class BrokenAtEnd(SpanProcessor):
    def on_end(self, span):
        raise RuntimeError("full")


class BrokenExporter(SpanExporter):
    def export(self, spans):
        raise RuntimeError("unreachable")


@pytest.mark.parametrize(
    "provider",
    [
        BrokenProvider(),
        BrokenTracerProvider(),
        BrokenSpanProvider(),
        provider_with(BrokenAtStart()),
        provider_with(BrokenAtEnd()),
        provider_with(SimpleSpanProcessor(BrokenExporter())),
        Broken(),
    ],
    ids=lambda provider: type(provider).__name__,
)
def test_broken_telemetry_harms_no_call(provider):
    listener = SpanListener(provider)
    before = otel_context.get_current()
    for event in EVERY_STORY:
        listener(event)

    assert listener.active() in {True, False}
    assert otel_context.get_current() is before
    assert not [run for run in _runs.get() if not run.ended]


def test_a_fault_is_a_debug_line_without_the_exceptions_message(caplog):
    caplog.set_level(logging.DEBUG, logger="failover")
    SpanListener(provider_with(BrokenAtStart()))(stories.started())

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "CallStarted not recorded: RuntimeError")
    ]


@pytest.mark.parametrize(
    ("provider", "parent", "active"),
    [
        (TracerProvider(shutdown_on_exit=False), trace.INVALID_SPAN, True),
        (TracerProvider(shutdown_on_exit=False), parent_that_is(sampled=1), True),
        (TracerProvider(shutdown_on_exit=False), parent_that_is(sampled=0), False),
        (trace.ProxyTracerProvider(), trace.INVALID_SPAN, False),
        (trace.NoOpTracerProvider(), parent_that_is(sampled=1), False),
        (BrokenProvider(), trace.INVALID_SPAN, False),
    ],
)
def test_a_listener_is_active_where_a_call_would_be_recorded(provider, parent, active):
    with trace.use_span(parent):
        assert SpanListener(provider).active() is active


def test_a_copied_folder_has_a_scope_without_version(telemetry, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    scope_version.cache_clear()
    telemetry.tell(stories.primary())
    scope_version.cache_clear()

    assert [span.instrumentation_scope.version for span in telemetry.spans()] == ["", ""]


def test_a_disabled_opentelemetry_sdk_makes_it_inactive(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert not SpanListener(TracerProvider(shutdown_on_exit=False)).active()


def test_a_provider_that_samples_nothing_records_nothing_and_has_nothing_to_link_to(recorder):
    telemetry = recorder(sampler=ALWAYS_OFF)
    telemetry.tell(stories.saved_by_fallback())

    assert telemetry.spans() == ()
    assert not telemetry.listener._openers


def test_under_a_parent_that_is_not_sampled_no_span_is_even_started(recorder):
    telemetry = recorder(sampler=ALWAYS_ON)  # it would record whatever is started
    with trace.use_span(parent_that_is(sampled=0)):
        telemetry.tell(EVERY_STORY)

    assert telemetry.spans() == ()


def test_a_global_provider_that_is_set_late_is_found_half_a_second_later():
    program = """
        import telemetry_stories as stories
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from failover.telemetry import SpanListener

        now = [1000.0]
        listener, exporter = SpanListener(now=lambda: now[0]), InMemorySpanExporter()
        def call():
            for event in stories.saved_by_fallback():
                listener(event)
        call()
        print(listener.active())
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        now[0] += 0.5
        print(listener.active())
        call()
        print(len(exporter.get_finished_spans()))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(stories.__file__).rpartition("/")[0]},
    )

    assert (run.stdout.split(), run.stderr) == (["False", "True", "4"], "")
