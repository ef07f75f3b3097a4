"""When circuits refuse: what is skipped, who may try as a last resort, when waiting makes sense, and giving up."""

from __future__ import annotations

import pytest
from call_lab import CallLab, judged

from failover.engine import Finish, Refusal, Send, Wait
from failover.events import AttemptStarted, CallFinished, ModelSkipped

OFF = {"last_resort": "off"}


def down(lab):
    """Every circuit is open for its first 15 seconds."""
    for breaker in lab.board.breakers():
        breaker.open()
    return lab


def reasons(lab):
    return [event.reason for event in lab.told(AttemptStarted)]


def test_an_open_circuit_is_passed_over_at_once_and_said_so():
    lab = CallLab("abc")
    lab.breaker("a").open()
    assert lab.tell({"b": "ok"}) == "b fallback:1"
    (skip,) = lab.told(ModelSkipped)
    assert (skip.model, skip.breaker, skip.state, skip.retry_in, skip.reason) == ("a", "a", "open", 15.0, "open")
    assert lab.call.route.skipped == ("a",)


def test_one_call_probes_and_the_others_go_on_meanwhile():
    lab = CallLab("ab")
    lab.breaker("a").open()
    lab.clock.advance(15)
    probing = lab.begin()
    send = probing.next()
    assert send.candidate.rung.model == "a"
    assert lab.tell({"b": "ok"}) == "b fallback:1"
    assert lab.told(ModelSkipped)[-1].reason == "probing"
    probing.report(judged("ok", "a"))
    assert reasons(lab) == ["probe", "fallback"]


@pytest.mark.parametrize(("answer", "state"), [("ok", "half_open"), ("500", "open"), ("400", "half_open")])
def test_a_probes_answer_is_the_callers_answer_as_well(answer, state):
    lab = CallLab("ab")
    lab.breaker("a").open()
    lab.clock.advance(15)
    lab.tell({"a": answer, "b": "ok"})
    assert lab.breaker("a").state == state


def test_with_every_circuit_open_one_call_tries_all_the_same():
    lab = down(CallLab("ab"))
    assert lab.tell({"a": "ok"}) == "a primary:1"
    assert reasons(lab) == ["last_resort"]
    assert lab.breaker("a").state == "half_open"


def test_a_last_resort_that_fails_waits_for_the_next_pass_like_everybody():
    lab = down(CallLab("ab"))
    assert lab.tell({"a": "500", "b": "500"}) == "a 3.75s b 7.5s a exhausted:1"
    assert reasons(lab) == ["last_resort"] * 3


def test_calls_that_may_not_try_wait_for_their_turn():
    lab = down(CallLab("ab"))
    first = lab.begin()
    assert isinstance(first.next(), Send)
    assert lab.tell({"b": "ok"}) == "3.75s b fallback:1"


def test_a_call_that_was_answered_by_nobody_says_which_circuits_refused_and_for_how_long():
    lab = CallLab("ab", breaker=OFF, retry={"passes": 1})
    lab.tell({"a": "500", "b": "500"})
    lab.tell({"a": "500", "b": "500"})
    lab.tell({"a": "500", "b": "500"})
    assert lab.tell({}) == "refused"
    (first, refusal), (second, _) = lab.finish.refusals
    assert (first, second) == ("a", "b")
    assert (refusal.state, refusal.retry_in, refusal.request_id) == ("open", 15.0, "req_a_500")
    assert lab.call.route.attempts == ()
    assert lab.told(CallFinished)[-1].error_type == "circuit_open"


def test_without_last_resorts_a_call_waits_only_for_a_circuit_that_may_let_it_through_in_time():
    near = {**OFF, "open_for": {"first": "10s", "max": "10s"}}
    assert down(CallLab("a", breaker=near)).tell({"a": "ok"}) == "10s a primary:1"
    far = {**OFF, "open_for": {"first": "100s", "max": "100s"}}
    assert down(CallLab("a", breaker=far)).tell({}) == "refused"


@pytest.mark.parametrize("reason", ["isolated", "rate-limited"])
def test_nobody_waits_without_hope(reason):
    lab = CallLab("ab")
    for model in "ab":
        if reason == "isolated":
            lab.breaker(model).isolate()
        else:
            lab.breaker(model).admit().report(judged("429", model), seconds=1, open_for=3600)
    assert lab.tell({}) == "refused"
    retries = [refusal.retry_in for _, refusal in lab.finish.refusals]
    assert retries == ([None, None] if reason == "isolated" else [3600, 3600])


def test_one_circuit_that_may_be_tried_is_hope_enough():
    lab = CallLab("ab")
    lab.breaker("a").isolate()
    lab.breaker("b").open()
    assert lab.tell({"b": "ok"}) == "b fallback:1"
    assert reasons(lab) == ["last_resort"]


def test_an_account_that_refuses_is_skipped_with_its_reason():
    lab = CallLab("abc", clients={"c": "bedrock"})
    assert lab.tell({"a": "401", "c": "ok"}) == "a c fallback:2"
    assert [(skip.model, skip.reason) for skip in lab.told(ModelSkipped)] == [("b", "account")]


def test_a_ramp_sends_a_call_on_and_the_last_rung_takes_it_after_all():
    ramp = {"ramp": {"over": "100s", "from": "10%"}, "probe": {"successes": 1}}
    lab = CallLab("ab", breaker=ramp)
    lab.breaker("a").open()
    lab.clock.advance(15)
    assert lab.tell({"a": "ok"}) == "a primary:1"
    assert lab.tell({"b": "ok"}) == "b fallback:1"
    assert lab.told(ModelSkipped)[-1].reason == "ramp"
    lab.breaker("b").isolate()
    assert lab.tell({"a": "ok"}) == "a primary:1"
    assert lab.tell({"a": "500 ok"}) == "a 3.75s a primary:2"


def test_a_ramp_never_refuses_the_last_rung_also_without_last_resorts():
    lab = CallLab("a", random=lambda: 0.99, breaker={**OFF, "ramp": {"over": "1h", "from": "1%"}})
    lab.breaker("a").open()
    lab.breaker("a").close()
    assert lab.tell({"a": "ok"}) == "a primary:1"


# --- giving up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["cancelled", "failed"])
def test_a_call_that_is_given_up_gives_its_probe_back(outcome):
    lab = CallLab("a")
    lab.breaker("a").open()
    lab.clock.advance(15)
    call = lab.begin()
    call.next()
    assert lab.breaker("a").outlook().reason == "probing"
    call.abandon(outcome)
    assert lab.breaker("a").outlook() is None
    assert (lab.breaker("a").state, call.route.outcome) == ("half_open", outcome)


def test_a_call_may_be_given_up_while_it_waits_and_more_than_once():
    lab = CallLab("ab")
    call = lab.begin()
    lab.answer(call.next(), "500")
    assert isinstance(call.next(), Wait)
    call.abandon("cancelled")
    call.abandon("failed")
    assert call.next() == Finish("cancelled", None)
    assert [event.outcome for event in lab.told(CallFinished)] == ["cancelled"]
    assert [attempt.status for attempt in call.route.attempts] == [500]


def test_giving_up_a_call_that_is_over_changes_nothing():
    lab = CallLab("a")
    lab.tell({"a": "ok"})
    lab.call.abandon("cancelled")
    assert lab.call.route.outcome == "primary"
    assert lab.call.next() == lab.finish


def test_an_answer_to_nothing_is_refused():
    lab = CallLab("a")
    call = lab.begin()
    with pytest.raises(RuntimeError, match="without a Send"):
        call.report(judged("ok", "a"))
    lab.answer(call.next(), "ok")
    with pytest.raises(RuntimeError, match="without a Send"):
        call.report(judged("ok", "a"))


def test_an_answer_after_giving_up_is_refused():
    lab = CallLab("a")
    call = lab.begin()
    call.next()
    call.abandon("cancelled")
    with pytest.raises(RuntimeError, match="without a Send"):
        call.report(judged("ok", "a"))


def test_a_refusal_says_whether_a_last_resort_may_try():
    lab = CallLab("a")
    lab.breaker("a").open()
    assert lab.breaker("a").outlook() == Refusal("open", 15.0, "open", None, None, last_resort=True)
