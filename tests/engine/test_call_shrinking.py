"""Prompts that are made smaller after failures, if the policy says so: when, how often, and what then."""

from __future__ import annotations

import pytest
from call_lab import NO_REPEAT, CallLab, LabCargo
from call_stream_lab import StreamLab

from failover.events import AttemptStarted, PromptShrunk

STEPS = {"steps": ["drop_turns"]}
SLOW = {"when": ["timeout_error", "client_timeout_error"], **STEPS}
TOO_LONG = {"when": ["prompt_too_long"], **STEPS}


def lab_of(models="ab", *, tokens=1600, room=None, least=100, kind=CallLab, **policy):
    lab = kind(models, **policy)
    lab.cargo = LabCargo(tokens, room=room, least=least)
    return lab


def sizes(lab):
    return [(event.tokens_before, event.tokens_after) for event in lab.told(PromptShrunk)]


@pytest.mark.parametrize(
    ("when", "answers", "story"),
    [
        # slow: the next rung gets less, and so does the same one in a later pass
        (["timeout_error"], {"a": "504", "b": "ok"}, "a b fallback:2"),
        (["client_timeout_error"], {"a": "hang", "b": "ok"}, "a b fallback:2"),
        (["timeout_error"], {"a": "504 ok", "b": "529"}, "a b 0.25s b 3.75s a primary:4"),
        # worth repeating in place: the repeat is smaller
        (["api_error"], {"a": "500 ok"}, "a 0.25s a primary:2"),
        (["connection_error"], {"a": "connection_error ok"}, "a 0.25s a primary:2"),
        # by what the API calls it, and by status
        (["504"], {"a": "504", "b": "ok"}, "a b fallback:2"),
        (["500"], {"a": "500 ok"}, "a 0.25s a primary:2"),
        # about the request: the same rung again, at once, and no error of the caller
        (["prompt_too_long"], {"a": "too_long ok"}, "a a primary:2"),
        (["request_too_large"], {"a": "413 ok"}, "a a primary:2"),
        (["413"], {"a": "413 ok"}, "a a primary:2"),
        (["400"], {"a": "too_long ok"}, "a a primary:2"),
        (["prompt_too_long"], {"a": "529", "b": "too_long ok"}, "a b b fallback:3"),
    ],
)
def test_after_a_failure_that_the_policy_names_the_prompt_is_smaller(when, answers, story):
    lab = lab_of(shrink={"when": when, **STEPS})
    assert lab.tell(answers) == story
    assert sizes(lab) == [(1600, 800)]
    assert [bool(event.changes) for event in lab.told(AttemptStarted)][-1]


@pytest.mark.parametrize(
    ("answers", "story"),
    [
        ({"a": "too_long"}, "a failed:1"),
        ({"a": "413"}, "a failed:1"),
        ({"a": "504", "b": "ok"}, "a b fallback:2"),
        ({"a": "500 ok"}, "a 0.25s a primary:2"),
    ],
)
@pytest.mark.parametrize("shrink", ["off", {"when": ["overloaded_error"], **STEPS}])
def test_after_any_other_it_stays_as_it_is(shrink, answers, story):
    lab = lab_of(shrink=shrink)
    assert lab.tell(answers) == story
    assert sizes(lab) == []
    assert lab.cargo.measured == 0


def test_the_event_tells_after_which_attempt_and_what_was_dropped():
    lab = lab_of(shrink=SLOW)
    lab.tell({"a": "504", "b": "ok"})
    (event,) = lab.told(PromptShrunk)
    assert event == PromptShrunk(event.call, 1, "a", ("made smaller",), 1600, 800)


def test_every_later_attempt_of_the_call_says_so_the_requested_models_too():
    lab = lab_of(shrink=SLOW)
    assert lab.tell({"a": "504 ok", "b": "529"}) == "a b 0.25s b 3.75s a primary:4"
    done = ("1600 to 800",)
    assert [attempt.changes for attempt in lab.call.route.attempts] == [(), done, done, done]
    assert [send.load is None for send in lab.sends] == [True, False, False, False]


def test_the_next_call_begins_with_its_whole_prompt():
    lab = lab_of(shrink=SLOW)
    lab.tell({"a": "504", "b": "ok"})
    lab.tell({"a": "ok"})
    assert lab.sends[0].load is None


@pytest.mark.parametrize(("after_tries", "shrunk_after"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3]), (4, [4]), (5, [])])
def test_it_takes_so_many_failures_each_time_on_whatever_rung(after_tries, shrunk_after):
    lab = lab_of("abcd", shrink={**SLOW, "after_tries": after_tries}, retry=NO_REPEAT)
    assert lab.tell({"a": "504", "b": "client_timeout_error@5", "c": "504", "d": "504"}) == "a b c d exhausted:1"
    assert [event.number for event in lab.told(PromptShrunk)] == shrunk_after


def test_failures_of_other_kinds_in_between_count_for_nothing():
    lab = lab_of("abc", shrink={**SLOW, "after_tries": 2})
    assert lab.tell({"a": "504", "b": "529", "c": "504 ok"}) == "a b c 3.75s a b c fallback:6"
    assert [event.number for event in lab.told(PromptShrunk)] == [3]


def test_five_times_and_no_more():
    lab = lab_of("a", tokens=1_000_000, least=1, shrink=TOO_LONG)
    assert lab.tell({"a": "too_long"}) == "a a a a a a failed:6"
    assert [after for _, after in sizes(lab)] == [500_000, 250_000, 125_000, 62_500, 31_250]


def test_slow_answers_shrink_it_five_times_and_the_walk_goes_on():
    never = {"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}}
    lab = lab_of("abcd", tokens=1_000_000, shrink=SLOW, breaker=never, retry={"budget": "off"})
    one_pass = "a b c d"
    assert lab.tell(dict.fromkeys("abcd", "504")) == f"{one_pass} 3.75s {one_pass} 7.5s {one_pass} exhausted:1"
    assert [event.number for event in lab.told(PromptShrunk)] == [1, 2, 3, 4, 5]


class TestWithNothingToDrop:
    @pytest.mark.parametrize(
        ("answers", "story"),
        [
            ({"a": "504", "b": "ok"}, "a b fallback:2"),
            ({"a": "too_long"}, "a failed:1"),
            ({"a": "504 ok", "b": "504"}, "a b 3.75s a primary:3"),
        ],
    )
    def test_the_walk_goes_on_as_it_would_have_and_the_event_says_so(self, answers, story):
        rules = {"when": ["timeout_error", "prompt_too_long"], **STEPS}
        lab, without = lab_of(least=1600, shrink=rules), lab_of(least=1600)
        assert lab.tell(dict(answers)) == without.tell(dict(answers)) == story
        assert {event.done for event in lab.told(PromptShrunk)} == {()}
        assert set(sizes(lab)) == {(1600, 1600)}
        assert {attempt.changes for attempt in lab.call.route.attempts} == {()}

    def test_a_prompt_that_is_too_long_still_goes_where_there_is_more_room(self):
        lab = lab_of(least=1600, room={"a": 1000, "b": 2000}, shrink=TOO_LONG)
        assert lab.tell({"a": "too_long", "b": "ok"}) == "a b fallback:2"


class TestARoom:
    def test_may_be_enough_once_the_prompt_is_smaller(self):
        lab = lab_of("abc", room={"b": 1000}, shrink=SLOW)
        assert lab.tell({"a": "504", "b": "ok"}) == "a b fallback:2"
        assert lab.skips() == []

    def test_that_was_too_small_is_tried_again_with_less(self):
        lab = lab_of("ab", room={"a": 1000, "b": 2000}, shrink=TOO_LONG)
        assert lab.tell({"a": "too_long ok"}) == "a a primary:2"

    def test_that_stays_too_small_is_skipped_all_the_same(self):
        lab = lab_of("abc", room={"b": 100}, shrink=SLOW)
        assert lab.tell({"a": "504", "c": "ok"}) == "a c fallback:2"
        assert lab.skips() == ["b unfit"]


class TestARungsOwnRules:
    def test_go_before_the_policys(self):
        lab = lab_of("abc", shrink=SLOW, rungs={"b": {"shrink": {"when": ["529"], **STEPS, "to": "25%"}}})
        assert lab.tell({"a": "529", "b": "529", "c": "ok"}) == "a b c fallback:3"
        assert [(event.model, event.tokens_after) for event in lab.told(PromptShrunk)] == [("b", 400)]

    def test_may_be_that_nothing_is_shrunk(self):
        lab = lab_of("ab", shrink=TOO_LONG, rungs={"a": {"shrink": "off"}})
        assert lab.tell({"a": "too_long"}) == "a failed:1"
        assert sizes(lab) == []

    def test_hold_for_the_requested_model_when_its_ladder_names_it(self):
        lab = lab_of("ab", rungs={"a": {"shrink": TOO_LONG}})
        assert lab.tell({"a": "too_long ok"}) == "a a primary:2"


class TestWhatTheCallerIsShown:
    def test_is_the_outage_once_the_prompt_fitted(self):
        lab = lab_of("ab", shrink=TOO_LONG, retry=NO_REPEAT)
        assert lab.tell({"a": "too_long 529", "b": "529"}) == "a a b exhausted:2"

    def test_is_that_the_prompt_is_too_long_if_all_dropping_did_not_help(self):
        lab = lab_of("ab", shrink=TOO_LONG, retry=NO_REPEAT, least=800)
        assert lab.tell({"a": "too_long"}) == "a a failed:2"
        assert sizes(lab) == [(1600, 800), (800, 800)]


class TestAStream:
    def test_that_is_too_late_before_its_first_content_shrinks_the_prompt(self):
        lab = lab_of("ab", kind=StreamLab, shrink=SLOW)
        assert lab.tell({"a": "hang", "b": "~complete"}) == "a b~ fallback:2"
        assert sizes(lab) == [(1600, 800)]

    def test_that_breaks_while_it_is_read_shrinks_nothing(self):
        lab = lab_of("ab", kind=StreamLab, shrink=SLOW)
        assert lab.tell({"a": "~stall", "b": "~complete"}, resume="restart") == "a~ b~ fallback:2"
        assert sizes(lab) == []


def test_no_circuit_hears_of_it():
    lab = lab_of(shrink=TOO_LONG)
    for _ in range(20):
        assert lab.tell({"a": "too_long ok"}) == "a a primary:2"
        lab.cargo = LabCargo(1600)
    assert repr(lab.breaker("a")) == "<Breaker a: closed, 0 consecutive failures>"
