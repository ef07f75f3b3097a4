"""What it means that a stream ended as it did: an `error` event speaks as its status would have spoken."""

from __future__ import annotations

import json

import pytest

from failover.engine.outcome import judge_stream, status_of
from failover.policy.model import ErrorRule

MODEL = "claude-opus-5-5"
HEADERS = {"request-id": "req_1"}


def error_data(error_type, message="", **more):
    return json.dumps({"type": "error", "error": {"type": error_type, "message": message, **more}}).encode()


def judge(end, error=b"", rules=None, headers=HEADERS):
    rules = {name: ErrorRule(**rule) for name, rule in (rules or {}).items()}
    return judge_stream(end, 200, headers, error, model=MODEL, rules=rules)


def meaning(outcome):
    return (outcome.counts, outcome.scope, outcome.then, outcome.error_type)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("complete", ("success", "model", "return", None)),
        ("not_judged", ("success", "model", "return", None)),
        ("closed", ("neutral", "model", "return", None)),
        ("cut", ("failure", "model", "repeat", "connection_error")),
        ("stall", ("failure", "model", "next", "client_timeout_error")),
        ("truncated", ("failure", "model", "repeat", "stream_truncated")),
        ("malformed", ("failure", "model", "repeat", "malformed_response")),
    ],
)
@pytest.mark.parametrize("headers", [HEADERS, {"x-should-retry": "false", "retry-after": "60"}])
def test_each_end_has_its_meaning(end, expected, headers):
    outcome = judge(end, headers=headers)
    assert meaning(outcome) == expected
    assert (outcome.stream, outcome.status, outcome.retry_after) == (end, 200, None)
    assert outcome.request_id == headers.get("request-id")


@pytest.mark.parametrize(
    ("error_type", "status", "expected"),
    [
        ("overloaded_error", 529, ("failure", "model", "next_or_repeat")),
        ("api_error", 500, ("failure", "model", "repeat")),
        ("timeout_error", 504, ("failure", "model", "next")),
        ("rate_limit_error", 429, ("neutral", "model", "wait")),
        ("authentication_error", 401, ("neutral", "account", "next")),
        ("billing_error", 402, ("neutral", "account", "next")),
        ("permission_error", 403, ("neutral", "account", "next")),
        ("not_found_error", 404, ("neutral", "request", "raise")),
        ("conflict_error", 409, ("neutral", "request", "raise")),
        ("request_too_large", 413, ("neutral", "request", "raise")),
        ("invalid_request_error", 400, ("neutral", "request", "raise")),
        ("quantum_error", 500, ("failure", "model", "repeat")),
    ],
)
def test_an_error_event_means_what_its_status_would_have_meant(error_type, status, expected):
    assert status_of(error_data(error_type)) == status
    outcome = judge("error", error_data(error_type))
    assert meaning(outcome) == (*expected, error_type)
    assert (outcome.stream, outcome.status, outcome.request_id) == ("error", 200, "req_1")


@pytest.mark.parametrize(
    "error", [b"", b"oops", b"null", b"[]", b'{"error": 7}', b'{"error": {"type": ["x"]}}', b"\xff", b"[" * 100_000]
)
def test_an_error_event_that_says_nothing_is_a_servers_error(error):
    assert status_of(error) == 500
    assert meaning(judge("error", error)) == ("failure", "model", "repeat", "500")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (error_data("not_found_error", f"model: {MODEL}"), ("open", "model", "next")),
        (error_data("invalid_request_error", "Your credit balance is too low"), ("neutral", "account", "next")),
        (
            error_data("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            ("neutral", "account", "next"),
        ),
    ],
)
def test_the_message_of_an_error_event_tells_what_its_type_does_not(error, expected):
    assert meaning(judge("error", error))[:3] == expected


@pytest.mark.parametrize(
    ("rules", "end", "error_type", "then"),
    [
        ({"overloaded_error": {"do": "raise"}}, "error", "overloaded_error", "raise"),
        ({"529": {"do": "raise"}}, "error", "overloaded_error", "raise"),
        ({"504": {"do": "raise"}}, "error", "timeout_error", "raise"),
        ({"408": {"do": "raise"}}, "error", "timeout_error", "next"),
        ({"500": {"do": "raise"}}, "error", "quantum_error", "raise"),
        ({"200": {"do": "raise"}}, "error", "overloaded_error", "next_or_repeat"),
        ({"connection_error": {"do": "raise"}}, "cut", None, "raise"),
        ({"client_timeout_error": {"do": "repeat"}}, "stall", None, "repeat"),
        ({"stream_truncated": {"do": "next"}}, "truncated", None, "next"),
        ({"malformed_response": {"do": "next"}}, "malformed", None, "next"),
        ({"200": {"do": "raise"}}, "truncated", None, "repeat"),
        ({"stream_truncated": {"do": "raise"}}, "complete", None, "return"),
    ],
)
def test_a_policy_overrides_single_ends(rules, end, error_type, then):
    assert judge(end, error_data(error_type) if error_type else b"", rules).then == then


def test_a_policy_may_count_an_end_otherwise():
    outcome = judge("stall", rules={"client_timeout_error": {"counts": "neutral"}})
    assert (outcome.counts, outcome.then, outcome.stream) == ("neutral", "next", "stall")
