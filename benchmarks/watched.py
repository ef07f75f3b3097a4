"""What it costs a call to be watched: by a journal, by metrics, and by a collector in every state of health.

All is *handle alone* (see `latency`): the upper rows for calls that go well, of which a journal and metrics want to know
as well; the lower for a call whose first model fails and whose second answers. A collector is asked by the exporter's
own thread, so a call should cost the same whatever that one does: the spans of the rows above them are dropped as they
end, and these are kept in a queue for a collector that takes them, is not there, never answers, or answers nonsense.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from anthropic import Middleware
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import failover

from .latency import discarding
from .report import Row, microseconds
from .sides import MODEL, AsyncSide, Side, SyncSide
from .timing import Counts, difference, in_turns

__all__ = ["rows"]

_PROMPT = "x" * 1_024
_AT_MOST_FOR_A_COLLECTOR = 100.0  # microseconds
_PATIENT = failover.parse_policy("{version: 1, name: patient, breaker: {trip: {consecutive_failures: 1000000}}}")
"""A model that always fails is asked again by every call."""

Answer: TypeAlias = Callable[[http.server.BaseHTTPRequestHandler], None]


def _take(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "0")
    handler.end_headers()


def _wait(_handler: http.server.BaseHTTPRequestHandler) -> None:
    threading.Event().wait(30)


def _babble(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")


_ANSWERS: dict[str, Answer | None] = {
    "that takes them": _take,
    "that is down": None,
    "that never answers": _wait,
    "that answers nonsense": _babble,
}


def rows(counts: Counts) -> Iterator[Row]:
    """Sync, then async; the collectors for sync calls only, for their work is done elsewhere."""
    loop = asyncio.new_event_loop()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        for side in sides:
            yield from _watched(side, counts)
    finally:
        loop.close()
    yield from _collected(sides[0], counts)


def _watched(side: Side, counts: Counts) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        meter_provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        journals = [failover.Journal(Path(folder) / f"{number}.db") for number in range(2)]
        for number, (what, overloaded) in enumerate({"a good call": None, "a call that hops": MODEL}.items()):
            watched: dict[str, Middleware] = {
                "nobody": failover.Failover(_PATIENT),
                "journal": failover.Failover(_PATIENT, journal=journals[number]),
                "metrics": failover.Failover(_PATIENT, meter_provider=meter_provider),
            }
            blocks = {name: side.handling(one, _PROMPT, overloaded=overloaded) for name, one in watched.items()}
            taken = in_turns(blocks, rounds=counts.rounds, calls=counts.loops // 5)
            for name in ("journal", "metrics"):
                yield microseconds(f"{side.name}, {what}: with {name}", difference(taken, name, "nobody"))
        for journal in journals:
            journal.close()


def _collected(side: Side, counts: Counts) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        providers = {what: stack.enter_context(_provider(answer)) for what, answer in _ANSWERS.items()}
        watched = {what: failover.Failover(tracer_provider=provider) for what, provider in providers.items()}
        watched["dropped"] = failover.Failover(tracer_provider=discarding())
        blocks = {what: side.handling(one, _PROMPT) for what, one in watched.items()}
        taken = in_turns(blocks, rounds=counts.rounds // 2, calls=counts.loops // 5)
        for what in providers:
            more = difference(taken, what, "dropped")
            yield microseconds(f"{side.name}, a collector {what}: over spans dropped", more, _AT_MOST_FOR_A_COLLECTOR)


@contextlib.contextmanager
def _provider(answer: Answer | None) -> Iterator[TracerProvider]:
    """One that sends its spans to a collector that answers so; `None`: nobody listens there."""

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if answer is not None:
                answer(self)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        if answer is not None:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        else:
            server.socket.close()
        provider = TracerProvider(shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{server.server_port}/v1/traces", timeout=1)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        yield provider
        provider.shutdown()
        if answer is not None:
            server.shutdown()
