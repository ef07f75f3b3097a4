"""Spans as whoever stores them gives them back, and as a text that a person reads: one form for all sources."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict

__all__ = ["SeenEvent", "SeenLink", "SeenSpan", "in_json", "in_protobuf", "traces_of", "tree"]

KINDS = {1: "INTERNAL", 3: "CLIENT"}
STATUSES = {0: "UNSET", 1: "OK", 2: "ERROR"}
_IDS = ("traceId", "spanId", "parentSpanId")


class SeenEvent(NamedTuple):
    """Something that happened during a span."""

    at: int
    name: str
    attributes: Mapping[str, Any]


class SeenLink(NamedTuple):
    """A span of another trace."""

    trace: str
    span: str
    attributes: Mapping[str, Any]


class SeenSpan(NamedTuple):
    """A finished span. Ids are hexadecimal, times are nanoseconds."""

    trace: str
    span: str
    parent: str
    """Empty for a root."""
    name: str
    kind: str
    status: str
    scope: str
    service: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    events: tuple[SeenEvent, ...]
    links: tuple[SeenLink, ...]
    resource: Mapping[str, Any]
    scope_attributes: Mapping[str, Any]


def in_protobuf(message: Any) -> list[SeenSpan]:
    """The spans of an OTLP export request."""
    told = MessageToDict(message, use_integers_for_enums=True)
    return in_json([_with_hexadecimal_ids(resource) for resource in told.get("resourceSpans", [])])


def in_json(resource_spans: Iterable[Mapping[str, Any]]) -> list[SeenSpan]:
    """The spans of OTLP's JSON form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding."""
    return [
        _span(span, scope.get("scope", {}), _attributes(resource.get("resource", {})))
        for resource in resource_spans
        for scope in resource.get("scopeSpans", [])
        for span in scope.get("spans", [])
    ]


def _span(told: Mapping[str, Any], scope: Mapping[str, Any], resource: Mapping[str, Any]) -> SeenSpan:
    return SeenSpan(
        trace=told["traceId"],
        span=told["spanId"],
        parent=told.get("parentSpanId", ""),
        name=told["name"],
        kind=KINDS[told["kind"]],
        status=STATUSES[told.get("status", {}).get("code", 0)],
        scope=scope.get("name", ""),
        service=resource.get("service.name", ""),
        start=int(told["startTimeUnixNano"]),
        end=int(told["endTimeUnixNano"]),
        attributes=_attributes(told),
        events=tuple(
            SeenEvent(int(event["timeUnixNano"]), event["name"], _attributes(event)) for event in told.get("events", [])
        ),
        links=tuple(SeenLink(link["traceId"], link["spanId"], _attributes(link)) for link in told.get("links", [])),
        resource=resource,
        scope_attributes=_attributes(scope),
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _value(pair["value"]) for pair in holder.get("attributes", [])}


def _value(told: Mapping[str, Any]) -> Any:
    (kind, value), *_ = told.items()
    if kind == "intValue":
        return int(value)
    if kind == "doubleValue":
        return float(value)
    if kind == "arrayValue":
        return [_value(item) for item in value.get("values", [])]
    return value


def _with_hexadecimal_ids(told: Any) -> Any:
    """Protobuf's own JSON has ids in base64, OTLP's has not."""
    if isinstance(told, list):
        return [_with_hexadecimal_ids(item) for item in told]
    if not isinstance(told, dict):
        return told
    return {
        key: base64.b64decode(value).hex() if key in _IDS else _with_hexadecimal_ids(value)
        for key, value in told.items()
    }


def traces_of(spans: Iterable[SeenSpan]) -> list[list[SeenSpan]]:
    """The spans of each trace, in the order in which the traces began."""
    traces: dict[str, list[SeenSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        traces.setdefault(span.trace, []).append(span)
    return list(traces.values())


def tree(trace: Sequence[SeenSpan], others: Iterable[SeenSpan], requests: Sequence[str]) -> str:
    """A trace as a text: a line for each span, event and link, below what it is of.

    Args:
        trace: its spans.
        others: the spans that it may be linked to.
        requests: the ids of all requests in their order; a request is shown by its number.
    """
    return "\n".join(_Teller([*trace, *others], requests).lines(trace))


class _Teller:
    def __init__(self, known: Sequence[SeenSpan], requests: Sequence[str]) -> None:
        self._requests = {request_id: number for number, request_id in enumerate(requests, 1)}
        self._known = {(span.trace, span.span): span for span in known}

    def lines(self, trace: Sequence[SeenSpan], parent: str = "", depth: int = 0) -> Iterator[str]:
        """What is below a span, in the order in which it happened."""
        happened: list[tuple[int, SeenSpan | SeenEvent]] = [(s.start, s) for s in trace if s.parent == parent]
        happened += [(event.at, event) for span in trace if span.span == parent for event in span.events]
        for _, what in sorted(happened, key=lambda happening: happening[0]):
            yield "  " * depth + self._line(what)
            if isinstance(what, SeenSpan):
                yield from ("  " * (depth + 1) + self._link(link) for link in what.links)
                yield from self.lines(trace, what.span, depth + 1)

    def _line(self, what: SeenSpan | SeenEvent) -> str:
        if isinstance(what, SeenEvent):
            return f"* {what.name.removeprefix('failover.')}: {self._told(what.attributes)}"
        status = "" if what.status == "UNSET" else f" {what.status}"
        told = self._told(what.attributes)
        return f"{what.name} [{what.kind}{status}]{told and f' {told}'}"

    def _link(self, link: SeenLink) -> str:
        known = self._known[link.trace, link.span]
        return f"-> {known.name}, request {self._requests[known.attributes['anthropic.request.id']]}: {self._told(link.attributes)}"

    def _told(self, attributes: Mapping[str, Any]) -> str:
        return ", ".join(
            self._pair(key, attributes[key]) for key in sorted(attributes, key=_order) if _tells(key, attributes)
        )

    def _pair(self, key: str, value: Any) -> str:
        if key == "anthropic.request.id":
            return f"request {self._requests[value]}"
        if key.endswith("request_ids"):
            value = [f"request {self._requests[item]}" for item in value]
        shown = " + ".join(map(str, value)) if isinstance(value, list) else str(value)
        if isinstance(value, float):
            shown = f"{value:.3g} s"
        return f"{_SHORT.get(key) or key.removeprefix('failover.').removeprefix('breaker.')} {shown}"


_SHORT = {
    "error.type": "error",
    "failover.attempt.number": "attempt",
    "failover.attempt.reason": "as",
    "failover.breaker.name": "circuit",
    "failover.breaker.open_for": "for",
    "failover.discarded.input_tokens": "discarded in",
    "failover.discarded.output_tokens": "out",
    "failover.model.requested": "asked for",
    "failover.model.served": "served by",
    "failover.models.skipped": "skipped",
    "failover.request.changes": "changes",
    "failover.skip.reason": "because",
    "http.response.status_code": "status",
}
_FIRST = (
    "failover.outcome",
    "failover.attempt.number",
    "failover.attempt.reason",
    "failover.client",
    "failover.breaker.name",
    "failover.breaker.state",
    "failover.breaker.from",
    "failover.breaker.to",
    "failover.breaker.open_for",
    "failover.wait.cause",
)
_LAST = ("http.response.status_code", "error.type", "anthropic.request.id")
_UNTOLD = {"failover.policy.name", "failover.policy.digest", "failover.stream.first_content", "failover.attempts"}
"""What is the same everywhere, differs from run to run, or can be counted in the text."""
_ORDINARY = {"failover.sdk_retries_taken": 0, "failover.wait.total": 0.0, "failover.breaker.state": "closed"}
"""Values that go without saying."""


def _order(key: str) -> tuple[int, str]:
    if key in _FIRST:
        return _FIRST.index(key), key
    return (100 + _LAST.index(key), key) if key in _LAST else (50, key)


def _tells(key: str, attributes: Mapping[str, Any]) -> bool:
    """Whether an attribute is for the text: the SDK's own are not, but for how the call ended."""
    if key in _UNTOLD or _ORDINARY.get(key) == attributes[key]:
        return False
    if key in {"failover.model", "failover.breaker.name"}:  # an attempt is named after its model
        return "failover.attempt.number" not in attributes
    if key in {"anthropic.request.id", "http.response.status_code"}:
        return "http.route" not in attributes
    return key.startswith("failover.") or key == "error.type"
