"""A call's time: the deadline, what is kept of it for the last rung, and answers that honestly take long."""

from __future__ import annotations

import pytest
from call_lab import CallLab

from failover.engine import Finish, Send, Wait
from failover.events import ModelSkipped

NO_WAITS = {"tries": 1, "passes": 1}


def timeouts(lab):
    return [send.timeout for send in lab.sends]


def test_a_hung_model_cannot_take_the_last_rungs_share():
    lab = CallLab("ab", retry={"deadline": "120s", "reserve": "20s"})
    assert lab.tell({"a": "hang", "b": "ok"}) == "a b fallback:2"
    assert timeouts(lab) == [100, 20]


def test_two_hung_models_end_at_the_deadline():
    lab = CallLab("ab", retry={"deadline": "120s", "reserve": "20s"})
    started = lab.clock.now()
    assert lab.tell({"a": "hang", "b": "hang"}) == "a b exhausted:1"
    assert lab.clock.now() - started == 120


def test_what_a_hung_model_leaves_goes_to_the_last_rung_that_can_be_tried():
    lab = CallLab("abc", retry={"deadline": "120s", "reserve": "20s"})
    assert lab.tell({"a": "hang", "c": "ok"}) == "a c fallback:2"
    assert [skip.reason for skip in lab.told(ModelSkipped)] == ["deadline"]
    lab = CallLab("abc", retry={"deadline": "120s", "reserve": "20s"})
    lab.breaker("c").isolate()
    assert lab.tell({"a": "hang", "b": "ok"}) == "a b fallback:2"
    assert timeouts(lab) == [100, 20]


@pytest.mark.parametrize(
    ("models", "open_models", "first_timeout"),
    [("a", "", 120), ("ab", "", 100), ("abc", "", 100), ("ab", "b", 120), ("abc", "b", 100), ("abc", "bc", 120)],
)
def test_the_reserve_is_kept_only_for_a_rung_that_can_be_tried(models, open_models, first_timeout):
    lab = CallLab(models)
    for model in open_models:
        lab.breaker(model).open()
    lab.tell({"a": "ok"})
    assert timeouts(lab) == [first_timeout]


@pytest.mark.parametrize(
    ("seconds", "story"),
    [
        (100, "a b fallback:2"),  # the whole reserve is left
        (110, "a b fallback:2"),  # half of it
        (111, "a exhausted:1"),  # less: not worth beginning
    ],
)
def test_nothing_is_begun_that_could_not_live_for_half_of_the_reserve(seconds, story):
    lab = CallLab("ab", retry=NO_WAITS)
    assert lab.tell({"a": f"504@{seconds}", "b": "ok"}) == story


def test_a_repeat_is_waited_for_only_if_there_is_time_for_it_afterwards():
    lab = CallLab("a", retry={"deadline": "30s", "reserve": "10s", "passes": 1})
    assert lab.tell({"a": "500@24.5 ok"}) == "a 0.25s a primary:2"
    assert lab.tell({"a": "500@24.9 ok"}) == "a exhausted:1"


def test_a_pass_is_waited_for_only_if_the_last_rung_then_has_its_reserve():
    retry = {"deadline": "60s", "reserve": "20s", "tries": 1}
    assert CallLab("a", retry=retry).tell({"a": "500@36 ok"}) == "a 3.75s a primary:2"
    assert CallLab("a", retry=retry).tell({"a": "500@37 ok"}) == "a exhausted:1"


def test_a_deadline_that_passed_during_a_wait_lets_nothing_begin():
    lab = CallLab("ab")
    call = lab.begin()
    for _ in range(2):
        lab.answer(call.next(), "504")
    assert isinstance(call.next(), Wait)
    lab.clock.advance(3600)  # the machine slept
    finish = call.next()
    assert isinstance(finish, Finish)
    assert (finish.outcome, finish.attempt) == ("exhausted", 1)


def test_without_a_deadline_an_attempt_has_no_limit_of_ours():
    lab = CallLab("ab", retry={"deadline": "off"})
    assert lab.tell({"a": "500@100000", "b": "ok"}) == "a 0.25s a b fallback:3"
    assert timeouts(lab) == [None, None, None]


def test_a_probe_has_a_shorter_time():
    lab = CallLab("ab", breaker={"probe": {"timeout": "30s"}})
    lab.breaker("a").open()
    lab.clock.advance(15)
    assert lab.tell({"a": "hang", "b": "ok"}) == "a b fallback:2"
    assert timeouts(lab) == [30, 90]


@pytest.mark.parametrize(
    ("answers", "least", "expected"), [("cut", 500.0, 120), ("stretch", 500.0, 500), ("stretch", 60.0, 120)]
)
def test_an_answer_that_honestly_needs_longer_is_cut_or_given_time_as_the_policy_says(answers, least, expected):
    lab = CallLab("a", retry={"long_answers": answers})
    lab.tell({"a": "ok"}, least=least)
    assert timeouts(lab) == [expected]


def test_a_probe_is_stretched_no_further_than_its_lease():
    lab = CallLab("a", retry={"long_answers": "stretch"}, breaker={"probe": {"timeout": "30s", "lease": "60s"}})
    lab.breaker("a").open()
    lab.clock.advance(15)
    lab.tell({"a": "ok"}, least=500.0)
    assert timeouts(lab) == [60]


def test_attempts_are_timed():
    lab = CallLab("ab")
    lab.tell({"a": "504@7", "b": "ok@2.5"})
    assert [attempt.seconds for attempt in lab.call.route.attempts] == [7, 2.5]
    assert lab.call.route.waited == 0


def test_waits_are_summed_up():
    lab = CallLab("ab")
    lab.tell({"a": "500 500 ok", "b": "500"})
    assert lab.call.route.waited == pytest.approx(0.25 + 0.25 + 3.75)


def test_a_servers_wish_is_never_cut_short_and_not_obeyed_by_all_callers_at_the_same_moment():
    waits = set()
    for draw in (0.0, 0.3, 0.9):
        call = (lab := CallLab("a", random=lambda draw=draw: draw)).begin()
        lab.answer(call.next(), "429:3")
        wait = call.next()
        assert (wait.cause, 3 <= wait.seconds <= 3.3) == ("retry_after", True)
        waits.add(wait.seconds)
    assert len(waits) == 3


@pytest.mark.parametrize(("answer", "cause"), [("500", "backoff"), ("503:1", "retry_after"), ("504", "between_passes")])
def test_a_wait_says_what_it_is_for(answer, cause):
    lab = CallLab("a")
    call = lab.begin()
    lab.answer(call.next(), answer)
    assert call.next().cause == cause


def test_a_program_whose_retry_budget_is_spent_neither_repeats_nor_waits():
    lab = CallLab("ab", retry={"budget": {"ratio": "1%", "min_per_second": 0.1}})
    assert lab.tell({"a": "500 ok"}) == "a 0.25s a primary:2"
    assert lab.tell({"a": "500", "b": "500"}) == "a b exhausted:1"
    assert lab.tell({"a": "529", "b": "ok"}) == "a b fallback:2"  # another model is no repeat
    lab.clock.advance(10)
    assert lab.tell({"a": "500 ok"}) == "a 0.25s a primary:2"


def test_asking_twice_for_what_to_do_does_not_lose_a_finish():
    lab = CallLab("a")
    lab.tell({"a": "ok"})
    assert lab.call.next() == lab.call.next() == lab.finish


def test_the_first_send_needs_no_wait_and_no_look_at_the_reserve():
    lab = CallLab("ab", retry={"deadline": "21s", "reserve": "20s"})
    call = lab.begin()
    send = call.next()
    assert isinstance(send, Send)
    assert send.timeout == 1
