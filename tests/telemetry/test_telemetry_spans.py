"""The tree of spans that each kind of call leaves behind."""

from __future__ import annotations

import importlib.metadata

import pytest
import telemetry_stories as stories
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from telemetry_stories import OPUS, SONNET

RUN = "failover default"
TRY_OPUS = f"try {OPUS}"
TRY_SONNET = f"try {SONNET}"


def names(spans):
    return [span.name for span in spans]


def attributes_of(span):
    return dict(span.attributes)


def events_of(span):
    return [(event.name, dict(event.attributes)) for event in span.events]


def test_a_call_that_its_first_model_answers_is_a_run_with_one_attempt(telemetry):
    telemetry.tell(stories.primary())
    attempt, run = telemetry.spans()

    assert (run.name, run.kind, run.status.status_code) == (RUN, SpanKind.INTERNAL, StatusCode.UNSET)
    assert attributes_of(run) == {
        "failover.policy.name": "default",
        "failover.policy.digest": "0123456789ab",
        "failover.model.requested": OPUS,
        "failover.sdk_retries_taken": 0,
        "failover.outcome": "primary",
        "failover.model.served": OPUS,
        "failover.attempts": 1,
        "failover.wait.total": 0.0,
    }
    assert (attempt.name, attempt.kind, attempt.status.status_code) == (TRY_OPUS, SpanKind.CLIENT, StatusCode.UNSET)
    assert attempt.parent == run.context
    assert attributes_of(attempt) == {
        "failover.policy.name": "default",
        "failover.model": OPUS,
        "failover.attempt.number": 1,
        "failover.attempt.reason": "primary",
        "failover.breaker.name": OPUS,
        "failover.breaker.state": "closed",
        "http.response.status_code": 200,
        "anthropic.request.id": "req_1_1",
        "failover.verdict": "success",
    }
    assert not [*run.events, *attempt.events, *run.links, *attempt.links]


def test_the_run_falls_under_the_span_that_is_current_and_the_scope_is_ours(telemetry):
    with telemetry.tracer.start_as_current_span("anthropic.messages.create"):
        telemetry.tell(stories.primary())
    _, run, sdk = telemetry.spans()

    assert run.parent == sdk.context
    assert run.instrumentation_scope.name == "failover"
    assert run.instrumentation_scope.version == importlib.metadata.version("anthropic-failover")


def test_a_call_saved_by_fallback_is_no_error_but_its_failed_attempts_are(telemetry):
    telemetry.tell(stories.saved_by_fallback())
    first, second, third, run = telemetry.spans()

    assert names((first, second, third, run)) == [TRY_OPUS, TRY_OPUS, TRY_SONNET, RUN]
    assert [span.parent for span in (first, second, third)] == [run.context] * 3
    assert [span.status.status_code for span in (first, second, third, run)] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
        StatusCode.UNSET,
    ]
    assert [span.attributes.get("error.type") for span in (first, second, third, run)] == [
        "api_error",
        "overloaded_error",
        None,
        None,
    ]
    assert [span.attributes.get("http.request.resend_count") for span in (first, second, third)] == [None, 1, 2]
    assert [span.attributes["failover.attempt.reason"] for span in (first, second, third)] == [
        "primary",
        "retry",
        "fallback",
    ]
    assert run.attributes["failover.outcome"] == "fallback"
    assert run.attributes["failover.model.served"] == SONNET
    assert run.attributes["failover.wait.total"] == 0.25
    assert first.status.description is None


def test_a_wait_is_an_event_of_the_run_and_an_opening_is_one_of_the_attempt_that_caused_it(telemetry):
    telemetry.tell(stories.saved_by_fallback())
    first, second, third, run = telemetry.spans()

    assert events_of(run) == [("failover.wait", {"failover.wait.delay": 0.25, "failover.wait.cause": "backoff"})]
    assert events_of(second) == [
        (
            "failover.breaker.transition",
            {
                "failover.breaker.name": OPUS,
                "failover.breaker.from": "closed",
                "failover.breaker.to": "open",
                "failover.breaker.reason": "consecutive_failures",
                "failover.breaker.failures": 5,
                "failover.breaker.open_for": 15.0,
                "error.type": "overloaded_error",
                "anthropic.request.id": "req_last",
            },
        )
    ]
    assert not [*first.events, *third.events]


@pytest.mark.parametrize(
    ("story", "attempts", "error_type"),
    [
        (stories.refused, [], "circuit_open"),
        (stories.exhausted, ["api_error", "connection_error", "api_error"], "api_error"),
        (stories.wrong_request, ["invalid_request_error"], "invalid_request_error"),
    ],
)
def test_a_call_that_ends_in_an_error_is_one_with_the_type_that_the_caller_sees(telemetry, story, attempts, error_type):
    telemetry.tell(story())
    *tries, run = telemetry.spans()

    assert [span.attributes["error.type"] for span in tries] == attempts
    assert all(span.status.status_code is StatusCode.ERROR for span in (*tries, run))
    assert run.attributes["error.type"] == error_type
    assert "failover.model.served" not in run.attributes


def test_a_connection_error_has_neither_status_nor_request_id(telemetry):
    telemetry.tell(stories.exhausted())
    attempt = telemetry.spans()[1]

    assert attempt.name == TRY_SONNET
    assert not {"http.response.status_code", "anthropic.request.id"} & set(attempt.attributes)


def test_the_servers_wish_to_wait_is_kept_in_seconds(telemetry):
    limited = stories.failed(1, 1, status=429, error_type="rate_limit_error", verdict="neutral", retry_after=30.0)
    telemetry.tell([stories.started(1), stories.trying(1, 1), limited, stories.finished(1, "exhausted")])
    attempt, run = telemetry.spans()

    assert attempt.attributes["failover.retry_after"] == 30.0
    assert attempt.status.status_code is StatusCode.ERROR
    assert run.attributes["error.type"] == "_OTHER"


@pytest.mark.parametrize(
    ("verdict", "error_type", "status"),
    [
        ("success", None, StatusCode.UNSET),
        ("neutral", None, StatusCode.UNSET),
        ("neutral", "rate_limit_error", StatusCode.ERROR),
        ("failure", "api_error", StatusCode.ERROR),
        ("failure", None, StatusCode.ERROR),
        ("open", "not_found_error", StatusCode.ERROR),
    ],
)
def test_an_attempt_is_an_error_if_its_request_failed(telemetry, verdict, error_type, status):
    outcome = stories.failed(1, 1, verdict=verdict, error_type=error_type)
    telemetry.tell([stories.started(1), stories.trying(1, 1), outcome, stories.finished(1, "cancelled")])
    attempt, _ = telemetry.spans()

    assert attempt.status.status_code is status
    assert ("error.type" in attempt.attributes) == (status is StatusCode.ERROR)


def test_cancellation_ends_the_open_attempt_and_nothing_is_an_error(telemetry):
    before = trace.get_current_span()
    telemetry.tell(stories.cancelled())
    attempt, run = telemetry.spans()

    assert names((attempt, run)) == [TRY_OPUS, RUN]
    assert attempt.status.status_code is run.status.status_code is StatusCode.UNSET
    assert run.attributes["failover.outcome"] == "cancelled"
    assert "error.type" not in {**attempt.attributes, **run.attributes}
    assert trace.get_current_span() is before


def test_an_attempt_whose_end_was_lost_ends_as_the_next_one_starts(telemetry):
    telemetry.tell([stories.started(1), stories.trying(1, 1), stories.trying(1, 2, SONNET, "fallback")])

    assert names(telemetry.spans()) == [TRY_OPUS]
    telemetry.tell([stories.answered(1, 2, SONNET), stories.finished(1, "fallback", SONNET, attempts=2)])
    assert names(telemetry.spans()) == [TRY_OPUS, TRY_SONNET, RUN]


def test_an_http_span_falls_under_the_attempt_and_what_follows_does_not(telemetry):
    start, trying, answer, end = stories.primary()
    with telemetry.tracer.start_as_current_span("anthropic.messages.create") as sdk:
        telemetry.tell([start, trying])
        telemetry.tracer.start_span("POST").end()
        telemetry.tell([answer])
        assert trace.get_current_span() is sdk
        telemetry.tell([end])
        assert trace.get_current_span() is sdk
    http, attempt, _, _ = telemetry.spans()

    assert http.parent == attempt.context


def test_the_attempt_of_a_stream_lasts_until_its_verdict_and_says_how_it_ended(telemetry):
    telemetry.tell(stories.streaming())
    attempt, run = telemetry.spans()

    assert attempt.attributes["failover.stream.end"] == "complete"
    assert attempt.attributes["failover.stream.first_content"] == 0.2
    assert attempt.attributes["failover.verdict"] == "success"
    assert [span.status.status_code for span in (attempt, run)] == [StatusCode.UNSET] * 2
    assert not [*attempt.events, *run.events]


def test_once_its_content_has_begun_the_programs_own_span_is_the_current_one_again(telemetry):
    start, trying, content, end, last = stories.streaming()
    with telemetry.tracer.start_as_current_span("anthropic.messages.create") as sdk:
        telemetry.tell([start, trying])
        assert trace.get_current_span() is not sdk
        telemetry.tell([content])
        assert trace.get_current_span() is sdk
        telemetry.tracer.start_span("the program's own work").end()
        telemetry.tell([end, last])
        assert trace.get_current_span() is sdk
    work, *_ = telemetry.spans()

    assert work.parent == sdk.get_span_context()


def test_a_stream_that_its_reader_leaves_is_no_error(telemetry):
    telemetry.tell(stories.left_early())
    attempt, run = telemetry.spans()

    assert (attempt.attributes["failover.verdict"], attempt.attributes["failover.stream.end"]) == ("neutral", "closed")
    assert [span.status.status_code for span in (attempt, run)] == [StatusCode.UNSET] * 2
    assert run.attributes["failover.outcome"] == "cancelled"


@pytest.mark.parametrize(("story", "why"), [(stories.interrupted, None), (stories.not_resumed, "tool_use")])
def test_an_interrupted_stream_is_an_error_of_its_attempt_and_of_its_run(telemetry, story, why):
    telemetry.tell(story())
    attempt, run = telemetry.spans()

    assert [span.status.status_code for span in (attempt, run)] == [StatusCode.ERROR] * 2
    assert [span.attributes["error.type"] for span in (attempt, run)] == ["overloaded_error"] * 2
    assert run.attributes["failover.outcome"] == "interrupted"
    expected = {
        "failover.model": OPUS,
        "error.type": "overloaded_error",
        "anthropic.request.id": "req_1_1",
        "failover.stream.then": "raise",
        **({} if why is None else {"failover.stream.why": why}),
    }
    assert events_of(run) == [("failover.stream.interrupted", expected)]


def test_a_stream_that_another_model_takes_over_is_no_error_but_its_first_attempt_is(telemetry):
    before = trace.get_current_span()
    telemetry.tell(stories.resumed())
    first, second, run = telemetry.spans()

    assert names((first, second, run)) == [TRY_OPUS, TRY_SONNET, RUN]
    assert [span.status.status_code for span in (first, second, run)] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
        StatusCode.UNSET,
    ]
    assert [name for name, _ in events_of(run)] == ["failover.stream.interrupted"]
    assert events_of(run)[0][1]["failover.stream.then"] == "restart"
    assert trace.get_current_span() is before


def test_sdk_retries_on_top_of_ours_show(telemetry):
    _, *rest = stories.primary()
    telemetry.tell([stories.started(sdk_retries_taken=2), *rest])

    assert telemetry.spans()[-1].attributes["failover.sdk_retries_taken"] == 2


@pytest.mark.parametrize("story", stories.ALL)
def test_no_span_of_ours_can_be_taken_for_a_model_call(telemetry, story):
    telemetry.tell(story())
    keys = {
        key
        for span in telemetry.spans()
        for holder in (span, *span.events, *span.links)
        for key in (holder.attributes or {})
    }

    assert keys
    assert not [key for key in keys if key.startswith("gen_ai.")]
    assert all(key.startswith(("failover.", "http.")) or key in {"error.type", "anthropic.request.id"} for key in keys)
