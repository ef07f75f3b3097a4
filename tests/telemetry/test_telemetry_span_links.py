"""From a call that an open circuit turned away to the attempt that opened it."""

from __future__ import annotations

import telemetry_stories as stories
from telemetry_stories import OPUS, SONNET

TRY_SONNET = f"try {SONNET}"


def events_of(span):
    return [(event.name, dict(event.attributes)) for event in span.events]


def links_of(span):
    return [(link.context.span_id, dict(link.attributes)) for link in span.links]


def opened_by(span, breaker=OPUS):
    return (span.context.span_id, {"failover.link": "opened_by", "failover.breaker.name": breaker})


def test_a_skip_is_an_event_and_links_once_to_the_attempt_that_opened_the_circuit(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    opener = telemetry.spans()[1]
    telemetry.clear()
    events = stories.skipping(2)
    telemetry.tell([*events[:2], stories.skipped(2, retry_in=None), *events[2:]])
    attempt, run = telemetry.spans()

    assert events_of(run) == [
        (
            "failover.model.skipped",
            {
                "failover.model": OPUS,
                "failover.breaker.name": OPUS,
                "failover.breaker.state": "open",
                "failover.skip.reason": "open",
                "failover.retry_in": 12.5,
            },
        ),
        (
            "failover.model.skipped",
            {
                "failover.model": OPUS,
                "failover.breaker.name": OPUS,
                "failover.breaker.state": "open",
                "failover.skip.reason": "open",
            },
        ),
    ]
    assert links_of(run) == [opened_by(opener)]
    assert run.attributes["failover.models.skipped"] == (OPUS,)
    assert attempt.name == TRY_SONNET
    assert not attempt.links


def test_a_probe_links_to_the_attempt_that_opened_the_circuit_and_its_success_forgets_that_attempt(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    opener = telemetry.spans()[1]
    telemetry.clear()
    telemetry.tell(stories.probing(2))
    telemetry.tell(stories.skipping(3))
    probe, run, _, later = telemetry.spans()

    assert links_of(probe) == [opened_by(opener)]
    assert probe.attributes["failover.attempt.reason"] == "probe"
    assert probe.attributes["failover.breaker.state"] == "half_open"
    assert [(name, fields["failover.breaker.to"]) for name, fields in events_of(run)] == [
        ("failover.breaker.transition", "half_open")
    ]
    assert [(name, fields["failover.breaker.to"]) for name, fields in events_of(probe)] == [
        ("failover.breaker.transition", "closed")
    ]
    assert not run.links
    assert not later.links


def test_a_probe_that_fails_becomes_the_attempt_to_link_to(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    telemetry.clear()
    telemetry.tell(
        [
            stories.started(2),
            stories.half_opened(),
            stories.trying(2, 1, reason="probe", state="half_open"),
            stories.opened(from_state="half_open", reason="probe_failed"),
            stories.failed(2, 1),
            stories.finished(2, "exhausted", error_type="api_error"),
        ]
    )
    telemetry.tell(stories.skipping(3))
    probe, _, _, later = telemetry.spans()

    assert links_of(later) == [opened_by(probe)]


def test_a_last_resort_links_like_a_probe(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    opener = telemetry.spans()[1]
    telemetry.clear()
    telemetry.tell(
        [
            stories.started(2),
            stories.skipped(2),
            stories.trying(2, 1, reason="last_resort", state="open"),
            stories.answered(2, 1),
            stories.finished(2, "primary", OPUS, skips=(OPUS,)),
        ]
    )
    attempt, run = telemetry.spans()

    assert links_of(attempt) == links_of(run) == [opened_by(opener)]


def test_a_circuit_that_opened_between_attempts_links_to_the_run_that_saw_it(telemetry):
    telemetry.tell(
        [
            stories.started(1),
            stories.opened(reason="hung_calls"),
            stories.skipped(1),
            stories.finished(1, "refused", attempts=0, skips=(OPUS,), error_type="circuit_open"),
        ]
    )
    (run,) = telemetry.spans()

    assert links_of(run) == [opened_by(run)]
    assert [name for name, _ in events_of(run)] == ["failover.breaker.transition", "failover.model.skipped"]
