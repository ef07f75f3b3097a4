"""Every story told to both stores: to the tests' own in every run, to a real Jaeger in `make test-jaeger`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from jaeger_server import running
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_receiver import Collector
from span_stores import JaegerStore, ReceiverStore, wait_for
from trace_stage import play
from trace_stories import STORIES


@pytest.fixture(scope="session")
def jaeger():
    """A running Jaeger, of the binary that `FAILOVER_JAEGER` names or `make jaeger` has built."""
    binary = Path(os.environ.get("FAILOVER_JAEGER") or Path(__file__).parents[2] / ".jaeger" / "jaeger")
    assert binary.is_file(), f"there is no {binary}: `make test-jaeger` builds it, or set FAILOVER_JAEGER to its path"
    with running(binary) as jaeger:
        yield jaeger


@pytest.fixture(scope="session", params=["receiver", pytest.param("jaeger", marks=pytest.mark.jaeger)])
def store(request):
    """Where the spans of all stories go."""
    if request.param == "jaeger":
        yield JaegerStore(request.getfixturevalue("jaeger"))
        return
    with Collector() as collector:
        yield ReceiverStore(collector)


@pytest.fixture(scope="session")
def played(store):
    """What each story, told through the sync and the async client, left in the program; by (name, kind)."""
    with contextlib.ExitStack() as stack:
        exporter = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{store.otlp}/v1/traces"))
        stack.callback(exporter.shutdown)
        played = {
            (story.name, kind): play(story, exporter, asynchronous=kind == "async")
            for story in STORIES
            for kind in ("sync", "async")
        }
        assert exporter.force_flush()
    wait_for(store, {trace[0].trace: len(trace) for story in played.values() for trace in story.traces})
    return played
