"""A program may fork while its threads make calls, as servers with worker processes do."""

from __future__ import annotations

import os
import signal
import threading
import warnings

import anthropic
import pybreaker
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, make_client, one_exchange, policy, trip

import failover
from failover import Failover
from failover.events import BreakerTransition


class Stuck:
    """Stands in for a user's own code, and keeps a thread in it while it is armed."""

    def __init__(self):
        self.armed = False
        self.arrived = threading.Event()
        self.leave = threading.Event()

    def __call__(self, event=None):
        if self.armed and (event is None or isinstance(event, BreakerTransition | str)):
            self.arrived.set()
            assert self.leave.wait(30)
        return 0.5


class StuckEar(pybreaker.CircuitBreakerListener):
    def __init__(self, stuck):
        self._stuck = stuck

    def state_change(self, cb, old_state, new_state):
        self._stuck(new_state.name)


PLACES = {
    "a listener": lambda stuck, heard: {"listeners": [stuck, heard.append]},
    "a listener of pybreaker": lambda stuck, heard: {
        "listeners": [heard.append],
        "breaker_listeners": [StuckEar(stuck)],
    },
    "the source of chance, under the circuit's lock": lambda stuck, heard: {
        "listeners": [heard.append],
        "random": stuck,
    },
}


def in_a_child(work):
    """Fork, and give the child's exit code: 0 if `work` gave a true value, 1 if a false one, -14 if it hung."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what this is about
        child = os.fork()
    if child == 0:
        code = 2
        try:
            signal.alarm(10)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if hasattr(os, "fork"):

    def test_a_child_goes_on_with_what_its_parent_knew_and_on_its_own(fake_claude):
        guard = Failover(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
        with make_client(fake_claude.url, asynchronous=False) as client:
            wrapped = failover.wrap(client, guard)
            fake_claude.fail(FIRST, 529)
            wrapped.messages.create(**CALL)

            def work():
                with make_client(fake_claude.url, asynchronous=False) as fresh:
                    served = failover.wrap(fresh, guard).messages.create(**CALL).model
                guard.board[FIRST].close()
                return (served, guard.board[FIRST].state) == (SECOND, "closed")

            assert in_a_child(work) == 0
            assert guard.board[FIRST].state == "open"
            assert wrapped.messages.create(**CALL).model == SECOND
        assert fake_claude.count(FIRST) == 1
        assert fake_claude.count(SECOND) == 3

    def test_a_wrapped_client_made_before_the_fork_works_in_the_child(fake_claude):
        with make_client(fake_claude.url, asynchronous=False) as client:
            wrapped = failover.wrap(client)
            assert in_a_child(lambda: wrapped.messages.create(**CALL).model == FIRST) == 0
            assert wrapped.messages.create(**CALL).model == FIRST

    @pytest.mark.parametrize("place", PLACES)
    def test_a_circuit_works_in_a_child_that_was_forked_while_another_thread_was_busy_with_it(fake_clock, place):
        stuck = Stuck()
        one_failure = policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1))
        heard = []
        guard = Failover(one_failure, clock=fake_clock, **PLACES[place](stuck, heard))
        request, response = one_exchange()

        def first_is_down(sent):
            if sent.json["model"] == FIRST:
                raise anthropic.APIConnectionError(request=response.http_request)
            return response

        def work():
            stuck.armed = False
            circuit = guard.board[FIRST]
            circuit.close()
            heard.clear()
            guard.handle(request, first_is_down)
            moves = [event.to_state for event in heard if isinstance(event, BreakerTransition)]
            return (circuit.state, circuit.pybreaker.current_state, moves) == ("open", "open", ["open"])

        guard.handle(request, lambda _: response)
        stuck.armed = True
        busy = threading.Thread(target=guard.handle, args=(request, first_is_down))
        busy.start()
        try:
            assert stuck.arrived.wait(10)
            assert in_a_child(work) == 0
        finally:
            stuck.leave.set()
            busy.join()
        assert guard.board[FIRST].state == "open"
