"""A call's turn before a bulkhead: held for as long as an attempt is out, for that rung alone, and always given back."""

from __future__ import annotations

import pytest
from call_lab import NO_LINE, ONE, judged, lab_of
from call_stream_lab import StreamLab, begun, ended

from failover.engine import Begun, Finish, Queue, Send


class TestATicket:
    def test_is_held_from_before_the_attempt_to_its_end(self):
        lab = lab_of("a", rungs={"a": ONE})
        call = lab.begin()
        send = call.next()
        assert (isinstance(send, Send), lab.limit("a").running) == (True, 1)
        lab.answer(send, "ok@5")
        assert lab.idle()
        assert isinstance(call.next(), Finish)

    @pytest.mark.parametrize("answer", ["ok", "500", "504", "429:60", "429:3", "400", "401", "404", "too_long", "hang"])
    def test_comes_back_whatever_the_answer(self, answer):
        lab = lab_of("a", rungs={"a": ONE})
        lab.tell({"a": answer})
        assert lab.idle()

    def test_is_not_held_while_the_call_waits(self):
        lab = lab_of("ab", rungs={"a": ONE, "b": ONE}, retry={"tries": 2})
        call = lab.begin()
        for word in ("500", "500", "500", "500"):
            while not isinstance(action := call.next(), Send):
                assert lab.idle()
                lab.pause(action)
            assert not lab.idle()
            lab.answer(action, word)
        assert lab.idle()

    def test_is_asked_for_anew_before_a_repeat_in_place(self):
        lab = lab_of("a", rungs={"a": ONE})
        call = lab.begin()
        lab.answer(call.next(), "500")
        lab.pause(call.next())
        lab.occupy("a", 3)
        assert lab.pause(call.next()) == "line:3s"
        lab.answer(call.next(), "ok")
        assert isinstance(call.next(), Finish)
        assert lab.queued() == [None, 3]

    def test_of_a_stream_comes_back_at_its_end_and_not_before(self):
        lab = lab_of("a", kind=StreamLab, rungs={"a": ONE})
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        assert isinstance(call.next(), Begun)
        lab.clock.advance(60)
        assert lab.limit("a").running == 1
        call.report(ended("complete", "a"))
        assert lab.idle()

    @pytest.mark.parametrize("end", ["cut", "overloaded_error"])
    def test_of_a_stream_that_breaks_comes_back_before_another_rung_takes_over(self, end):
        lab = lab_of("ab", kind=StreamLab, tokens=60_000, bulkheads={"large": {"over": 1, "at_once": 1}})
        assert lab.tell({"a": f"~{end}", "b": "~complete"}, resume="restart") == "a~ b~ fallback:2"
        assert lab.idle()

    @pytest.mark.parametrize(("busy", "story"), [(5, "a~ line:5s b~ fallback:2"), (60, "a~ line:30s interrupted:1")])
    def test_is_stood_in_line_for_by_who_takes_a_stream_over(self, busy, story):
        lab = lab_of("ab", kind=StreamLab, rungs={"b": ONE})
        lab.occupy("b", busy)
        assert lab.tell({"a": "~cut", "b": "~complete"}, resume="restart") == story
        lab.pass_time(60)
        assert lab.idle()

    @pytest.mark.parametrize("outcome", ["cancelled", "failed"])
    def test_comes_back_when_a_call_is_given_up_under_way(self, outcome):
        lab = lab_of("a", rungs={"a": ONE})
        call = lab.begin()
        call.next()
        call.abandon(outcome)
        assert lab.idle()
        lab = lab_of("a", rungs={"a": ONE})
        call = lab.begin()
        call.next()
        call.begin(begun("a"))
        call.next()
        call.abandon(outcome, begun("a"))
        assert lab.idle()

    def test_is_given_up_with_its_place_in_line(self):
        lab = lab_of("a", rungs={"a": ONE})
        lab.occupy("a", 5)
        call = lab.begin()
        assert isinstance(call.next(), Queue)
        assert lab.limit("a").waiting == 1
        call.abandon("cancelled")
        assert lab.limit("a").waiting == 0
        lab.pass_time(5)
        assert lab.idle()
        assert call.route.outcome == "cancelled"

    def test_that_came_while_the_call_was_given_up_goes_to_the_next(self):
        lab = lab_of("a", rungs={"a": ONE})
        lab.occupy("a", 5)
        first, second = lab.begin(), lab.begin()
        first.next()
        place = second.next().place
        lab.pass_time(5)
        assert place.ticket is None
        first.abandon("cancelled")
        assert place.ticket is not None
        assert isinstance(second.next(), Send)
        second.report(judged("ok", "a"))
        assert lab.idle()


class TestATurnThatIsOfAnother:
    """What is held for one rung is never used for the next."""

    def test_comes_too_late_and_the_next_rungs_own_limit_holds(self):
        lab = lab_of(rungs={"a": {"at_once": 1, "queue": "1h"}, "b": NO_LINE})
        lab.occupy("a", 100)
        lab.occupy("b", 1000)
        assert lab.tell({}) == "line:90s refused"
        assert lab.skips() == ["a full", "b full"]
        assert lab.limit("a").waiting == 0

    def test_is_given_back_when_a_circuit_opens_meanwhile(self):
        lab = lab_of(rungs={"a": ONE})
        lab.occupy("a", 5)
        call = lab.begin()
        queue = call.next()
        lab.breaker("a").open()
        lab.pause(queue)
        send = call.next()
        assert (send.candidate.rung.model, lab.skips()) == ("b", ["a open"])
        assert lab.idle()

    def test_and_when_others_took_the_probes_place(self):
        lab = lab_of(rungs={"a": ONE})
        lab.breaker("a").open()
        lab.clock.advance(15)
        lab.occupy("a", 5)
        call = lab.begin()
        queue = call.next()
        lab.breaker("a").admit()
        lab.pause(queue)
        assert call.next().candidate.rung.model == "b"
        assert lab.skips() == ["a probing"]
        assert lab.idle()


def test_those_in_line_go_in_the_order_in_which_they_came():
    lab = lab_of("a", rungs={"a": ONE})
    lab.occupy("a", 1)
    calls = [lab.begin() for _ in range(5)]
    queues = [call.next() for call in calls]
    lab.pass_time(1)
    order = []
    while len(order) < 5:
        (turn,) = [n for n, queue in enumerate(queues) if queue.place.ticket is not None and n not in order]
        order.append(turn)
        assert isinstance(calls[turn].next(), Send)
        calls[turn].report(judged("ok", "a"))
    assert order == [0, 1, 2, 3, 4]
    assert lab.idle()
