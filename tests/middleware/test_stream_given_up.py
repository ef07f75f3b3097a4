"""A stream that is closed by another thread, left early or forgotten: its permit and its connection go back."""

from __future__ import annotations

import contextvars
import gc
import threading

import httpx2
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, Watcher, make_client, policy
from stream_lab import CUT
from stream_places import BEGUN, ENDLESS, PLACES, RESUMING, TAKEN_OVER, Told, assert_given_back, busy, half_open
from stream_reading import read, until

import failover
from failover.events import AttemptFinished


@pytest.fixture
def told():
    return Told()


class EndlessClock:
    """A clock on which a wait ends only when a test says so."""

    def __init__(self):
        self.waiting, self.over = threading.Event(), threading.Event()

    def now(self):
        return 1000.0

    def sleep(self, seconds):
        self.waiting.set()
        self.over.wait(10)


class TestAThread:
    @pytest.fixture
    def client(self, raw):
        with make_client(raw.url, asynchronous=False) as client:
            yield client

    @pytest.fixture
    def guard(self, fake_clock, told):
        return failover.Failover(
            policy(retry=NO_REPEAT, **RESUMING), clock=fake_clock, random=lambda: 0.5, listeners=[told]
        )

    @staticmethod
    def all_of(stream, errors):
        try:
            for _ in stream:
                pass
        except Exception as error:  # noqa: BLE001 - looked at by the test
            errors.append(error)

    def test_whose_stream_is_closed_before_another_takes_over_gets_none_of_that(
        self, client, guard, raw, told, fake_clock
    ):
        go_on = threading.Event()
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, TAKEN_OVER[0], go_on, *TAKEN_OVER[1:], ENDLESS)
        half_open(guard, fake_clock, SECOND)
        stream = failover.wrap(client, guard).messages.create(**CALL, stream=True)
        errors = []
        reader = threading.Thread(target=self.all_of, args=(stream, errors))
        reader.start()
        assert until(lambda: len(raw.connections) == 2)
        stream.close()
        go_on.set()
        reader.join(10)
        assert not reader.is_alive()
        assert [isinstance(error, (httpx2.StreamError, httpx2.HTTPError)) for error in errors] == [True]
        assert_given_back(guard, SECOND)
        assert busy(client) == []
        assert told == [(FIRST, "failure", "cut"), (SECOND, "neutral", "closed"), "cancelled"]

    def test_whose_stream_is_closed_in_a_wait_before_another_takes_over_sends_nothing_more(self, client, raw, told):
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, status=500, kind="application/json")
        clock = EndlessClock()
        guard = failover.Failover(policy(**RESUMING), clock=clock, random=lambda: 0.5, listeners=[told])
        stream = failover.wrap(client, guard).messages.create(**CALL, stream=True)
        errors = []
        reader = threading.Thread(target=self.all_of, args=(stream, errors))
        reader.start()
        assert clock.waiting.wait(10)
        stream.close()
        raw.answers(SECOND)
        clock.over.set()
        reader.join(10)
        assert [type(error) for error in errors] == [httpx2.StreamClosed]
        assert failover.route(stream).outcome == "cancelled"
        assert told == [(FIRST, "failure", "cut"), (SECOND, "failure", None), "cancelled"]
        assert len(raw.connections) == 2
        assert guard.board[SECOND].outlook() is None
        assert busy(client) == []

    def test_may_close_while_another_tells_of_the_call(self, client, guard, raw, fake_clock):
        """A listener may be slow, and a call's context can be entered by one thread at a time."""
        told_of_it, closed = threading.Event(), threading.Event()

        def slow(event):
            if isinstance(event, AttemptFinished) and event.model == FIRST:
                told_of_it.set()
                closed.wait(10)

        guard = failover.Failover(policy(retry=NO_REPEAT, **RESUMING), clock=fake_clock, listeners=[slow])
        raw.answers(FIRST, *BEGUN, CUT)
        stream = failover.wrap(client, guard).messages.create(**CALL, stream=True)
        errors = []
        reader = threading.Thread(target=self.all_of, args=(stream, errors))
        reader.start()
        assert told_of_it.wait(10)
        stream.close()
        closed.set()
        reader.join(10)
        assert [isinstance(error, (httpx2.StreamError, httpx2.HTTPError)) for error in errors] == [True]
        assert guard.board[SECOND].outlook() is None
        assert busy(client) == []

    def test_that_reads_what_another_one_opened_leaves_nothing_behind(self, client, guard, raw, told, fake_clock):
        half_open(guard, fake_clock, SECOND)
        raw.answers(FIRST, *BEGUN, CUT)
        stream = failover.wrap(client, guard).messages.create(**CALL, stream=True)
        reader = threading.Thread(target=contextvars.Context().run, args=(self.all_of, stream, []))
        reader.start()
        reader.join(10)
        assert failover.route(stream).outcome == "fallback"
        assert told == [(FIRST, "failure", "cut"), (SECOND, "success", "complete"), "fallback"]
        assert busy(client) == []

    def test_that_loses_its_stream_leaves_it_to_the_garbage_collector(self, client, guard, raw, told, fake_clock):
        raw.answers(FIRST, *BEGUN, ENDLESS)
        half_open(guard, fake_clock, FIRST)
        stream = failover.wrap(client, guard).messages.create(**CALL, stream=True)
        assert next(iter(stream)).type == "message_start"
        del stream
        gc.collect()
        assert_given_back(guard, FIRST)
        assert busy(client) == []
        assert told == [(FIRST, "neutral", "closed"), "cancelled"]


def test_an_error_of_another_middleware_before_another_takes_over_is_its_own(connect, raw, told):
    def fail(request):
        if request.json["model"] == SECOND:
            raise ZeroDivisionError

    raw.answers(FIRST, *BEGUN, CUT)
    caller = connect(policy(retry=NO_REPEAT, **RESUMING), url=raw.url, listeners=[told])
    caller.client = caller.client.with_middleware(Watcher(fail))
    assert type(read(caller).error) is ZeroDivisionError
    assert caller.board[SECOND].outlook() is None
    assert [end for end in told if isinstance(end, tuple)] == [(FIRST, "failure", "cut")]
    assert len(told) == 2


@pytest.mark.parametrize("place", ["while it is read", "while another is read"])
def test_leaving_a_stream_early_says_nothing_about_a_model(connect, raw, fake_clock, told, place):
    first, second, (model, _, pieces) = PLACES[place]
    raw.answers(FIRST, *first, ENDLESS)
    raw.answers(SECOND, *(second or ()), ENDLESS)
    caller = connect(policy(retry=NO_REPEAT, **RESUMING), url=raw.url, listeners=[told])
    half_open(caller.guard, fake_clock, model)
    assert len(texts_of(caller, pieces)) == pieces
    assert_given_back(caller.guard, model)
    assert busy(caller.client) == []
    assert told[-2:] == [(model, "neutral", "closed"), "cancelled"]


def texts_of(caller, count):
    """So many pieces of a streamed text; then the stream is left."""
    if not caller.asynchronous:
        with caller.client.messages.stream(**CALL) as stream:
            texts = iter(stream.text_stream)
            return [next(texts) for _ in range(count)]

    async def read_texts():
        async with caller.client.messages.stream(**CALL) as stream:
            texts = aiter(stream.text_stream)
            return [await anext(texts) for _ in range(count)]

    return caller._portal.call(read_texts)
