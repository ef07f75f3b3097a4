"""From calls and events to sentences and figures."""

from __future__ import annotations

import pytest
from cli_lab import FALLBACK, OPUS, SCENARIO

from failover.cli.demo.script import Phase, Script, Window
from failover.cli.demo.story import Line, Story, clock_text
from failover.cli.demo.tally import CallSeen, Tally, figures, opening_failures
from failover.engine.route import Attempt, Route
from failover.events import AttemptFinished, AttemptStarted, BreakerTransition
from failover.testing import ReceivedRequest, parse_scenario


def script(text=SCENARIO, model=OPUS):
    scenario = parse_scenario(text)
    return Script(scenario, scenario.duration, model, speed=10.0, rate=2.0, built_in=False)


def call(started, seconds, served):
    return CallSeen(started, seconds, served, None, None if served else "OverloadedError", "req_x", None)


def moved(old, new, *, failures=3, request_id="req_c", reason="consecutive_failures"):
    open_for = 4.0 if new == "open" else None
    return BreakerTransition(OPUS, old, new, reason, failures, open_for, "api_error", request_id)


def attempt(number, request_id, verdict="failure", model=OPUS):
    error = "api_error" if verdict == "failure" else None
    return AttemptFinished(number, 1, model, model, verdict, 500 if error else 200, error, request_id, None, 0.1)


def received(at, model=OPUS, path="/v1/messages"):
    return ReceivedRequest(model, stream=False, path=path, time=at, status=200, request_id="r", betas=(), body={})


@pytest.mark.parametrize(
    ("faults", "model", "window"),
    [
        ("", OPUS, None),
        ("- {model: claude-opus-*, from: 2s, until: 5s, status: 500}", OPUS, (2, 5)),
        ("- {model: claude-opus-*, from: 2s, until: 5s, status: 500}", "claude-haiku-5-5", None),
        ("- {model: claude-opus-*, from: 2s, status: 500}", OPUS, (2, 9)),
        ("- {from: 2s, until: 20s, drop: true}", OPUS, (2, 9)),
        ("- {from: 2s, until: 4s, hang: 9s}\n  - {from: 6s, until: 8s, malformed: html}", OPUS, (2, 8)),
        ("- {from: 2s, first_token: 9s}", OPUS, None),
        ("- {from: 2s, stream: true, status: 500}", OPUS, None),
        ("- {from: 2s, error_event: api_error}", OPUS, None),
        ("- {from: 2s, buffered: true, cut: true}", OPUS, None),
        ("- {from: 2s, path: /v1/models, status: 500}", OPUS, None),
    ],
)
def test_the_outage_is_when_the_requested_model_may_fail(faults, model, window):
    written = script(f"name: x\nduration: 9s\nfaults:\n  {faults or '[]'}\n", model)
    assert written.outage == (window and Window(*window))


def test_phases_are_told_in_order_and_only_while_the_scenario_lasts():
    text = "name: x\nduration: 9s\nfaults:\n  - {from: 4s, until: 20s, status: 529}\n  - {model: a, from: 2s, until: 3s, drop: true}\n"
    assert [(phase.at, phase.words) for phase in script(text).phases()] == [
        (0.0, "every model answers"),
        (2.0, "OUTAGE: a fails (drop)"),
        (3.0, "RECOVERY: a answers again"),
        (4.0, "OUTAGE: * fails (529 overloaded_error)"),
    ]


def test_nothing_answers_at_first_if_the_outage_begins_the_scenario():
    (phase,) = script("name: x\nduration: 9s\nfaults:\n  - {status: 500}\n").phases()
    assert phase == Phase(0.0, "OUTAGE: * fails (500 api_error)", outage=True)


def test_figures_are_of_the_outage_and_of_the_requested_model():
    tally = Tally()
    for seen in [call(1, 9, OPUS), call(6, 1, FALLBACK), call(7, 3, None), call(8, 2, FALLBACK), call(16, 2, OPUS)]:
        tally.add(seen)
    for at, event in [
        (5.5, moved("closed", "open")),
        (14.0, moved("open", "half_open")),
        (17.5, moved("half_open", "closed")),
    ]:
        tally.listen(at, event)
    requests = [
        received(4.9),
        received(5.0),
        received(14.9),
        received(15.0),
        received(6, FALLBACK),
        received(6, path="/v1/models"),
    ]
    counted = figures(tally, requests, script())
    assert (counted.calls, counted.answered, counted.failed) == (5, 4, 1)
    assert (counted.requests, counted.dead_requests) == (5, 2)
    assert (counted.median, counted.slow) == (2, 3)
    assert (counted.opened_after, counted.closed_after, counted.back_after) == (0.5, 2.5, 3.0)


def test_what_did_not_happen_has_no_figure():
    tally = Tally()
    tally.listen(6.0, moved("closed", "open"))
    counted = figures(tally, [], script())
    assert (counted.median, counted.slow, counted.closed_after, counted.back_after) == (None, None, None, None)
    assert figures(Tally(), [], script()).opened_after is None


def test_the_failures_that_opened_a_circuit_are_the_last_ones_in_a_row():
    tally = Tally()
    story = [
        attempt(1, "req_0"),
        attempt(2, "req_1", "success"),
        attempt(3, "req_a"),
        attempt(4, "req_other", model=FALLBACK),
        attempt(5, "req_b"),
        moved("closed", "open"),
        attempt(6, "req_c"),
        attempt(7, "req_late"),
    ]
    for at, event in enumerate(story):
        tally.listen(float(at), event)
    assert [failure.request_id for failure in opening_failures(tally, OPUS)] == ["req_a", "req_b", "req_c"]
    assert opening_failures(tally, FALLBACK) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00.0"), (59.99, "00:59.9"), (61.25, "01:01.2"), (3661, "61:01.0")]
)
def test_scenario_time_is_minutes_and_seconds(seconds, text):
    assert clock_text(seconds) == text


@pytest.fixture
def told():
    lines: list[Line] = []
    return lines, Story(lines.append)


def routed(outcome, served, *, attempts=(), skipped=()):
    return call(6, 1, served)._replace(route=Route(outcome, OPUS, served, attempts, skipped, 0.0))


def test_each_kind_of_call_is_told_once_in_an_outage(told):
    lines, story = told
    failed = Attempt(OPUS, "default", 500, "api_error", "req_a", 0.25)
    good = Attempt(FALLBACK, "default", 200, None, "req_b", 1.0)
    for _ in range(2):
        story.guarded_call(routed("primary", OPUS, attempts=(good,)))
        story.guarded_call(routed("fallback", FALLBACK, attempts=(failed, good)))
        story.guarded_call(routed("fallback", FALLBACK, attempts=(good,), skipped=(OPUS,)))
        story.guarded_call(routed("exhausted", None, attempts=(failed,)))
        story.bare_call(call(6, 2, None))
        story.bare_call(call(6, 2, OPUS))
    assert [words for _, words in lines] == [
        "call saved by claude-opus-5 (req_x), after claude-opus-5-5: 500 api_error req_a (0.25 s)",
        "calls go straight to claude-opus-5 now; nothing is sent to claude-opus-5-5",
        "call FAILED: OverloadedError (req_a)",
        "SDK alone: call FAILED after 2.0 s: OverloadedError (req_x)",
    ]
    story.phase(Phase(20.0, "again", outage=True))
    story.bare_call(call(21, 2, None))
    assert len(lines) == 6


def test_a_probe_that_moves_the_circuit_is_told_by_the_move(told):
    lines, story = told
    probe = AttemptStarted(9, 1, OPUS, "probe", OPUS, "half_open")
    story.event(1.0, probe)
    story.event(2.0, attempt(9, "req_p", "success"))
    story.event(3.0, probe)
    story.event(4.0, moved("half_open", "closed", reason="probe_succeeded"))
    story.event(4.0, attempt(9, "req_q", "success"))
    assert [words for _, words in lines] == [
        "probe: one request goes to claude-opus-5-5",
        "probe: claude-opus-5-5 answered (req_p)",
        "probe: one request goes to claude-opus-5-5",
        "circuit claude-opus-5-5: half_open -> closed: probe_succeeded",
    ]


def test_an_opening_tells_why_and_what_to_give_to_support(told):
    lines, story = told
    story.event(1.0, moved("closed", "open"))
    assert lines == [
        Line(
            1.0,
            "circuit claude-opus-5-5: closed -> open for 4.0 s: consecutive_failures, 3 in a row, last api_error (req_c)",
        )
    ]
