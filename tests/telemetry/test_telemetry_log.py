"""The log lines of each kind of call: the same whether everything is told or only what is notable."""

from __future__ import annotations

import contextvars
import gc
import logging
import subprocess
import sys
import textwrap

import pytest
import telemetry_stories as stories
from telemetry_stories import OPUS, SONNET

from failover.events import AttemptFinished, ModelSkipped
from failover.telemetry import LogListener

OPENED = (
    "WARNING",
    f"circuit {OPUS} opened for 15.0 s: consecutive_failures, 5 failed in a row, overloaded_error, request id req_last",
)

BROKE_OFF = f"{OPUS} broke off in the middle of its answer (overloaded_error, request id req_1_1): "
THEN_BROKE_OFF = f"{SONNET} broke off in the middle of its answer (connection_error, request id req_1_2): "
LOST = f"an answer broke off in the middle, for {OPUS}: "
TAKEN_OVER = [
    ("WARNING", BROKE_OFF + "restart with the next rung"),
    ("WARNING", f"{OPUS} failed (overloaded_error, status 200, request id req_1_1): trying {SONNET}"),
]


def rate_limited(call=1):
    """No room at the first model, the second one's circuit is open, the third one answers."""
    return [
        stories.started(call),
        stories.trying(call, 1),
        stories.opened(reason="retry_after", failures=0, open_for=30.0, error_type="rate_limit_error"),
        stories.failed(call, 1, status=429, error_type="rate_limit_error", verdict="neutral", retry_after=30.0),
        stories.skipped(call, SONNET),
        stories.trying(call, 2, "claude-sonnet-4-6", "fallback"),
        stories.answered(call, 2, "claude-sonnet-4-6"),
        stories.finished(call, "fallback", "claude-sonnet-4-6", attempts=2, skips=(SONNET,)),
    ]


def failing_to_a_probe(call=1):
    """The first model fails, the second one's circuit is half open."""
    return [
        stories.started(call),
        stories.trying(call, 1),
        stories.failed(call, 1, status=None, error_type="connection_error"),
        stories.half_opened(SONNET),
        stories.trying(call, 2, SONNET, "probe", "half_open"),
        stories.closed(SONNET),
        stories.answered(call, 2, SONNET),
        stories.finished(call, "fallback", SONNET, attempts=2),
    ]


def opening_by_hand(call=1):
    return [stories.opened_by_hand(), *stories.primary(call)]


LINES = [
    (stories.primary, []),
    (stories.retried_in_place, []),
    (stories.wrong_request, []),
    (stories.cancelled, []),
    (
        stories.saved_by_fallback,
        [OPENED, ("WARNING", f"{OPUS} failed (overloaded_error, status 529, request id req_1_2): trying {SONNET}")],
    ),
    (stories.skipping, [("DEBUG", f"{OPUS} skipped (open): trying {SONNET}")]),
    (
        stories.refused,
        [("WARNING", f"nothing was sent for {OPUS}, every circuit is open: {OPUS}, {SONNET}")],
    ),
    (
        stories.exhausted,
        [
            ("WARNING", f"{OPUS} failed (api_error, status 500, request id req_1_1): trying {SONNET}"),
            (
                "ERROR",
                f"no model answered a call for {OPUS}: 3 attempts (api_error, request id req_1_1, req_1_2, req_1_3)",
            ),
        ],
    ),
    (
        stories.probing,
        [
            ("DEBUG", f"circuit {OPUS} is half open (open_time_over)"),
            ("INFO", f"circuit {OPUS} closed (probe_succeeded)"),
        ],
    ),
    (
        rate_limited,
        [
            ("WARNING", f"circuit {OPUS} opened for 30.0 s: retry_after, rate_limit_error, request id req_last"),
            ("WARNING", f"{OPUS} failed (rate_limit_error, status 429, request id req_1_1): trying claude-sonnet-4-6"),
        ],
    ),
    (
        failing_to_a_probe,
        [
            ("DEBUG", f"circuit {SONNET} is half open (open_time_over)"),
            ("WARNING", f"{OPUS} failed (connection_error): trying {SONNET}"),
            ("INFO", f"circuit {SONNET} closed (probe_succeeded)"),
        ],
    ),
    (stories.streaming, []),
    (stories.left_early, []),
    (
        stories.interrupted,
        [("ERROR", LOST + "1 attempt (overloaded_error, request id req_1_1)")],
    ),
    (
        stories.not_resumed,
        [
            ("WARNING", BROKE_OFF + "nobody can take over (tool_use)"),
            ("ERROR", LOST + "1 attempt (overloaded_error, request id req_1_1)"),
        ],
    ),
    (stories.resumed, TAKEN_OVER),
    (
        stories.resumed_in_vain,
        [*TAKEN_OVER, ("ERROR", LOST + "2 attempts (overloaded_error, request id req_1_1, req_1_2)")],
    ),
    (
        stories.resumed_and_lost,
        [
            *TAKEN_OVER,
            ("WARNING", THEN_BROKE_OFF + "nobody can take over (no_rung)"),
            ("ERROR", LOST + "2 attempts (overloaded_error, request id req_1_1, req_1_2)"),
        ],
    ),
    (opening_by_hand, [("WARNING", f"circuit {OPUS} opened until it is closed by hand: isolated")]),
]


@pytest.fixture
def lines(caplog):
    """Tell events, in a context of their own, and read the lines that they made."""
    caplog.set_level(logging.DEBUG, logger="failover")

    def tell(events):
        listener = LogListener()
        contextvars.copy_context().run(lambda: [listener(event) for event in events])
        assert all(record.name == "failover" for record in caplog.records)
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    return tell


@pytest.mark.parametrize("told", [list, stories.notable], ids=["everything", "what is notable"])
@pytest.mark.parametrize(("story", "expected"), LINES, ids=[story.__name__ for story, _ in LINES])
def test_a_call_writes_these_lines(lines, story, expected, told):
    assert lines(told(story())) == expected


def test_an_outage_of_a_thousand_calls_is_one_warning_for_each_thing_that_happened(lines):
    outage = stories.saved_by_fallback(1)
    for call in range(2, 1001):
        outage += stories.skipping(call)
    warnings = [line for line in lines(stories.notable(outage)) if line[0] != "DEBUG"]

    assert len(warnings) == 2


def test_a_cause_is_not_taken_for_another_calls(lines):
    unfinished = stories.notable(stories.retried_in_place(1))  # its end is not told
    no_cause = [stories.trying(2, 1, SONNET, "fallback")]

    assert lines([*unfinished, *no_cause]) == []


@pytest.mark.parametrize(
    ("story", "fields"),
    [
        (
            stories.saved_by_fallback,
            {
                "event": "switch",
                "call": 1,
                "from": OPUS,
                "to": SONNET,
                "reason": "fallback",
                "circuit": OPUS,
                "error_type": "overloaded_error",
                "status": 529,
                "request_id": "req_1_2",
            },
        ),
        (
            stories.skipping,
            {
                "event": "switch",
                "call": 1,
                "from": OPUS,
                "to": SONNET,
                "reason": "fallback",
                "circuit": OPUS,
                "skip_reason": "open",
                "retry_in": 12.5,
            },
        ),
        (
            stories.exhausted,
            {
                "event": "exhausted",
                "call": 1,
                "model": OPUS,
                "attempts": 3,
                "skipped": (),
                "waited": 5.0,
                "error_type": "api_error",
                "request_ids": ("req_1_1", "req_1_2", "req_1_3"),
            },
        ),
        (
            stories.not_resumed,
            {
                "event": "interrupted",
                "call": 1,
                "model": OPUS,
                "attempts": 1,
                "skipped": (),
                "waited": 0.0,
                "error_type": "overloaded_error",
                "request_ids": ("req_1_1",),
            },
        ),
        (
            opening_by_hand,
            {
                "event": "opened",
                "circuit": OPUS,
                "from": "closed",
                "to": "open",
                "reason": "isolated",
                "failures": 5,
                "open_for": None,
                "error_type": "overloaded_error",
                "request_id": "req_last",
            },
        ),
        (
            stories.probing,
            {
                "event": "closed",
                "circuit": OPUS,
                "from": "half_open",
                "to": "closed",
                "reason": "probe_succeeded",
            },
        ),
    ],
)
def test_the_last_line_has_its_facts_as_fields(lines, caplog, story, fields):
    lines(story())

    assert caplog.records[-1].failover == fields


@pytest.mark.parametrize(
    ("story", "then", "why"), [(stories.resumed, "restart", None), (stories.not_resumed, "raise", "tool_use")]
)
def test_the_line_of_a_stream_that_broke_off_has_its_facts_as_fields(lines, caplog, story, then, why):
    lines(story())
    (fields,) = [record.failover for record in caplog.records if record.failover["event"] == "broke_off"]

    assert fields == {
        "event": "broke_off",
        "call": 1,
        "model": OPUS,
        "error_type": "overloaded_error",
        "request_id": "req_1_1",
        "then": then,
        "why": why,
    }


def test_calls_whose_end_is_never_told_do_not_pile_up():
    calls, listener = range(50_001, 60_001), LogListener()
    for call in calls:
        for event in stories.notable([*stories.skipping(call)[:2], *stories.retried_in_place(call)]):
            listener(event)
    gc.collect()
    events = [thing for thing in gc.get_objects() if isinstance(thing, (AttemptFinished, ModelSkipped))]
    assert sum(event.call in calls for event in events) < 5_000


def test_a_program_without_logging_configuration_sees_an_opening_on_standard_error_and_nothing_routine():
    program = """
        import telemetry_stories as stories
        from failover.telemetry import LogListener

        listener = LogListener()
        for event in [*stories.saved_by_fallback(1), *stories.skipping(2), *stories.probing(3)]:
            listener(event)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(stories.__file__).rpartition("/")[0]},
    )

    assert [line.split()[:3] for line in run.stderr.splitlines()] == [
        ["circuit", OPUS, "opened"],
        [OPUS, "failed", "(overloaded_error,"],
    ]
