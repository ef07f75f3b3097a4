"""Calls while an incident lasts: how long they wait, who serves them meanwhile, and that they are served after it."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest
from call_incident_lab import HOUR, down, in_incident, platform, short, streaming_platform
from call_lab import NO_LINE, ONE, LabCargo, judged

from failover.engine import Begun, Call, Finish, Misfit, Ping, Send, Wait
from failover.events import CallFinished, IncidentEnded, IncidentStarted, ModelSkipped, StreamInterrupted


class TestACallThatMayWait:
    def test_is_served_when_it_is_over(self):
        lab = in_incident()
        lab.pings = {"a": "529 529 ok", "b": "529"}
        assert (
            short(lab.tell({"a": "ok"}))
            == "wait ping:a wait ping:b wait ping:a wait ping:b wait ping:a ping:a a primary:1"
        )
        assert lab.call.route.outcome == "primary"

    def test_waits_also_if_it_was_the_one_that_found_out(self):
        lab = platform()
        lab.pings = {"a": "ok"}
        assert short(lab.tell({"a": "529 ok", "b": "529"})) == "a b wait ping:a ping:a a primary:3"

    def test_waits_for_hours_if_it_has_them(self):
        lab = in_incident(retry={**HOUR, "deadline": "off"})
        lab.pings = {"a": "529 " * 60 + "ok", "b": "529"}
        assert lab.tell({"a": "ok"}).endswith("ping:a ping:a a primary:1")
        assert lab.call.route.waited == pytest.approx(120 * 30 + 30, rel=0.1)

    @pytest.mark.parametrize("deadline", [1, 29, 31, 95, 100, 120, 300])
    @pytest.mark.parametrize("reserve", [0, 20])
    def test_gives_up_at_its_deadline_and_not_before_it_is_of_no_use(self, deadline, reserve):
        lab = in_incident(retry={**HOUR, "deadline": deadline, "reserve": min(reserve, deadline / 2)})
        start = lab.clock.now()
        assert short(lab.tell({})).split()[-1] == "refused"
        assert deadline - 1 <= lab.clock.now() - start <= deadline + 1

    @pytest.mark.parametrize("deadline", [40, 60, 90, 95, 99, 100, 119, 120])
    def test_that_has_sent_something_gives_up_when_nothing_could_be_sent_any_more(self, deadline):
        """After the first attempt none is started that could not live for half of the reserve."""
        lab = platform(retry={**HOUR, "deadline": deadline, "reserve": 20})
        start = lab.clock.now()
        assert lab.tell(down("ab")).endswith("exhausted:1")
        assert deadline - 15 <= lab.clock.now() - start <= deadline
        assert len(lab.told(ModelSkipped)) <= 4

    @pytest.mark.parametrize("deadline", [60, 95, 100, 600])
    @pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
    def test_looks_now_and_then_and_not_all_the_time(self, deadline, chance):
        lab = platform(retry={**HOUR, "deadline": deadline, "reserve": 20}, random=lambda: chance)
        looks = lab.tell(down("ab")).split()
        assert len(looks) <= deadline
        waits = [float(look[:-1]) for look in looks if look.endswith("s")]
        assert max(waits) <= 5.01
        assert sum(wait < 0.4 for wait in waits) <= 1

    def test_notices_an_end_that_somebody_else_has_found(self):
        lab = in_incident()
        waiting = lab.begin()
        lab.pause(waiting.next())
        lab.incidents.answered("default", lab.board.breaker("c"))
        for breaker in lab.board.breakers():
            breaker.close()
        action = waiting.next()
        assert isinstance(action, Send)
        waiting.report(judged("ok", "a"))
        assert waiting.next().outcome == "primary"

    def test_waits_longer_than_the_policys_passes_and_budget_would_let_it(self):
        lab = in_incident(retry={**HOUR, "passes": 1, "budget": {"ratio": "1%", "min_per_second": 0}})
        lab.pings = {"a": "529 529 529 ok", "b": "529"}
        assert lab.tell({"a": "ok"}).endswith("primary:1")

    def test_takes_no_budget_from_others_by_waiting(self):
        lab = in_incident(retry={**HOUR, "budget": {"ratio": "1%", "min_per_second": 0.1}})
        lab.pings = {"a": "529 " * 20 + "ok", "b": "529"}
        lab.tell({"a": "ok"})
        assert lab.services.budget.take(lab.clock.now())

    def test_is_cancelled_like_any_other(self):
        lab = in_incident()
        call = lab.begin()
        lab.pause(call.next())
        call.abandon("cancelled")
        assert call.route.outcome == "cancelled"
        assert call.route.waited > 0


class TestACallThatMustNotWait:
    def test_fails_at_once(self):
        lab = in_incident(calls="fail_fast")
        assert lab.tell({}) == "refused"
        assert lab.call.route.waited == 0

    def test_fails_at_once_with_its_own_error_if_it_has_one(self):
        lab = platform(calls="fail_fast")
        assert lab.tell({"a": "500", "b": "529"}) == "a b exhausted:1"
        assert lab.told(CallFinished)[0].error_type == "500"

    def test_fails_at_once_also_with_more_passes_and_tries_left(self):
        lab = platform(calls="fail_fast", retry={**HOUR, "tries": 3, "passes": 5})
        assert lab.tell({"a": "504", "b": "504"}) == "a b exhausted:1"

    def test_is_shown_what_the_requested_model_says_of_the_request(self):
        lab = platform("ab", calls="fail_fast")
        assert lab.tell({"a": "400"}) == "a failed:1"


class Crowd:
    """Many calls that begin within a minute, while the platform is down for some minutes more."""

    def __init__(self, count, *, up_after=200.0, answer_takes=2.0, **options):
        chance = random.Random(count)
        self.lab = in_incident(random=chance.random, **options)
        self.up_at = self.lab.clock.now() + up_after
        self.answer_takes = answer_takes
        self.outcomes = Counter()
        self.sends = 0
        self._queue = [(self.lab.clock.now() + chance.random() * 60, index, None) for index in range(count)]
        self._calls = {}

    def run(self):
        heapq.heapify(self._queue)
        while self._queue:
            at, index, action = heapq.heappop(self._queue)
            self.lab.clock.advance(max(0.0, at - self.lab.clock.now()))
            self.step(index, action)
        return self.lab.clock.now() - self.up_at

    def step(self, index, action):
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = Call(self.lab.plan, self.lab.services, LabCargo())
        word = "ok" if self.lab.clock.now() >= self.up_at else "529"
        if isinstance(action, Send):
            call.report(judged(word, action.candidate.rung.model))
        elif isinstance(action, Ping):
            call.pinged(action, judged(word, action.candidate.rung.model))
        action = call.next()
        self.sends += isinstance(action, Send)
        if isinstance(action, Finish):
            self.outcomes[action.outcome] += 1
            return
        seconds = action.seconds if isinstance(action, Wait) else self.answer_takes if isinstance(action, Send) else 0.3
        heapq.heappush(self._queue, (self.lab.clock.now() + seconds, index, action))


class TestACrowd:
    @pytest.mark.parametrize("count", [5, 50, 300])
    @pytest.mark.parametrize("answer_takes", [2.0, 30.0])
    def test_that_has_waited_is_served_to_the_last_call(self, count, answer_takes):
        crowd = Crowd(count, answer_takes=answer_takes, retry={"deadline": "30m"})
        late = crowd.run()
        assert sum(crowd.outcomes[name] for name in ("primary", "fallback")) == count
        assert crowd.sends == count
        assert late < 30 + 10 * answer_takes + 60
        (ended,) = crowd.lab.told(IncidentEnded)
        assert ended.kept_back == count

    def test_that_gives_up_before_the_end_is_refused_and_has_sent_nothing(self):
        crowd = Crowd(50, up_after=10_000, retry={"deadline": "2m"})
        crowd.run()
        assert crowd.outcomes == {"refused": 50}
        assert crowd.sends == 0


ON_BEDROCK = {"b": "bedrock"}
"""Where the rung b of the ladder a, b, c is."""


class TestAnotherClient:
    def test_serves_while_it_lasts(self):
        lab = in_incident("abc", of="ac", clients=ON_BEDROCK)
        assert lab.tell({"b": "ok"}) == "b fallback:1"
        assert lab.skips() == ["a incident"]

    def test_serves_a_call_that_has_asked_whether_it_is_over(self):
        lab = in_incident("abc", of="ac", clients=ON_BEDROCK)
        lab.clock.advance(30)
        assert lab.tell({"b": "ok"}) == "ping:a b fallback:1"
        assert lab.tell({"b": "ok"}) == "b fallback:1"

    def test_is_in_an_incident_of_its_own(self):
        lab = in_incident("abcd", of="ac", clients={"b": "bedrock", "d": "bedrock"}, calls="fail_fast")
        assert lab.tell(down("bd")) == "b d exhausted:1"
        assert [event.client for event in lab.told(IncidentStarted)] == ["bedrock"]
        assert lab.tell({}) == "refused"
        assert {refusal.incident.client for _, refusal in lab.finish.refusals} == {"default", "bedrock"}

    def test_that_is_down_alone_lets_the_caller_s_own_serve(self):
        lab = in_incident("abcd", of="bd", clients={"b": "bedrock", "d": "bedrock"})
        assert lab.tell({"a": "529", "c": "ok"}) == "a c fallback:2"

    @pytest.mark.parametrize("word", ["401", "402", "403"])
    def test_whose_account_refuses_is_no_way_out(self, word):
        lab = in_incident("abc", of="ac", clients=ON_BEDROCK, calls="fail_fast")
        assert lab.tell({"b": word}) == "b failed:1"

    def test_that_cannot_take_the_request_is_no_way_out(self):
        lab = in_incident("abc", of="ac", clients=ON_BEDROCK, calls="fail_fast")
        lab.cargo = LabCargo(unfit={"b": Misfit("unfit", "images")})
        assert lab.tell({}) == "refused"
        assert lab.skips() == ["a incident", "b unfit", "c incident"]

    def test_that_is_full_is_waited_for_and_nobody_keeps_a_place(self):
        lab = in_incident("abc", of="ac", clients=ON_BEDROCK, rungs={"a": NO_LINE, "b": ONE, "c": NO_LINE})
        lab.occupy("bedrock/b", 20)
        assert lab.tell({"b": "ok"}) == "line:20s b fallback:1"
        assert lab.idle()


class TestALastResort:
    def test_is_not_sent_to_a_client_in_an_incident(self):
        resort = {"trip": {"consecutive_failures": 1, "failure_rate": "off"}, "last_resort": "1s"}
        lab = in_incident("ab", calls="fail_fast", breaker=resort)
        lab.clock.advance(20)
        assert lab.tell({}) == "refused"

    def test_is_sent_to_another_client(self):
        resort = {"trip": {"consecutive_failures": 1, "failure_rate": "off"}, "last_resort": "1s"}
        lab = in_incident("abc", of="ac", clients={"b": "bedrock"}, calls="fail_fast", breaker=resort)
        lab.board.breaker("b", "bedrock").open()
        assert lab.tell({"b": "ok"}) == "b fallback:1"


class TestAStream:
    def test_that_breaks_is_not_taken_over_by_who_is_kept_back(self):
        lab = streaming_platform("abc", calls="wait")
        call = lab.begin()
        assert isinstance(call.next(), Send)
        call.begin(judged("ok", "a"))
        assert isinstance(call.next(), Begun)
        lab.clock.advance(31)
        for model in "abc":
            lab.incidents.failed("default", model, lab.breaker(model), judged("529", model))
            lab.breaker(model).open()
        lab.incidents.found_nobody("default", lab.board.breakers())
        broken = judged("529", "a")._replace(status=200, stream="error")
        call.report(broken, resume="restart")
        assert (call.next().outcome, call.next().attempt) == ("interrupted", 1)
        assert lab.told(StreamInterrupted)[0].why == "no_rung"

    def test_that_breaks_as_it_begins_is_taken_over_by_another_client(self):
        lab = streaming_platform("abc", clients={"c": "bedrock"})
        call = lab.begin()
        call.next()
        call.begin(judged("ok", "a"))
        call.next()
        lab.clock.advance(31)
        for model in "ab":
            lab.incidents.failed("default", model, lab.breaker(model), judged("529", model))
            lab.breaker(model).open()
        lab.incidents.found_nobody("default", [lab.breaker("a"), lab.breaker("b")])
        call.report(judged("529", "a")._replace(status=200, stream="error"), resume="restart")
        assert call.next().candidate.rung.model == "c"

    def test_that_begins_well_after_the_incident_is_a_call_like_any_other(self):
        lab = in_incident(kind=type(streaming_platform()))
        lab.pings = {"a": "ok"}
        assert short(lab.tell({"a": "~complete"})) == "wait ping:a ping:a a~ primary:1"


class TestAThread:
    def test_is_handed_back_to_its_caller_if_another_client_could_take_it_whole(self):
        lab = in_incident("abc", of="ac", clients={"b": "bedrock"})
        lab.cargo = LabCargo(unfit={"b": Misfit("unfit", "thread: of another model", rethread=True)})
        assert lab.tell({}) == "rethreaded"

    def test_waits_with_its_model_if_nobody_else_could(self):
        lab = in_incident("ab")
        lab.cargo = LabCargo(unfit={"b": Misfit("unfit", "thread: of another model", rethread=True)})
        lab.pings = {"a": "ok"}
        assert short(lab.tell({"a": "ok"})) == "wait ping:a ping:a a primary:1"


def test_a_long_answer_may_take_the_time_that_it_needs_after_the_wait():
    lab = in_incident(retry={**HOUR, "deadline": "2m", "long_answers": "stretch"})
    lab.pings = {"a": "ok"}
    lab.tell({"a": "ok@500"}, least=600.0)
    assert lab.call.route.outcome == "primary"
    assert lab.sends[0].timeout == 60.0  # a probe's lease


def test_a_prompt_that_shrinks_is_shrunk_for_the_answers_and_not_for_the_probes():
    shrink = {"when": ["timeout_error"], "after_tries": 1, "steps": ["drop_turns"]}
    lab = platform("ab", shrink=shrink, retry={**HOUR, "passes": 1})
    lab.cargo = LabCargo(1000)
    lab.pings = {"a": "504 ok", "b": "504"}
    story = short(lab.tell({"a": "504 ok", "b": "504"}))
    assert story == "a b wait ping:a wait ping:b wait ping:a ping:a a primary:3"
    assert lab.cargo.done == ("1000 to 500", "500 to 250")
