"""What each kind of failure of the first model makes of a call: a repeat, a wait, or another model at once."""

from __future__ import annotations

import json
import socket

import anthropic
import httpx2
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy, reply

import failover
from failover.testing import Fault

FOUR_DAYS = 4 * 86_400


def test_a_healthy_model_is_asked_once(caller, fake_claude, fake_clock):
    message = caller.create()
    assert (message.model, message.content[0].text) == (FIRST, f"Hello from {FIRST}.")
    assert [request.model for request in fake_claude.requests] == [FIRST]
    assert fake_clock.slept == []
    assert message._request_id == fake_claude.requests[0].request_id


@pytest.mark.parametrize(
    ("fault", "sends", "slept"),
    [
        pytest.param({"status": 500}, 2, [0.25], id="500 is repeated once in place"),
        pytest.param({"status": 502}, 2, [0.25], id="502 is repeated once in place"),
        pytest.param({"status": 503}, 2, [0.25], id="503 is repeated once in place"),
        pytest.param({"status": 500, "headers": {"x-should-retry": "false"}}, 1, [], id="500 that says not to retry"),
        pytest.param({"status": 529}, 1, [], id="529 moves on at once"),
        pytest.param({"status": 504}, 1, [], id="504 moves on at once"),
        pytest.param({"status": 408, "error_type": "timeout_error"}, 1, [], id="408 moves on at once"),
        pytest.param({"status": 429, "retry_after": 3}, 2, [3.15], id="a short 429 is waited out in place"),
        pytest.param({"status": 429, "retry_after": 60}, 1, [], id="429 for a minute moves on at once"),
        pytest.param({"status": 429, "retry_after": FOUR_DAYS}, 1, [], id="429 for four days moves on at once"),
        pytest.param({"status": 429}, 1, [], id="429 that does not say for how long moves on at once"),
        pytest.param({"status": 529, "retry_after": 60}, 1, [], id="529 for a minute moves on at once"),
        pytest.param({"drop": True}, 2, [0.25], id="a dropped connection is repeated once in place"),
        pytest.param({"cut": True}, 2, [0.25], id="a body that breaks off is repeated once in place"),
        pytest.param({"malformed": "html"}, 2, [0.25], id="a proxy's page with status 200"),
        pytest.param({"malformed": "json"}, 2, [0.25], id="a body that is not JSON with status 200"),
        pytest.param({"malformed": "truncated"}, 2, [0.25], id="half a JSON object with status 200"),
        pytest.param({"status": 404, "message": f"model: {FIRST}"}, 1, [], id="an unknown model moves on at once"),
        pytest.param({"status": 403, "message": f"No access to model {FIRST}"}, 1, [], id="a model that is forbidden"),
    ],
)
def test_the_next_model_answers(caller, fake_claude, fake_clock, *, fault, sends, slept):
    fake_claude.fail(FIRST, **fault)
    assert caller.create().model == SECOND
    assert (fake_claude.count(FIRST), fake_claude.count(SECOND)) == (sends, 1)
    assert fake_clock.slept == pytest.approx(slept)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=500), id="500"),
        pytest.param(Fault(status=429, retry_after=3), id="a short 429"),
        pytest.param(Fault(drop=True), id="a dropped connection"),
        pytest.param(Fault(malformed="truncated"), id="half an answer"),
    ],
)
def test_a_repeat_in_place_that_is_answered_stays_with_the_first_model(caller, fake_claude, fault):
    fake_claude.script(FIRST, [fault])
    assert caller.create().model == FIRST
    assert fake_claude.count(SECOND) == 0


def test_the_last_model_is_repeated_in_place_even_when_it_is_overloaded(caller, fake_claude, fake_clock):
    fake_claude.fail(FIRST, 529)
    fake_claude.script(SECOND, [Fault(status=529)])
    assert caller.create().model == SECOND
    assert [request.model for request in fake_claude.requests] == [FIRST, SECOND, SECOND]
    assert fake_clock.slept == [0.25]


def test_a_whole_ladder_that_is_down_is_walked_again_after_a_wait(caller, fake_claude, fake_clock):
    fake_claude.script(FIRST, [Fault(status=529)])
    fake_claude.script(SECOND, [Fault(status=529), Fault(status=529)])
    assert caller.create().model == FIRST
    assert [request.model for request in fake_claude.requests] == [FIRST, SECOND, SECOND, FIRST]
    assert fake_clock.slept == [0.25, 3.75]


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"null", b"[]", b'"text"', b'{"type": "message"', b'{"content": [{}', b"{\xff}", b"{}", b'{"id": 1}'],
)
def test_an_answer_that_is_no_message_is_a_failure_of_its_model(connect, body):
    def answer(request):
        model = json.loads(request.content)["model"]
        if model == FIRST:
            return httpx2.Response(200, content=body, headers={"content-type": "application/json"})
        return httpx2.Response(200, json=reply(model))

    caller = connect(policy(retry=NO_REPEAT), answer=answer)
    with failover.recording() as routes:
        assert caller.create().model == SECOND
    assert routes[0].attempts[0].error_type == "malformed_response"
    assert caller.board[FIRST].pybreaker.fail_counter == 1


def test_a_port_that_nobody_listens_on_is_a_failure_of_each_model(connect, fake_clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        caller = connect(policy(retry=NO_REPEAT), url=f"http://127.0.0.1:{free.getsockname()[1]}")
        error = caller.error()
    assert type(error) is anthropic.APIConnectionError
    assert [attempt.error_type for attempt in failover.route(error).attempts] == ["connection_error"] * 2


def test_a_hung_model_is_left_after_the_clients_time_out(connect, fake_claude):
    fake_claude.fail(FIRST, hang=30)
    caller = connect(timeout=0.3)
    with failover.recording() as routes:
        assert caller.create().model == SECOND
    assert [attempt.error_type for attempt in routes[0].attempts] == ["client_timeout_error", None]
    assert fake_claude.count(FIRST) == 1


def test_an_unknown_model_has_a_circuit_and_no_other_model(caller, fake_claude):
    fake_claude.fail("my-own-model", 529)
    error = caller.error(model="my-own-model")
    assert isinstance(error, anthropic.APIStatusError)
    assert fake_claude.count(FIRST) == 0
    assert fake_claude.count() == fake_claude.count("my-own-model")
    assert [breaker.name for breaker in caller.board.breakers()] == ["my-own-model"]


def test_a_policy_may_say_that_an_error_is_not_worth_another_model(connect, fake_claude):
    caller = connect(policy(errors={"overloaded_error": {"do": "raise"}}))
    fake_claude.fail(FIRST, 529)
    assert isinstance(caller.error(), anthropic.APIStatusError)
    assert [request.model for request in fake_claude.requests] == [FIRST]


def test_an_inner_middleware_that_raises_a_typed_error_is_judged_as_the_answer_it_stands_for(connect, fake_claude):
    def overloaded(request):
        if request.json["model"] == FIRST:
            raise anthropic.APITimeoutError(request=None)

    caller = connect(policy(retry=NO_REPEAT))
    caller.client = caller.client.with_middleware(Watcher(overloaded))
    assert caller.create().model == SECOND
    assert caller.board[FIRST].pybreaker.fail_counter == 1


def test_an_own_ladder_is_walked_in_its_order(connect, fake_claude):
    caller = connect(policy(ladders=ladder("claude-b", "claude-c"), retry=NO_REPEAT))
    fake_claude.fail("claude-a", 529)
    fake_claude.fail("claude-b", 529)
    assert caller.create(model="claude-a").model == "claude-c"
    assert [request.model for request in fake_claude.requests] == ["claude-a", "claude-b", "claude-c"]
