"""What a program is told of a turn whose whole conversation was asked for: no error, and no silence."""

from __future__ import annotations

import logging

import anthropic
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, policy
from thread_lab import KINDS, run_loop

import failover
from failover.events import AttemptFinished, CallFinished

TURNS = ["primary", "rethreaded", "fallback"]
"""How the calls of a loop end whose first model dies before the second turn."""
ASKED_FOR_ALL = "is asked to send the whole conversation"

streamed = pytest.mark.parametrize("streamed", KINDS.values(), ids=KINDS)


@pytest.fixture
def tell(connect, fake_claude):
    """Runs a loop of two turns whose first model dies before the second."""

    def tell(a_policy=None, *, streamed=False, **options):
        caller = connect(a_policy or policy(retry=NO_REPEAT), **options)
        return run_loop(caller, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, 529)})

    return tell


@streamed
def test_a_recording_has_the_turn_and_its_repetition(tell, fake_claude, streamed):
    loop = tell(streamed=streamed)
    assert loop.outcomes == TURNS
    asked, answered = loop.routes[1:]
    ids = [request.request_id for request in fake_claude.requests]
    assert (asked.request_ids, answered.request_ids) == ((ids[1],), (ids[2], ids[3]))
    assert (asked.requested_model, asked.served_model, asked.skipped) == (FIRST, None, ())
    assert [(attempt.model, attempt.status, attempt.error_type) for attempt in asked.attempts] == [
        (FIRST, 529, "overloaded_error")
    ]
    assert answered.served_model == SECOND


def test_a_listener_is_told_how_it_ended(tell):
    told = []
    tell(listeners=[told.append])
    assert [event.outcome for event in told if isinstance(event, CallFinished)] == TURNS
    finished = [event.verdict for event in told if isinstance(event, AttemptFinished)]
    assert finished == ["success", "failure", "failure", "success"]


def test_the_log_says_it_once_and_not_as_a_loss(tell, caplog):
    with caplog.at_level(logging.INFO, logger="failover"):
        tell()
    (record,) = [record for record in caplog.records if ASKED_FOR_ALL in record.getMessage()]
    assert record.levelno == logging.INFO
    assert record.failover["event"] == "rethreaded"
    assert record.failover["model"] == FIRST
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "hi" not in caplog.text.split()


def test_its_span_is_no_error(tell):
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tell(tracer_provider=provider)
    runs = [span for span in memory.get_finished_spans() if "failover.outcome" in span.attributes]
    assert [span.attributes["failover.outcome"] for span in runs] == TURNS
    assert {span.status.status_code for span in runs} == {StatusCode.UNSET}
    assert "failover.model.served" not in runs[1].attributes
    assert runs[1].attributes["failover.attempts"] == 1


def test_whoever_stands_outside_can_read_the_route_from_the_error(connect, fake_claude):
    """And can tell who said it: the API has a request id."""
    seen = []

    class Reader(Watcher):
        def handle(self, request, call_next):
            try:
                return call_next(request)
            except anthropic.APIStatusError as error:
                seen.append(error)
                raise

        async def handle_async(self, request, call_next):
            try:
                return await call_next(request)
            except anthropic.APIStatusError as error:
                seen.append(error)
                raise

    caller = connect(policy(retry=NO_REPEAT), middleware=[Reader()])
    loop = run_loop(caller, before={2: lambda: fake_claude.fail(FIRST, 529)})
    assert loop.error is None
    (error,) = seen
    assert isinstance(error, anthropic.NotFoundError)
    assert failover.route(error) is loop.routes[1]
    assert "failover" in str(error)
    assert error.request_id is None
    assert str(error.request.url).endswith("/v1/messages")
