"""An account that refuses (a key, a budget, a bill) says nothing about models: its client is left, the next one asked."""

from __future__ import annotations

import itertools

import anthropic
import httpx2
import pytest
from anthropic.lib.credentials import AccessToken
from named_lab import BACKUP, attempts, rung, to_backup
from sdk_callers import FIRST, SECOND, refuse, reply

import failover
from failover.events import ModelSkipped
from failover.testing import FakeClaude

CREDIT = "Your credit balance is too low to access the Anthropic API."
REFUSALS = {
    "a wrong key": ({"status": 401}, anthropic.AuthenticationError),
    "an unpaid bill": ({"status": 402}, anthropic.APIStatusError),
    "no permission": ({"status": 403, "message": "Your account may not do this."}, anthropic.PermissionDeniedError),
    "no credit": ({"status": 400, "message": CREDIT}, anthropic.BadRequestError),
    "a spend limit": ({"status": 429, "error_code": "enforced_spend_limit_reached"}, anthropic.RateLimitError),
}
"""What an API answers whose account is the trouble, and the error that it becomes."""


@pytest.fixture(params=REFUSALS)
def refusal(request):
    """One of the refusals, and the type of its error."""
    return REFUSALS[request.param]


def test_the_next_client_answers(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", **fault)
    message = lab.caller().create()
    assert message._request_id == backup.requests[0].request_id


def test_no_other_rung_of_the_refused_client_is_asked(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", **fault)
    events = []
    caller = lab.caller(to_backup(SECOND, "claude-sonnet-5-5", rung()), listeners=[events.append])
    with failover.recording() as routes:
        caller.create()
    assert [request.model for request in fake_claude.requests] == [FIRST]
    assert [attempt.client for attempt in routes[0].attempts] == ["default", BACKUP]
    assert [(event.model, event.reason) for event in events if isinstance(event, ModelSkipped)] == [
        (SECOND, "account"),
        ("claude-sonnet-5-5", "account"),
    ]


def test_no_other_rung_of_a_refused_backup_is_asked(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", 529)
    backup.fail("*", **fault)
    with FakeClaude() as third:
        clients = {BACKUP: lab.client(), "third": lab.client(third.url)}
        rungs = (rung(), rung(SECOND), rung(FIRST, "third"))
        message = lab.caller(to_backup(*rungs), clients).create()
        assert message._request_id == third.requests[0].request_id
    assert [request.model for request in backup.requests] == [FIRST]


def test_when_all_clients_refuse_the_error_is_the_requested_clients(lab, fake_claude, backup, refusal):
    fault, kind = refusal
    fake_claude.fail("*", **fault)
    backup.fail("*", **fault)
    error = lab.caller().error()
    assert isinstance(error, kind)
    assert error.request_id == fake_claude.requests[0].request_id
    assert [attempt.client for attempt in failover.route(error).attempts] == ["default", BACKUP]


def test_a_refused_backup_does_not_hide_an_outage(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", 529)
    backup.fail("*", **fault)
    error = lab.caller().error()
    assert type(error) is anthropic.OverloadedError
    assert error.request_id == fake_claude.requests[0].request_id


def test_an_outage_of_the_backup_does_not_hide_a_refusal(lab, fake_claude, backup, refusal):
    fault, kind = refusal
    fake_claude.fail("*", **fault)
    backup.fail("*", 529)
    error = lab.caller().error()
    assert isinstance(error, kind)
    assert error.request_id == fake_claude.requests[0].request_id


def test_no_circuit_is_told(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", **fault)
    caller = lab.caller()
    for _ in range(10):
        caller.create()
    assert (caller.board[FIRST].state, caller.board[FIRST].pybreaker.fail_counter) == ("closed", 0)
    assert (fake_claude.count(), backup.count()) == (10, 10)


def test_without_another_client_the_refusal_is_raised_at_once(lab, fake_claude, backup, refusal):
    fault, kind = refusal
    fake_claude.fail("*", **fault)
    error = lab.caller(to_backup(SECOND), {}).error()
    assert isinstance(error, kind)
    assert fake_claude.count() == 1


def test_a_model_that_the_account_may_not_use_is_only_that_model(lab, fake_claude, backup):
    fake_claude.fail(FIRST, 403, message=f"Your account does not have access to the model {FIRST}.")
    with failover.recording() as routes:
        lab.caller(to_backup(SECOND, rung())).create()
    assert attempts(routes[0]) == [("default", FIRST, 403, "permission_error"), ("default", SECOND, 200, None)]
    assert backup.requests == []


def test_a_stream_that_is_refused_goes_to_the_next_client_too(lab, fake_claude, backup, refusal):
    fault, _ = refusal
    fake_claude.fail("*", **fault)
    text, route = lab.caller().stream()
    assert text == f"Hello from {FIRST}."
    assert [attempt.client for attempt in route.attempts] == ["default", BACKUP]


class TestATokenThatWasRevoked:
    """A client with a source of tokens gets a new one after a 401, also when another client has saved the call."""

    @pytest.fixture
    def tokens(self):
        """A source of tokens, each of which differs from the one before."""
        numbers = itertools.count(1)

        def provide(**_):
            return AccessToken(token=f"token-{next(numbers)}", expires_at=None)

        return provide

    @pytest.fixture
    def wire(self):
        """An upstream that takes the second token; it keeps what it was sent."""
        sent = []

        def answer(request):
            sent.append(request.headers["authorization"])
            if sent[-1] != "Bearer token-2":
                return refuse(401, "authentication_error")
            return httpx2.Response(200, json=reply(FIRST))

        answer.sent = sent
        return answer

    def test_is_renewed_by_the_own_client(self, lab, backup, tokens, wire):
        caller = lab.caller(own={"api_key": None, "credentials": tokens, "answer": wire})
        caller.create()
        caller.create()
        assert wire.sent == ["Bearer token-1", "Bearer token-2"]
        assert backup.count() == 1

    def test_is_renewed_by_a_named_client(self, lab, fake_claude, tokens, wire):
        fake_claude.fail("*", 529)
        caller = lab.caller(clients={BACKUP: lab.client(api_key=None, credentials=tokens, answer=wire)})
        caller.error()
        caller.create()
        assert wire.sent == ["Bearer token-1", "Bearer token-2"]
