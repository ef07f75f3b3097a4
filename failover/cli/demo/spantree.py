"""One call's spans as a tree, the way a trace viewer would show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from failover.telemetry.setup import SpanEvent, SpanRecord

__all__ = ["saved_call", "span_tree"]

_TRANSITION = "failover.breaker.transition"
_SHOWN = {
    "http.response.status_code": "status",
    "error.type": "error.type",
    "anthropic.request.id": "request id",
    "failover.outcome": "outcome",
    "failover.attempt.reason": "reason",
    "failover.model.served": "served by",
    "failover.breaker.state": "circuit",
    "failover.verdict": "verdict",
    "failover.stream.end": "stream end",
    "failover.stream.first_content": "first content",
}
_SHOWN_OF_EVENTS = {
    "failover.breaker.name": "circuit",
    "failover.breaker.from": "from",
    "failover.breaker.to": "to",
    "failover.breaker.reason": "reason",
    "failover.breaker.open_for": "open for",
    "failover.model": "model",
    "failover.skip.reason": "reason",
    "failover.wait.delay": "for",
    "failover.wait.cause": "cause",
    "failover.stream.then": "then",
    "failover.stream.why": "why",
}


def saved_call(spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """The spans of one call that another model saved, earliest first: the one that opened a circuit, if there is one.

    Empty when no call needed saving.
    """
    saved = [span for span in spans if span.attributes.get("failover.outcome") == "fallback"]
    if not saved:
        return []
    opening = {
        span.trace
        for span in spans
        if any(
            event.name == _TRANSITION and event.attributes.get("failover.breaker.to") == "open" for event in span.events
        )
    }
    attempts = "failover.attempts"
    best = max(saved, key=lambda run: (run.trace in opening, run.attributes.get(attempts, 0), -run.start))
    return sorted((span for span in spans if span.trace == best.trace), key=lambda span: span.start)


def span_tree(spans: Sequence[SpanRecord], speed: float) -> Tree:
    """The spans of one trace; their times are shown as scenario seconds, which are `speed` times the real ones."""
    known = {span.span for span in spans}
    roots = [span for span in spans if span.parent not in known]
    top = Tree(f"trace {spans[0].trace:032x}", highlight=False)
    for root in roots:
        _grow(top, root, spans, speed)
    return top


def _grow(branch: Tree, span: SpanRecord, spans: Sequence[SpanRecord], speed: float) -> None:
    colour = "red" if span.failed else "green"
    said = _pairs(span.attributes, _SHOWN)
    twig = branch.add(f"[{colour}]{escape(span.name)}[/]  {span.seconds * speed:.2f} s  [dim]{escape(said)}[/]")
    inside: list[SpanRecord | SpanEvent] = [child for child in spans if child.parent == span.span]
    for entry in sorted([*inside, *span.events], key=_when):
        if isinstance(entry, SpanRecord):
            _grow(twig, entry, spans, speed)
        else:
            _add_event(twig, entry)


def _when(entry: SpanRecord | SpanEvent) -> float:
    return entry.start if isinstance(entry, SpanRecord) else entry.at


def _add_event(branch: Tree, event: SpanEvent) -> None:
    said = _pairs(event.attributes, _SHOWN_OF_EVENTS)
    branch.add(f"[yellow]* {escape(event.name)}[/]  [dim]{escape(said)}[/]")


def _pairs(attributes: Mapping[str, Any], shown: Mapping[str, str]) -> str:
    present = ((label, attributes[key]) for key, label in shown.items() if key in attributes)
    return ", ".join(
        f"{label} {value:.1f} s" if isinstance(value, float) else f"{label} {value}" for label, value in present
    )
