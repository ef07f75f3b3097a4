"""What the caller gets when nobody answers: whose fault it was, what was tried, and which ids support will ask for."""

from __future__ import annotations

import traceback

import anthropic
import pybreaker
import pytest
from sdk_callers import FIRST, LADDER, NO_REPEAT, SECOND, policy, trip

import failover
from failover.testing import Fault

REFUSING = {**trip(consecutive_failures=1), "last_resort": "off"}
"""Open at the first failure, and nobody may try in spite of it."""


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (Fault(status=529), Fault(status=500), anthropic.OverloadedError),
        (Fault(status=500), Fault(status=529), anthropic.InternalServerError),
        (Fault(status=503), Fault(drop=True), anthropic.ServiceUnavailableError),
        (Fault(status=504), Fault(status=400), anthropic.GatewayTimeoutError),
        (Fault(status=429, retry_after=60), Fault(status=529), anthropic.RateLimitError),
        (Fault(drop=True), Fault(status=529), anthropic.APIConnectionError),
        (Fault(malformed="html"), Fault(status=529), anthropic.APIResponseValidationError),
        (Fault(status=404, message=f"model: {FIRST}"), Fault(status=529), anthropic.NotFoundError),
    ],
)
def test_the_error_is_the_sdks_own_of_the_first_real_cause(connect, fake_claude, first, second, shown):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.script(FIRST, [first])
    fake_claude.script(SECOND, [second])
    error = caller.error()
    assert type(error) is shown
    route = failover.route(error)
    assert (route.outcome, route.requested_model, route.served_model) == ("exhausted", FIRST, None)
    assert [attempt.model for attempt in route.attempts] == [FIRST, SECOND]


def test_the_error_carries_every_attempt_with_its_request_id(connect, fake_claude):
    caller = connect(policy(retry={"tries": 2, "passes": 1}))
    fake_claude.fail(FIRST, 500)
    fake_claude.fail(SECOND, 529)
    error = caller.error()
    route = failover.route(error)
    assert [(a.model, a.client, a.status, a.error_type, a.request_id) for a in route.attempts] == [
        (request.model, "default", request.status, kind, request.request_id)
        for request, kind in zip(
            fake_claude.requests, ["api_error", "api_error", "overloaded_error", "overloaded_error"], strict=True
        )
    ]
    assert route.request_ids == tuple(request.request_id for request in fake_claude.requests)
    assert (error.status_code, error.type) == (500, "api_error")
    assert error.request_id == route.request_ids[0]
    assert error.response.extensions["failover"] is route


@pytest.mark.parametrize("first", [Fault(status=529), Fault(drop=True), Fault(malformed="json")])
def test_a_traceback_shows_the_attempts_once(connect, fake_claude, first):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.script(FIRST, [first])
    fake_claude.fail(SECOND, 503)
    error = caller.error()
    (note,) = error.__notes__
    assert note == f"failover: {failover.route(error)}"
    assert FIRST in note
    assert f"{SECOND}: 503 api_error {fake_claude.requests[1].request_id}" in note
    assert "".join(traceback.format_exception(error)).count(note) == 1


class TestARequestThatIsWrong:
    """It is wrong for every model: nobody else is asked, nothing is repeated, and no circuit hears of it."""

    WRONG = pytest.mark.parametrize(
        ("fault", "shown"),
        [
            ({"status": 400}, anthropic.BadRequestError),
            ({"status": 400, "message": "prompt is too long: 213000 tokens > 200000"}, anthropic.BadRequestError),
            ({"status": 413}, anthropic.APIStatusError),
            ({"status": 422}, anthropic.UnprocessableEntityError),
            ({"status": 409}, anthropic.ConflictError),
            ({"status": 404}, anthropic.NotFoundError),
            ({"status": 400, "error_code": "thread_already_continued"}, anthropic.BadRequestError),
            ({"status": 404, "error_code": "thread_not_found"}, anthropic.NotFoundError),
        ],
    )

    @WRONG
    def test_is_raised_at_once(self, caller, fake_claude, fake_clock, fault, shown):
        fake_claude.fail("*", **fault)
        error = caller.error()
        assert isinstance(error, shown)
        assert failover.route(error).outcome == "failed"
        assert [request.model for request in fake_claude.requests] == [FIRST]
        assert fake_clock.slept == []

    @WRONG
    def test_moves_no_circuit_however_often_it_is_sent(self, caller, fake_claude, fault, shown):
        fake_claude.fail("*", **fault, times=100)
        assert all(isinstance(caller.error(), shown) for _ in range(100))
        assert caller.create().model == FIRST
        assert caller.board[FIRST].state == "closed"
        assert caller.board[FIRST].pybreaker.fail_counter == 0
        assert fake_claude.count() == 101

    def test_that_a_fallback_refuses_does_not_hide_the_outage(self, caller, fake_claude):
        fake_claude.fail(FIRST, 529)
        fake_claude.fail(SECOND, 400, message="thinking.type.enabled is not supported for this model")
        error = caller.error()
        assert isinstance(error, anthropic.OverloadedError)
        assert [attempt.status for attempt in failover.route(error).attempts] == [529, 400]
        assert [request.model for request in fake_claude.requests] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ({"status": 400, "message": "Your credit balance is too low to access the API."}, anthropic.BadRequestError),
        ({"status": 400, "message": "You have reached your specified API usage limits."}, anthropic.BadRequestError),
        ({"status": 401}, anthropic.AuthenticationError),
        ({"status": 402}, anthropic.APIStatusError),
        ({"status": 403}, anthropic.PermissionDeniedError),
        ({"status": 429, "error_code": "enforced_spend_limit_reached"}, anthropic.RateLimitError),
        ({"status": 503, "error_code": "cmek_key_unreachable"}, anthropic.ServiceUnavailableError),
    ],
)
def test_an_account_that_is_refused_is_refused_for_every_model_so_no_other_is_asked(
    caller, fake_claude, fake_clock, fault, shown
):
    fake_claude.fail("*", **fault)
    error = caller.error()
    assert isinstance(error, shown)
    assert failover.route(error).outcome == "failed"
    assert fake_claude.count() == 1
    assert fake_clock.slept == []
    assert caller.board[FIRST].state == "closed"


class TestWhenEveryCircuitIsOpen:
    def test_nothing_is_sent_and_the_error_says_when_to_come_back(self, connect, fake_claude, fake_clock):
        caller = connect(policy(retry=NO_REPEAT, breaker=REFUSING))
        fake_claude.fail("*", 529)
        caller.error()
        fake_clock.advance(5)
        error = caller.error()
        assert isinstance(error, failover.CircuitOpen)
        assert fake_claude.count() == 2
        assert error.retry_in == pytest.approx(10)
        assert error.breakers == (FIRST, SECOND)
        assert error.request_ids == tuple(request.request_id for request in fake_claude.requests)
        assert failover.route(error) is error.route
        assert (error.route.outcome, error.route.attempts) == ("refused", ())
        assert error.route.skipped == (FIRST, SECOND)
        for part in (FIRST, SECOND, "10.0 s", *error.request_ids):
            assert part in str(error)

    @pytest.mark.parametrize(
        "handled_as",
        [
            failover.FailoverError,
            anthropic.ServiceUnavailableError,
            anthropic.InternalServerError,
            anthropic.APIStatusError,
            anthropic.APIError,
            pybreaker.CircuitBreakerError,
        ],
    )
    def test_handlers_that_know_only_the_sdk_or_pybreaker_catch_it(self, connect, fake_claude, handled_as):
        caller = connect(policy(retry=NO_REPEAT, breaker=REFUSING))
        fake_claude.fail("*", 529)
        caller.error()
        error = caller.error()
        assert isinstance(error, handled_as)
        assert error.status_code == 503
        assert error.response.request.method == "POST"

    def test_the_error_has_no_time_to_come_back_while_all_are_held_open_by_hand(self, caller, fake_claude):
        caller.create()
        for breaker in caller.board.breakers():
            breaker.isolate()
        error = caller.error()
        assert isinstance(error, failover.CircuitOpen)
        assert error.retry_in is None
        assert "by hand" in str(error)
        assert fake_claude.count() == 1

    def test_one_call_a_second_may_try_as_a_last_resort(self, connect, fake_claude, fake_clock):
        caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
        fake_claude.fail("*", 529)
        caller.error()
        assert fake_claude.count() == 2
        first, *others = caller.together(10)
        kinds = sorted(type(error).__name__ for error in (first, *others))
        assert kinds == ["CircuitOpen"] * 9 + ["OverloadedError"]
        assert fake_claude.count() == 3
        fake_clock.advance(1)
        caller.error()
        assert fake_claude.count() == 4

    def test_a_last_resort_that_is_answered_ends_the_outage_before_the_circuits_would_ask(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
        fake_claude.fail("*", 529)
        caller.error()
        fake_claude.heal()
        with failover.recording() as routes:
            assert caller.create().content[0].text.startswith("Hello")
        assert routes[0].outcome in {"primary", "fallback"}
        assert caller.board[routes[0].served_model].state == "half_open"


def test_the_error_of_a_last_resort_is_that_of_the_model_it_asked(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
    fake_claude.fail("*", 529)
    caller.error()
    error = caller.error()
    assert isinstance(error, anthropic.OverloadedError)
    assert error.request_id == fake_claude.requests[-1].request_id
    assert failover.route(error).skipped == LADDER


def test_an_error_of_a_request_that_is_not_guarded_has_no_route(caller):
    error = caller.error("models.retrieve", model_id="no-such-model")
    assert isinstance(error, anthropic.NotFoundError)
    assert failover.route(error) is None
