"""A stream whose opening fails is opened elsewhere, and the caller sees one clean stream."""

from __future__ import annotations

import anthropic
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy

import failover
from failover.testing import Fault

FAULTS = pytest.mark.parametrize(
    ("fault", "sends"),
    [
        ({"status": 500}, 2),
        ({"status": 529}, 1),
        ({"status": 503}, 2),
        ({"status": 504}, 1),
        ({"status": 429, "retry_after": 60}, 1),
        ({"drop": True}, 2),
    ],
)


@FAULTS
def test_its_events_are_those_of_one_stream_of_the_model_that_answered(caller, fake_claude, fault, sends):
    fake_claude.fail(FIRST, **fault)
    events = caller.events()
    assert (events.count("message_start"), events.count("message_stop")) == (1, 1)
    assert (events[0], events[-1]) == ("message_start", "message_stop")
    assert [request.model for request in fake_claude.requests] == [FIRST] * sends + [SECOND]
    assert all(request.stream for request in fake_claude.requests)


@FAULTS
@pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
def test_a_message_stream_says_which_model_answered(caller, fake_claude, fault, sends, path):
    fake_claude.fail(FIRST, **fault)
    text, route = caller.stream(path)
    assert text == f"Hello from {SECOND}."
    assert (route.outcome, route.served_model, len(route.attempts)) == ("fallback", SECOND, sends + 1)
    assert route.request_ids[-1] == fake_claude.requests[-1].request_id


def test_beta_streams_are_opened_elsewhere_too(caller, fake_claude):
    fake_claude.fail(FIRST, 529)
    assert caller.events("beta.messages.create", betas=["some-beta-2026-01-01"])[-1] == "message_stop"
    assert [request.betas for request in fake_claude.requests] == [("some-beta-2026-01-01",)] * 2


@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
def test_when_nobody_opens_it_the_error_is_the_first_models(connect, fake_claude, path):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.script(FIRST, [Fault(status=529)])
    fake_claude.script(SECOND, [Fault(status=500)])
    error = caller.error(path, stream=True)
    assert type(error) is anthropic.OverloadedError
    assert [attempt.status for attempt in failover.route(error).attempts] == [529, 500]


def test_a_dead_model_costs_streams_no_more_than_its_threshold(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.fail(FIRST, 529)
    for _ in range(20):
        assert caller.stream()[0] == f"Hello from {SECOND}."
    assert fake_claude.count(FIRST) == 5
    assert caller.board[FIRST].state == "open"


def test_a_stream_that_opened_is_read_by_the_caller_and_not_by_us(caller, fake_claude):
    """The answer is handed on before it is complete: were it read first, this would hang until the time-out."""
    fake_claude.fail(FIRST, stall=30, after_events=1)
    assert caller.first_text() == "Hello "


def test_a_model_hung_at_the_opening_is_left_after_the_clients_time_out(connect, fake_claude):
    fake_claude.fail(FIRST, hang=30)
    caller = connect(timeout=0.3)
    text, route = caller.stream()
    assert text == f"Hello from {SECOND}."
    assert route.attempts[0].error_type == "client_timeout_error"
