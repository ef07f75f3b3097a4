"""What a caller, a trace and a log are told of limits: those that were full, by their names, and the time in their lines."""

from __future__ import annotations

import pytest
from bulkhead_places import LARGE_PROMPT, ClockThatFrees, idle, limited, occupy
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, policy
from test_traces import Trace

import failover
from failover.errors import BulkheadFull
from failover.events import CallFinished, ModelSkipped, Waiting

FIRSTS, SECONDS = f"rung {FIRST}", f"rung {SECOND}"
WIDE = {"large": {"over": "50k tokens", "at_once": 50}}


def one(model, queue=0):
    """A rung that takes one attempt at once."""
    return {"model": model, "at_once": 1, "queue": queue}


class TestTheNamesOfTheLimits:
    """Every rung of these calls is under two limits: one for large prompts, and its own."""

    @pytest.fixture
    def make(self, connect):
        """Makes a caller with these limits by size, whose limits are known."""

        def make(sizes, *rungs, **options):
            ladders = ladder(*(rungs or (one(FIRST), one(SECOND))))
            caller = connect(policy(ladders=ladders, retry=NO_REPEAT, bulkheads=sizes), **options)
            caller.create()
            return caller

        return make

    def test_are_those_that_were_full_and_no_others(self, make):
        caller = make(WIDE)
        tickets = [occupy(caller.guard), occupy(caller.guard, SECOND)]
        error = caller.error(messages=LARGE_PROMPT)
        assert type(error) is BulkheadFull
        assert error.bulkheads == (FIRSTS, SECONDS)
        assert "large" not in str(error)
        assert [ticket.release() for ticket in tickets] == [None, None]
        assert idle(caller.guard)

    def test_are_those_of_the_policy_each_by_itself(self, make):
        caller = make({"large": {"over": "50k tokens", "at_once": 1, "queue": 0}, "all": {"at_once": 2, "queue": 0}})
        tickets = [occupy(caller.guard, name) for name in ("large", "all", "all")]
        error = caller.error(messages=LARGE_PROMPT)
        assert error.bulkheads == ("large", "all")
        assert set(error.bulkheads) == caller.guard.policy.bulkheads.keys()
        assert [ticket.release() for ticket in tickets] == [None] * 3

    def test_are_each_named_once(self, make):
        caller = make({"all": {"at_once": 1, "queue": 0}})
        ticket = occupy(caller.guard, "all")
        assert caller.error().bulkheads == ("all",)
        ticket.release()

    def test_stand_on_the_skip_its_span_and_the_route(self, make):
        events, record = [], Trace()
        caller = make(WIDE, listeners=[events.append], tracer_provider=record.provider)
        ticket = occupy(caller.guard)
        with failover.recording() as routes:
            assert caller.create(messages=LARGE_PROMPT).model == SECOND
        ticket.release()
        (skip,) = [event for event in events if isinstance(event, ModelSkipped)]
        assert (skip.reason, skip.why) == ("full", FIRSTS)
        (attributes,) = [
            event.attributes for span in record.spans for event in span.events if event.name == "failover.model.skipped"
        ]
        assert (attributes["failover.skip.reason"], attributes["failover.skip.why"]) == ("full", FIRSTS)
        assert (routes[-1].skipped, routes[-1].why_skipped) == ((FIRST,), (f"full: {FIRSTS}",))
        assert f"{FIRST}: skipped (full: {FIRSTS})" in str(routes[-1])


class TestTheTimeInALine:
    @pytest.fixture
    def told(self, connect):
        """Makes a caller, and what is told of its next call."""

        def told(a_policy, clock):
            events, record = [], Trace()
            caller = connect(a_policy, clock=clock, listeners=[events.append], tracer_provider=record.provider)
            caller.create()
            events.clear()
            return caller, events, record

        return told

    def test_is_told_where_the_turn_came(self, told):
        clock = ClockThatFrees()
        caller, events, record = told(limited(1, 30, SECOND), clock)
        clock.after(40, occupy(caller.guard).release)
        with failover.recording() as routes:
            assert caller.create().model == FIRST
        assert_told(events, record, routes, pytest.approx(40 * 0.05))

    def test_is_told_where_it_never_came(self, told, fake_clock):
        caller, events, record = told(limited(1, 30, SECOND), fake_clock)
        ticket = occupy(caller.guard)
        with failover.recording() as routes:
            assert caller.create().model == SECOND
        assert_told(events, record, routes, pytest.approx(30))
        ticket.release()

    def test_is_told_where_nobody_else_answered(self, told, fake_clock):
        caller, events, record = told(limited(1, 30), fake_clock)
        ticket = occupy(caller.guard)
        with failover.recording() as routes:
            assert type(caller.error()) is BulkheadFull
        assert_told(events, record, routes, pytest.approx(30))
        ticket.release()

    def test_is_none_where_nobody_stood_in_one(self, told, fake_clock):
        caller, events, _ = told(limited(1, 30, SECOND), fake_clock)
        with failover.recording() as routes:
            caller.create()
        assert [event for event in events if isinstance(event, Waiting)] == []
        assert routes[-1].waited == 0


def assert_told(events, record, routes, seconds):
    """A listener, the trace and the route all say that a call stood in line for so long."""
    (wait,) = [event for event in events if isinstance(event, Waiting)]
    assert (wait.cause, wait.seconds) == ("queue", seconds)
    (end,) = [event for event in events if isinstance(event, CallFinished)]
    assert (end.waited, routes[-1].waited) == (seconds, seconds)
    run = record.named("failover test")[-1]
    (pause,) = [event.attributes for event in run.events if event.name == "failover.wait"]
    assert (pause["failover.wait.cause"], pause["failover.wait.delay"]) == ("queue", seconds)
    assert run.attributes["failover.wait.total"] == seconds
