"""Bulkheads before a real client: who waits, who is let in, what the caller is told, and that every place comes back."""

from __future__ import annotations

import asyncio
import gc
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import anthropic
import anyio
import httpx2
import pybreaker
import pytest
from anyio.lowlevel import checkpoint
from bulkhead_places import LONG, ClockThatFrees, Gate, idle, limit_of, occupy
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, ladder, make_client, policy, reply
from stream_callers import streams_of

import failover
from failover import Failover
from failover.clock import SystemClock
from failover.errors import BulkheadFull, CircuitOpen
from failover.events import AttemptStarted, CallStarted, ModelSkipped
from failover.request import cargo as cargo_module
from failover.testing import Fault

LARGE_PROMPT = [{"role": "user", "content": "word " * 60_000}]
LARGE = {"large": {"over": "50k tokens", "at_once": 2, "queue": "30s"}}


def limited(at_once=1, queue=0.0, *others, retry=NO_REPEAT, **parts):
    """A policy on which the first model takes so many at once."""
    first = {"model": FIRST, "at_once": at_once, "queue": queue}
    return policy(ladders=ladder(first, *others), retry=retry, **parts)


def alone(at_once=1, queue=0.0, **parts):
    """The same without another model."""
    return limited(at_once, queue, **parts)


async def in_line(guard, count):
    """Until so many stand in line before the first model."""
    while limit_of(guard).waiting < count:
        await checkpoint()


class TestAFullRung:
    def test_is_passed_over_for_the_next(self, connect, fake_claude):
        caller = connect(limited(1, 0, SECOND))
        caller.create()
        ticket = occupy(caller.guard)
        assert caller.create().model == SECOND
        ticket.release()
        assert caller.create().model == FIRST
        assert (fake_claude.count(FIRST), fake_claude.count(SECOND)) == (2, 1)
        assert idle(caller.guard)

    def test_is_an_error_of_its_own_if_there_is_no_next(self, connect, fake_claude):
        caller = connect(alone())
        caller.create()
        ticket = occupy(caller.guard)
        error = caller.error()
        assert type(error) is BulkheadFull
        assert isinstance(error, anthropic.ServiceUnavailableError)
        assert not isinstance(error, (CircuitOpen, pybreaker.CircuitBreakerError))
        assert (error.status_code, error.bulkheads) == (503, (f"rung {FIRST}",))
        assert error.route == failover.route(error)
        assert (error.route.outcome, error.route.skipped, error.route.attempts) == ("refused", (FIRST,), ())
        assert fake_claude.count() == 1
        ticket.release()
        assert idle(caller.guard)

    def test_is_said_to_be_free_again_after_as_long_as_attempts_took_lately(self, connect, fake_clock):
        caller = connect(alone())
        caller.create()
        ticket = occupy(caller.guard)
        fake_clock.advance(8)
        ticket.release()
        ticket = occupy(caller.guard)
        error = caller.error()
        assert error.expected == pytest.approx(0.2 * 8)  # the newest of two counts for a fifth
        assert f"its turn would have come in about {error.expected:.1f} s" in str(error)
        ticket.release()

    def test_counts_for_no_circuit(self, connect):
        caller = connect(alone())
        caller.create()
        ticket = occupy(caller.guard)
        assert [type(caller.error()) for _ in range(10)] == [BulkheadFull] * 10
        assert repr(caller.board[FIRST]) == f"<Breaker {FIRST}: closed, 0 consecutive failures>"
        ticket.release()
        assert caller.create().model == FIRST

    def test_leaves_the_failure_of_another_model_what_it_is(self, connect, fake_claude):
        second = {"model": SECOND, "at_once": 1, "queue": 0}
        caller = connect(policy(ladders=ladder(second), retry=NO_REPEAT))
        caller.create()
        ticket = occupy(caller.guard, SECOND)
        fake_claude.fail(FIRST, 529)
        error = caller.error()
        assert (type(error), error.status_code) == (anthropic.OverloadedError, 529)
        assert fake_claude.count(SECOND) == 0
        ticket.release()
        assert caller.create().model == SECOND

    def test_error_travels_to_other_processes(self, connect):
        caller = connect(alone())
        caller.create()
        ticket = occupy(caller.guard)
        error = caller.error()
        found = pickle.loads(pickle.dumps(error))
        assert (type(found), str(found)) == (BulkheadFull, str(error))
        assert (found.bulkheads, found.expected, found.route) == (error.bulkheads, error.expected, error.route)
        ticket.release()

    @pytest.mark.parametrize("max_retries", [0, 2])
    def test_is_not_asked_again_by_the_sdks_own_loop(self, connect, fake_clock, max_retries, monkeypatch):
        monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)
        calls = []
        guard = Failover(alone(), clock=fake_clock, listeners=[calls.append])
        caller = connect(wrapped=False, middleware=[guard], max_retries=max_retries)
        caller.create()
        ticket = occupy(guard)
        calls.clear()
        assert type(caller.error()) is BulkheadFull
        assert sum(isinstance(event, CallStarted) for event in calls) == 1
        ticket.release()


class TestTheLine:
    def test_is_stood_in_until_the_turn_comes(self, connect):
        clock = ClockThatFrees()
        caller = connect(alone(1, 30), clock=clock)
        caller.create()
        clock.after(40, occupy(caller.guard).release)
        assert caller.create().model == FIRST
        assert idle(caller.guard)

    def test_is_as_long_as_the_policy_says(self, connect, fake_clock):
        caller = connect(alone(1, 30))
        caller.create()
        ticket = occupy(caller.guard)
        assert type(caller.error()) is BulkheadFull
        assert sum(fake_clock.slept) == pytest.approx(30)
        assert limit_of(caller.guard).waiting == 0
        ticket.release()

    def test_stands_on_the_attempt_its_event_and_its_span(self, connect):
        clock, memory, events = ClockThatFrees(), InMemorySpanExporter(), []
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(memory))
        caller = connect(alone(1, 30), clock=clock, tracer_provider=provider, listeners=[events.append])
        caller.create()
        clock.after(40, occupy(caller.guard).release)
        with failover.recording() as routes:
            caller.create()
        (attempt,) = routes[-1].attempts
        assert attempt.queued == pytest.approx(40 * 0.05)
        assert [event.queued for event in events if isinstance(event, AttemptStarted)] == [None, attempt.queued]
        waits = [
            span.attributes.get("failover.queue.wait") for span in memory.get_finished_spans() if "try" in span.name
        ]
        assert waits == [None, attempt.queued]

    def test_lends_out_no_probes_place(self, connect, fake_claude):
        clock, seen = ClockThatFrees(), []
        caller = connect(alone(1, 30), clock=clock)
        caller.create()
        ticket = occupy(caller.guard)
        circuit = caller.board[FIRST]
        circuit.open()
        clock.advance(15)

        def look():
            seen.append((circuit.state, circuit.outlook()))
            ticket.release()

        clock.after(3, look)
        assert caller.create().model == FIRST
        assert seen == [("open", None)]
        assert circuit.state == "half_open"
        assert idle(caller.guard)

    def test_is_left_when_the_circuit_opens_meanwhile(self, connect):
        clock = ClockThatFrees()
        caller = connect(limited(1, 30, SECOND), clock=clock)
        caller.create()
        ticket = occupy(caller.guard)

        def open_it():
            caller.board[FIRST].open()
            ticket.release()

        clock.after(3, open_it)
        assert caller.create().model == SECOND
        assert idle(caller.guard)

    def test_of_the_rung_that_a_call_fails_over_to_binds_it(self, connect, fake_claude):
        clock = ClockThatFrees()
        caller = connect(policy(ladders=ladder({"model": SECOND, "at_once": 1}), retry=NO_REPEAT), clock=clock)
        caller.create()
        fake_claude.fail(FIRST, 529)
        clock.after(5, occupy(caller.guard, SECOND).release)
        with failover.recording() as routes:
            assert caller.create().model == SECOND
        assert [attempt.queued for attempt in routes[-1].attempts] == [None, pytest.approx(0.25)]


class TestManyAtOnce:
    """On the machine's own clock: nobody can wait on one that moves only by hand while others work."""

    def test_of_one_client_are_never_more_than_the_limit_and_no_fewer(self, connect):
        caller = connect(alone(3, 3600), clock=SystemClock())
        gate = Gate(3)
        caller.client = caller.client.with_middleware(gate)
        answers = caller.together(24)
        assert [answer.model for answer in answers] == [FIRST] * 24
        assert gate.most == 3
        assert idle(caller.guard)

    def test_fail_over_under_the_limit_of_the_target(self, connect, fake_claude):
        second = {"model": SECOND, "at_once": 2, "queue": 3600}
        caller = connect(policy(ladders=ladder(second), retry=NO_REPEAT), clock=SystemClock())
        gate = Gate(2, only=SECOND)
        caller.client = caller.client.with_middleware(gate)
        fake_claude.fail(FIRST, 529)
        assert [answer.model for answer in caller.together(20)] == [SECOND] * 20
        assert gate.most == 2
        assert idle(caller.guard)

    def test_large_ones_wait_and_small_ones_do_not(self, connect):
        caller = connect(policy(retry=NO_REPEAT, bulkheads=LARGE), clock=SystemClock())
        one, other = occupy(caller.guard, "large"), occupy(caller.guard, "large")
        assert [answer.model for answer in caller.together(10)] == [FIRST] * 10
        one.release()
        other.release()
        gate = Gate(2)
        caller.client = caller.client.with_middleware(gate)
        assert [answer.model for answer in caller.together(10, messages=LARGE_PROMPT)] == [FIRST] * 10
        assert gate.most == 2
        assert idle(caller.guard)

    def test_in_threads_and_in_several_event_loops_are_under_one_limit(self):
        guard = Failover(alone(4, 3600))
        gate = Gate(4)

        def in_threads(_):
            with make_client("http://test", asynchronous=False, answer=good) as client:
                wrapped = failover.wrap(client, guard).with_middleware(gate)
                with ThreadPoolExecutor(8) as pool:
                    return list(pool.map(lambda _: wrapped.messages.create(**CALL).model, range(40)))

        def in_a_loop(_):
            async def main():
                async with make_client("http://test", asynchronous=True, answer=good) as client:
                    wrapped = failover.wrap(client, guard).with_middleware(gate)
                    got = await asyncio.gather(*[wrapped.messages.create(**CALL) for _ in range(40)])
                    return [message.model for message in got]

            return anyio.run(main)

        with ThreadPoolExecutor(4) as pool:
            work = [in_threads, in_a_loop, in_a_loop, in_a_loop]
            answers = list(pool.map(lambda one: one(None), work, timeout=60))
        assert answers == [[FIRST] * 40] * 4
        assert gate.most == 4
        assert idle(guard)


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

    def test_also_when_it_is_collected_for_a_call_without_streaming(self, connect, fake_claude):
        caller = connect(limited(1, 0, SECOND, stream={"collect_over": 100}))
        assert caller.create(max_tokens=200).model == FIRST
        assert fake_claude.requests[0].body["stream"] is True
        assert idle(caller.guard)


class TestWhoGivesUp:
    def test_in_line_by_ctrl_c_leaves_it(self, connect):
        clock = ClockThatFrees()
        caller = connect(alone(1, 30), clock=clock)
        caller.create()
        ticket = occupy(caller.guard)

        def interrupt():
            raise KeyboardInterrupt

        clock.after(3, interrupt)
        error = caller.error()
        assert type(error) is KeyboardInterrupt
        assert failover.route(error).outcome == "cancelled"
        assert limit_of(caller.guard).waiting == 0
        ticket.release()
        assert caller.create().model == FIRST

    def test_in_line_by_a_real_signal_leaves_it(self, fake_claude):
        guard = Failover(alone(1, 3600))
        with make_client(fake_claude.url, asynchronous=False) as client:
            wrapped = failover.wrap(client, guard)
            wrapped.messages.create(**CALL)
            ticket = occupy(guard)
            main, stopped = threading.main_thread().ident, threading.Event()

            def press():
                while limit_of(guard).waiting == 0 and not stopped.wait(0.001):
                    pass
                signal.pthread_kill(main, signal.SIGINT)

            presser = threading.Thread(target=press)
            presser.start()
            try:
                with pytest.raises(KeyboardInterrupt):
                    wrapped.messages.create(**CALL)
            finally:
                stopped.set()
                presser.join()
            assert limit_of(guard).waiting == 0
            ticket.release()
            assert wrapped.messages.create(**CALL).model == FIRST
        assert idle(guard)

    def test_in_line_by_cancellation_leaves_it_to_the_next(self, fake_claude):
        guard = Failover(alone(1, 3600))

        async def main():
            async with make_client(fake_claude.url, asynchronous=True) as client:
                wrapped = failover.wrap(client, guard)
                await wrapped.messages.create(**CALL)
                ticket = occupy(guard)
                tasks = []
                for number in range(3):
                    tasks.append(asyncio.ensure_future(wrapped.messages.create(**CALL)))
                    with anyio.fail_after(LONG):
                        await in_line(guard, number + 1)
                for task in tasks[:2]:
                    task.cancel()
                assert [type(got) for got in await asyncio.gather(*tasks[:2], return_exceptions=True)] == [
                    asyncio.CancelledError
                ] * 2
                assert limit_of(guard).waiting == 1
                ticket.release()
                with anyio.fail_after(LONG):
                    assert (await tasks[2]).model == FIRST

        anyio.run(main)
        assert idle(guard)

    def test_whose_turn_has_just_come_passes_it_on(self, fake_claude):
        guard = Failover(alone(1, 3600))

        async def main():
            async with make_client(fake_claude.url, asynchronous=True) as client:
                wrapped = failover.wrap(client, guard)
                await wrapped.messages.create(**CALL)
                ticket = occupy(guard)
                task = asyncio.ensure_future(wrapped.messages.create(**CALL))
                with anyio.fail_after(LONG):
                    await in_line(guard, 1)
                ticket.release()
                assert limit_of(guard).running == 1
                task.cancel()  # before it could wake up
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert idle(guard)
                assert (await wrapped.messages.create(**CALL)).model == FIRST

        anyio.run(main)

    def test_under_way_gives_its_place_back(self, fake_claude):
        guard = Failover(alone(1, 0))
        fake_claude.script(FIRST, [Fault(hang=30)])

        async def main():
            async with make_client(fake_claude.url, asynchronous=True) as client:
                wrapped = failover.wrap(client, guard)
                task = asyncio.ensure_future(wrapped.messages.create(**CALL))
                with anyio.fail_after(LONG):
                    while not fake_claude.count():  # noqa: ASYNC110 - it is another thread that counts
                        await anyio.sleep(0.001)
                assert limit_of(guard).running == 1
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert idle(guard)

        anyio.run(main)


class TestOneLimit:
    def test_is_of_a_model_whichever_ladder_it_stands_on(self, connect):
        first = {"model": FIRST, "at_once": 1, "queue": 0}
        ladders = [{"match": "claude-opus-*", "rungs": [first]}, {"match": "claude-haiku-*", "rungs": [first, SECOND]}]
        caller = connect(policy(ladders=ladders, retry=NO_REPEAT))
        caller.create()
        ticket = occupy(caller.guard)
        caller.guard.board.breaker("claude-opus-5").isolate()
        assert type(caller.error(model="claude-opus-5")) is BulkheadFull
        assert caller.create().model == SECOND
        assert len(caller.guard.bulkheads.limits()) == 1
        ticket.release()

    def test_is_shared_by_all_clients_of_a_guard(self, connect):
        one = connect(alone())
        other = connect(guard=one.guard)
        one.create()
        ticket = occupy(one.guard)
        assert type(other.error()) is BulkheadFull
        ticket.release()
        assert other.create().model == FIRST

    def test_of_another_client_has_its_own_name_and_places(self, fake_claude, asynchronous, connect, fake_clock):
        backup = make_client(fake_claude.url, asynchronous=asynchronous)
        there = {"model": FIRST, "client": "backup", "at_once": 1, "queue": 0}
        a_policy = limited(1, 0, there, SECOND)
        guard = Failover(a_policy, clients={"backup": backup}, clock=fake_clock, random=lambda: 0.5)
        caller = connect(guard=guard)
        caller.create()
        tickets = [occupy(guard)]
        with failover.recording() as routes:
            assert caller.create().model == FIRST
        assert routes[-1].attempts[0].client == "backup"
        tickets.append(occupy(guard, f"backup/{FIRST}"))
        assert caller.create().model == SECOND
        for ticket in tickets:
            ticket.release()
        caller.client, ours = backup, caller.client
        caller.close()
        caller.client = ours


def good(_request):
    """A wire on which all is well."""
    return httpx2.Response(200, json=reply(FIRST))


class TestWhatIsLookedAt:
    """The prompt is 5 MB: whoever looked at it would be counted here."""

    PROMPT = "x" * 5_000_000
    MESSAGES = ({"role": "user", "content": PROMPT},)

    @pytest.fixture
    def looks(self, monkeypatch):
        """What was done to learn of a prompt."""
        looks = []
        for name in ("tokens_of", "fitted", "shrunk", "patched"):
            before = getattr(cargo_module, name)

            def watched(*args, _name=name, _before=before, **options):
                looks.append(_name)
                return _before(*args, **options)

            monkeypatch.setattr(cargo_module, name, watched)
        return looks

    def test_is_nothing_when_nothing_fails(self, connect, looks):
        shrink = {"when": ["timeout_error"], "steps": ["drop_turns"]}
        caller = connect(
            limited(1, 0, SECOND, shrink=shrink, cost_at_most=3.0, fit={"count_tokens": True}), answer=good
        )
        caller.create(messages=list(self.MESSAGES))
        assert looks == []

    def test_is_its_size_once_when_large_ones_are_limited(self, connect, looks):
        caller = connect(policy(bulkheads=LARGE), answer=good)
        caller.create(messages=list(self.MESSAGES))
        assert looks == ["tokens_of"]

    def test_of_its_blocks_is_their_lengths_alone(self):
        class Text(str):
            """A text that nobody may read."""

            __slots__ = ("lengths",)

            def __len__(self):
                self.lengths = getattr(self, "lengths", 0) + 1
                return super().__len__()

            def _no(self, *_):
                raise AssertionError("somebody reads the text")

            __iter__ = __getitem__ = __contains__ = __add__ = encode = split = count = find = strip = lower = _no

        text = Text(self.PROMPT)
        messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
        body = {"model": FIRST, "max_tokens": 5, "messages": messages}
        assert cargo_module.tokens_of(body) == pytest.approx(5_000_000 / 3.5, rel=0.01)
        assert text.lengths == 1

    def test_is_what_each_fallback_takes_once_something_fails(self, connect, fake_claude, looks):
        caller = connect(policy(retry=NO_REPEAT))
        fake_claude.script(FIRST, [Fault(status=529)])
        assert caller.create().model == SECOND
        assert looks.count("fitted") == 1


def faults_of_all_kinds():
    return [
        None,
        Fault(status=500),
        Fault(status=529),
        Fault(status=504),
        Fault(status=429, retry_after=1),
        Fault(status=429, retry_after=60),
        Fault(drop=True),
        Fault(malformed="html"),
        Fault(cut=True),
        Fault(error_event="overloaded_error", after_events=0),
        Fault(end_without_stop=True),
    ]


def test_nothing_leaks_after_a_thousand_calls_of_all_kinds(connect, fake_claude):
    never = {"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}}
    large = {"large": {"over": "1 tokens", "at_once": 3, "queue": "1s"}}
    second = {"model": SECOND, "at_once": 2, "queue": "1s"}
    a_policy = limited(2, 1.0, second, retry={"budget": "off"}, breaker=never, bulkheads=large)
    skips = []
    caller = connect(a_policy, listeners=[lambda event: skips.append(event) if type(event) is ModelSkipped else None])
    reader = streams_of(caller)
    caller.create()
    ways = [
        caller.attempt,
        lambda: caller.attempt(max_tokens="many"),
        reader.read,
        lambda: reader.close(reader.open()),
        caller.first_text,
        caller.stream,
    ]
    faults = faults_of_all_kinds()
    for number in range(1000):
        caller.board[FIRST].close()
        others = [occupy(caller.guard) for _ in range(2 if number % 7 == 0 else 0)]
        fake_claude.script(FIRST, [faults[number % len(faults)]])
        try:
            ways[number % len(ways)]()
        except anthropic.APIError:
            pass
        finally:
            for ticket in others:
                ticket.release()
        fake_claude.script(FIRST, [])
        assert idle(caller.guard), number
    assert fake_claude.count(FIRST) > 700
    assert "full" in {skip.reason for skip in skips}
