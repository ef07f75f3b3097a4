"""Each fault, and what the bare SDK shows for it: the reason why this package exists, as a table."""

from __future__ import annotations

import httpx2
import pytest
from fake_lab import CALL, IMPATIENT, PATIENT, post, shown

from failover.testing import FakeClaude

WELL = "Hello from claude-opus-5-5. (end_turn)"
CUT_OFF = "Hello  (None)"
CONNECTION = "anthropic.APIConnectionError"
TIMEOUT = "anthropic.APITimeoutError"
NOT_JSON = "json.decoder.JSONDecodeError"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "plain", "streamed"),
    [
        ({"hang": 30}, TIMEOUT, TIMEOUT),
        ({"hang": 0.01}, CONNECTION, CONNECTION),
        ({"drop": True}, CONNECTION, CONNECTION),
        ({"cut": True}, CONNECTION, "httpx2.RemoteProtocolError"),
        ({"cut": True, "after_events": 0}, CONNECTION, "httpx2.RemoteProtocolError"),
        ({"cut": True, "after_events": 1000}, CONNECTION, "httpx2.RemoteProtocolError"),
        ({"error_event": "overloaded_error"}, WELL, "anthropic.APIStatusError 200 overloaded_error"),
        ({"error_event": "api_error", "after_events": 0}, WELL, "anthropic.APIStatusError 200 api_error"),
        ({"end_without_stop": True}, WELL, CUT_OFF),
        ({"malformed": "json"}, NOT_JSON, NOT_JSON),
        ({"malformed": "truncated"}, NOT_JSON, CUT_OFF),
        ({"malformed": "html"}, "text: <html>", "builtins.AssertionError"),
        ({"stall": 30}, TIMEOUT, "httpx2.ReadTimeout"),
        ({"stall": 0.01}, WELL, WELL),
        ({"first_token": 30}, TIMEOUT, "httpx2.ReadTimeout"),
        ({"token_every": 30}, TIMEOUT, "httpx2.ReadTimeout"),
        ({"first_token": 0.01, "token_every": 0.001}, WELL, WELL),
        ({"delay": 30}, TIMEOUT, TIMEOUT),
        ({"delay": 30, "status": 504}, TIMEOUT, TIMEOUT),
        ({"delay": 0.01, "drop": True}, CONNECTION, CONNECTION),
        ({"first_token": 0.01, "cut": True}, CONNECTION, "httpx2.RemoteProtocolError"),
    ],
    ids=str,
)
def test_the_sdk_shows(fake_claude, fault, plain, streamed, asynchronous):
    fake_claude.fail(**fault)
    for stream, expected in ((False, plain), (True, streamed)):
        patience = IMPATIENT if "Timeout" in expected else PATIENT
        assert shown(fake_claude.url, stream=stream, asynchronous=asynchronous, patience=patience) == expected


@pytest.mark.parametrize(
    ("status", "error", "error_type"),
    [
        (400, "BadRequestError", "invalid_request_error"),
        (401, "AuthenticationError", "authentication_error"),
        (402, "PaymentRequiredError", "billing_error"),
        (403, "PermissionDeniedError", "permission_error"),
        (404, "NotFoundError", "not_found_error"),
        (409, "ConflictError", "conflict_error"),
        (413, "ContentTooLargeError", "request_too_large"),
        (422, "UnprocessableEntityError", "invalid_request_error"),
        (429, "RateLimitError", "rate_limit_error"),
        (500, "InternalServerError", "api_error"),
        (502, "InternalServerError", "api_error"),
        (503, "ServiceUnavailableError", "api_error"),
        (504, "GatewayTimeoutError", "timeout_error"),
        (529, "OverloadedError", "overloaded_error"),
    ],
)
def test_a_status_is_the_sdks_typed_error(fake_claude, status, error, error_type):
    fake_claude.fail(status=status)
    expected = f"anthropic.{error} {status} {error_type}"
    assert shown(fake_claude.url, stream=False) == expected
    assert shown(fake_claude.url, stream=True) == expected
    assert [request.status for request in fake_claude.requests] == [status, status]


def test_an_error_says_what_the_rule_says(fake_claude):
    fake_claude.fail(
        status=429,
        error_type="other_error",
        message="Slow down.",
        error_code="ramp_limit_exceeded",
        retry_after=3,
        headers={"X-Should-Retry": False},
    )
    answer = post(fake_claude)
    assert answer.json() == {
        "type": "error",
        "error": {"type": "other_error", "message": "Slow down.", "details": {"error_code": "ramp_limit_exceeded"}},
        "request_id": answer.headers["request-id"],
    }
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["x-should-retry"] == "false"
    assert shown(fake_claude.url, stream=False) == "anthropic.RampLimitExceededError 429 other_error"


def test_an_error_event_carries_the_request_id(fake_claude):
    fake_claude.fail(error_event="overloaded_error", message="Busy.")
    answer = post(fake_claude, stream=True)
    last = answer.text.rstrip().splitlines()[-2:]
    assert last[0] == "event: error"
    assert f'"request_id": "{answer.headers["request-id"]}"' in last[1]
    assert '"message": "Busy."' in last[1]


@pytest.mark.parametrize(("after", "deltas"), [(None, 1), (0, 0), (3, 3), (1000, 5)])
def test_a_stream_breaks_after_so_many_deltas(fake_claude, after, deltas):
    fake_claude.fail(end_without_stop=True, **({} if after is None else {"after_events": after}))
    answer = post(fake_claude, stream=True)
    assert answer.text.count("event: content_block_delta") == deltas
    assert "message_stop" not in answer.text


def test_a_slow_stream_says_at_once_that_it_began(fake_claude):
    fake_claude.fail(first_token=30)
    with httpx2.stream(
        "POST", f"{fake_claude.url}/v1/messages", json={**CALL, "stream": True}, headers={"x-api-key": "k"}
    ) as answer:
        assert answer.status_code == 200
        assert next(answer.iter_text()).startswith("event: message_start\n")


def test_a_request_that_got_no_answer_has_no_status(fake_claude):
    fake_claude.fail(drop=True)
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        post(fake_claude)
    fake_claude.fail(hang=30)
    with pytest.raises(httpx2.ReadTimeout):
        post(fake_claude, IMPATIENT)
    assert [request.status for request in fake_claude.requests] == [None, None]


def test_slowness_passes_on_a_fake_clock_at_once_and_moves_it(fake_clock):
    with FakeClaude(clock=fake_clock) as fake:
        fake.fail(delay=5, first_token=30, token_every=1)
        assert shown(fake.url, stream=False) == WELL
        assert fake_clock.slept == [5, 30, 1, 1, 1, 1]
        assert shown(fake.url, stream=True) == WELL
        assert fake_clock.slept[6:] == [5, 30, 1, 1, 1, 1, 1]


def test_a_hang_is_real_on_any_clock(fake_clock):
    with FakeClaude(clock=fake_clock) as fake:
        fake.fail(hang=30)
        assert shown(fake.url, stream=False, patience=IMPATIENT) == TIMEOUT
        assert fake_clock.slept == []


def test_speed_shortens_every_time_of_a_scenario(fake_clock):
    with FakeClaude(clock=fake_clock, speed=20) as fake:
        fake.fail(delay=10, status=529, retry_after=30)
        assert post(fake).headers["retry-after"] == "1.500"
        assert fake_clock.slept == [0.5]
        fake.fail(hang=0.2)
        assert shown(fake.url, stream=False) == CONNECTION
