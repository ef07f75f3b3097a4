"""Faults around a stream that are no model's: a full pool, a transport's own error, a body that does not end."""

from __future__ import annotations

import json
import time

import anthropic
import httpx2
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, trip
from stream_callers import streams_of
from stream_lab import CUT, EVENTS, frames
from stream_places import BEGUN, ENDLESS, RESUMING, TAKEN_OVER, Told, assert_given_back, busy, half_open
from stream_reading import SILENCE, read

import failover
from failover.clock import SystemClock

LONG = {"max_tokens": 2000}
COLLECTING = {"collect_over": 1000}
ONE_FAILURE = trip(consecutive_failures=1)


@pytest.fixture
def told():
    return Told()


class TestAFullPool:
    """All connections of this client are in use: the request has reached nobody."""

    @pytest.fixture
    def crowded(self, connect, asynchronous, fake_claude, told):
        """A caller whose only connection a stream has, which is silent; and that stream."""
        kind = anthropic.DefaultAsyncHttpxClient if asynchronous else anthropic.DefaultHttpxClient
        http = kind(verify=False, limits=httpx2.Limits(max_connections=1))
        caller = connect(policy(stream=COLLECTING, breaker=ONE_FAILURE), http_client=http, listeners=[told])
        fake_claude.fail(FIRST, stall=30, times=1)
        return caller, streams_of(caller).open()

    @pytest.mark.parametrize("fields", [{}, {"stream": True}, LONG], ids=["plain", "streamed", "collected"])
    def test_is_said_at_once_and_is_no_outage(self, crowded, fake_claude, fake_clock, told, fields):
        caller, _ = crowded
        error = caller.error(timeout=0.1, **fields)
        assert type(error) is anthropic.APITimeoutError
        assert isinstance(error.__cause__, httpx2.PoolTimeout)
        route = failover.route(error)
        assert (route.outcome, [(one.model, one.error_type) for one in route.attempts]) == (
            "failed",
            [(FIRST, "pool_timeout")],
        )
        assert told == [(FIRST, "neutral", None), "failed"]
        assert [caller.board[model].state for model in (FIRST, SECOND)] == ["closed", "closed"]
        assert caller.board[FIRST].pybreaker.fail_counter == 0
        assert (fake_claude.count(), fake_clock.slept) == (1, [])

    def test_leaves_a_probes_place_to_the_next(self, crowded, fake_clock):
        caller, _ = crowded
        half_open(caller.guard, fake_clock, FIRST)
        assert type(caller.error(timeout=0.1)) is anthropic.APITimeoutError
        assert_given_back(caller.guard, FIRST)

    def test_is_over_with_the_stream(self, crowded):
        caller, stream = crowded
        caller.error(timeout=0.1)
        streams_of(caller).close(stream)
        assert caller.create(timeout=5).model == FIRST

    def test_may_be_met_by_whoever_takes_over(self, connect, told):
        """The rest of the answer will not come, and the second model is as well as before."""

        def answer(request):
            if json.loads(request.content)["model"] == SECOND:
                raise httpx2.PoolTimeout("full")
            return httpx2.Response(200, headers={"content-type": EVENTS}, stream=Pieces(BEGUN, httpx2.ReadError("cut")))

        caller = connect(policy(retry=NO_REPEAT, **RESUMING), answer=answer, listeners=[told])
        reading = read(caller)
        assert type(reading.error) is anthropic.APIConnectionError
        assert told == [(FIRST, "failure", "cut"), (SECOND, "neutral", None), "interrupted"]
        assert failover.route(reading.error).attempts[-1].error_type == "pool_timeout"
        assert caller.board[SECOND].pybreaker.fail_counter == 0


class OwnError(RuntimeError):
    """Of a transport that somebody wrote."""


class Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body of a transport of one's own, and the error that ends it."""

    def __init__(self, pieces, error):
        self._pieces, self._error = pieces, error
        self.closed = False

    def __iter__(self):
        yield from self._pieces
        raise self._error

    async def __aiter__(self):
        for piece in self._pieces:
            yield piece
        raise self._error

    def close(self):
        self.closed = True

    async def aclose(self):
        self.closed = True


class TestAnErrorOfTheTransportsOwn:
    """Whatever it is, it is no model's outage, and its caller must see it."""

    @pytest.fixture
    def broken(self, connect, told):
        """Makes a caller whose transport breaks after some pieces of a model's answer; its bodies and its error."""

        def broken(model, pieces, **parts):
            error, bodies = OwnError("own"), []

            def answer(request):
                asked = json.loads(request.content)["model"]
                cut = httpx2.ReadError("cut")
                bodies.append(Pieces(pieces, error) if asked == model else Pieces(BEGUN, cut))
                return httpx2.Response(200, headers={"content-type": EVENTS}, stream=bodies[-1])

            parts = {"retry": NO_REPEAT, **RESUMING, **parts}
            return connect(policy(**parts), answer=answer, listeners=[told]), bodies, error

        return broken

    @pytest.mark.parametrize("path", ["messages.create", "messages.stream", "beta.messages.stream"])
    @pytest.mark.parametrize("count", [0, 1, 2, 3], ids=["nothing", "a start", "a block", "content"])
    def test_reaches_the_caller(self, broken, fake_clock, told, count, path):
        caller, bodies, error = broken(FIRST, BEGUN[:count])
        half_open(caller.guard, fake_clock, FIRST)
        reading = read(caller, path)
        assert reading.error is error
        assert reading.types.count("content_block_delta") == (1 if count == 3 else 0)
        route = failover.route(error)
        assert (route.outcome, route.served_model) == ("failed", None)
        assert told == ["failed"]
        assert_given_back(caller.guard, FIRST)
        assert [body.closed for body in bodies] == [True]

    @pytest.mark.parametrize("count", [0, 3], ids=["before its content", "after it"])
    def test_reaches_it_from_whoever_takes_over(self, broken, fake_clock, told, count):
        caller, bodies, error = broken(SECOND, TAKEN_OVER[:count])
        half_open(caller.guard, fake_clock, SECOND)
        reading = read(caller)
        assert reading.error is error
        assert failover.route(error).outcome == "failed"
        assert told == [(FIRST, "failure", "cut"), "failed"]
        assert_given_back(caller.guard, SECOND)
        assert [body.closed for body in bodies] == [True, True]
        assert isinstance(error.__context__, anthropic.APIConnectionError)  # what had to be taken over

    @pytest.mark.parametrize("count", [1, 3], ids=["before its content", "after it"])
    def test_reaches_whoever_wants_a_whole_message(self, broken, fake_clock, told, count):
        caller, bodies, error = broken(FIRST, BEGUN[:count], stream=COLLECTING)
        half_open(caller.guard, fake_clock, FIRST)
        assert caller.error(**LONG) is error
        assert failover.route(error).outcome == "failed"
        assert told == ["failed"]
        assert_given_back(caller.guard, FIRST)
        assert [body.closed for body in bodies] == [True]

    def test_keeps_what_had_been_given(self, broken):
        caller, _, error = broken(FIRST, BEGUN)
        assert read(caller).error is error
        assert [block.text for block in failover.partial_message(error).content] == ["Hello "]

    def test_of_before_its_content_keeps_nothing(self, broken):
        caller, _, error = broken(FIRST, BEGUN[:2])
        assert read(caller).error is error
        assert failover.partial_message(error) is None


class TestABodyThatDoesNotEnd:
    """After `message_stop` the answer is complete, whatever becomes of its connection."""

    @pytest.fixture
    def waiting(self, connect, raw, told):
        """Makes a caller whose upstream goes on in this way after a whole answer."""

        def waiting(*after, **stream):
            raw.answers(FIRST, *frames(FIRST).whole, *after)
            return connect(policy(stream=stream), url=raw.url, clock=SystemClock(), listeners=[told])

        return waiting

    def test_is_waited_for_at_most_a_second(self, waiting, told):
        caller = waiting(ENDLESS)
        began = time.monotonic()
        reading = read(caller)
        took = time.monotonic() - began
        assert (reading.error, reading.message.content[0].text) == (None, f"Hello from {FIRST}.")
        assert 0.9 < took < 3
        assert told == [(FIRST, "success", "complete"), "primary"]
        assert busy(caller.client) == []

    def test_nor_longer_than_for_anything_else(self, waiting, told):
        caller = waiting(ENDLESS, idle=SILENCE)
        assert read(caller).error is None
        assert told == [(FIRST, "success", "complete"), "primary"]

    def test_delays_a_collected_answer_no_longer(self, waiting, raw, told):
        caller = waiting(ENDLESS, idle=SILENCE, **COLLECTING)
        assert caller.create(**LONG).content[0].text == f"Hello from {FIRST}."
        assert told == [(FIRST, "success", "complete"), "primary"]
        assert (len(raw.connections), busy(caller.client)) == (1, [])

    @pytest.mark.parametrize("fields", [{"stream": True}, LONG], ids=["streamed", "collected"])
    def test_that_ends_a_little_later_gives_its_connection_back(self, waiting, raw, fields):
        caller = waiting(0.1, **COLLECTING)
        for _ in range(2):
            if "stream" in fields:
                assert caller.events()[-1] == "message_stop"
            else:
                assert caller.create(**fields).model == FIRST
        assert len(set(raw.connections)) == 1

    @pytest.mark.parametrize("fields", [{"stream": True}, LONG], ids=["streamed", "collected"])
    def test_that_is_cut_is_complete_too(self, waiting, told, fields):
        caller = waiting(CUT, **COLLECTING)
        if "stream" in fields:
            assert read(caller).error is None
        else:
            assert caller.create(**fields).model == FIRST
        assert told == [(FIRST, "success", "complete"), "primary"]
