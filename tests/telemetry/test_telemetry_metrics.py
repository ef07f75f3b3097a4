"""What is measured of calls, attempts, circuits and skips, and under which names an operator finds it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import telemetry_stories as stories
from opentelemetry import trace
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.trace import TracerProvider
from telemetry_meters import ATTEMPTS, CALLS, SKIPS, STATE, TRANSITIONS, FakeBoard, Meters

from failover.telemetry.lookup import scope_version
from failover.telemetry.metrics import MetricListener


@pytest.fixture
def meters():
    return Meters()


def tell(listener, *events):
    for event in events:
        listener(event)


OUTCOMES = {
    "primary": (stories.primary, None),
    "fallback": (stories.saved_by_fallback, None),
    "exhausted": (stories.exhausted, "api_error"),
    "refused": (stories.refused, "circuit_open"),
    "failed": (stories.wrong_request, "invalid_request_error"),
    "interrupted": (stories.interrupted, "overloaded_error"),
    "cancelled": (stories.cancelled, None),
    "rethreaded": (lambda: [stories.started(), stories.finished(1, "rethreaded", error_type="overloaded_error")], None),
}


class TestCalls:
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_are_counted_by_outcome_and_by_the_error_of_those_that_got_no_answer(self, meters, outcome):
        story, error_type = OUTCOMES[outcome]
        tell(meters.listener(), *story())
        assert meters.by(CALLS, "policy.name", "outcome", "error.type") == {("default", outcome, error_type): 1}

    def test_of_every_kind_are_counted_together(self, meters):
        listener = meters.listener()
        for number, story in enumerate(stories.ALL, 1):
            tell(listener, *story(number))
        assert sum(point.count for point in meters.points(CALLS)) == len(stories.ALL)

    def test_are_measured_in_seconds(self, meters):
        tell(meters.listener(), replace(stories.finished(1, "primary", stories.OPUS), seconds=2.5))
        (point,) = meters.points(CALLS)
        assert (point.count, point.sum) == (1, 2.5)

    def test_without_a_known_error_have_the_conventions_word_for_it(self, meters):
        tell(meters.listener(), stories.finished(1, "failed"))
        assert meters.by(CALLS, "error.type") == {("_OTHER",): 1}


class TestAttempts:
    def test_are_counted_by_model_reason_and_error(self, meters):
        stories_of_two = [*stories.saved_by_fallback(1), *stories.probing(2)]
        reasons = ["primary", "retry", "fallback", "probe"]
        ends = [event for event in stories_of_two if hasattr(event, "verdict")]
        tell(meters.listener(), *(replace(end, reason=reason) for end, reason in zip(ends, reasons, strict=True)))
        assert meters.by(ATTEMPTS, "model", "attempt.reason", "error.type") == {
            (stories.OPUS, "primary", "api_error"): 1,
            (stories.OPUS, "retry", "overloaded_error"): 1,
            (stories.SONNET, "fallback", None): 1,
            (stories.OPUS, "probe", None): 1,
        }

    def test_of_another_client_say_which(self, meters):
        own, other = stories.answered(1, 1), replace(stories.answered(1, 2), client="bedrock")
        tell(meters.listener(), own, other, other)
        assert meters.by(ATTEMPTS, "client") == {(None,): 1, ("bedrock",): 2}

    def test_that_failed_without_a_known_error_have_the_conventions_word_for_it(self, meters):
        tell(meters.listener(), stories.failed(1, 1, error_type=None))
        assert meters.by(ATTEMPTS, "error.type") == {("_OTHER",): 1}

    def test_are_measured_in_seconds(self, meters):
        tell(meters.listener(), stories.streamed(1, 1), stories.streamed(2, 1))
        (point,) = meters.points(ATTEMPTS)
        assert (point.count, point.sum) == (2, 6.0)


class TestBucketsOfDurations:
    @pytest.mark.parametrize("name", [CALLS, ATTEMPTS])
    def test_tell_answers_apart_from_fractions_of_a_second_to_minutes(self, meters, name):
        seconds = [0.04, 0.2, 0.4, 0.8, 2, 4, 8, 15, 25, 45, 90, 250, 500, 900]
        for number, long in enumerate(seconds):
            call = [stories.answered(number, 1), stories.finished(number, "primary", stories.OPUS)]
            tell(meters.listener(), *(replace(event, seconds=long) for event in call))
        (point,) = meters.points(name)
        assert max(point.bucket_counts) == 1
        assert math.isclose(sum(seconds), point.sum)

    def test_may_be_replaced_by_a_view_of_the_programs_own(self):
        meters = Meters(views=[View(instrument_name=CALLS, aggregation=ExplicitBucketHistogramAggregation([1, 2]))])
        tell(meters.listener(), *stories.primary())
        assert meters.points(CALLS)[0].explicit_bounds == (1, 2)


class TestTransitions:
    def test_are_counted_by_circuit_and_by_both_states(self, meters):
        outage = [stories.opened(), stories.half_opened(), stories.opened(from_state="half_open")]
        recovery = [stories.half_opened(), stories.closed()]
        tell(meters.listener(), *outage, *recovery, stories.opened(stories.SONNET))
        assert meters.by(TRANSITIONS, "breaker.name", "breaker.from", "breaker.to") == {
            (stories.OPUS, "closed", "open"): 1,
            (stories.OPUS, "open", "half_open"): 2,
            (stories.OPUS, "half_open", "open"): 1,
            (stories.OPUS, "half_open", "closed"): 1,
            (stories.SONNET, "closed", "open"): 1,
        }

    def test_by_hand_before_the_first_call_are_counted_too(self, meters):
        listener = MetricListener("default", meters.provider)
        listener.watch(FakeBoard())
        tell(listener, stories.opened_by_hand())
        assert meters.by(TRANSITIONS, "breaker.to") == {("open",): 1}


def test_skips_are_counted_by_model_circuit_and_reason(meters):
    elsewhere = replace(stories.skipped(1), breaker=f"bedrock/{stories.OPUS}")
    tell(meters.listener(), stories.skipped(1), stories.skipped(2), stories.skipped(3, reason="unfit"), elsewhere)
    assert meters.by(SKIPS, "model", "breaker.name", "skip.reason") == {
        (stories.OPUS, stories.OPUS, "open"): 2,
        (stories.OPUS, stories.OPUS, "unfit"): 1,
        (stories.OPUS, f"bedrock/{stories.OPUS}", "open"): 1,
    }


class TestNames:
    @pytest.fixture
    def collected(self, meters):
        board = FakeBoard(**{"claude-opus-5": "open"})
        listener = meters.listener()
        listener.watch(board)
        for number, story in enumerate(stories.ALL, 1):
            tell(listener, *story(number))
        tell(listener, replace(stories.failed(99, 1), client="bedrock"))
        return meters.collected()

    def test_and_units_are_these(self, collected):
        assert {name: metric.unit for name, metric in collected.items()} == {
            CALLS: "s",
            ATTEMPTS: "s",
            TRANSITIONS: "{transition}",
            SKIPS: "{skip}",
            STATE: "{circuit}",
        }
        assert all(metric.description.endswith(".") for metric in collected.values())

    def test_of_attributes_are_these_and_no_others(self, collected):
        keys = {
            name: set().union(*(point.attributes for point in metric.data.data_points))
            for name, metric in collected.items()
        }
        policy = "failover.policy.name"
        assert keys == {
            CALLS: {policy, "failover.outcome", "error.type"},
            ATTEMPTS: {
                policy,
                "failover.model",
                "failover.client",
                "failover.attempt.reason",
                "error.type",
            },
            TRANSITIONS: {policy, "failover.breaker.name", "failover.breaker.from", "failover.breaker.to"},
            SKIPS: {policy, "failover.model", "failover.breaker.name", "failover.skip.reason"},
            STATE: {policy, "failover.breaker.name", "failover.breaker.state"},
        }

    def test_stand_under_our_scope_and_version(self, meters, collected):
        tell(meters.listener(), *stories.primary())
        (scope,) = meters.reader.get_metrics_data().resource_metrics[0].scope_metrics
        assert (scope.scope.name, scope.scope.version) == ("failover", scope_version())
        assert scope_version()


class TestExemplars:
    """A point of a histogram leads to a trace that fell into it."""

    @pytest.fixture
    def tracer(self):
        return TracerProvider(shutdown_on_exit=False).get_tracer("the application")

    def test_are_of_the_trace_in_which_something_was_measured(self, meters, tracer):
        listener = meters.listener()
        with tracer.start_as_current_span("the call") as span:
            tell(listener, stories.finished(1, "primary", stories.OPUS))
        (exemplar,) = meters.points(CALLS)[0].exemplars
        assert exemplar.trace_id == span.get_span_context().trace_id

    def test_are_never_of_the_trace_in_which_it_is_recorded(self, meters, tracer):
        listener = meters.listener()
        tell(listener, *stories.primary(1))
        with tracer.start_as_current_span("the next call") as span:
            tell(listener, stories.started(2))
        assert trace.get_current_span() is not span
        assert [list(point.exemplars) for name in (CALLS, ATTEMPTS) for point in meters.points(name)] == [[], []]
