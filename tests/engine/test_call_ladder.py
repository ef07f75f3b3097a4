"""Which model a call goes to, in which order, and what the caller gets in the end."""

from __future__ import annotations

import pytest
from call_lab import CallLab

ALL = "abc"


@pytest.mark.parametrize(
    ("answers", "story"),
    [
        # answered
        ({"a": "ok"}, "a primary:1"),
        ({"a": "500 ok"}, "a 0.25s a primary:2"),
        ({"a": "500", "b": "ok"}, "a 0.25s a b fallback:3"),
        ({"a": "500", "b": "500", "c": "ok"}, "a 0.25s a b 0.25s b c fallback:5"),
        # repeated in place: 500, 502, 503, no connection, a broken body
        ({"a": "502", "b": "ok"}, "a 0.25s a b fallback:3"),
        ({"a": "503", "b": "ok"}, "a 0.25s a b fallback:3"),
        ({"a": "connection_error", "b": "ok"}, "a 0.25s a b fallback:3"),
        ({"a": "malformed_response", "b": "ok"}, "a 0.25s a b fallback:3"),
        # never repeated in place while another model is left: overload, time-outs
        ({"a": "529", "b": "ok"}, "a b fallback:2"),
        ({"a": "504", "b": "ok"}, "a b fallback:2"),
        ({"a": "client_timeout_error", "b": "ok"}, "a b fallback:2"),
        # rate limits: a short wish is waited out, a longer one or none moves on
        ({"a": "429:3 ok"}, "a 3.15s a primary:2"),
        ({"a": "429:10 ok"}, "a 10.5s a primary:2"),
        ({"a": "429:11", "b": "ok"}, "a b fallback:2"),
        ({"a": "429:345600", "b": "ok"}, "a b fallback:2"),
        ({"a": "429", "b": "ok"}, "a b fallback:2"),
        ({"a": "429:0 ok"}, "a 0.25s a primary:2"),
        ({"a": "503:2 ok"}, "a 2.1s a primary:2"),
        ({"a": "503:60", "b": "ok"}, "a b fallback:2"),
        # the account, the model, the request
        ({"a": "401"}, "a failed:1"),
        ({"a": "402"}, "a failed:1"),
        ({"a": "403"}, "a failed:1"),
        ({"a": "404", "b": "ok"}, "a b fallback:2"),
        ({"a": "400"}, "a failed:1"),
        ({"a": "413"}, "a failed:1"),
        ({"a": "409"}, "a failed:1"),
        ({"a": "422"}, "a failed:1"),
        # the truth about the request can come from the asked model in any pass; from a fallback it is no more than a hint
        ({"a": "500 400"}, "a 0.25s a failed:2"),
        ({"a": "529", "b": "400"}, "a b exhausted:1"),
        ({"a": "529", "b": "401"}, "a b exhausted:1"),
        ({"a": "404", "b": "404", "c": "404"}, "a b c exhausted:1"),
    ],
)
def test_a_call_goes_where_its_answers_send_it(answers, story):
    assert CallLab(ALL).tell(answers) == story


@pytest.mark.parametrize(
    ("models", "answers", "story"),
    [
        ("a", {"a": "529 ok"}, "a 0.25s a primary:2"),  # the only rung is the last one
        ("a", {"a": "429 ok"}, "a 0.25s a primary:2"),
        ("ab", {"a": "529", "b": "529 ok"}, "a b 0.25s b fallback:3"),
        ("a", {"a": "504 ok"}, "a 3.75s a primary:2"),  # a time-out is not repeated, another pass is
        ("a", {"a": "404"}, "a exhausted:1"),  # and a model that is unknown will be unknown in a moment
        ("a", {"a": "429:60"}, "a exhausted:1"),  # longer than all passes would wait
    ],
)
def test_on_the_last_rung(models, answers, story):
    assert CallLab(models).tell(answers) == story


def test_three_passes_and_no_more():
    lab = CallLab("ab", breaker={"trip": {"consecutive_failures": 50, "failure_rate": "off"}})
    one_pass = "a 0.25s a b 0.25s b"
    assert lab.tell({"a": "500", "b": "500"}) == f"{one_pass} 3.75s {one_pass} 7.5s {one_pass} exhausted:1"


def test_a_later_pass_begins_with_the_model_that_was_asked_for():
    assert CallLab("ab").tell({"a": "529 ok", "b": "504"}) == "a b 3.75s a primary:3"


def test_waits_in_place_grow_with_each_try_and_start_afresh_on_the_next_rung():
    lab = CallLab("ab", retry={"tries": 4, "passes": 1})
    assert lab.tell({"a": "500", "b": "500"}) == "a 0.25s a 0.5s a 1s a b 0.25s b 0.5s b 1s b exhausted:1"


def test_a_circuit_that_opens_ends_the_repeats_on_its_rung():
    lab = CallLab("ab", retry={"tries": 4}, breaker={"trip": {"consecutive_failures": 2}})
    assert lab.tell({"a": "500", "b": "ok"}) == "a 0.25s a b fallback:3"


def test_the_next_call_does_not_ask_a_model_whose_circuit_is_open():
    lab = CallLab("ab", breaker={"trip": {"consecutive_failures": 2}})
    lab.tell({"a": "500", "b": "ok"})
    assert lab.tell({"b": "ok"}) == "b fallback:1"
    lab.clock.advance(15)
    assert lab.tell({"a": "ok"}) == "a primary:1"


def test_after_the_circuit_closed_every_call_goes_to_the_asked_model_again():
    lab = CallLab("ab", breaker={"trip": {"consecutive_failures": 2}})
    lab.tell({"a": "500", "b": "ok"})
    lab.clock.advance(15)
    assert [lab.tell({"a": "ok"}) for _ in range(20)] == ["a primary:1"] * 20


def test_failures_of_a_fallback_count_for_its_own_circuit_once_each():
    lab = CallLab("abc", breaker={"trip": {"consecutive_failures": 6}})
    for _ in range(3):
        lab.tell({"a": "529", "b": "500", "c": "ok"})
    assert lab.breaker("a").state == "closed"
    assert "3 consecutive failures" in repr(lab.breaker("a"))
    assert lab.breaker("b").state == "open"


@pytest.mark.parametrize("status", ["400", "413", "409", "422", "401", "402", "403"])
def test_a_hundred_wrong_requests_move_no_circuit_and_help_nobody_elses_failures(status):
    lab = CallLab("ab")
    lab.tell({"a": "500", "b": "ok"})
    for _ in range(100):
        assert lab.tell({"a": status}) == "a failed:1"
    assert "closed, 2 consecutive failures" in repr(lab.breaker("a"))


@pytest.mark.parametrize(("wish", "seconds"), [("60", 60), ("345600", 86_400)])
def test_a_long_wish_opens_the_circuit_for_its_length_but_at_most_a_day(wish, seconds):
    lab = CallLab("ab")
    lab.tell({"a": f"429:{wish}", "b": "ok"})
    assert lab.breaker("a").outlook().retry_in == seconds


def test_a_rate_limit_that_names_no_time_opens_the_circuit_for_its_first_open_time():
    lab = CallLab("ab", breaker={"open_for": {"first": "20s", "max": "60s"}})
    lab.tell({"a": "429", "b": "ok"})
    assert lab.breaker("a").outlook().retry_in == 20


def test_a_rate_limit_that_outlasts_its_wait_opens_the_circuit_for_its_wish():
    lab = CallLab("ab")
    assert lab.tell({"a": "429:3", "b": "ok"}) == "a 3.15s a b fallback:3"
    assert lab.breaker("a").outlook().retry_in == 3


def test_a_rate_limit_that_cannot_be_waited_out_opens_the_circuit_for_its_wish_as_well():
    lab = CallLab("ab", retry={"budget": {"ratio": "1%", "min_per_second": 0}})
    assert lab.tell({"a": "429:3", "b": "ok"}) == "a b fallback:2"
    assert lab.breaker("a").outlook().retry_in == 3


CLIENTS = {"b": "bedrock", "d": "bedrock"}


@pytest.mark.parametrize("status", ["401", "402", "403"])
def test_an_account_that_cannot_pay_is_helped_by_another_client_only(status):
    lab = CallLab("abcd", clients=CLIENTS)
    assert lab.tell({"a": status, "b": "ok"}) == "a b fallback:2"
    assert lab.tell({"a": status, "b": "504", "d": "ok"}) == "a b d fallback:3"


def test_a_blocked_account_is_not_asked_again_in_a_later_pass_nor_as_a_last_resort():
    lab = CallLab("ab", clients=CLIENTS)
    assert lab.tell({"a": "401", "b": "529 ok"}) == "a b 0.25s b fallback:3"
    lab = CallLab("ab", clients=CLIENTS)
    assert lab.tell({"a": "401", "b": "504 504 ok"}) == "a b 3.75s b 7.5s b fallback:4"
    lab = CallLab("ab", clients=CLIENTS, breaker={"trip": {"consecutive_failures": 1}})
    assert lab.tell({"a": "401", "b": "504 ok"}) == "a b 3.75s b fallback:3"


def test_when_every_account_refuses_the_first_refusal_is_the_answer():
    lab = CallLab("ab", clients=CLIENTS)
    assert lab.tell({"a": "401", "b": "402"}) == "a b failed:1"
    lab = CallLab("abc")
    assert lab.tell({"a": "401"}) == "a failed:1"
    assert lab.call.route.skipped == ()


@pytest.mark.parametrize(
    ("errors", "answers", "story"),
    [
        ({"api_error": {"do": "raise"}}, {"a": "500"}, "a failed:1"),
        ({"api_error": {"do": "next"}}, {"a": "500", "b": "ok"}, "a b fallback:2"),
        ({"overloaded_error": {"do": "repeat"}}, {"a": "529 ok"}, "a 0.25s a primary:2"),
        ({"529": {"do": "repeat"}}, {"a": "529 ok"}, "a 0.25s a primary:2"),
        ({"rate_limit_error": {"do": "next"}}, {"a": "429:3", "b": "ok"}, "a b fallback:2"),
        ({"rate_limit_error": {"do": "raise"}}, {"a": "429:3"}, "a failed:1"),
        ({"model_unavailable": {"do": "raise"}}, {"a": "404"}, "a failed:1"),
        ({"authentication_error": {"do": "next"}}, {"a": "401", "b": "ok"}, "a b fallback:2"),
        ({"invalid_request_error": {"do": "next"}}, {"a": "400", "b": "ok"}, "a b fallback:2"),
        ({"api_error": {"do": "raise"}}, {"a": "529", "b": "500"}, "a b exhausted:1"),
        ({"api_error": {"counts": "open"}}, {"a": "500", "b": "ok"}, "a b fallback:2"),
    ],
)
def test_a_policy_may_say_otherwise(errors, answers, story):
    assert CallLab("ab", errors=errors).tell(answers) == story


def test_a_policy_may_have_rate_limits_count_as_failures():
    lab = CallLab(
        "ab",
        errors={"rate_limit_error": {"do": "next", "counts": "failure"}},
        breaker={"trip": {"consecutive_failures": 3}},
    )
    for _ in range(3):
        lab.tell({"a": "429", "b": "ok"})
    assert lab.breaker("a").state == "open"
