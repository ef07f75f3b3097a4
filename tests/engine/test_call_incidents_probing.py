"""The tiny requests of an incident: which call sends one, what it means, and that none of them is ever in the way."""

from __future__ import annotations

import itertools

import pytest
from call_incident_lab import HOUR, down, in_incident, platform, short
from call_lab import NO_LINE, ONE, LabCargo, judged

from failover.engine import Call, Finish, Misfit, Ping, Send, Wait
from failover.events import IncidentEnded, IncidentProbed


def probes(lab):
    return [(event.model, event.answered) for event in lab.told(IncidentProbed)]


def due(models="ab", **options):
    """A program in an incident, whose next call's turn it is."""
    lab = in_incident(models, **{"calls": "fail_fast", **options})
    lab.clock.advance(30)
    return lab


class TestACallWhoseTurnItIs:
    def test_asks_and_is_served_once_the_incident_is_over(self):
        lab = due()
        lab.pings = {"a": "ok"}
        assert lab.tell({"a": "ok"}) == "ping:a ping:a a primary:1"
        (ended,) = lab.told(IncidentEnded)
        assert (ended.probes, ended.kept_back) == (2, 0)

    def test_begins_with_its_first_rung_whoever_answered(self):
        lab = due()
        assert lab.tell({}) == "ping:a refused"
        lab.clock.advance(30)
        lab.pings = {"b": "ok"}
        assert lab.tell({"a": "529", "b": "ok"}) == "ping:b ping:b a b fallback:2"

    def test_is_refused_after_one_that_failed(self):
        lab = due()
        assert lab.tell({}) == "ping:a refused"
        assert lab.tell({}) == "refused"

    def test_is_refused_after_one_that_failed_behind_one_that_was_answered(self):
        lab = due()
        lab.pings = {"a": "ok 529"}
        assert lab.tell({}) == "ping:a ping:a refused"
        lab.clock.advance(30)
        lab.pings = {"b": "ok"}
        assert lab.tell({"a": "ok"}) == "ping:b ping:b a primary:1"

    @pytest.mark.parametrize(("every", "timeout"), [("30s", "10s"), ("10s", "10s"), ("1s", "1s")])
    def test_is_refused_after_one_that_hung_however_long_that_took(self, every, timeout):
        lab = due(incident={"probe": {"every": every, "timeout": timeout}})
        lab.pings = {"a": "hang", "b": "hang"}
        assert lab.tell({}) == "ping:a refused"

    def test_waits_after_one_that_hung_like_everybody(self):
        lab = in_incident(retry={**HOUR, "deadline": "5m"}, incident={"probe": {"every": "10s", "timeout": "10s"}})
        lab.pings = {"a": "hang", "b": "hang"}
        story = short(lab.tell({}))
        assert story.removesuffix(" refused").split()[:6] == ["wait", "ping:a", "wait", "ping:b", "wait", "ping:a"]
        assert len(probes(lab)) <= 15

    def test_asks_for_as_long_as_the_policy_says_and_no_longer_than_it_lives(self):
        lab = due(incident={"probe": {"timeout": "7s"}})
        call = lab.begin()
        assert call.next().seconds == 7
        lab = due(retry={**HOUR, "deadline": "3s"})
        assert lab.begin().next().seconds == 3

    def test_sends_nothing_of_its_own_meanwhile(self):
        lab = due()
        call = lab.begin()
        action = call.next()
        assert isinstance(action, Ping)
        assert lab.cargo.asked == []
        assert call.route is None
        call.pinged(action, judged("ok", "a"))
        again = call.next()
        assert isinstance(again, Ping)
        call.pinged(again, judged("ok", "a"))
        assert isinstance(call.next(), Send)

    def test_goes_round_the_models_from_call_to_call(self):
        lab = in_incident("abc", calls="fail_fast")
        stories = []
        for _ in range(5):
            lab.clock.advance(30)
            stories.append(lab.tell({}))
        assert stories == [f"ping:{model} refused" for model in "abcab"]

    def test_asks_a_model_that_could_not_take_its_own_request(self):
        lab = due("ab")
        lab.cargo = LabCargo(unfit={"b": Misfit("unfit", "images")})
        lab.tell({})
        lab.clock.advance(30)
        assert lab.tell({}) == "ping:b refused"


class TestWhatComesBack:
    @pytest.mark.parametrize("word", ["ok", "400", "401", "403", "404", "413", "429", "429:60", "too_long"])
    def test_from_the_api_itself_is_an_answer(self, word):
        lab = due()
        lab.pings = {"a": word}
        assert lab.tell({"a": "ok"}) == "ping:a ping:a a primary:1"
        assert probes(lab) == [("a", True)] * 2

    @pytest.mark.parametrize("word", ["500", "502", "503", "504", "529", "408", "connection_error", "hang"])
    def test_from_a_platform_that_fails_is_none(self, word):
        lab = due()
        lab.pings = {"a": word}
        assert lab.tell({}) == "ping:a refused"
        assert probes(lab) == [("a", False)]

    @pytest.mark.parametrize("counts", ["neutral", "open"])
    def test_is_no_answer_if_it_is_a_failure_that_the_policy_calls_otherwise(self, counts):
        lab = due(errors={"overloaded_error": {"counts": counts}}, begin_with="500")
        assert lab.tell({}) == "ping:a refused"
        assert probes(lab) == [("a", False)]

    @pytest.mark.parametrize("kind", ["pool_timeout", "circuit_open"])
    def test_is_none_if_nobody_was_asked(self, kind):
        lab = due()
        call = lab.begin()
        nobody = judged("401", "a")._replace(status=None, error_type=kind, kind=None)
        call.pinged(call.next(), nobody)
        assert isinstance(call.next(), Finish)
        assert probes(lab) == [("a", False)]

    def test_moves_no_circuit(self):
        lab = due()
        before = [repr(breaker) for breaker in lab.board.breakers()]
        lab.pings = {"a": "404"}
        call = lab.begin()
        for word in ("ok", "529"):
            action = call.next()
            call.pinged(action, judged(word, "a"))
        assert isinstance(call.next(), Finish)
        assert [repr(breaker) for breaker in lab.board.breakers()] == before


class TestATurnThatIsLost:
    @pytest.mark.parametrize("how", ["cancelled", "failed", "garbage"])
    def test_is_followed_by_the_next_one(self, how):
        lab = due()
        call = Call(lab.plan, lab.services, lab.cargo)
        action = call.next()
        assert isinstance(action, Ping)
        if how != "garbage":
            call.abandon(how)
            assert call.route.outcome == how
        del call, action
        stories = []
        while lab.tell({}) == "refused":
            stories.append(lab.clock.advance(5))
        assert 5 <= len(stories) <= 12
        assert probes(lab) == [("b", False)]

    def test_lets_go_of_its_place_in_the_bulkheads(self):
        lab = due(rungs={"a": ONE})
        call = lab.begin()
        assert isinstance(call.next(), Ping)
        call.abandon("cancelled")
        assert lab.idle()


class TestTheEnd:
    def test_lets_a_probe_through_each_circuit_that_had_failed(self):
        lab = in_incident(
            "ab", calls="fail_fast", breaker={"trip": {"consecutive_failures": 1}, "open_for": {"first": "5m"}}
        )
        assert lab.breaker("a").outlook().retry_in > 200
        lab.clock.advance(30)
        lab.pings = {"a": "ok"}
        assert lab.tell({"a": "ok"}) == "ping:a ping:a a primary:1"
        assert lab.breaker("b").outlook() is None

    def test_does_not_touch_a_circuit_that_is_held_open_by_hand(self):
        lab = in_incident("ab", calls="fail_fast")
        lab.breaker("a").isolate()
        lab.clock.advance(30)
        lab.pings = {"b": "ok"}
        assert lab.tell({"b": "ok"}) == "ping:b ping:b b fallback:1"
        assert lab.breaker("a").outlook().retry_in is None

    def test_does_not_shorten_what_a_server_asked_for(self):
        lab = in_incident("ab", calls="fail_fast")
        lab.breaker("a").cool(judged("429:600", "a"), 600)
        lab.clock.advance(30)
        lab.pings = {"b": "ok"}
        assert lab.tell({"b": "ok"}) == "ping:b ping:b b fallback:1"
        assert lab.breaker("a").outlook().retry_in > 500

    def test_that_was_too_early_is_followed_by_the_next_incident(self):
        """A tiny request is answered, and real ones are not."""
        lab = due()
        lab.pings = {"a": "ok", "b": "ok"}
        assert lab.tell(down("ab")) == "ping:a ping:a a b exhausted:1"
        assert lab.tell(down("ab")) == "refused"
        lab.clock.advance(30)
        assert lab.tell({"a": "ok"}) == "ping:a ping:a a primary:1"
        assert len(lab.told(IncidentEnded)) == 2

    @pytest.mark.parametrize("successes", [1, 3])
    def test_takes_as_many_answers_as_the_policy_says(self, successes):
        lab = due(incident={"probe": {"successes": successes}})
        lab.pings = {"a": "ok"}
        assert lab.tell({"a": "ok"}) == "ping:a " * successes + "a primary:1"


class TestAModelThatIsHeldOpen:
    @pytest.mark.parametrize("how", ["by hand", "as the server asked", "because it is gone"])
    def test_is_not_probed(self, how):
        lab = in_incident("ab", calls="fail_fast")
        if how == "by hand":
            lab.breaker("a").isolate()
        else:
            lab.breaker("a").cool(judged("429", "a"), 600)
        lab.clock.advance(30)
        assert lab.tell({}) == "ping:b refused"

    def test_is_probed_once_the_time_is_over_that_the_server_asked_for(self):
        lab = in_incident("ab", calls="fail_fast")
        for model in "ab":
            lab.breaker(model).cool(judged("429", model), 60)
        lab.clock.advance(59)
        assert lab.tell({}) == "refused"
        lab.clock.advance(2)
        lab.pings = {"a": "ok"}
        assert lab.tell({"a": "ok"}) == "ping:a ping:a a primary:1"

    def test_leaves_the_others_to_be_found_out(self):
        lab = in_incident("ab", calls="fail_fast")
        for breaker in lab.board.breakers():
            breaker.isolate()
        lab.clock.advance(30)
        assert lab.tell({}) == "refused"
        lab.breaker("b").close()
        lab.pings = {"b": "ok"}
        assert lab.tell({"b": "ok"}) == "ping:b ping:b b fallback:1"


def test_fifty_calls_that_wait_send_one_probe_at_a_time_at_the_pace():
    lab = in_incident("ab")
    calls = [Call(lab.plan, lab.services, LabCargo()) for _ in range(50)]
    waiting = [(0.0, index) for index in range(50)]
    start, sent = lab.clock.now(), []
    while lab.clock.now() - start < 300:
        at, index = waiting.pop(0)
        lab.clock.advance(max(0.0, start + at - lab.clock.now()))
        action = calls[index].next()
        if isinstance(action, Ping):
            sent.append(lab.clock.now() - start)
            calls[index].pinged(action, judged("529", "a"))
            action = calls[index].next()
        assert isinstance(action, Wait)
        waiting.append((at + action.seconds, index))
        waiting.sort()
    assert len(sent) == 9
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(sent))
    assert max(later - earlier for earlier, later in itertools.pairwise(sent)) < 32


def test_no_place_in_a_bulkhead_is_needed_or_kept_for_a_probe():
    lab = due(rungs={"a": NO_LINE, "b": NO_LINE})
    for model in "ab":
        lab.occupy(model, 1000)
    lab.pings = {"a": "ok"}
    assert lab.tell({}) == "ping:a ping:a refused"
    assert lab.skips()[-2:] == ["a full", "b full"]
    lab.pass_time(1000)
    assert lab.idle()


def test_a_program_can_be_asked_what_it_is_in():
    lab = platform(calls="fail_fast")
    lab.tell(down("ab"))
    (found,) = lab.incidents.now_open()
    assert (found.client, found.cause, found.models) == ("default", "models", ("a", "b"))
