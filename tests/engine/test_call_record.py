"""What a call leaves for its caller and its listeners: the route, and the events of a call that had trouble."""

from __future__ import annotations

import pytest
from call_lab import CallLab

from failover.engine import Attempt, Route
from failover.events import AttemptFinished, AttemptStarted, BreakerTransition, CallFinished, CallStarted, Waiting


def names(lab):
    return [type(event).__name__ for event in lab.events]


def test_a_route_has_every_attempt_and_who_served():
    lab = CallLab("ab", clients={"b": "bedrock"})
    lab.tell({"a": "500@2", "b": "ok@1"})
    route = lab.call.route
    assert (route.outcome, route.requested_model, route.served_model) == ("fallback", "a", "b")
    assert route.attempts == (
        Attempt("a", "default", 500, "500", "req_a_500", 2.0),
        Attempt("a", "default", 500, "500", "req_a_500", 2.0),
        Attempt("b", "bedrock", 200, None, "req_b", 1.0),
    )
    assert route.request_ids == ("req_a_500", "req_a_500", "req_b")


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({"a": "ok"}, "primary: a: 200 ok req_a (0.00 s)"),
        ({"a": "529", "b": "ok@1.5"}, "fallback: a: 529 overloaded_error req_a_529 (0.00 s); b: 200 ok req_b (1.50 s)"),
        ({"a": "hang", "b": "400"}, "exhausted: a: client_timeout_error (100.00 s); b: 400 invalid_request_error"),
    ],
)
def test_a_route_reads_as_one_line(answers, text):
    lab = CallLab("ab")
    lab.tell(answers)
    assert str(lab.call.route).startswith(text)


def test_a_route_on_which_nothing_was_sent_says_so():
    assert str(Route("refused", "a", None, (), (), 0.0)) == "refused: nothing was sent"
    assert str(Route("refused", "a", None, (), ("a", "b"), 0.0)) == "refused: a: skipped; b: skipped"


def test_a_call_without_trouble_is_silent_unless_somebody_listens():
    lab = CallLab("ab", verbose=False)
    lab.tell({"a": "ok"})
    assert lab.events == []
    lab = CallLab("ab", verbose=True)
    lab.tell({"a": "ok"})
    assert names(lab) == ["CallStarted", "AttemptStarted", "AttemptFinished", "CallFinished"]


def test_a_call_with_trouble_tells_of_it_and_of_its_end_even_if_nobody_asked():
    lab = CallLab("ab", verbose=False)
    lab.tell({"a": "500 ok"})
    assert names(lab) == ["AttemptFinished", "Waiting", "AttemptStarted", "CallFinished"]
    assert lab.told(CallFinished)[0].outcome == "primary"


def test_the_start_names_the_policy_and_the_sdks_own_retries():
    lab = CallLab("ab")
    lab.tell({"a": "ok"}, sdk_retries_taken=2)
    (event,) = lab.told(CallStarted)
    assert (event.policy, event.digest, event.model) == ("test", lab.policy.digest, "a")
    assert event.sdk_retries_taken == 2


def test_attempts_say_why_they_were_made():
    lab = CallLab("abc")
    lab.tell({"a": "500", "b": "529", "c": "ok"})
    assert [(event.model, event.reason, event.state) for event in lab.told(AttemptStarted)] == [
        ("a", "primary", "closed"),
        ("a", "retry", "closed"),
        ("b", "fallback", "closed"),
        ("c", "fallback", "closed"),
    ]


def test_a_failed_attempt_is_told_with_all_that_support_asks_for():
    lab = CallLab("ab")
    lab.tell({"a": "429:60@3", "b": "ok"})
    event = lab.told(AttemptFinished)[0]
    assert (event.verdict, event.status, event.error_type) == ("neutral", 429, "rate_limit_error")
    assert (event.request_id, event.retry_after, event.seconds) == ("req_a_429", 60.0, 3.0)


@pytest.mark.parametrize(
    ("answers", "outcome", "error_type"),
    [
        ({"a": "ok"}, "primary", None),
        ({"a": "529", "b": "ok"}, "fallback", None),
        ({"a": "529", "b": "504"}, "exhausted", "overloaded_error"),
        ({"a": "529", "b": "400"}, "exhausted", "overloaded_error"),
        ({"a": "400"}, "failed", "invalid_request_error"),
    ],
)
def test_the_end_names_what_the_caller_sees(answers, outcome, error_type):
    lab = CallLab("ab")
    lab.tell(answers)
    (event,) = lab.told(CallFinished)
    assert (event.outcome, event.error_type) == (outcome, error_type)


def test_a_circuits_move_is_told_before_the_attempt_that_moved_it_is_over():
    lab = CallLab("ab", breaker={"trip": {"consecutive_failures": 1}})
    lab.tell({"a": "529", "b": "ok"})
    kinds = [type(event) for event in lab.events]
    assert kinds.index(BreakerTransition) < kinds.index(AttemptFinished)
    assert Waiting not in kinds
