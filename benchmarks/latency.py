"""What a call costs more while all is well: with `Failover` in the chain, against a no-op middleware and no middleware.

Measured twice. *In the chain* are whole calls, as a program makes them: between two of ours the SDK runs half a
millisecond of other code, so ours finds the processor's caches cold. At 5 MB the SDK's own work on the body takes tens
of milliseconds and varies by more than ours is long; hence *handle alone*, in a loop, with a request and a response
that were captured from the SDK. It is exact at any size, and the lower bound of what ours costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from anthropic import Middleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

import failover

from .report import Row, microseconds
from .sides import AsyncSide, NoOp, Side, SyncSide
from .timing import Block, Counts, difference, in_turns

__all__ = ["discarding", "rows"]

_SMALL, _LARGE = "1 KB", "5 MB"
_PROMPTS = {_SMALL: "x" * 1_024, _LARGE: "x" * 5_000_000}
_AT_MOST = {"sync": 15.0, "async": 20.0}  # microseconds over the no-op
_AT_MOST_OVER_BARE = 100.0
_AT_MOST_WITH_SPANS = 90.0
_SAME = 1.0
_CALLS = 10  # in one block of whole calls


class _Discard(SpanExporter):
    """Spans are recorded, ended and handed over; what a real exporter does with them happens elsewhere."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the exporter's signature
        return SpanExportResult.SUCCESS


def discarding() -> TracerProvider:
    """Records spans, and drops them as they are handed over."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(_Discard()))
    return provider


def rows(counts: Counts) -> Iterator[Row]:
    """Sync, then async."""
    provider = discarding()
    loop = asyncio.new_event_loop()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        for side in sides:
            yield from _in_the_chain(side, counts, provider)
            yield from _handle_alone(side, counts, provider)
    finally:
        loop.close()


def _in_the_chain(side: Side, counts: Counts, provider: TracerProvider) -> Iterator[Row]:
    clients = {
        "bare": side.client(),
        "no-op": side.client(NoOp()),
        "Failover": side.client(failover.Failover()),
        "wrap": failover.wrap(side.client()),
        "spans": side.client(failover.Failover(tracer_provider=provider)),
    }
    blocks = {name: side.calls(client, _PROMPTS[_SMALL]) for name, client in clients.items()}
    taken = in_turns(blocks, rounds=counts.rounds, calls=_CALLS)
    where = f"{side.name}, in the chain, {_SMALL}"
    at_most = _AT_MOST[side.name]
    yield microseconds(f"{where}: no-op over the bare SDK", difference(taken, "no-op", "bare"))
    yield microseconds(f"{where}: Failover over the no-op", difference(taken, "Failover", "no-op"), at_most)
    yield microseconds(
        f"{where}: failover.wrap over the bare SDK", difference(taken, "wrap", "bare"), _AT_MOST_OVER_BARE
    )
    yield microseconds(f"{where}: with recorded spans", difference(taken, "spans", "no-op"), _AT_MOST_WITH_SPANS)
    blocks = {name: side.calls(clients[name], _PROMPTS[_LARGE]) for name in ("no-op", "Failover")}
    taken = in_turns(blocks, rounds=counts.slow_rounds * 2, calls=1)
    where = f"{side.name}, in the chain, {_LARGE}"
    yield microseconds(f"{where}: Failover over the no-op", difference(taken, "Failover", "no-op"))


def _handle_alone(side: Side, counts: Counts, provider: TracerProvider) -> Iterator[Row]:
    middleware: dict[str, Middleware] = {
        "no-op": NoOp(),
        "Failover": failover.Failover(),
        "spans": failover.Failover(tracer_provider=provider),
    }
    blocks: dict[str, Block] = {
        name + size: side.handling(entry, prompt)
        for size, prompt in _PROMPTS.items()
        for name, entry in middleware.items()
    }
    taken = in_turns(blocks, rounds=counts.rounds, calls=counts.loops)
    for size in _PROMPTS:
        where = f"{side.name}, handle alone, {size}"
        over = difference(taken, "Failover" + size, "no-op" + size)
        yield microseconds(f"{where}: Failover over the no-op", over, _AT_MOST[side.name])
        over = difference(taken, "spans" + size, "no-op" + size)
        yield microseconds(f"{where}: with recorded spans", over, _AT_MOST_WITH_SPANS)
    more = difference(taken, "Failover" + _LARGE, "Failover" + _SMALL)
    yield microseconds(f"{side.name}, handle alone: {_LARGE} over {_SMALL}", more, _SAME)
