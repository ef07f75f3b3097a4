"""An incident in the log and in traces: a line as it begins and one as it ends, however many calls it meets."""

from __future__ import annotations

import contextvars
import dataclasses
import logging

import pytest
import telemetry_stories as stories
from telemetry_stories import OPUS, SONNET

from failover.events import (
    CallFinished,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    StatusSeen,
    Waiting,
)
from failover.telemetry import LogListener

STARTED = IncidentStarted(
    "default", "models", 12.4, 9, (OPUS, SONNET), ("overloaded_error", "api_error"), ("req_first", "req_last")
)
ENDED = IncidentEnded("default", 1834.2, (OPUS, SONNET), 61, 17)
STARTED_LINE = (
    "ERROR",
    (
        f"platform incident: no model of client default answers, for 12 s now: 9 failures of {OPUS}, {SONNET} "
        "(overloaded_error, api_error, request id req_first, req_last); calls are not sent until a probe is answered"
    ),
)
ENDED_LINE = (
    "WARNING",
    "platform incident of client default is over after 1834 s and 61 probes; 17 calls were kept back",
)


def probed(call=1, *, answered=True, model=OPUS):
    status, error_type = (200, None) if answered else (529, "overloaded_error")
    return IncidentProbed(call, "default", model, answered, status, error_type, f"req_ping_{call}", 0.25)


def kept_back(call, model=OPUS):
    return ModelSkipped(call, model, model, "open", 12.5, "incident")


def found_nobody(call=1):
    """The call that saw it begin."""
    events = stories.exhausted(call)
    return [*events[:-1], STARTED, events[-1]]


def refused(call=1):
    return [
        stories.started(call),
        kept_back(call),
        kept_back(call, SONNET),
        stories.finished(call, "refused", attempts=0, skips=(OPUS, SONNET), error_type="platform_incident"),
    ]


def asked_in_vain(call=1):
    events = refused(call)
    return [events[0], probed(call, answered=False), *events[1:]]


def found_its_end(call=1):
    events = stories.primary(call)
    return [events[0], probed(call), probed(call), ENDED, *events[1:]]


def sat_it_out(call=1):
    events = stories.primary(call)
    waiting = Waiting(call, 30.5, "incident")
    return [events[0], kept_back(call), probed(call), probed(call), ENDED, waiting, *events[1:-1], _waited(events[-1])]


def _waited(end):
    return dataclasses.replace(end, waited=30.5, skipped=(OPUS,))


@pytest.fixture
def records(caplog):
    caplog.set_level(logging.DEBUG, logger="failover")

    def tell(events, level=logging.DEBUG):
        listener = LogListener()
        contextvars.copy_context().run(lambda: [listener(event) for event in events])
        return [record for record in caplog.records if record.levelno >= level]

    return tell


def line(record):
    return record.levelname, record.getMessage()


class TestTheLog:
    def test_has_one_line_as_it_begins_and_one_as_it_ends(self, records):
        told = [*found_nobody(1), *(event for call in range(2, 500) for event in refused(call)), *found_its_end(500)]
        lines = [line(record) for record in records(told, logging.INFO)]
        assert [one for one in lines if "incident" in one[1]] == [STARTED_LINE, ENDED_LINE]
        assert [one[0] for one in lines if "incident" not in one[1]] == ["WARNING", "ERROR"]  # of the first call itself

    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            (STARTED, STARTED_LINE),
            (ENDED, ENDED_LINE),
            (
                dataclasses.replace(ENDED, client="bedrock", seconds=90.0, probes=1, kept_back=1),
                ("WARNING", "platform incident of client bedrock is over after 90 s and 1 probe; 1 call was kept back"),
            ),
            (
                probed(),
                (
                    "DEBUG",
                    f"platform incident of client default: probe of {OPUS} was answered (status 200, request id req_ping_1)",
                ),
            ),
            (
                probed(answered=False),
                (
                    "DEBUG",
                    (
                        f"platform incident of client default: probe of {OPUS} failed "
                        "(overloaded_error, status 529, request id req_ping_1)"
                    ),
                ),
            ),
        ],
    )
    def test_says_each_in_a_sentence(self, records, event, expected):
        assert [line(record) for record in records([event])] == [expected]

    def test_says_of_one_without_request_ids_what_there_is(self, records):
        (record,) = records([dataclasses.replace(STARTED, error_types=("connection_error",), request_ids=())])
        assert f"{OPUS}, {SONNET} (connection_error); calls" in record.getMessage()

    def test_tells_of_a_call_that_it_refused_only_to_who_debugs(self, records):
        told = records(refused())
        assert [line(record) for record in told] == [
            ("DEBUG", f"nothing was sent for {OPUS}, a platform incident: {OPUS}, {SONNET}")
        ]

    def test_tells_nothing_of_a_call_that_waited_but_the_end(self, records):
        assert [line(record) for record in records(sat_it_out(), logging.INFO)] == [ENDED_LINE]

    def test_tells_a_switch_to_another_client_only_to_who_debugs(self, records):
        fallback = stories.trying(1, 1, f"bedrock/{SONNET}", "fallback")
        assert [line(record) for record in records([stories.started(), kept_back(1), fallback])] == [
            ("DEBUG", f"{OPUS} skipped (incident): trying bedrock/{SONNET}")
        ]

    @pytest.mark.parametrize(
        ("event", "name"), [(STARTED, "incident_started"), (probed(), "incident_probed"), (ENDED, "incident_ended")]
    )
    def test_has_the_same_facts_for_programs(self, records, event, name):
        (record,) = records([event])
        assert record.failover == {"event": name, **dataclasses.asdict(event)}

    def test_tells_what_the_status_page_says(self, records):
        (record,) = records([StatusSeen("major", ("Errors on Opus",))])
        assert "major" in record.getMessage()
        assert record.levelname == "WARNING"


def events_of(span):
    return [(event.name, dict(event.attributes)) for event in span.events]


class TestATrace:
    def test_has_the_beginning_on_the_call_that_saw_it(self, telemetry):
        telemetry.tell(found_nobody())
        run = telemetry.spans()[-1]
        assert events_of(run)[-1] == (
            "failover.incident.started",
            {
                "failover.client": "default",
                "failover.incident.models": (OPUS, SONNET),
                "failover.incident.cause": "models",
                "failover.incident.failing_for": 12.4,
                "failover.incident.failures": 9,
                "failover.incident.error_types": ("overloaded_error", "api_error"),
                "failover.incident.request_ids": ("req_first", "req_last"),
            },
        )

    def test_has_the_probes_and_the_end_on_the_call_that_found_it(self, telemetry):
        telemetry.tell(found_its_end())
        run = telemetry.spans()[-1]
        assert [name for name, _ in events_of(run)] == ["failover.incident.probed"] * 2 + ["failover.incident.ended"]
        assert events_of(run)[0][1] == {
            "failover.client": "default",
            "failover.model": OPUS,
            "failover.incident.answered": True,
            "http.response.status_code": 200,
            "anthropic.request.id": "req_ping_1",
            "failover.incident.probe.seconds": 0.25,
        }
        assert events_of(run)[-1][1] == {
            "failover.client": "default",
            "failover.incident.models": (OPUS, SONNET),
            "failover.incident.seconds": 1834.2,
            "failover.incident.probes": 61,
            "failover.incident.calls_kept_back": 17,
        }

    def test_has_a_probe_that_failed_with_its_error(self, telemetry):
        telemetry.tell(asked_in_vain())
        (run,) = telemetry.spans()
        name, attributes = events_of(run)[0]
        assert name == "failover.incident.probed"
        assert attributes["error.type"] == "overloaded_error"
        assert attributes["failover.incident.answered"] is False
        assert run.attributes["failover.outcome"] == "refused"
        assert run.attributes["error.type"] == "platform_incident"

    def test_of_a_call_that_was_kept_back_says_why(self, telemetry):
        telemetry.tell(refused())
        (run,) = telemetry.spans()
        assert [(name, told["failover.skip.reason"]) for name, told in events_of(run)] == [
            ("failover.model.skipped", "incident")
        ] * 2

    def test_of_a_call_that_waited_says_how_long_once(self, telemetry):
        telemetry.tell(sat_it_out())
        run = telemetry.spans()[-1]
        assert [told for name, told in events_of(run) if name == "failover.wait"] == [
            {"failover.wait.delay": 30.5, "failover.wait.cause": "incident"}
        ]
        assert run.attributes["failover.wait.total"] == 30.5

    def test_has_no_place_for_what_happens_outside_of_any_call(self, telemetry):
        telemetry.tell([STARTED, probed(7), ENDED])
        assert telemetry.spans() == ()

    @pytest.mark.parametrize("tokens", [(3270, 87), (None, None), (0, 0), (70, None)])
    def test_has_the_tokens_of_an_attempt_that_was_discarded(self, telemetry, tokens):
        events = stories.interrupted()
        events[3] = dataclasses.replace(events[3], input_tokens=tokens[0], output_tokens=tokens[1])
        telemetry.tell(events)
        attempt = telemetry.spans()[0]
        names = ("failover.discarded.input_tokens", "failover.discarded.output_tokens")
        assert tuple(attempt.attributes.get(name) for name in names) == tokens


def test_no_event_of_an_incident_is_lost_on_a_program_that_listens_to_nothing_special(records, telemetry):
    """What is not routine is told to everybody."""
    events = stories.notable(found_its_end())
    assert [type(event) for event in events] == [IncidentProbed, IncidentProbed, IncidentEnded]
    assert [type(event) for event in stories.notable(refused())] == [ModelSkipped, ModelSkipped, CallFinished]
