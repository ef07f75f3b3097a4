"""A tracer provider for programs that have none of their own: the command line and small scripts.

It keeps every span in memory, and sends them to an OTLP/HTTP collector (Jaeger, for one) as well if asked to. An
application with its own set-up needs nothing of this: the middleware uses whatever provider it finds.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import StatusCode

from .otlp import BRIEFLY, http_exporter, shown, traces_url

__all__ = ["SpanEvent", "SpanRecord", "Tracing"]

_QUEUE = 65_536  # spans; a burst of calls must not be what a slow collector loses
_NANOSECONDS = 1e9
_EXPORTER_LOGGER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class SpanEvent(NamedTuple):
    """Something that happened during a span."""

    at: float
    name: str
    attributes: Mapping[str, Any]


class SpanRecord(NamedTuple):
    """A finished span, as data. Seconds are real ones."""

    name: str
    trace: int
    span: int
    parent: int | None
    start: float
    seconds: float
    failed: bool
    attributes: Mapping[str, Any]
    events: tuple[SpanEvent, ...]


class Tracing:
    """A tracer provider, and what it recorded.

    Args:
        service: `service.name` of the spans.
        otlp: the URL of an OTLP/HTTP collector, such as `http://localhost:4318`; without a path, `/v1/traces` is
            meant. Headers and certificates come from OpenTelemetry's environment variables.

    Raises:
        FailoverError: `otlp` is no URL.
        MissingExtra: the extra `otlp` is not installed.
    """

    def __init__(self, service: str, otlp: str | None = None) -> None:
        self._memory = InMemorySpanExporter()
        self._collector = None if otlp is None else _Collector(traces_url(otlp))
        self.provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False
        )
        """For the middleware and for the SDK's client option `open_telemetry`."""
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))
        if self._collector is not None:
            self.provider.add_span_processor(BatchSpanProcessor(self._collector, max_queue_size=_QUEUE))

    def spans(self) -> tuple[SpanRecord, ...]:
        """All spans that have ended, in that order."""
        return tuple(_record(span) for span in self._memory.get_finished_spans())

    def close(self) -> None:
        """Send what is still to be sent. A collector that does not answer costs two seconds, and raises nothing."""
        self.provider.shutdown()

    def delivery(self) -> str | None:
        """After `close`: in one line, how many spans reached the collector; `None` if there is none."""
        return None if self._collector is None else str(self._collector)

    @property
    def delivered(self) -> bool:
        """Whether the collector took all spans that it was sent."""
        return self._collector is None or self._collector.lost == 0


class _Collector(SpanExporter):
    """Sends batches until one cannot be delivered, and counts."""

    def __init__(self, url: str) -> None:
        self._exporter = http_exporter(url, BRIEFLY)
        self._url = shown(url)
        self._complaints = _Complaints(_EXPORTER_LOGGER)
        self._sent = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch, unless an earlier one could not be sent."""
        result = SpanExportResult.FAILURE if self.lost else self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._sent += len(spans)
        else:
            self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()
        self._complaints.detach()

    def __str__(self) -> str:
        if not self.lost:
            return f"{self._sent} spans sent to {self._url}"
        status = self._complaints.status
        why = "nothing answered there in time" if status is None else f"it answered with status {status}"
        return f"{self.lost} of {self._sent + self.lost} spans could not be sent to {self._url}: {why}"


class _Complaints(logging.Handler):
    """Keeps a logger's lines off the screen, and the last status that they mention."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.status: str | None = None
        self._logger = logging.getLogger(name)
        self._propagated = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"code: (\d{3})", record.getMessage())
        self.status = found.group(1) if found else self.status

    def detach(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated


def _record(span: ReadableSpan) -> SpanRecord:
    context = span.get_span_context()
    start = (span.start_time or 0) / _NANOSECONDS
    return SpanRecord(
        name=span.name,
        trace=context.trace_id if context else 0,
        span=context.span_id if context else 0,
        parent=span.parent.span_id if span.parent else None,
        start=start,
        seconds=(span.end_time or 0) / _NANOSECONDS - start,
        failed=span.status.status_code is StatusCode.ERROR,
        attributes=dict(span.attributes or {}),
        events=tuple(
            SpanEvent(event.timestamp / _NANOSECONDS, event.name, dict(event.attributes or {})) for event in span.events
        ),
    )
