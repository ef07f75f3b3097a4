"""Whatever a policy says and whatever comes back: a call ends, in time, within its limits, and leaves nothing behind."""

from __future__ import annotations

import itertools

import pytest
from call_stories import STORIES
from hypothesis import given, settings

from failover.engine import Finish, Measure, Misfit, Queue, Send, Wait
from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    ModelSkipped,
    PromptShrunk,
    Waiting,
)


def of(kind, log):
    return [(now, action) for now, action in log if isinstance(action, kind)]


def stays_in_line(log):
    """The seconds of each."""
    return [then - now for (now, action), (then, _) in itertools.pairwise(log) if isinstance(action, Queue)]


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_a_call_ends_within_its_passes_and_tries(story):
    lab, _, log = story.run()
    retry = lab.policy.retry
    sends, waits = of(Send, log), of(Wait, log)
    shrunk = [event for event in lab.told(PromptShrunk) if event.done]
    assert len(shrunk) <= 5
    most = (retry.passes + len(shrunk)) * retry.tries
    assert sum(wait.cause == "between_passes" for _, wait in waits) <= retry.passes - 1
    rungs = [send.candidate.index for _, send in sends]
    assert all(rungs.count(index) <= most for index in rungs)


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_nothing_begins_after_the_deadline(story):
    lab, _, log = story.run()
    deadline = lab.policy.retry.deadline
    if deadline is None:
        assert all(send.timeout is None or send.timeout == 30 for _, send in of(Send, log))
        return
    for now, send in of(Send, log):
        assert now < deadline
        assert 0 < send.timeout <= deadline - now + 1e-9
    for now, wait in of(Wait, log):
        assert now + wait.seconds < deadline


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_every_permit_comes_back_once(story):
    _, permits, log = story.run()
    assert len(permits) == len(of(Send, log)) if not story.world.busy else len(permits) >= len(of(Send, log))
    assert [permit.settled for permit in permits] == [1] * len(permits)


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_every_ticket_comes_back_and_nobody_is_left_in_line(story):
    lab, _, log = story.run()
    assert all((limit.running, limit.waiting) == (lab.others_at(limit), 0) for limit in lab.bulkheads.limits())
    for _, queue in of(Queue, log):
        assert queue.seconds > 0
        assert queue.place.ticket is None or queue.place.ticket.over


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_a_rung_that_is_never_sent_anything_counts_nothing(story):
    lab, _, log = story.run()
    sent = {send.candidate.circuit.name for _, send in of(Send, log)}
    for breaker in lab.board.breakers():
        if breaker.name not in sent:
            assert "0 consecutive failures" in repr(breaker)
    for skip in lab.told(ModelSkipped):
        assert (skip.why is not None) == (skip.reason in ("unfit", "cost", "full"))


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_as_long_as_the_requested_model_answers_nothing_is_asked_about_the_prompt(story):
    lab, _, _ = story.run()
    attempts = lab.call.route.attempts
    if len(attempts) == 1 and attempts[0].error_type is None and not lab.told(ModelSkipped):
        assert lab.cargo.asked == []
        assert not lab.cargo.measured or lab.plan.sizes


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_the_route_and_the_events_tell_what_happened(story):
    lab, _, log = story.run()
    route, (_, finish) = lab.call.route, log[-1]
    sends, waits = of(Send, log), of(Wait, log)
    cancelled = finish.outcome == "cancelled"
    (started,), (finished,) = lab.told(CallStarted), lab.told(CallFinished)
    assert {event.call for event in lab.events if hasattr(event, "call")} == {started.call}
    assert [event.number for event in lab.told(AttemptStarted)] == list(range(1, len(sends) + 1))
    assert [event.model for event in lab.told(AttemptStarted)] == [send.candidate.rung.model for _, send in sends]
    reported = len(lab.told(AttemptFinished))
    assert [event.number for event in lab.told(AttemptFinished)] == list(range(1, reported + 1))
    assert reported in ({len(sends), len(sends) - 1} if cancelled else {len(sends)})
    assert len(route.attempts) == finished.attempts == reported
    assert route.waited == finished.waited
    in_line = stays_in_line(log)
    assert route.waited == pytest.approx(sum(wait.seconds for _, wait in waits) + sum(in_line))
    assert [event.seconds for event in lab.told(Waiting) if event.cause == "queue"] == pytest.approx(in_line)
    assert len(lab.told(Waiting)) == len(waits) + len(in_line)
    assert route.request_ids == finished.request_ids
    assert (route.outcome, route.served_model) == (finished.outcome, finished.served_model)


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_the_caller_gets_an_answer_an_error_that_came_back_or_every_refusal(story):
    lab, _, log = story.run()
    route, (_, finish) = lab.call.route, log[-1]
    if finish.outcome in ("primary", "fallback"):
        answer = route.attempts[finish.attempt - 1]
        assert (answer.error_type, finish.attempt) == (None, len(route.attempts))
        assert route.served_model == answer.model
        assert (finish.outcome == "primary") == (answer.model == route.requested_model)
    elif finish.outcome in ("exhausted", "failed"):
        if finish.attempt is None:  # only fallbacks that cannot take the request were heard
            assert finish.refusals
            assert all(attempt.error_type for attempt in route.attempts)
        else:
            assert route.attempts[finish.attempt - 1].error_type is not None
    elif finish.outcome == "refused":
        assert route.attempts == ()
        assert finish.attempt is None
        assert finish.refusals
        assert {name for name, _ in finish.refusals} <= {c.circuit.name for c in lab.plan.candidates}
    else:
        assert finish in (Finish("cancelled", None), Finish("rethreaded", None))
        assert finish.outcome == "cancelled" or any(
            isinstance(said, Misfit) and said.rethread for said in story.world.unfit.values()
        )


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_between_two_waits_a_call_only_ever_goes_down_its_ladder(story):
    lab, _, log = story.run()
    shrunk_after = {event.number for event in lab.told(PromptShrunk) if event.done}
    number = 0
    for (_, before), (_, after) in itertools.pairwise(log):
        number += isinstance(before, Send)
        if isinstance(before, Send) and isinstance(after, Send):
            again = number in shrunk_after  # less of it to the same one
            assert before.candidate.index < after.candidate.index + again


@given(story=STORIES)
@settings(deadline=None, max_examples=300)
def test_listening_changes_no_decision(story):
    def decisions(*, verbose):
        lab, _, log = story.run(verbose=verbose)
        moves = [
            (event.breaker, event.from_state, event.to_state, event.reason) for event in lab.told(BreakerTransition)
        ]
        told = [(now, *_plain(action)) for now, action in log]
        return told, moves, lab.call.route

    assert decisions(verbose=True) == decisions(verbose=False)


def _plain(action):
    """An action without the circuits and places that it points to, which no two runs share."""
    if isinstance(action, Send):
        return action.candidate.rung.model, action.timeout, action.load
    if isinstance(action, Queue):
        return "line", action.seconds
    return ("count", action.candidate.rung.model) if isinstance(action, Measure) else (action,)
