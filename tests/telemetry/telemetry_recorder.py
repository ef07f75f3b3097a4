"""Tracer providers of the tests' own: the global one is never touched."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from failover.telemetry import SpanListener


def provider_with(processor, **options):
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(processor)
    return provider


def parent_that_is(*, sampled):
    return trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(sampled)))


class Telemetry:
    """What was recorded, in the order in which it ended."""

    def __init__(self, **provider_options):
        self.exporter = InMemorySpanExporter()
        self.provider = provider_with(SimpleSpanProcessor(self.exporter), **provider_options)
        self.tracer = self.provider.get_tracer("the application")
        self.listener = SpanListener(self.provider)

    def tell(self, events):
        for event in events:
            self.listener(event)

    def spans(self):
        return self.exporter.get_finished_spans()

    def clear(self):
        self.exporter.clear()
