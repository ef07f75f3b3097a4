"""A stream is judged at its end: what it says of its model until then is nothing, whoever lets go of it."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import httpx2
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, make_client, policy, trip
from stream_callers import streams_of
from stream_lab import CUT, EVENTS, frames, raw_upstream
from stream_reading import until

import failover
from failover.circuits.permit import BreakerPermit
from failover.circuits.trip import TripRules
from failover.events import BreakerTransition, CallFinished
from failover.exchange import Exchange
from failover.tail import Tail
from failover.testing import FakeClaude, Fault

GOOD = frames(FIRST)
TEXT = (GOOD.start, GOOD.block, GOOD.deltas[0])
ONE_PROBE = policy(retry=NO_REPEAT, breaker={**trip(consecutive_failures=1), "probe": {"successes": 1}})
OF_EVENTS = {"content-type": EVENTS}
UNFINISHED = {"stall": 30, "after_events": 1}
"""A fault under which a reader surely leaves before the end: else all of a short answer may have come in one read."""
DEATHS = pytest.mark.parametrize(
    "fault",
    [{"error_event": "overloaded_error"}, {"cut": True}, {"end_without_stop": True}, {"malformed": "json"}],
    ids=["an error event", "a cut", "no message_stop", "no JSON"],
)


class Ends(list):
    """A listener that keeps how each call ended; `wait` lets another thread end one."""

    def __init__(self):
        super().__init__()
        self._told = threading.Semaphore(0)

    def __call__(self, event):
        if isinstance(event, CallFinished):
            self.append(event.outcome)
            self._told.release()

    def wait(self):
        return self._told.acquire(timeout=10)


class Moves(list):
    """A listener that keeps each change of a circuit's state and its reason."""

    def __call__(self, event):
        if isinstance(event, BreakerTransition):
            self.append((event.to_state, event.reason))


@pytest.fixture
def upstream():
    with raw_upstream() as upstream:
        yield upstream


@pytest.fixture
def half_open(connect, fake_clock):
    """Makes a caller whose first model is to be probed, and whose circuit closes with one success."""

    def half_open(a_policy=ONE_PROBE, **options):
        caller = connect(a_policy, **options)
        caller.board.breaker(FIRST).open()
        fake_clock.advance(15)
        return caller

    return half_open


class TestAStreamThatDies:
    @DEATHS
    def test_counts_as_a_failure_so_that_five_open_the_circuit(self, connect, fake_claude, fault):
        moves = Moves()
        caller = connect(policy(retry=NO_REPEAT), listeners=[moves])
        fake_claude.fail(FIRST, **fault)
        streams = streams_of(caller)
        for deaths in range(5):
            assert not deaths or caller.board[FIRST].pybreaker.fail_counter == deaths
            assert isinstance(streams.read()[0].error, anthropic.APIError)
        assert streams.read()[0].text == f"Hello from {SECOND}."
        assert moves == [("open", "consecutive_failures")]
        assert fake_claude.count(FIRST) == 5

    def test_after_another_has_opened_well_still_comes_right_after_the_failures_before(self, connect, fake_claude):
        """Had the opening been counted as a success, four and one would not be five in a row."""
        caller = connect(policy(retry=NO_REPEAT))
        streams = streams_of(caller)
        fake_claude.script(FIRST, [Fault(cut=True)] * 4 + [None, Fault(cut=True)])
        for _ in range(4):
            streams.read()
        under_way = streams.open()
        assert streams.take(under_way, 3).text == "Hello "
        streams.read()
        assert caller.board[FIRST].state == "open"
        streams.close(under_way)

    def test_leaves_the_circuit_closed_if_another_ended_well_in_between(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT))
        streams = streams_of(caller)
        fake_claude.script(FIRST, [*[Fault(cut=True)] * 4, None, *[Fault(cut=True)] * 4])
        errors = [streams.read()[0].error is None for _ in range(9)]
        assert errors == [False] * 4 + [True] + [False] * 4
        assert caller.board[FIRST].state == "closed"

    @DEATHS
    def test_as_a_probe_opens_the_circuit_again(self, half_open, fake_claude, fault):
        moves = Moves()
        caller = half_open(listeners=[moves])
        fake_claude.fail(FIRST, **fault)
        assert streams_of(caller).read()[0].text == "Hello "
        assert moves[-1] == ("open", "probe_failed")


class TestAProbe:
    def test_closes_the_circuit_at_the_end_of_its_stream_and_not_before(self, half_open):
        caller = half_open()
        streams = streams_of(caller)
        probe = streams.open()
        breaker = caller.board[FIRST]
        assert breaker.state == "half_open"
        streams.take(probe, 3)
        assert breaker.state == "half_open"
        assert caller.create().model == SECOND  # its permit is still out
        assert streams.rest(probe).error is None
        assert breaker.state == "closed"

    @pytest.mark.parametrize("after", [(CUT,), (30.0,), ()], ids=["a cut", "silence", "the end"])
    def test_whose_message_is_complete_has_succeeded_whatever_its_connection_does_then(
        self, half_open, upstream, after
    ):
        caller = half_open(url=upstream.url, timeout=0.5)
        upstream.answers(FIRST, *GOOD.whole, *after)
        reading, stream = streams_of(caller).read()
        assert (reading.error, reading.events[-1]) == (None, "message_stop")
        assert failover.route(stream).outcome == "primary"
        assert caller.board[FIRST].state == "closed"

    def test_whose_reader_stops_at_the_end_of_the_message_has_succeeded_too(self, half_open):
        caller = half_open()
        streams = streams_of(caller)
        probe = streams.open()
        while streams.take(probe, 1).events != ["message_stop"]:
            pass
        streams.close(probe)
        assert caller.board[FIRST].state == "closed"
        assert failover.route(probe).outcome == "primary"


def closed_early(caller, streams):
    stream = streams.open()
    streams.take(stream, 3)
    streams.close(stream)


def closed_twice(caller, streams):
    stream = streams.open()
    streams.close(stream)
    streams.close(stream)


def dropped_unread(caller, streams):
    streams.open()


def dropped_half_read(caller, streams):
    streams.take(streams.open(), 3)


def dropped_in_a_cycle(caller, streams):
    cycle = [streams.open()]
    cycle.append(cycle)


def dropped_message_stream(caller, streams):
    streams.take(streams.enter(), 2)


def left_message_stream(caller, streams):
    caller.first_text()


def left_streaming_response(caller, streams):
    caller.streaming_response(stream=True)


def dropped_raw_response(caller, streams):
    caller.call("messages.with_raw_response.create", **CALL, stream=True)


LEAVING = pytest.mark.parametrize(
    "leave",
    [
        closed_early,
        closed_twice,
        dropped_unread,
        dropped_half_read,
        dropped_in_a_cycle,
        dropped_message_stream,
        left_message_stream,
        left_streaming_response,
        dropped_raw_response,
    ],
)


class TestAStreamThatItsReaderLeaves:
    @LEAVING
    def test_says_nothing_and_gives_its_permit_back(self, half_open, fake_claude, leave):
        ends = Ends()
        caller = half_open(listeners=[ends])
        fake_claude.fail(FIRST, **UNFINISHED)
        with failover.recording() as routes:
            leave(caller, streams_of(caller))
            gc.collect()
            assert ends.wait()
        assert ends == ["cancelled"]
        assert [route.outcome for route in routes] == ["cancelled"]
        breaker = caller.board[FIRST]
        assert (breaker.state, breaker.outlook(), breaker.late) == ("half_open", None, 0)
        fake_claude.heal()
        assert caller.create().model == FIRST  # the next probe
        assert breaker.state == "closed"

    def test_is_neither_a_failure_nor_a_success(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT))
        streams = streams_of(caller)
        fake_claude.script(FIRST, [Fault(cut=True)] * 4)
        for _ in range(4):
            streams.read()
        fake_claude.fail(FIRST, **UNFINISHED)
        for _ in range(10):
            closed_early(caller, streams)
        assert caller.board[FIRST].state == "closed"
        assert caller.board[FIRST]._trip.consecutive == 4
        fake_claude.script(FIRST, [Fault(cut=True)])
        streams.read()
        assert caller.board[FIRST].state == "open"

    def test_has_a_route_that_says_so(self, caller, fake_claude):
        fake_claude.fail(FIRST, **UNFINISHED)
        streams = streams_of(caller)
        stream = streams.open()
        streams.take(stream, 3)
        assert failover.route(stream).outcome == "streaming"
        streams.close(stream)
        route = failover.route(stream)
        assert (route.outcome, route.served_model) == ("cancelled", None)
        assert [(attempt.status, attempt.error_type) for attempt in route.attempts] == [(200, None)]

    def test_dies_at_once_when_dropped_so_that_its_connection_is_not_held(self, connect, fake_claude):
        """Without a garbage collection: nothing here refers to itself. An async stream's body needs its loop to close."""
        fake_claude.fail(FIRST, **UNFINISHED)
        caller = connect(ONE_PROBE)
        streams = streams_of(caller)
        gc.disable()
        try:
            stream = streams.open()
            body = weakref.ref(stream.response.stream)
            if not caller.asynchronous:
                streams.take(stream, 3)
            del stream
            assert body() is None
        finally:
            gc.enable()
        if not caller.asynchronous:
            assert caller.client._client._transport._pool.connections == []

    def test_may_be_found_by_a_garbage_collection_within_the_circuits_own_lock(self, connect, fake_claude, monkeypatch):
        ends = Ends()
        caller = connect(ONE_PROBE, listeners=[ends])
        fake_claude.fail(FIRST, **UNFINISHED)
        count = TripRules.failure

        def collect_and_count(*arguments):
            gc.collect()
            return count(*arguments)

        monkeypatch.setattr(TripRules, "failure", collect_and_count)
        gc.disable()
        try:
            dropped_in_a_cycle(caller, streams_of(caller))
            assert ends == []
            fake_claude.fail(FIRST, 529)
            call = threading.Thread(target=caller.create, daemon=True)  # which a deadlock would leave behind
            call.start()
            call.join(10)
        finally:
            gc.enable()
        assert ends == ["cancelled", "fallback"]
        assert caller.board[FIRST].state == "open"


class TestSlowness:
    def test_is_the_time_to_the_first_content_however_long_the_stream_is(self, connect, fake_clock):
        rule = {"over": "50%", "slower_than": "10s", "of_at_least": 2, "within": "1h"}
        with FakeClaude(clock=fake_clock) as fake:
            caller = connect(policy(retry=NO_REPEAT, breaker=trip(slow_rate=rule)), url=fake.url)
            streams = streams_of(caller)
            for _ in range(3):
                stream = streams.open()
                fake_clock.advance(300)
                assert streams.rest(stream).error is None
            assert caller.board[FIRST].state == "closed"
            fake.fail(FIRST, first_token=11)
            for _ in range(3):
                attempt = failover.route(streams.read()[1]).attempts[0]
                assert attempt.first_content == pytest.approx(11)
            assert caller.board[FIRST].state == "open"

    def test_a_stream_that_has_begun_does_not_hang_and_one_that_has_not_does(self, connect, upstream, fake_clock):
        moves = Moves()
        rule = {"more_than": 2, "older_than": "10s"}
        caller = connect(policy(retry=NO_REPEAT, breaker=trip(hung_calls=rule)), url=upstream.url, listeners=[moves])
        streams = streams_of(caller)
        under_way = [streams.open() for _ in range(5)]
        fake_clock.advance(11)
        assert streams.read()[0].text == f"Hello from {FIRST}."
        go_on = threading.Event()
        upstream.answers(FIRST, GOOD.start, go_on, *GOOD.whole[1:])
        while upstream.arrived.acquire(blocking=False):
            pass
        with ThreadPoolExecutor(1) as pool:
            hung = pool.submit(caller.together, 3, stream=True)
            assert all(upstream.arrived.acquire(timeout=10) for _ in range(3))
            fake_clock.advance(11)
            assert streams.read()[0].text == f"Hello from {SECOND}."
            go_on.set()
            late = hung.result(10)
        assert moves == [("open", "hung_calls")]
        assert [streams.rest(stream).error for stream in (*late, *under_way)] == [None] * 8
        assert (moves, caller.board[FIRST].late) == ([("open", "hung_calls")], 8)


def test_the_late_end_of_a_stream_from_before_the_circuit_opened_moves_nothing(connect, fake_claude, fake_clock):
    caller = connect(ONE_PROBE)
    streams = streams_of(caller)
    fake_claude.script(FIRST, [None, Fault(cut=True), Fault(cut=True)])
    good, bad = streams.open(), streams.open()
    streams.read()
    breaker = caller.board[FIRST]
    assert breaker.state == "open"
    assert streams.rest(good).error is None
    assert (breaker.state, breaker.late) == ("open", 1)
    fake_clock.advance(15)
    probe = streams.open()
    assert streams.rest(bad).error is not None
    assert (breaker.state, breaker.late) == ("half_open", 2)
    assert breaker.outlook().reason == "probing"
    assert streams.rest(probe).error is None
    assert breaker.state == "closed"


def test_a_thousand_dropped_streams_leave_nothing_behind(connect, fake_clock):
    rules = trip(consecutive_failures=1, hung_calls={"more_than": 5000, "older_than": "10s"})
    guard = failover.Failover(policy(retry=NO_REPEAT, breaker=rules), clock=fake_clock)
    events = b"".join(TEXT)
    caller = connect(guard=guard, answer=lambda _: httpx2.Response(200, headers=OF_EVENTS, content=events))
    streams = streams_of(caller)
    for state in ("closed", "half_open"):
        for number in range(500):
            stream = streams.open()
            if number % 2:
                streams.take(stream, 3)
        del stream
        gc.collect()
        circuit = guard.board[FIRST]
        assert (circuit.state, circuit._probes, len(circuit._trip._in_flight)) == (state, [], 0)
        if state == "closed":
            circuit.open()
            fake_clock.advance(15)
    assert until(lambda: not any(isinstance(kept, (Exchange, Tail, BreakerPermit)) for kept in gc.get_objects()))


class TestACancelledReader:
    """Only async readers can be cancelled from outside."""

    def test_says_nothing_and_leaves_no_connection_behind(self, fake_claude, fake_clock):
        fake_claude.fail(FIRST, **UNFINISHED)

        async def main():
            guard = failover.Failover(ONE_PROBE, clock=fake_clock)
            async with make_client(fake_claude.url, asynchronous=True) as client:
                guarded = failover.wrap(client, guard)
                with failover.recording() as routes, anyio.move_on_after(0.3) as scope:
                    stream = await guarded.messages.create(**CALL, stream=True)
                    async for _ in stream:
                        pass
                assert scope.cancelled_caught
                assert [route.outcome for route in routes] == ["cancelled"]
                assert (guard.board[FIRST].state, guard.board[FIRST]._trip.consecutive) == ("closed", 0)
                assert client._client._transport._pool.connections == []

        anyio.run(main)
