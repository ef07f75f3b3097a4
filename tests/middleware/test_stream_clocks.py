"""The clocks of a stream: how long it may take to begin, how long it may be silent, and what its pings mean.

These need real time, of which they take little; whatever is to be silent for longer is given up on.
"""

from __future__ import annotations

import time

import anthropic
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, trip
from stream_callers import streams_of
from stream_lab import PING, frames, raw_upstream

import failover
from failover.clock import SystemClock

GOOD = frames(FIRST)
TEXT = (GOOD.start, GOOD.block, GOOD.deltas[0])
SILENCE = 30.0
SHORT = {**NO_REPEAT, "deadline": "1s", "reserve": "300ms"}  # room for a busy machine
NO_DEADLINE = {**NO_REPEAT, "deadline": "off"}
THINKING = {"max_tokens": 4096, "thinking": {"type": "adaptive"}}
PINGED = {"stall": 0.8, "ping_every": 0.02}
"""A silence with pings in it, twice as long as `IMPATIENT` allows."""
IMPATIENT = {"first_event": "400ms", "idle": "400ms"}


@pytest.fixture
def guarded(connect):
    """Makes words for streams on real time, with these parts of a policy."""

    def guarded(retry=NO_DEADLINE, *, stream=None, breaker=None, **options):
        parts = {name: part for name, part in (("stream", stream), ("breaker", breaker)) if part}
        return streams_of(connect(policy(retry=retry, **parts), clock=SystemClock(), **options))

    return guarded


class TestTheDeadline:
    @pytest.mark.parametrize(
        ("fault", "stream"),
        [
            pytest.param({"hang": SILENCE}, {}, id="no headers"),
            pytest.param({"first_token": SILENCE}, {}, id="no content"),
            pytest.param({"stall": SILENCE, "after_events": 0}, {}, id="a block without content"),
            pytest.param({"first_token": SILENCE, "ping_every": 0.1}, {}, id="nothing but pings"),
            pytest.param({"first_token": SILENCE, "ping_every": 0.1}, {"pings": "life"}, id="pings, and they count"),
        ],
    )
    def test_is_for_the_answer_to_begin_so_that_the_next_model_still_can(self, guarded, fake_claude, fault, stream):
        fake_claude.fail(FIRST, **fault)
        began = time.monotonic()
        reading, answer = guarded(SHORT, stream=stream).read()
        took = time.monotonic() - began
        assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")
        assert took < 1
        first = failover.route(answer).attempts[0]
        assert (first.error_type, first.first_content) == ("client_timeout_error", None)
        assert first.seconds == pytest.approx(0.7, abs=0.1)  # the rest is the next model's

    def test_ends_a_call_that_no_model_begins_to_answer(self, guarded, fake_claude):
        fake_claude.fail("*", first_token=SILENCE)
        began = time.monotonic()
        reading, _ = guarded(SHORT).read()
        assert time.monotonic() - began < 1.5
        assert type(reading.error) is anthropic.APITimeoutError
        assert len(failover.route(reading.error).attempts) == 2

    @pytest.mark.parametrize("down", [False, True])
    def test_does_not_cut_a_slow_stream_that_has_begun(self, guarded, fake_claude, down):
        if down:
            fake_claude.fail(FIRST, 529)
        fake_claude.fail(SECOND if down else FIRST, token_every=0.15)
        reading, stream = guarded({**NO_REPEAT, "deadline": "500ms", "reserve": "200ms"}).read()
        assert (reading.error, reading.text) == (None, f"Hello from {SECOND if down else FIRST}.")
        assert failover.route(stream).attempts[-1].seconds > 0.5

    @pytest.mark.parametrize(("asked", "served"), [({}, SECOND), (THINKING, FIRST)], ids=["text", "thinking"])
    def test_is_not_for_a_model_that_thinks(self, guarded, fake_claude, asked, served):
        fake_claude.fail(FIRST, stall=1, after_events=0, ping_every=0.05)
        reading, _ = guarded(SHORT).read(**asked)
        assert (reading.error, reading.text) == (None, f"Hello from {served}.")

    @pytest.mark.parametrize(
        "case",
        [
            pytest.param(({"token_every": 0.15}, [FIRST], "closed"), id="slow once it has begun"),
            pytest.param(({"stall": SILENCE, "after_events": 0}, [FIRST, SECOND], "open"), id="never begins"),
        ],
    )
    def test_of_a_probe_is_for_its_answer_to_begin(self, connect, fake_claude, fake_clock, case):
        fault, served, state = case
        probe = {"timeout": "400ms", "successes": 1}
        caller = connect(policy(retry=NO_DEADLINE, breaker={**trip(consecutive_failures=1), "probe": probe}))
        breaker = caller.board.breaker(FIRST)
        breaker.open()
        fake_clock.advance(15)
        fake_claude.fail(FIRST, **fault)
        reading, stream = streams_of(caller).read()
        assert (reading.error, reading.text) == (None, f"Hello from {served[-1]}.")
        assert [attempt.model for attempt in failover.route(stream).attempts] == served
        assert breaker.state == state


class TestFirstEvent:
    @pytest.mark.parametrize("fault", [{"hang": SILENCE}, {"first_token": SILENCE}], ids=["no headers", "no content"])
    def test_is_counted_from_sending(self, guarded, fake_claude, fault):
        fake_claude.fail(FIRST, **fault)
        reading, stream = guarded(stream={"first_event": "300ms"}).read()
        assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")
        assert failover.route(stream).attempts[0].seconds == pytest.approx(0.3, abs=0.15)

    def test_is_one_time_for_headers_and_content_together(self, guarded, fake_claude):
        fake_claude.fail(FIRST, delay=0.4, first_token=0.4)
        assert guarded(stream={"first_event": "600ms"}).read()[0].text == f"Hello from {SECOND}."

    def test_may_be_off(self, guarded, fake_claude):
        fake_claude.fail(FIRST, first_token=0.4)
        assert guarded(stream={"first_event": "off", "idle": "100ms"}).read()[0].text == f"Hello from {FIRST}."


class TestIdle:
    def test_ends_a_stream_that_stands_still(self, guarded, fake_claude):
        fake_claude.fail(FIRST, stall=SILENCE)
        reading, stream = guarded(stream={"idle": "300ms"}).read()
        assert (type(reading.error), reading.text) == (anthropic.APITimeoutError, "Hello ")
        assert failover.route(stream).attempts[0].error_type == "client_timeout_error"

    def test_is_the_longest_of_each_silence_and_not_of_all_together(self, guarded, fake_claude):
        fake_claude.fail(FIRST, token_every=0.2)
        reading, stream = guarded(stream={"idle": "600ms"}).read()
        assert reading.error is None
        assert failover.route(stream).attempts[0].seconds > 0.6

    def test_may_be_off_and_then_the_clients_own_time_out_counts(self, guarded, fake_claude):
        fake_claude.fail(FIRST, stall=0.4)
        assert guarded(stream={"idle": "off"}).read()[0].error is None
        fake_claude.fail(FIRST, stall=SILENCE)
        assert type(guarded(stream={"idle": "off"}, timeout=0.3).read()[0].error) is anthropic.APITimeoutError

    @pytest.mark.parametrize("after_events", [0, 1])
    def test_is_never_longer_than_the_clients_own_time_out(self, guarded, fake_claude, after_events):
        fake_claude.fail(FIRST, stall=SILENCE, after_events=after_events)
        reading, stream = guarded(timeout=0.3).read()
        assert failover.route(stream).attempts[0].seconds == pytest.approx(0.3, abs=0.15)
        assert type(reading.error) is (anthropic.APITimeoutError if after_events else type(None))

    def test_does_not_count_what_the_reader_takes_between_two_reads(self, connect, fake_claude, fake_clock):
        streams = streams_of(connect(policy(retry=NO_REPEAT)))
        fake_claude.fail(FIRST, token_every=0.01)
        stream = streams.open()
        for _ in range(5):
            streams.take(stream, 1)
            fake_clock.advance(1000)
        assert streams.rest(stream).error is None


PINGS = [
    pytest.param((0, "thinking", THINKING, True), id="a model that thinks"),
    pytest.param((1, "thinking", {}, False), id="in the middle of a text"),
    pytest.param((1, "life", {}, True), id="in the middle of a text, as life"),
]
"""After how many deltas it is silent, what the policy says of pings, what was asked, and whether that is survived."""


class TestPings:
    @pytest.mark.parametrize("case", PINGS)
    def test_in_a_silence(self, guarded, fake_claude, case):
        after_events, pings, asked, alive = case
        fake_claude.fail(FIRST, after_events=after_events, **PINGED)
        reading, stream = guarded(stream={**IMPATIENT, "pings": pings}).read(**asked)
        outcome = failover.route(stream).outcome
        if alive:
            assert (reading.error, outcome) == (None, "primary")
        else:
            assert (type(reading.error), outcome) == (anthropic.APITimeoutError, "interrupted")
        assert "ping" not in reading.events

    def test_reach_whoever_reads_the_bytes(self, connect):
        events = (*TEXT, PING, *GOOD.whole[3:])
        with raw_upstream() as upstream:
            upstream.answers(FIRST, *events)
            assert streams_of(connect(url=upstream.url)).wire() == (b"".join(events), None)
