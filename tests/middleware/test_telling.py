"""How a program learns what became of its calls: recordings, listeners and log lines."""

from __future__ import annotations

import contextvars
import logging
import threading

import pybreaker
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, trip

import failover
from failover import events
from failover.testing import Fault


class TestRecording:
    def test_gives_the_routes_of_the_calls_inside_in_order(self, caller, fake_claude):
        fake_claude.script(FIRST, [None, Fault(status=529)])
        caller.create()
        with failover.recording() as routes:
            caller.create()
            caller.create()
        caller.create()
        ids = [request.request_id for request in fake_claude.requests]
        assert [route.outcome for route in routes] == ["fallback", "primary"]
        assert [route.request_ids for route in routes] == [(ids[1], ids[2]), (ids[3],)]
        fallback = routes[0]
        assert (fallback.requested_model, fallback.served_model) == (FIRST, SECOND)
        assert [(a.model, a.client, a.status, a.error_type) for a in fallback.attempts] == [
            (FIRST, "default", 529, "overloaded_error"),
            (SECOND, "default", 200, None),
        ]

    def test_has_the_calls_that_failed(self, caller, fake_claude):
        fake_claude.fail("*", 400)
        with failover.recording() as routes:
            error = caller.error()
        assert routes == [failover.route(error)]

    def test_blocks_may_be_nested(self, caller):
        with failover.recording() as outer:
            caller.create()
            with failover.recording() as inner:
                caller.create()
        assert (len(outer), len(inner)) == (2, 1)

    def test_has_what_its_own_tasks_do_and_not_what_others_do(self, caller, asynchronous):
        with failover.recording() as routes:
            other = threading.Thread(target=caller.create)
            other.start()
            other.join()
            assert routes == []
            mine = threading.Thread(target=contextvars.copy_context().run, args=(caller.create,))
            mine.start()
            mine.join()
            assert len(routes) == 1
            if asynchronous:
                caller.together(3)
                assert len(routes) == 4

    def test_tells_the_seconds_of_attempts_and_waits(self, connect, fake_claude, fake_clock):
        caller = connect(policy(retry={"tries": 2}))
        fake_claude.script(FIRST, [Fault(status=500)])
        with failover.recording() as routes:
            caller.create()
        assert routes[0].waited == 0.25
        assert [attempt.seconds for attempt in routes[0].attempts] == [0, 0]

    def test_names_the_models_that_were_passed_over(self, caller):
        caller.create()
        caller.board[FIRST].isolate()
        with failover.recording() as routes:
            caller.create()
        assert (routes[0].outcome, routes[0].skipped) == ("fallback", (FIRST,))


@pytest.mark.parametrize("nothing", [None, 5, "text", ValueError("no"), object()])
def test_what_is_no_guarded_calls_has_no_route(nothing):
    assert failover.route(nothing) is None


class TestListeners:
    def test_hear_everything_in_order(self, connect, fake_claude):
        heard = []
        caller = connect(policy(retry={"tries": 2, "passes": 1}), listeners=[heard.append])
        fake_claude.script(FIRST, [Fault(status=500), Fault(status=500)])
        caller.create()
        assert [type(event).__name__ for event in heard] == [
            "CallStarted",
            "AttemptStarted",
            "AttemptFinished",
            "Waiting",
            "AttemptStarted",
            "AttemptFinished",
            "AttemptStarted",
            "AttemptFinished",
            "CallFinished",
        ]
        assert len({event.call for event in heard}) == 1
        assert [e.reason for e in heard if isinstance(e, events.AttemptStarted)] == ["primary", "retry", "fallback"]
        assert [e.request_id for e in heard if isinstance(e, events.AttemptFinished)] == [
            request.request_id for request in fake_claude.requests
        ]

    def test_that_raise_harm_no_call_and_no_other_listener(self, connect, fake_claude, caplog):
        heard = []

        def broken(event):
            raise RuntimeError("a listener's bug")

        caller = connect(listeners=[broken, heard.append])
        fake_claude.fail(FIRST, 529)
        for _ in range(7):
            assert caller.create().model == SECOND
        assert {type(event) for event in heard} >= {events.CallFinished, events.BreakerTransition}
        warnings = [record for record in caplog.records if "listener" in record.getMessage()]
        assert len([record for record in warnings if record.levelno >= logging.WARNING]) == 1
        assert "a listener's bug" not in caplog.text

    def test_of_pybreaker_are_told_what_they_know(self, connect, fake_claude, fake_clock):
        class Ear(pybreaker.CircuitBreakerListener):
            def __init__(self):
                self.told = []

            def state_change(self, cb, old_state, new_state):
                self.told.append((cb.name, old_state.name, new_state.name))

            def failure(self, cb, exc):
                self.told.append((cb.name, exc.error_type, exc.request_id))

            def success(self, cb):
                self.told.append((cb.name, "success"))

        ear = Ear()
        caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)), breaker_listeners=[ear])
        fake_claude.script(FIRST, [Fault(status=529)])
        caller.create()
        fake_clock.advance(15)
        caller.create()
        caller.create()
        assert ear.told == [
            (FIRST, "overloaded_error", fake_claude.requests[0].request_id),
            (FIRST, "closed", "open"),
            (SECOND, "success"),
            (FIRST, "open", "half-open"),
            (FIRST, "success"),
            (FIRST, "success"),
            (FIRST, "half-open", "closed"),
        ]


class TestLogLines:
    @pytest.fixture
    def lines(self, caplog):
        caplog.set_level(logging.INFO, logger="failover")

        def lines():
            return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "failover"]

        return lines

    def test_tell_a_switch_an_opening_and_a_closing_once_each(self, connect, fake_claude, fake_clock, lines):
        caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=2)))
        fake_claude.fail(FIRST, 529, times=2)
        for _ in range(10):
            caller.create()
        fake_clock.advance(15)
        for _ in range(3):
            caller.create()
        one, two = (request.request_id for request in fake_claude.requests if request.status == 529)
        assert [level for level, _ in lines()] == ["WARNING", "WARNING", "WARNING", "INFO"]
        switched, opened, switched_again, closed = (text for _, text in lines())
        assert f"{FIRST} failed (overloaded_error, status 529, request id {one}): trying {SECOND}" == switched
        assert f"circuit {FIRST} opened for 15.0 s" in opened
        assert two in opened
        assert two in switched_again
        assert closed == f"circuit {FIRST} closed (probe_succeeded)"

    def test_tell_nothing_while_all_is_well(self, caller, lines):
        caller.create()
        assert lines() == []

    def test_tell_a_call_that_nobody_answered(self, connect, fake_claude, lines):
        caller = connect(policy(retry=NO_REPEAT))
        fake_claude.fail("*", 529)
        caller.error()
        level, text = lines()[-1]
        assert level == "ERROR"
        for request in fake_claude.requests:
            assert request.request_id in text
