"""What an answer means: every row of the table, told by status, error type, message, or what is left of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.engine import judge_failure, judge_response, success
from failover.policy.model import ErrorRule

MODEL = "claude-opus-5-5"
FAILED = ("failure", "model", "repeat")
SLOW = ("failure", "model", "next")
OVERLOADED = ("failure", "model", "next_or_repeat")
LIMITED = ("neutral", "model", "wait")
ACCOUNT = ("neutral", "account", "next")
GONE = ("open", "model", "next")
WRONG = ("neutral", "request", "raise")


def envelope(error_type, message="", code=None):
    error = {"type": error_type, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def judge(status, body=b"", headers=None, rules=None):
    return judge_response(status, headers or {}, body, model=MODEL, rules=rules or {})


def meaning(outcome):
    return (outcome.counts, outcome.scope, outcome.then)


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (500, "api_error", FAILED),
        (529, "overloaded_error", OVERLOADED),
        (504, "timeout_error", SLOW),
        (429, "rate_limit_error", LIMITED),
        (401, "authentication_error", ACCOUNT),
        (402, "billing_error", ACCOUNT),
        (403, "permission_error", ACCOUNT),
        (404, "not_found_error", WRONG),
        (409, "conflict_error", WRONG),
        (413, "request_too_large", WRONG),
        (400, "invalid_request_error", WRONG),
        # the type decides where it and the status disagree
        (500, "overloaded_error", OVERLOADED),
        (503, "overloaded_error", OVERLOADED),
        (400, "rate_limit_error", LIMITED),
        (422, "invalid_request_error", WRONG),
        # types of the future are read by their status
        (500, "quantum_error", FAILED),
        (529, "very_overloaded_error", OVERLOADED),
        (429, "tokens_exhausted_error", LIMITED),
        (400, "style_error", WRONG),
        (418, "teapot_error", WRONG),
    ],
)
def test_errors_of_the_api_by_type_and_status(status, error_type, expected):
    outcome = judge(status, envelope(error_type))
    assert meaning(outcome) == expected
    assert (outcome.status, outcome.error_type) == (status, error_type)


@pytest.mark.parametrize(
    ("status", "expected", "named"),
    [
        (500, FAILED, "500"),
        (502, FAILED, "502"),
        (503, FAILED, "503"),
        (504, SLOW, "timeout_error"),
        (520, FAILED, "520"),
        (529, OVERLOADED, "overloaded_error"),
        (599, FAILED, "599"),
        (400, WRONG, "invalid_request_error"),
        (401, ACCOUNT, "authentication_error"),
        (402, ACCOUNT, "billing_error"),
        (403, ACCOUNT, "permission_error"),
        (404, WRONG, "not_found_error"),
        (405, WRONG, "405"),
        (408, SLOW, "timeout_error"),
        (409, WRONG, "conflict_error"),
        (413, WRONG, "request_too_large"),
        (422, WRONG, "422"),
        (429, LIMITED, "rate_limit_error"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><h1>Bad gateway</h1></html>",
        b"{",
        b"null",
        b"[]",
        b'"error"',
        b"\xff\xfe\x00",
        b'{"error": null}',
        b'{"error": "no"}',
        b'{"error": {"type": 7}}',
        b'{"error": {"type": null, "message": {}, "details": []}}',
        b'{"error": {"details": {"error_code": ["x"]}}}',
        b"[" * 100_000,
    ],
    ids=range(13),
)
def test_an_unreadable_body_is_read_by_its_status(status, expected, named, body):
    outcome = judge(status, body)
    assert (meaning(outcome), outcome.error_type) == (expected, named)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # Bedrock and Vertex put their fields elsewhere
        (429, b'{"message": "Too many tokens, please wait before trying again."}', LIMITED),
        (400, b'{"message": "The provided model identifier is invalid."}', WRONG),
        (403, b'{"message": "You don\'t have access to the model with the specified model ID."}', GONE),
        (404, b'{"error": {"code": 404, "message": "Publisher Model `x` was not found", "status": "NOT_FOUND"}}', GONE),
        (403, b'{"message": "The security token included in the request is invalid."}', ACCOUNT),
        (503, b'{"message": "Bedrock is unable to process your request."}', FAILED),
    ],
)
def test_errors_of_other_platforms(status, body, expected):
    assert meaning(judge(status, body)) == expected


@pytest.mark.parametrize(
    ("status", "error_type", "message", "code", "expected"),
    [
        (404, "not_found_error", f"model: {MODEL}", None, GONE),
        (404, "not_found_error", "This model has been retired.", None, GONE),
        (404, "not_found_error", "The deployment does not exist.", None, GONE),
        (404, "not_found_error", "Not found", None, WRONG),
        (404, "not_found_error", "No such file: file_123", None, WRONG),
        (403, "permission_error", f"Your key may not use {MODEL}.", None, GONE),
        (
            403,
            "permission_error",
            "Your API key does not have permission to use the specified resource.",
            None,
            ACCOUNT,
        ),
        # threads are the request's business, whatever the words
        (404, "not_found_error", "The thread of this model is gone.", "thread_not_found", WRONG),
        (400, "invalid_request_error", "", "thread_already_continued", WRONG),
        (400, "invalid_request_error", "", "thread_fingerprint_mismatch", WRONG),
        # money
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", None, ACCOUNT),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", None, ACCOUNT),
        (429, "rate_limit_error", "", "enforced_spend_limit_reached", ACCOUNT),
        (429, "rate_limit_error", "", "contract_spend_limit_reached", ACCOUNT),
        (402, "billing_error", "", "linked_organization_spend_limit_reached", ACCOUNT),
        (429, "rate_limit_error", "", "ramp_limit_exceeded", LIMITED),
        # size
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", None, WRONG),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit", None, WRONG),
        # a word that only sounds like the model's
        (404, "not_found_error", "Skill 'model-eval' not found", None, WRONG),
        (404, "not_found_error", "File not found: model.pdf", None, WRONG),
        (403, "permission_error", "This violates the data model policy.", None, ACCOUNT),
        # the customer's own keys: every model fails alike
        (503, "api_error", "", "cmek_key_unreachable", ACCOUNT),
        (503, "api_error", "", "cmek_context_unavailable", ACCOUNT),
        (529, "overloaded_error", "", "compaction_unavailable", OVERLOADED),
    ],
)
def test_what_the_message_or_code_tells_beyond_the_type(status, error_type, message, code, expected):
    assert meaning(judge(status, envelope(error_type, message, code))) == expected


@pytest.mark.parametrize(
    ("error_type", "expected"),
    [("connection_error", FAILED), ("malformed_response", FAILED), ("client_timeout_error", SLOW)],
)
def test_when_no_usable_answer_came(error_type, expected):
    outcome = judge_failure(error_type, {})
    assert (meaning(outcome), outcome.error_type, outcome.status) == (expected, error_type, None)


def test_an_answer_is_a_success_with_its_request_id():
    outcome = success(200, {"request-id": "req_7"})
    assert meaning(outcome) == ("success", "model", "return")
    assert (outcome.status, outcome.error_type, outcome.request_id) == (200, None, "req_7")


@pytest.mark.parametrize(
    ("rules", "status", "error_type", "expected"),
    [
        ({"overloaded_error": {"do": "raise"}}, 529, "overloaded_error", ("failure", "model", "raise")),
        ({"529": {"do": "next"}}, 529, "overloaded_error", ("failure", "model", "next")),
        ({"503": {"do": "next"}}, 503, "api_error", ("failure", "model", "next")),
        ({"503": {"do": "next"}}, 500, "api_error", FAILED),
        ({"api_error": {"do": "next"}, "503": {"do": "raise"}}, 503, "api_error", ("failure", "model", "next")),
        ({"api_error": {"counts": "neutral"}}, 500, "api_error", ("neutral", "model", "repeat")),
        ({"rate_limit_error": {"counts": "failure"}}, 429, "rate_limit_error", ("failure", "model", "wait")),
        ({"authentication_error": {"do": "next"}}, 401, "authentication_error", ("neutral", "model", "next")),
        ({"invalid_request_error": {"do": "next"}}, 400, "invalid_request_error", ("neutral", "model", "next")),
        ({"overloaded_error": {"do": "raise"}}, 500, "api_error", FAILED),
    ],
)
def test_a_policy_overrides_single_rows_by_type_or_by_status(rules, status, error_type, expected):
    rules = {name: ErrorRule(**rule) for name, rule in rules.items()}
    assert meaning(judge(status, envelope(error_type), rules=rules)) == expected


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("spend_limit", 400, envelope("invalid_request_error", "credit balance")),
        ("prompt_too_long", 400, envelope("invalid_request_error", "prompt is too long")),
        ("model_unavailable", 404, envelope("not_found_error", f"model: {MODEL}")),
    ],
)
def test_a_policy_may_name_what_only_a_message_tells(kind, status, body):
    assert judge(status, body, rules={kind: ErrorRule(do="next")}).then == "next"
    assert judge_failure("connection_error", {"connection_error": ErrorRule(do="next")}).then == "next"


@given(
    status=st.integers(400, 599),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "type", "message", "details", "error_code"]), inner, max_size=5)
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date", "x-should-retry", "request-id"]), st.text(max_size=30)
    ),
)
def test_nothing_that_an_upstream_sends_can_raise(status, body, headers):
    outcome = judge(status, body, headers)
    assert outcome.counts in {"failure", "neutral", "open"}
    assert outcome.retry_after is None or 0 <= outcome.retry_after < float("inf")
    assert outcome.error_type
