"""Bulkheads before a real client: who waits, who is let in, what the caller is told, and what is looked at for it."""

from __future__ import annotations

import pickle

import anthropic
import pybreaker
import pytest
from bulkhead_places import (
    LARGE,
    ClockThatFrees,
    alone,
    good,
    idle,
    limit_of,
    limited,
    occupy,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, make_client, policy

import failover
from failover import Failover
from failover.errors import BulkheadFull, CircuitOpen
from failover.events import AttemptStarted, CallStarted
from failover.request import cargo as cargo_module
from failover.testing import Fault


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

    def test_is_also_of_who_asks_for_the_model_itself(self, connect):
        first = {"model": FIRST, "at_once": 1, "queue": 0}
        ladders = [{"match": "claude-opus-*", "rungs": [first]}, {"match": "claude-haiku-*", "rungs": [SECOND]}]
        caller = connect(policy(ladders=ladders, retry=NO_REPEAT))
        caller.create()
        ticket = occupy(caller.guard)
        assert caller.create().model == SECOND
        ticket.release()
        assert caller.create().model == FIRST

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

    def test_is_nothing_when_limits_are_for_all(self, connect, looks):
        caller = connect(policy(bulkheads={"all": {"at_once": 50}}), answer=good)
        caller.create(messages=list(self.MESSAGES))
        assert looks == []

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
