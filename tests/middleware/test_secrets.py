"""No prompt, no tool input, no answer, no key and no message of an exception leaves through what we write down.

Each of them is a canary here, sent through every way that a call can go; then everything that was written is read.
"""

from __future__ import annotations

import json
import logging

import httpx2
import pybreaker
import pytest
from anthropic import APIConnectionError
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy, refuse, reply, trip

import failover

CANARIES = [
    f"canary-{kind}"
    for kind in ("prompt", "system", "tool", "key", "header", "answer", "message", "exception", "patch")
]
PROMPT, SYSTEM, TOOL, KEY, HEADER, ANSWER, MESSAGE, EXCEPTION, PATCH = CANARIES

TALK = {
    "system": SYSTEM,
    "messages": [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"city": TOOL}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": TOOL}]},
    ],
    "extra_headers": {"x-mine": HEADER},
}


def answer_well(request):
    return httpx2.Response(200, json=reply(json.loads(request.content)["model"], ANSWER), headers={"x-theirs": ANSWER})


def refuse_with(status, kind="api_error", **headers):
    return lambda _: refuse(status, kind, MESSAGE, **headers)


def break_off(_):
    raise httpx2.ConnectError(EXCEPTION)


def page(_):
    return httpx2.Response(200, text=f"<html>{ANSWER}</html>")


def half(_):
    return httpx2.Response(200, text='{"content": "' + ANSWER)


def raise_a_bug(_):
    raise LookupError(EXCEPTION)


def interrupt(_):
    raise KeyboardInterrupt(EXCEPTION)


class Upstream:
    """Answers the first model and the others as it is told."""

    def __init__(self):
        self.first = self.others = answer_well

    def __call__(self, request):
        return (self.first if json.loads(request.content)["model"] == FIRST else self.others)(request)


WAYS = {
    "all is well": (answer_well, answer_well),
    "500": (refuse_with(500), answer_well),
    "529": (refuse_with(529, "overloaded_error"), answer_well),
    "429": (refuse_with(429, "rate_limit_error", **{"retry-after": "60"}), answer_well),
    "nobody answers": (refuse_with(500), refuse_with(529, "overloaded_error")),
    "nobody is there": (break_off, break_off),
    "no JSON": (page, half),
    "a wrong request": (refuse_with(400, "invalid_request_error"), answer_well),
    "a refused account": (refuse_with(401, "authentication_error"), answer_well),
    "an unknown model": (refuse_with(404, "not_found_error"), answer_well),
}


@pytest.fixture
def written(connect, caplog, fake_clock):
    """Makes calls that go these ways, and gives all text that was written down about them, piece by piece."""
    caplog.set_level(logging.DEBUG, logger="failover")
    heard = []
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    upstream = Upstream()
    rungs = ladder({"model": SECOND, "set": {"metadata": {"user_id": PATCH}}})
    breaker = {**trip(consecutive_failures=2), "last_resort": "off"}
    caller = connect(
        policy(ladders=rungs, retry=NO_REPEAT, breaker=breaker),
        listeners=[heard.append],
        tracer_provider=provider,
        answer=upstream,
        api_key=KEY,
    )
    pieces = []

    def call(first, others, times=4):
        upstream.first, upstream.others = first, others
        for _ in range(times):
            with failover.recording() as routes:
                result = caller.attempt(**TALK)
            pieces.append(repr(failover.route(result)))
            pieces.extend(getattr(result, "__notes__", []))
            if isinstance(result, failover.CircuitOpen):
                pieces.extend((str(result), repr(result), repr(vars(result))))
            pieces.extend(map(repr, routes))
            pieces.extend(map(str, routes))
        pieces.extend(map(repr, heard))
        pieces.extend(span.to_json() for span in memory.get_finished_spans())
        for record in caplog.records:
            if record.name.startswith("failover"):
                pieces.extend((record.getMessage(), repr(vars(record))))
        pieces.extend((repr(caller.guard), repr(caller.board.breakers())))
        return pieces

    call.caller = caller
    return call


def assert_clean(pieces):
    assert pieces
    leaked = [(canary, piece) for piece in pieces for canary in CANARIES if canary in piece]
    assert leaked == []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaks_when(written, way):
    assert_clean(written(*WAYS[way]))


@pytest.mark.parametrize("raises", [raise_a_bug, interrupt])
def test_nothing_leaks_when_a_middleware_raises(written, raises):
    written.caller.client = written.caller.client.with_middleware(Watcher(raises))
    assert_clean(written(answer_well, answer_well))


def test_nothing_leaks_when_every_circuit_is_open(written):
    pieces = written(refuse_with(529), refuse_with(529), times=6)
    assert any("Nothing was sent" in piece for piece in pieces)
    assert_clean(pieces)


def test_what_pybreakers_listeners_are_told_is_clean(connect):
    told = []

    class Ear(pybreaker.CircuitBreakerListener):
        def failure(self, cb, exc):
            told.extend((str(exc), repr(exc), repr(vars(exc))))

    caller = connect(policy(retry=NO_REPEAT), breaker_listeners=[Ear()], answer=refuse_with(529), api_key=KEY)
    caller.error(**TALK)
    assert_clean(told)


def test_a_circuit_open_error_keeps_no_other_error_alive(connect):
    """Its traceback would show a body that an earlier error holds."""
    breaker = {**trip(consecutive_failures=1), "last_resort": "off"}
    caller = connect(policy(retry=NO_REPEAT, breaker=breaker), answer=break_off)
    assert isinstance(caller.error(), APIConnectionError)
    error = caller.error()
    assert isinstance(error, failover.CircuitOpen)
    assert error.__cause__ is None
    assert error.__suppress_context__
