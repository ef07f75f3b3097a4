"""The SDK's own retry loop and the policy: never one on top of the other."""

from __future__ import annotations

import logging

import anthropic
import pytest
from anthropic.lib.credentials import AccessToken
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, policy

import failover
from failover import Failover
from failover.events import CallStarted
from failover.testing import Fault

BOUND = 4
"""Two sends for each of the two rungs, one pass."""

NO_ANSWER = [
    pytest.param({"status": 500}, anthropic.InternalServerError, id="500"),
    pytest.param({"status": 503, "headers": {"x-should-retry": "true"}}, anthropic.APIStatusError, id="retry, please"),
    pytest.param({"drop": True}, anthropic.APIConnectionError, id="drop"),
]
NO_USABLE_ANSWER = pytest.param({"malformed": "html"}, anthropic.APIResponseValidationError, id="html")
DOWN = pytest.mark.parametrize(("fault", "shown"), [*NO_ANSWER, NO_USABLE_ANSWER])


@pytest.fixture(autouse=True)
def no_waits_of_the_sdk(monkeypatch):
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)


@pytest.fixture
def by_hand(connect, fake_clock):
    """A client whose user put the middleware in and left the SDK's retries on."""

    def make(a_policy, **options):
        guard = Failover(a_policy, clock=fake_clock, random=lambda: 0.5, **options)
        caller = connect(wrapped=False, middleware=[guard], max_retries=2)
        caller.guard = guard
        return caller

    return make


class Calls(list):
    """A listener that keeps `sdk_retries_taken` of each call."""

    def __call__(self, event):
        if isinstance(event, CallStarted):
            self.append(event.sdk_retries_taken)


@DOWN
@pytest.mark.parametrize("max_retries", [0, 2, 7])
def test_a_wrapped_client_sends_as_often_as_the_policy_says_whatever_its_own_retries(
    connect, fake_claude, caplog, *, fault, shown, max_retries
):
    caller = connect(policy(retry={"tries": 2, "passes": 1}), max_retries=max_retries)
    fake_claude.fail("*", **fault)
    error = caller.error()
    assert isinstance(error, shown)
    assert fake_claude.count() == len(failover.route(error).attempts) == BOUND
    assert "max_retries" not in caplog.text


@DOWN
def test_installed_by_hand_it_is_not_run_again_either(by_hand, fake_claude, fault, shown):
    caller = by_hand(policy(retry={"tries": 2, "passes": 1}))
    fake_claude.fail("*", **fault)
    error = caller.error()
    assert isinstance(error, shown)
    assert fake_claude.count() == len(failover.route(error).attempts) == BOUND


@DOWN
def test_its_error_has_a_route_and_one_note_all_the_same(by_hand, fake_claude, fault, shown):
    caller = by_hand(policy(retry=NO_REPEAT))
    fake_claude.fail("*", **fault)
    error = caller.error()
    assert [attempt.model for attempt in failover.route(error).attempts] == [FIRST, SECOND]
    assert error.__notes__ == [f"failover: {failover.route(error)}"]


def test_a_middleware_put_before_it_by_hand_gets_an_error_answer_returned(by_hand, fake_claude):
    caller = by_hand(policy(retry=NO_REPEAT))
    caller.client = caller.client.with_options(middleware=[watcher := Watcher(), caller.guard])
    fake_claude.fail("*", 500)
    error = caller.error()
    assert type(error) is anthropic.InternalServerError
    assert watcher.seen == [500]
    assert fake_claude.count() == len(failover.route(error).attempts) == 2


@pytest.mark.parametrize(("fault", "shown"), NO_ANSWER)
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("messages.create", {}),
        ("messages.create", {"stream": True}),
        ("messages.with_raw_response.create", {}),
        ("beta.messages.create", {}),
        ("beta.messages.with_raw_response.create", {"stream": True}),
    ],
)
def test_every_way_to_call_gets_the_error_past_the_loop(connect, fake_claude, *, fault, shown, path, fields):
    caller = connect(policy(retry=NO_REPEAT), max_retries=2)
    fake_claude.fail("*", **fault)
    error = caller.error(path, **fields)
    assert isinstance(error, shown)
    assert len(error.__notes__) == 1
    assert fake_claude.count() == len(failover.route(error).attempts) == 2


def test_the_warning_about_it_comes_once(by_hand, fake_claude, caplog):
    caller = by_hand(policy(retry=NO_REPEAT))
    fake_claude.fail("*", drop=True)
    for _ in range(3):
        caller.error()
    assert fake_claude.count() == 6
    warnings = [record for record in caplog.records if "max_retries=0" in record.getMessage()]
    assert [(record.name, record.levelno) for record in warnings] == [("failover", logging.WARNING)]


def test_an_error_of_one_call_is_never_given_to_another(by_hand, fake_claude):
    caller = by_hand(policy(retry=NO_REPEAT))
    fake_claude.script(FIRST, [Fault(drop=True)])
    fake_claude.script(SECOND, [Fault(drop=True)])
    assert isinstance(caller.error(), anthropic.APIConnectionError)
    assert caller.create().model == FIRST


def test_many_calls_at_once_get_each_their_own_error(by_hand, fake_claude):
    caller = by_hand(policy(retry=NO_REPEAT, breaker={"trip": {"consecutive_failures": 1000, "failure_rate": "off"}}))
    fake_claude.fail("*", drop=True)
    errors = caller.together(20)
    assert len({id(error) for error in errors}) == len({id(failover.route(error)) for error in errors}) == 20
    assert fake_claude.count() == 40


def test_a_refused_call_is_not_run_again(by_hand, fake_claude):
    breaker = {"trip": {"consecutive_failures": 1}, "last_resort": "off"}
    calls = Calls()
    caller = by_hand(policy(retry=NO_REPEAT, breaker=breaker), listeners=[calls])
    fake_claude.fail("*", 529)
    caller.error()
    assert isinstance(caller.error(), failover.CircuitOpen)
    assert calls == [0, 0]


def test_how_often_the_sdk_ran_a_call_before_is_told(by_hand, fake_claude):
    """Here somebody else's middleware raised, outside of ours and after us, what the SDK retries."""
    calls = Calls()
    caller = by_hand(policy(), listeners=[calls])

    class FailsOnce(anthropic.Middleware):
        def __init__(self):
            self.left = 1

        def handle(self, request, call_next):
            response = call_next(request)
            self.fail()
            return response

        async def handle_async(self, request, call_next):
            response = await call_next(request)
            self.fail()
            return response

        def fail(self):
            if self.left:
                self.left = 0
                raise anthropic.APITimeoutError(request=None)

    caller.client = caller.client.with_options(middleware=[FailsOnce(), *caller.client._middleware])
    assert caller.create().model == FIRST
    assert calls == [0, 1]


class TestAnExpiredToken:
    """The SDK refreshes a token on a 401, and sends once more; that is not a retry of an outage."""

    @pytest.fixture
    def tokens(self, connect, fake_claude, asynchronous):
        """A wrapped client whose credentials give numbered tokens, and how many were asked for."""
        issued = []

        def provide(*, force_refresh=False):
            issued.append(force_refresh)
            return AccessToken(token=f"token-{len(issued)}", expires_at=None)

        calls = Calls()
        caller = connect(policy(), listeners=[calls], api_key=None, credentials=provide)
        return caller, issued, calls

    def test_is_refreshed_once_through_a_wrapped_client(self, tokens, fake_claude):
        caller, issued, calls = tokens
        fake_claude.script(FIRST, [Fault(status=401)])
        assert caller.create().model == FIRST
        assert len(issued) == 2
        assert fake_claude.count() == 2
        assert calls == [0, 1]

    def test_that_stays_refused_is_raised(self, tokens, fake_claude):
        caller, issued, _ = tokens
        fake_claude.fail("*", 401)
        assert type(caller.error()) is anthropic.AuthenticationError
        assert len(issued) == 2
        assert fake_claude.count() == fake_claude.count(FIRST) == 2
        assert caller.board[FIRST].state == "closed"
