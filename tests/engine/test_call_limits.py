"""Bulkheads: how a call asks for its turn, waits for it, goes elsewhere without it, and gives it back."""

from __future__ import annotations

import pytest
from call_lab import NO_LINE, NO_REPEAT, ONE, judged, lab_of

from failover.engine import Queue, Send
from failover.events import AttemptStarted, ModelSkipped, Waiting

LARGE = {"large": {"over": "50k tokens", "at_once": 2, "queue": "30s"}}


@pytest.mark.parametrize(
    ("rungs", "busy", "story", "skips"),
    [
        ({"a": ONE}, {}, "a primary:1", []),
        ({"a": ONE}, {"a": [5]}, "line:5s a primary:1", []),
        ({"a": ONE}, {"a": [30]}, "line:30s a primary:1", []),
        ({"a": ONE}, {"a": [31]}, "line:30s b fallback:1", ["a full"]),
        ({"a": NO_LINE}, {"a": [1]}, "b fallback:1", ["a full"]),
        ({"a": {"at_once": 3}}, {"a": [9, 8]}, "a primary:1", []),
        ({"a": {"at_once": 3, "queue": "9s"}}, {"a": [9, 7, 8]}, "line:7s a primary:1", []),
        ({"a": NO_LINE, "b": ONE}, {"a": [99], "b": [4]}, "line:4s b fallback:1", ["a full"]),
        ({"a": NO_LINE, "b": NO_LINE}, {"a": [99], "b": [99]}, "refused", ["a full", "b full"]),
    ],
)
def test_a_rung_that_is_full_is_waited_for_as_long_as_its_line_allows_and_then_passed_over(rungs, busy, story, skips):
    lab = lab_of(rungs=rungs)
    for name, seconds in busy.items():
        lab.occupy(name, *seconds)
    assert lab.tell({"a": "ok", "b": "ok"}) == story
    assert lab.skips() == skips
    lab.pass_time(100)
    assert lab.idle()


class TestARungsLimit:
    def test_binds_on_failover_too(self):
        lab = lab_of("abc", rungs={"b": NO_LINE})
        lab.occupy("b", 60)
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"
        lab = lab_of("abc", rungs={"b": ONE})
        lab.occupy("b", 6)
        assert lab.tell({"a": "529", "b": "ok"}) == "a line:6s b fallback:2"

    def test_does_not_keep_the_others_rungs_from_anybody(self):
        lab = lab_of("ab", rungs={"b": NO_LINE})
        lab.occupy("b", 60)
        assert lab.tell({"a": "ok"}) == "a primary:1"
        assert lab.tell({"a": "529 ok"}) == "a 3.75s a primary:2"

    def test_says_nothing_about_the_model(self):
        lab = lab_of("ab", rungs={"a": NO_LINE})
        lab.occupy("a", 60)
        for _ in range(20):
            assert lab.tell({"b": "ok"}) == "b fallback:1"
        assert repr(lab.breaker("a")) == "<Breaker a: closed, 0 consecutive failures>"

    def test_is_not_asked_for_again_in_a_later_pass(self):
        lab = lab_of("ab", rungs={"a": NO_LINE})
        lab.occupy("a", 60)
        assert lab.tell({"b": "504 ok"}) == "b 3.75s b fallback:2"
        assert lab.skips() == ["a full", "a full"]

    def test_makes_the_skip_say_which_limit_and_how_long_it_would_have_been(self):
        lab = lab_of("ab", rungs={"a": NO_LINE})
        lab.occupy("a", 4)
        lab.pass_time(4)  # from now on it is known how long an attempt takes
        lab.occupy("a", 60)
        lab.tell({"b": "ok"})
        (event,) = lab.told(ModelSkipped)
        assert (event.reason, event.why, event.state, event.retry_in) == ("full", "a", "closed", 4)


class TestALimitOfLargePrompts:
    @pytest.mark.parametrize(("tokens", "story"), [(50_000, "a primary:1"), (50_001, "line:8s a primary:1")])
    def test_is_for_those_above_its_size(self, tokens, story):
        lab = lab_of(tokens=tokens, bulkheads=LARGE)
        lab.occupy("large", 8, 9)
        assert lab.tell({"a": "ok"}) == story

    def test_without_a_size_is_for_all(self):
        lab = lab_of(tokens=1, bulkheads={"all": NO_LINE})
        lab.occupy("all", 8)
        assert lab.tell({}) == "refused"

    def test_keeps_every_rung_from_who_did_not_get_its_turn(self):
        lab = lab_of("abc", tokens=60_000, bulkheads=LARGE)
        lab.occupy("large", 100, 100)
        assert lab.tell({}) == "line:30s refused"
        assert lab.skips() == ["a full", "b full", "c full"]
        assert [(event.seconds, event.cause) for event in lab.told(Waiting)] == [(30, "queue")]
        assert lab.call.route.waited == 30

    @pytest.mark.parametrize("large", [{"at_once": 2, "queue": "30s"}, LARGE["large"]])
    def test_is_waited_for_once_whatever_the_limits_of_the_rungs(self, large):
        lab = lab_of("abcd", tokens=60_000, bulkheads={"large": large}, rungs={"a": ONE, "b": ONE, "c": NO_LINE})
        lab.occupy("large", 100, 100)
        assert lab.tell({}) == "line:30s refused"
        assert lab.skips() == [f"{model} full" for model in "abcd"]
        assert {refusal.limits for _, refusal in lab.finish.refusals} == {("large",)}
        assert lab.call.route.waited == 30

    def test_that_has_room_lets_the_next_rung_try_where_one_of_the_rung_is_full(self):
        lab = lab_of("abc", tokens=60_000, bulkheads=LARGE, rungs={"a": ONE, "b": NO_LINE})
        lab.occupy("large", 100)
        lab.occupy("a", 100)
        lab.occupy("b", 100)
        assert lab.tell({"c": "ok"}) == "line:30s c fallback:1"
        assert [(event.model, event.why) for event in lab.told(ModelSkipped)] == [("a", "a"), ("b", "b")]

    def test_names_itself_alone_where_the_rungs_has_room(self):
        lab = lab_of("a", tokens=60_000, bulkheads=LARGE, rungs={"a": {"at_once": 3}})
        lab.occupy("large", 100, 100)
        lab.occupy("a", 100)
        lab.tell({})
        assert [(refusal.why, refusal.limits) for _, refusal in lab.finish.refusals] == [("large", ("large",))]

    def test_is_named_with_the_rungs_where_both_are_full(self):
        lab = lab_of("a", tokens=60_000, bulkheads=LARGE, rungs={"a": ONE})
        lab.occupy("large", 100, 100)
        lab.occupy("a", 100)
        lab.tell({})
        assert [(refusal.why, refusal.limits) for _, refusal in lab.finish.refusals] == [("large, a", ("large", "a"))]

    def test_is_not_waited_for_again_after_another_rungs_failure(self):
        lab = lab_of("abc", tokens=60_000, bulkheads=LARGE, retry=NO_REPEAT)
        call = lab.begin()
        send = call.next()
        lab.occupy("large", 100)
        lab.answer(send, "529")
        lab.occupy("large", 100)
        assert lab.pause(call.next()) == "line:30s"
        assert (call.next().outcome, lab.skips()) == ("exhausted", ["b full", "c full"])

    def test_without_a_size_costs_no_look_and_holds_for_an_empty_prompt(self):
        lab = lab_of(tokens=0, bulkheads={"all": NO_LINE})
        lab.occupy("all", 8)
        assert lab.tell({}) == "refused"
        assert lab.cargo.measured == 0

    def test_and_one_of_the_rung_are_both_taken(self):
        lab = lab_of(tokens=60_000, bulkheads=LARGE, rungs={"a": ONE})
        lab.occupy("large", 8, 99)
        lab.occupy("a", 9)
        call = lab.begin()
        queue = call.next()
        assert isinstance(queue, Queue)
        assert lab.pause(queue) == "line:9s"
        assert isinstance(call.next(), Send)
        assert (lab.limit("large").running, lab.limit("a").running) == (2, 1)
        call.report(judged("ok", "a"))
        assert (lab.limit("large").running, lab.limit("a").running) == (1, 0)

    def test_no_longer_binds_a_prompt_that_was_shrunk(self):
        shrink = {"when": ["timeout_error"], "steps": ["drop_turns"]}
        lab = lab_of(tokens=60_000, bulkheads=LARGE, shrink=shrink)
        call = lab.begin()
        send = call.next()
        lab.occupy("large", 99)
        lab.answer(send, "504")
        lab.occupy("large", 99)
        assert isinstance(call.next(), Send)
        assert lab.limit("large").running == 2
        call.abandon("cancelled")
        assert lab.limit("large").running == 2

    def test_costs_a_look_at_the_size_and_at_nothing_else(self):
        lab = lab_of(tokens=60_000, bulkheads=LARGE)
        lab.tell({"a": "ok"})
        assert lab.cargo.measured > 0
        assert lab.cargo.asked == []

    @pytest.mark.parametrize("rungs", [{}, {"a": ONE}])
    def test_that_is_not_there_costs_none(self, rungs):
        lab = lab_of(tokens=60_000, rungs=rungs)
        lab.tell({"a": "ok"})
        assert (lab.cargo.measured, lab.cargo.asked) == (0, [])


class TestTheTimeInLine:
    def test_is_on_the_attempt_and_its_event_if_there_was_any(self):
        lab = lab_of(rungs={"a": ONE, "b": ONE}, retry=NO_REPEAT)
        lab.occupy("a", 5)
        assert lab.tell({"a": "504", "b": "ok"}) == "line:5s a b fallback:2"
        assert lab.queued() == [5, None]
        assert [event.queued for event in lab.told(AttemptStarted)] == [5, None]

    def test_is_no_part_of_the_attempts_own(self):
        lab = lab_of(rungs={"a": ONE})
        lab.occupy("a", 5)
        lab.tell({"a": "ok@2"})
        (attempt,) = lab.call.route.attempts
        assert (attempt.queued, attempt.seconds) == (5, 2)

    def test_is_part_of_the_deadline(self):
        lab = lab_of("a", rungs={"a": ONE})
        lab.occupy("a", 25)
        lab.tell({"a": "ok"})
        assert [send.timeout for send in lab.sends] == [95]

    def test_leaves_the_last_rung_its_share(self):
        lab = lab_of(rungs={"a": {"at_once": 1, "queue": "1h"}})
        lab.occupy("a", 1000)
        assert lab.tell({"a": "ok", "b": "ok"}) == "line:90s b fallback:1"
        assert lab.skips() == ["a full"]
        assert [send.timeout for send in lab.sends] == [30]

    def test_leaves_an_attempt_time_to_live(self):
        lab = lab_of("a", rungs={"a": {"at_once": 1, "queue": "1h"}})
        lab.occupy("a", 119.9)
        assert lab.tell({"a": "hang"}) == "line:110s refused"
        assert lab.skips() == ["a full"]
        assert lab.limit("a").waiting == 0
        assert repr(lab.breaker("a")) == "<Breaker a: closed, 0 consecutive failures>"

    def test_can_use_up_the_deadline_of_a_call_that_failed_before(self):
        lab = lab_of(rungs={"b": {"at_once": 1, "queue": "1h"}}, retry={"passes": 1})
        lab.occupy("b", 1000)
        assert lab.tell({"a": "529@50"}) == "a line:60s exhausted:1"
        assert lab.skips() == ["b full"]
        assert lab.limit("b").waiting == 0

    def test_has_no_end_without_a_deadline_but_that_of_the_line(self):
        lab = lab_of("a", rungs={"a": {"at_once": 1, "queue": "1h"}}, retry={"deadline": "off"})
        lab.occupy("a", 3599)
        assert lab.tell({"a": "ok"}) == "line:3599s a primary:1"


class TestTheCircuit:
    def test_lends_no_probes_place_to_who_stands_in_line(self):
        lab = lab_of("a", rungs={"a": ONE})
        lab.breaker("a").open()
        lab.clock.advance(15)
        lab.occupy("a", 5)
        call = lab.begin()
        queue = call.next()
        assert isinstance(queue, Queue)
        assert (lab.breaker("a").state, lab.breaker("a").outlook()) == ("open", None)
        lab.pause(queue)
        assert isinstance(call.next(), Send)
        assert lab.breaker("a").state == "half_open"

    def test_that_is_open_is_not_stood_in_line_for(self):
        lab = lab_of(rungs={"a": ONE})
        lab.occupy("a", 5)
        lab.breaker("a").open()
        assert lab.tell({"b": "ok"}) == "b fallback:1"
        assert lab.skips() == ["a open"]

    def test_gives_no_last_resort_past_a_limit(self):
        lab = lab_of("a", rungs={"a": ONE}, retry=NO_REPEAT)
        lab.occupy("a", 60)
        lab.breaker("a").open()
        assert lab.tell({}) == "refused"
        assert (lab.limit("a").running, lab.limit("a").waiting) == (1, 0)
        lab.pass_time(60)
        lab.breaker("a").close()
        lab.breaker("a").open()
        assert lab.tell({"a": "504"}) == "a exhausted:1"
        assert lab.idle()

    def test_gives_no_last_resort_for_want_of_a_turn(self):
        lab = lab_of("ab", rungs={"a": NO_LINE}, retry=NO_REPEAT)
        lab.occupy("a", 60)
        lab.breaker("b").isolate()
        assert lab.tell({}) == "refused"
        assert lab.limit("a").running == 1


class TestWhenNobodyTookIt:
    def test_the_limits_are_told_with_the_circuits(self):
        lab = lab_of("abc", rungs={"a": NO_LINE, "c": NO_LINE})
        lab.occupy("a", 60)
        lab.occupy("c", 60)
        lab.breaker("b").isolate()
        assert lab.tell({}) == "refused"
        assert [(name, refusal.reason, refusal.why) for name, refusal in lab.finish.refusals] == [
            ("a", "full", "a"),
            ("b", "open", None),
            ("c", "full", "c"),
        ]

    def test_a_failure_of_a_model_is_still_what_the_caller_is_shown(self):
        lab = lab_of("ab", rungs={"b": NO_LINE}, retry=NO_REPEAT)
        lab.occupy("b", 60)
        assert lab.tell({"a": "529"}) == "a exhausted:1"
