"""Rate limits that several models share: one that is used up for one of them is used up for all."""

from __future__ import annotations

import pytest
from call_lab import CallLab

from failover.events import BreakerTransition, ModelSkipped

OPUS = {"a": "opus", "b": "opus"}


def lab_of(models="abc", buckets=OPUS, **options):
    return CallLab(models, buckets=buckets, **options)


@pytest.mark.parametrize(
    ("buckets", "answers", "story"),
    [
        (OPUS, {"a": "429:60", "c": "ok"}, "a c fallback:2"),
        (OPUS, {"a": "429", "c": "ok"}, "a c fallback:2"),
        ({"a": "opus", "c": "opus"}, {"a": "429:60", "b": "ok"}, "a b fallback:2"),
        ({"a": "opus", "b": "haiku"}, {"a": "429:60", "b": "ok"}, "a b fallback:2"),
        ({"b": "opus"}, {"a": "429:60", "b": "ok"}, "a b fallback:2"),  # what is not known is not shared
        ({}, {"a": "429:60", "b": "ok"}, "a b fallback:2"),
        ({"b": "opus", "c": "opus"}, {"a": "404", "b": "429:60"}, "a b exhausted:1"),
        # a short one is waited out in place, and the others hear nothing of it
        (OPUS, {"a": "429:3 ok"}, "a 3.15s a primary:2"),
        # one that outlasts its wait is a long one
        (OPUS, {"a": "429:3", "c": "ok"}, "a 3.15s a c fallback:3"),
        # other troubles are the model's own
        (OPUS, {"a": "529:60", "b": "ok"}, "a b fallback:2"),
        (OPUS, {"a": "503:60", "b": "ok"}, "a b fallback:2"),
        (OPUS, {"a": "404", "b": "ok"}, "a b fallback:2"),
    ],
)
def test_siblings_of_a_limited_model_are_not_asked(buckets, answers, story):
    assert lab_of(buckets=buckets).tell(answers) == story


def test_their_circuits_are_open_for_as_long_and_say_why():
    lab = lab_of()
    lab.tell({"a": "429:60", "c": "ok"})
    assert [lab.breaker(model).outlook().retry_in for model in "ab"] == [60, 60]
    assert lab.breaker("c").outlook() is None
    (move,) = [event for event in lab.told(BreakerTransition) if event.breaker == "b"]
    assert (move.reason, move.open_for, move.error_type, move.request_id) == (
        "retry_after",
        60,
        "rate_limit_error",
        "req_a_429",
    )
    (skip,) = lab.told(ModelSkipped)
    assert (skip.model, skip.reason, skip.retry_in) == ("b", "open", 60)


def test_every_call_after_it_starts_with_another_bucket():
    lab = lab_of()
    lab.tell({"a": "429:60", "c": "ok"})
    assert [lab.tell({"c": "ok"}) for _ in range(20)] == ["c fallback:1"] * 20
    lab.clock.advance(60)
    assert [lab.tell({"a": "ok"}) for _ in range(3)] == ["a primary:1"] * 3
    assert lab.breaker("a").state == "closed"


def test_it_counts_as_nothing():
    lab = lab_of(breaker={"trip": {"consecutive_failures": 2}}, retry={"tries": 1})
    for model in "ab":
        assert "0 consecutive" in repr(lab.breaker(model))
    lab.tell({"a": "429:60", "c": "ok"})
    assert all("0 consecutive" in repr(lab.breaker(model)) for model in "ab")
    lab.clock.advance(60)
    for model in "ab":
        lab.breaker(model).close()
    lab.tell({"a": "500", "b": "500", "c": "ok"})
    assert [lab.breaker(model).state for model in "ab"] == ["closed", "closed"]


def test_open_times_do_not_grow_by_it():
    lab = lab_of(breaker={"open_for": {"jitter": 0}})
    lab.tell({"a": "429:60", "c": "ok"})
    lab.breaker("b").close()
    lab.breaker("b").open()
    assert lab.breaker("b").outlook().retry_in == 15


def test_limits_of_another_client_are_its_own():
    lab = lab_of(clients={"b": "bedrock"})
    assert lab.tell({"a": "429:60", "b": "ok"}) == "a b fallback:2"
    lab = lab_of("abc", {"b": "opus", "c": "opus"}, clients={"b": "bedrock", "c": "bedrock"})
    assert lab.tell({"a": "404", "b": "429:60"}) == "a b exhausted:1"


def test_a_fallbacks_limit_is_the_requested_models_too():
    lab = lab_of("ab")
    assert lab.tell({"a": "529", "b": "429:30"}) == "a b exhausted:1"
    assert lab.breaker("a").outlook().retry_in == 30


def test_no_last_resort_tries_what_the_server_asked_to_leave_alone():
    lab = lab_of("ab")
    assert lab.tell({"a": "429:60"}) == "a exhausted:1"
    lab.clock.advance(5)
    assert lab.tell({}) == "refused"
    assert [refusal.retry_in for _, refusal in lab.finish.refusals] == [55, 55]


@pytest.mark.parametrize(
    "errors", [{"rate_limit_error": {"do": "next"}}, {"429": {"do": "next"}}, {"429": {"counts": "failure"}}]
)
def test_it_is_the_same_limit_whatever_the_policy_does_about_it(errors):
    assert lab_of(errors=errors).tell({"a": "429:60", "c": "ok"}) == "a c fallback:2"


class TestASiblingThatIs:
    def test_open_already_stays_so_for_the_longer_time(self):
        for wish, left in (("60", 60), ("11", 15)):
            lab = lab_of("abc", breaker={"open_for": {"jitter": 0}})
            lab.breaker("b").open()
            lab.tell({"a": f"429:{wish}", "c": "ok"})
            assert lab.breaker("b").outlook().retry_in == left

    def test_held_open_by_hand_stays_so(self):
        lab = lab_of()
        lab.breaker("b").isolate()
        lab.tell({"a": "429:60", "c": "ok"})
        assert lab.breaker("b").outlook().retry_in is None

    def test_half_open_opens_again_and_its_probe_no_longer_counts(self):
        lab = lab_of()
        lab.breaker("b").open()
        lab.clock.advance(15)
        probe = lab.breaker("b").admit()
        lab.tell({"a": "429:60", "c": "ok"})
        assert lab.breaker("b").state == "open"
        probe.release()
        assert lab.breaker("b").outlook().retry_in == 60

    def test_another_rung_of_the_same_model_is_the_same_circuit(self):
        lab = lab_of("ab", {"a": "opus"}, rungs={"a": {"set": {"speed": None}}})
        assert [candidate.circuit.name for candidate in lab.plan.candidates] == ["a", "a", "b"]
        assert lab.tell({"a": "429:60", "b": "ok"}) == "a b fallback:2"
