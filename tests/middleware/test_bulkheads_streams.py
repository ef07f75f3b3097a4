"""A stream holds its place before a bulkhead as long as the caller reads it, and no longer."""

from __future__ import annotations

import gc

import pytest
from bulkhead_places import (
    ClockThatFrees,
    idle,
    limit_of,
    limited,
    occupy,
)
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, policy
from stream_callers import streams_of

import failover


class TestAStreamKeepsItsPlace:
    @pytest.fixture
    def streams(self, connect):
        caller = connect(limited(1, 0, SECOND))
        return caller, streams_of(caller)

    def test_until_it_has_been_read(self, streams):
        caller, reader = streams
        stream = reader.open()
        reader.take(stream, 2)
        assert limit_of(caller.guard).running == 1
        assert caller.create().model == SECOND
        assert reader.rest(stream).error is None
        assert idle(caller.guard)
        assert caller.create().model == FIRST

    def test_until_it_is_closed(self, streams):
        caller, reader = streams
        stream = reader.open()
        reader.take(stream, 2)
        reader.close(stream)
        assert idle(caller.guard)

    def test_until_it_is_closed_unread(self, streams):
        caller, reader = streams
        stream = reader.open()
        assert limit_of(caller.guard).running == 1
        reader.close(stream)
        assert idle(caller.guard)

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_until_it_is_dropped(self, streams):
        caller, reader = streams
        stream = reader.open()
        assert limit_of(caller.guard).running == 1
        del stream
        gc.collect()
        assert idle(caller.guard)

    @pytest.mark.parametrize("fault", [{"cut": True}, {"error_event": "overloaded_error"}, {"end_without_stop": True}])
    def test_until_it_breaks(self, streams, fake_claude, fault):
        caller, reader = streams
        fake_claude.fail(FIRST, **fault)
        reading, _ = reader.read()
        assert reading.error is not None
        assert idle(caller.guard)

    @pytest.mark.parametrize("fault", [{"status": 529}, {"error_event": "overloaded_error", "after_events": 0}])
    def test_until_another_model_takes_over_before_its_first_content(self, streams, fake_claude, fault):
        caller, reader = streams
        fake_claude.fail(FIRST, **fault)
        stream = reader.open()
        assert limit_of(caller.guard).running == 0
        assert reader.rest(stream).error is None
        assert idle(caller.guard)

    def test_until_another_model_takes_over_in_the_middle(self, connect, fake_claude):
        second = {"model": SECOND, "at_once": 1, "queue": 0}
        a_policy = policy(
            ladders=ladder({"model": FIRST, "at_once": 1, "queue": 0}, second),
            retry=NO_REPEAT,
            stream={"on_interrupt": "restart"},
        )
        caller = connect(a_policy)
        reader = streams_of(caller)
        fake_claude.fail(FIRST, cut=True)
        reading, stream = reader.read()
        assert (reading.error, failover.route(stream).served_model) == (None, SECOND)
        assert idle(caller.guard)
        assert limit_of(caller.guard, SECOND).running == 0

    def test_that_the_one_who_takes_over_may_have_to_wait_for(self, connect, fake_claude):
        clock = ClockThatFrees()
        second = {"model": SECOND, "at_once": 1, "queue": "30s"}
        a_policy = policy(ladders=ladder(second), retry=NO_REPEAT, stream={"on_interrupt": "restart"})
        caller = connect(a_policy, clock=clock)
        caller.create()
        reader = streams_of(caller)
        fake_claude.fail(FIRST, cut=True)
        clock.after(5, occupy(caller.guard, SECOND).release)
        reading, stream = reader.read()
        assert reading.error is None
        assert [attempt.queued for attempt in failover.route(stream).attempts] == [None, pytest.approx(0.25)]
        assert idle(caller.guard)

    def test_also_when_it_is_collected_for_a_call_without_streaming(self, connect, fake_claude):
        caller = connect(limited(1, 0, SECOND, stream={"collect_over": 100}))
        assert caller.create(max_tokens=200).model == FIRST
        assert fake_claude.requests[0].body["stream"] is True
        assert idle(caller.guard)
