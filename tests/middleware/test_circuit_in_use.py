"""What a dead model costs: how often it is asked before its circuit opens, while it is open, and as it comes back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import pytest
from anthropic import Middleware
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, policy, trip

import failover
from failover.events import AttemptStarted, BreakerTransition


class Probes(list):
    """A listener that keeps the models that were probed."""

    def __call__(self, event):
        if isinstance(event, AttemptStarted) and event.reason == "probe":
            self.append(event.model)


class Moves(list):
    """A listener that keeps each circuit's changes of state."""

    def __call__(self, event):
        if isinstance(event, BreakerTransition):
            self.append((event.breaker, event.to_state, event.reason))


class Gate(Middleware):
    """Holds the requests for one model back until it is opened."""

    def __init__(self, model):
        self.arrived = threading.Event()
        self.open = threading.Event()
        self._model = model

    def handle(self, request, call_next):
        if request.json["model"] == self._model:
            self.arrived.set()
            assert self.open.wait(10)
        return call_next(request)

    async def handle_async(self, request, call_next):
        if request.json["model"] == self._model:
            self.arrived.set()
            assert await anyio.to_thread.run_sync(self.open.wait, 10)
        return await call_next(request)


def test_a_thousand_calls_in_a_row_ask_a_dead_model_five_times_and_once_for_each_probe(
    connect, fake_claude, fake_clock
):
    probes = Probes()
    caller = connect(policy(breaker={"open_for": {"jitter": 0}}), listeners=[probes])
    fake_claude.fail(FIRST, 500)
    served = set()
    for _ in range(1000):
        served.add(caller.create().model)
        fake_clock.advance(0.1)
    # In 100 seconds: open for 15, then for 30; after that for 60.
    assert served == {SECOND}
    assert probes == [FIRST, FIRST]
    assert fake_claude.count(FIRST) == 5 + len(probes)
    assert fake_claude.count(SECOND) == 1000


def test_calls_fifty_at_a_time_ask_it_no_more_than_were_under_way(connect, fake_claude):
    probes = Probes()
    caller = connect(listeners=[probes])
    fake_claude.fail(FIRST, 500)
    answers = [answer for _ in range(8) for answer in caller.together(50)]
    assert {answer.model for answer in answers} == {SECOND}
    assert fake_claude.count(FIRST) <= 50 + 5 + len(probes)
    assert fake_claude.count(SECOND) == 400


def test_each_time_the_open_time_is_over_one_call_probes_and_the_others_are_served_by_the_next_model(
    connect, fake_claude, fake_clock
):
    probes = Probes()
    caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)), listeners=[probes])
    fake_claude.fail(FIRST, 529)
    caller.create()
    for expiry, open_for in enumerate((15, 30, 60), start=1):
        fake_clock.advance(open_for)
        assert {answer.model for answer in caller.together(50)} == {SECOND}
        assert fake_claude.count(FIRST) == 1 + expiry
    assert len(probes) == 3


def test_while_a_probe_is_out_nobody_else_is_let_through_and_nobody_waits_for_it(connect, fake_claude, fake_clock):
    caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=1)))
    fake_claude.fail(FIRST, 529, times=1)
    caller.create()
    fake_clock.advance(15)
    gate = Gate(FIRST)
    caller.client = caller.client.with_middleware(gate)
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(caller.create)
        assert gate.arrived.wait(10)
        assert {answer.model for answer in caller.together(49)} == {SECOND}
        assert caller.board[FIRST].state == "half_open"
        gate.open.set()
        assert probe.result(10).model == FIRST
    assert fake_claude.count(FIRST) == 2


@pytest.mark.parametrize("threshold", [1, 4, 5, 6])
def test_the_circuit_opens_at_the_threshold_that_the_policy_says_also_when_it_is_the_default(
    connect, fake_claude, threshold
):
    caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=threshold)))
    fake_claude.fail(FIRST, 529)
    for call in range(1, threshold + 3):
        caller.create()
        assert caller.board[FIRST].state == ("open" if call >= threshold else "closed")
    assert fake_claude.count(FIRST) == threshold


def test_failures_count_the_same_on_every_rung_once_each(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT, ladders=ladder("claude-b", "claude-c")))
    fake_claude.fail("claude-*", 529)
    for failures in range(1, 5):
        caller.error(model="claude-a")
        assert [breaker.pybreaker.fail_counter for breaker in caller.board.breakers()] == [failures] * 3
    caller.error(model="claude-a")
    assert [(breaker.name, breaker.state) for breaker in caller.board.breakers()] == [
        ("claude-a", "open"),
        ("claude-b", "open"),
        ("claude-c", "open"),
    ]
    assert fake_claude.count() == 15


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        pytest.param(429, 60, id="a rate limit for a minute"),
        pytest.param(429, 86_400, id="a rate limit for a day"),
        pytest.param(529, 60, id="an overload that asks for a minute"),
    ],
)
def test_a_long_retry_after_opens_the_circuit_for_just_that_long(connect, fake_claude, fake_clock, status, seconds):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.fail(FIRST, status, retry_after=seconds, times=1)
    caller.create()
    assert caller.board[FIRST].outlook().retry_in == pytest.approx(seconds)
    fake_clock.advance(seconds - 1)
    assert caller.create().model == SECOND
    fake_clock.advance(1)
    assert caller.create().model == FIRST
    assert fake_claude.count(FIRST) == 2


def test_a_retry_after_of_four_days_is_obeyed_for_one(connect, fake_claude, fake_clock):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.fail(FIRST, 429, retry_after=4 * 86_400, times=1)
    caller.create()
    assert caller.board[FIRST].outlook().retry_in == pytest.approx(86_400)


def test_a_rate_limit_that_does_not_say_for_how_long_opens_the_circuit_for_the_first_open_time(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT, breaker={"open_for": {"first": "7s", "jitter": 0}}))
    fake_claude.fail(FIRST, 429)
    caller.create()
    assert caller.board[FIRST].outlook().retry_in == pytest.approx(7)


@pytest.mark.parametrize("trigger", [500, 529])
def test_a_model_that_recovers_is_probed_and_then_served_again(connect, fake_claude, fake_clock, trigger):
    moves = Moves()
    caller = connect(policy(retry=NO_REPEAT, breaker=trip(consecutive_failures=2)), listeners=[moves])
    fake_claude.fail(FIRST, trigger)
    assert [caller.create().model for _ in range(3)] == [SECOND] * 3
    fake_claude.heal()
    assert caller.create().model == SECOND
    fake_clock.advance(15)
    assert [caller.create().model for _ in range(4)] == [FIRST] * 4
    assert moves == [
        (FIRST, "open", "consecutive_failures"),
        (FIRST, "half_open", "open_time_over"),
        (FIRST, "closed", "probe_succeeded"),
    ]


def test_a_ramp_lets_traffic_back_little_by_little(fake_claude, fake_clock, connect):
    shares = iter([])
    guard = failover.Failover(
        policy(
            retry=NO_REPEAT,
            breaker={**trip(consecutive_failures=1), "probe": {"successes": 1}, "ramp": {"over": "60s", "from": "10%"}},
        ),
        clock=fake_clock,
        random=lambda: next(shares),
    )
    caller = connect(guard=guard)
    shares = iter([0.5])
    fake_claude.fail(FIRST, 529, times=1)
    caller.create()
    fake_clock.advance(15)
    assert caller.create().model == FIRST
    shares = iter([0.05, 0.15, 0.5])
    assert [caller.create().model for _ in range(3)] == [FIRST, SECOND, SECOND]
    fake_clock.advance(30)  # halfway: 55 %
    shares = iter([0.5, 0.6])
    assert [caller.create().model for _ in range(2)] == [FIRST, SECOND]
    fake_clock.advance(30)
    shares = iter([0.99])
    assert [caller.create().model for _ in range(5)] == [FIRST] * 5


def test_a_flapping_model_is_left_for_its_failure_rate_although_it_never_fails_twice_in_a_row(connect, fake_claude):
    moves = Moves()
    caller = connect(policy(retry=NO_REPEAT), listeners=[moves])
    for _ in range(10):
        fake_claude.fail(FIRST, 529, times=1)
        assert [caller.create().model, caller.create().model] == [SECOND, FIRST]
    assert moves == []  # the twentieth answer was a good one, and no good answer opens a circuit
    fake_claude.fail(FIRST, 529, times=1)
    assert [caller.create().model, caller.create().model] == [SECOND, SECOND]
    assert moves == [(FIRST, "open", "failure_rate")]
    assert fake_claude.count(FIRST) == 21


def test_a_circuit_held_open_by_hand_is_passed_over_until_it_is_closed_by_hand(caller, fake_claude, fake_clock):
    caller.create()
    caller.board[FIRST].isolate()
    fake_clock.advance(86_400)
    assert caller.create().model == SECOND
    caller.board[FIRST].close()
    assert caller.create().model == FIRST
    assert fake_claude.count(FIRST) == 2
