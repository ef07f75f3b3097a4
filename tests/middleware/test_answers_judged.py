"""What stands behind a status: a 200 is not always an answer, and an outage never turns into a 400."""

import json

import anthropic
import httpx2
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, reply

import failover
from failover import Failover
from failover.testing import Fault

EVENT_STREAM = {"content-type": "text/event-stream"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}


def first_answers(answer):
    """An upstream whose first model gives this answer and whose second one is well."""

    def respond(request):
        body = json.loads(request.content)
        if body["model"] == FIRST:
            return answer()
        if body.get("stream"):
            return httpx2.Response(
                200, content=b'event: message_stop\ndata: {"type":"message_stop"}\n\n', headers=EVENT_STREAM
            )
        return httpx2.Response(200, json=reply(SECOND))

    return respond


def test_an_error_in_a_200_counts_as_what_it_says(connect):
    caller = connect(policy(retry=NO_REPEAT), answer=first_answers(lambda: httpx2.Response(200, json=OVERLOADED)))
    with failover.recording() as routes:
        assert caller.create().model == SECOND
    attempt = routes[0].attempts[0]
    assert (attempt.status, attempt.error_type) == (200, "overloaded_error")
    assert caller.board[FIRST].pybreaker.fail_counter == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: httpx2.Response(200, html="<h1>Login</h1>"), id="a page"),
        pytest.param(lambda: httpx2.Response(200, json={}), id="json"),
        pytest.param(lambda: httpx2.Response(204), id="nothing"),
    ],
)
def test_a_stream_that_cannot_be_one_fails_over(connect, answer):
    caller = connect(policy(retry=NO_REPEAT), answer=first_answers(answer))
    with failover.recording() as routes:
        caller.events()
    assert [attempt.error_type for attempt in routes[0].attempts] == ["malformed_response", None]
    assert routes[0].served_model == SECOND


@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_that_nobody_followed_is_shown_as_the_sdk_shows_it(connect, stream):
    caller = connect(policy(), answer=lambda _: httpx2.Response(304))
    error = caller.error(stream=stream)
    assert type(error) is anthropic.APIStatusError
    assert error.status_code == 304
    assert failover.route(error).outcome == "failed"


def test_a_fallback_that_cannot_take_the_request_does_not_turn_an_outage_into_a_400(caller, fake_claude):
    fake_claude.fail(FIRST, 529)
    fake_claude.fail(SECOND, 400)
    shown = [caller.error() for _ in range(6)]
    assert {type(error) for error in shown[:5]} == {anthropic.OverloadedError}
    assert isinstance(shown[5], failover.CircuitOpen)
    assert str(shown[5]).startswith(
        f"Nobody else took the request: circuit open for 15.0 s more: {FIRST} (overloaded_error)"
    )
    assert [attempt.status for attempt in failover.route(shown[5]).attempts] == [400]
    assert fake_claude.count(SECOND) == 6


def test_a_circuit_that_is_open_says_why(caller, fake_claude):
    fake_claude.fail("*", 404, message="model: nobody")
    caller.error(model="nobody")
    error = caller.error(model="nobody")
    assert isinstance(error, failover.CircuitOpen)
    assert error.causes == ("not_found_error",)
    assert "nobody (not_found_error)" in str(error)
    assert fake_claude.count() == 1


def test_a_model_that_is_gone_is_not_waited_for(caller, fake_claude, fake_clock):
    fake_claude.fail("*", 404, message="model: nobody")
    for _ in range(2):
        caller.error(model="nobody")
    assert fake_clock.slept == []


def test_a_server_that_says_retry_at_once_is_not_left_alone_for_it(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.script(FIRST, [Fault(status=429, retry_after=0)])
    assert caller.create().model == SECOND
    assert caller.create().model == FIRST


def test_models_whose_names_are_invented_are_not_kept_for_ever():
    guard = Failover(policy(ladders=[]))
    for number in range(2_500):
        guard._ladders.of(f"invented-{number}", bound=False, asynchronous=False)
    assert len(guard.board.breakers()) <= 1_000
