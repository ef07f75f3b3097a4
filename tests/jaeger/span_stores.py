"""Two places that keep spans, with the same questions to ask: one of the tests' own, and a real Jaeger."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from jaeger_server import Jaeger
from otlp_receiver import Collector
from seen_spans import SeenSpan, in_json, in_protobuf

__all__ = ["JaegerStore", "ReceiverStore", "Store"]

PATIENCE = 30.0
"""Seconds in which what was sent must be found."""


class Store(Protocol):
    """Takes spans at `otlp`, and finds them again."""

    otlp: str

    def find(self, service: str, tags: Mapping[str, str], operation: str | None = None) -> set[str]:
        """The ids of the traces with a span that has all of these tags."""

    def trace(self, trace: str) -> list[SeenSpan]:
        """The spans of a trace; none if there is no such trace."""

    def services(self) -> set[str]:
        """Whose spans there are."""

    def operations(self, service: str) -> set[str]:
        """The names of a service's spans."""


def wait_for(store: Store, expected: Mapping[str, int]) -> None:
    """Wait until a store has all spans of these traces: what takes them answers before they can be found."""
    end = time.monotonic() + PATIENCE
    for trace, spans in expected.items():
        while len(store.trace(trace)) < spans:
            assert time.monotonic() < end, f"of {spans} spans of trace {trace} {len(store.trace(trace))} arrived"
            time.sleep(0.02)


class ReceiverStore:
    """Keeps what an OTLP receiver takes, and searches as Jaeger's memory storage does.

    All tags must be on one span, each in the attributes of the span, of its scope, of its resource or of one of its
    events. `error=true` and `scope.name` are known to newer versions than the one that is built here.
    """

    def __init__(self, collector: Collector) -> None:
        self.otlp = collector.url
        self._collector = collector
        self._read: list[list[SeenSpan]] = []
        """The spans of each request so far."""

    def find(self, service: str, tags: Mapping[str, str], operation: str | None = None) -> set[str]:
        return {
            span.trace
            for span in self._spans()
            if span.service == service
            and operation in (None, span.name)
            and all(_has(span, key, value) for key, value in tags.items())
        }

    def trace(self, trace: str) -> list[SeenSpan]:
        return [span for span in self._spans() if span.trace == trace]

    def services(self) -> set[str]:
        return {span.service for span in self._spans()}

    def operations(self, service: str) -> set[str]:
        return {span.name for span in self._spans() if span.service == service}

    def _spans(self) -> Iterable[SeenSpan]:
        self._read += [in_protobuf(request) for request in self._collector.requests[len(self._read) :]]
        return [span for spans in self._read for span in spans]


def _has(span: SeenSpan, key: str, value: str) -> bool:
    if key == "error":
        return (span.status == "ERROR") is (value == "true")
    if key == "scope.name":
        return span.scope == value
    events = [event.attributes for event in span.events]
    return any(
        key in attributes and _as_text(attributes[key]) == value
        for attributes in (span.attributes, span.scope_attributes, span.resource, *events)
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class JaegerStore:
    """A real Jaeger, of which traces are asked through its stable API, and searched as its pages do it.

    In version 2.13 `/api/v3/traces` takes no tags. The search box of its pages asks `/api/traces`.
    """

    def __init__(self, jaeger: Jaeger) -> None:
        self.otlp = jaeger.otlp
        self._url = jaeger.url

    def find(self, service: str, tags: Mapping[str, str], operation: str | None = None) -> set[str]:
        asked = {"service": service, "tags": json.dumps(tags), "limit": "10000"}
        found = self.get("/api/traces", **asked, **({} if operation is None else {"operation": operation}))
        assert found["errors"] is None
        return {trace["traceID"] for trace in found["data"]}

    def trace(self, trace: str) -> list[SeenSpan]:
        try:
            return in_json(self.get(f"/api/v3/traces/{trace}")["result"]["resourceSpans"])
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return []

    def services(self) -> set[str]:
        return set(self.get("/api/v3/services")["services"])

    def operations(self, service: str) -> set[str]:
        return {operation["name"] for operation in self.get("/api/v3/operations", service=service)["operations"]}

    def get(self, path: str, **asked: str) -> Any:
        """The answer to any question.

        Raises:
            urllib.error.HTTPError: it was refused.
        """
        with urllib.request.urlopen(f"{self._url}{path}?{urllib.parse.urlencode(asked)}", timeout=PATIENCE) as answer:
            return json.load(answer)
