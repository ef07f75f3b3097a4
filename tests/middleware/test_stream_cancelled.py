"""A task that is stopped while it reads a stream, and Ctrl-C: permits and connections go back, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading

import anyio
import httpx2
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, Watcher, ladder, make_client, policy
from stream_lab import CUT
from stream_places import BEGUN, ENDLESS, PLACES, RESUMING, TAKEN_OVER, Told, assert_given_back, busy, half_open
from stream_reading import read, until_async
from test_cancellation import InterruptedClock

import failover

UNWELL = {"status": 500, "kind": "application/json"}
"""An answer that is worth another request to the same model, after a wait."""


@pytest.fixture
def told():
    return Told()


class EndlessClock:
    """A clock on which a wait ends only when a test says so."""

    def __init__(self):
        self.waiting = False
        self.over = asyncio.Event()

    def now(self):
        return 1000.0

    async def sleep_async(self, seconds):
        self.waiting = True
        await self.over.wait()


class TestATask:
    """Async readers can be stopped from outside."""

    @pytest.fixture
    def run(self, raw, fake_clock, told):
        """Runs `await story(client, guard)` on an event loop, which must have nothing to complain of."""

        def run(story, a_policy=None, clock=fake_clock):
            complaints = []

            async def main():
                asyncio.get_running_loop().set_exception_handler(lambda _loop, said: complaints.append(said))
                guard = failover.Failover(
                    a_policy or policy(retry=NO_REPEAT, **RESUMING), clock=clock, random=lambda: 0.5, listeners=[told]
                )
                async with make_client(raw.url, asynchronous=True) as client:
                    await story(failover.wrap(client, guard), guard)
                    gc.collect()
                    await asyncio.sleep(0)

            asyncio.run(main())
            assert complaints == []

        return run

    @staticmethod
    async def read(client, texts):
        """Read a stream, and note each piece of text."""
        async with client.messages.stream(**CALL) as stream:
            async for text in stream.text_stream:
                texts.append(text)

    async def by_cancelling(self, client, texts, ready):
        task = asyncio.ensure_future(self.read(client, texts))
        await until_async(ready)
        assert busy(client)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def by_a_cancel_scope(self, client, texts, ready):
        async with anyio.create_task_group() as tasks:

            async def stop():
                await until_async(ready)
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            await self.read(client, texts)

    async def by_a_time_out(self, client, texts, ready):
        reading = asyncio.wait_for(self.read(client, texts), 0.2)
        with pytest.raises(asyncio.TimeoutError):
            await reading
        assert ready()

    @pytest.mark.parametrize("how", ["by_cancelling", "by_a_cancel_scope", "by_a_time_out"])
    @pytest.mark.parametrize("place", PLACES)
    def test_that_is_stopped_gives_everything_back(self, run, raw, told, place, how):
        first, second, (model, requests, pieces) = PLACES[place]
        raw.answers(FIRST, *first, ENDLESS)
        raw.answers(SECOND, *(second or ()), ENDLESS)

        async def story(client, guard):
            half_open(guard, guard._clock, model)
            texts = []
            with failover.recording() as routes:
                await getattr(self, how)(
                    client, texts, lambda: (len(raw.connections), len(texts)) == (requests, pieces)
                )
            assert [route.outcome for route in routes] == ["cancelled"]
            assert_given_back(guard, model)
            assert busy(client) == []

        run(story)
        assert told[-1] == "cancelled"
        assert (model, "failure") not in [end[:2] for end in told]

    def test_that_is_stopped_in_a_wait_before_another_takes_over(self, run, raw, told):
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, **UNWELL)
        clock = EndlessClock()

        async def story(client, guard):
            with failover.recording() as routes:
                task = asyncio.ensure_future(self.read(client, []))
                await until_async(lambda: clock.waiting)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert [(route.outcome, route.resumed) for route in routes] == [("cancelled", None)]
            assert guard.board[SECOND].outlook() is None
            assert busy(client) == []

        run(story, policy(**RESUMING), clock)
        assert told == [(FIRST, "failure", "cut"), (SECOND, "failure", None), "cancelled"]
        assert len(raw.connections) == 2

    def test_whose_stream_is_closed_in_a_wait_before_another_takes_over_sends_nothing_more(self, run, raw, told):
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, **UNWELL)
        clock = EndlessClock()

        async def story(client, guard):
            stream = await client.messages.create(**CALL, stream=True)
            reader = asyncio.ensure_future(self.all_of(stream))
            await until_async(lambda: clock.waiting)
            await stream.close()
            raw.answers(SECOND)
            clock.over.set()
            assert type(await reader) is httpx2.StreamClosed
            assert failover.route(stream).outcome == "cancelled"
            assert guard.board[SECOND].outlook() is None
            assert busy(client) == []

        run(story, policy(**RESUMING), clock)
        assert told == [(FIRST, "failure", "cut"), (SECOND, "failure", None), "cancelled"]
        assert len(raw.connections) == 2

    def test_that_is_stopped_while_an_answer_is_collected(self, run, raw, fake_clock):
        raw.answers(FIRST, *BEGUN, ENDLESS)

        async def story(client, guard):
            half_open(guard, fake_clock, FIRST)
            task = asyncio.ensure_future(client.messages.create(**{**CALL, "max_tokens": 5000}))
            await until_async(lambda: raw.connections)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert_given_back(guard, FIRST)
            assert busy(client) == []

        run(story, policy(retry=NO_REPEAT, stream={"collect_over": 1000}))

    def test_whose_stream_another_task_closes_is_told_and_nobody_is_asked_any_more(self, run, raw, told, fake_clock):
        raw.answers(FIRST, *BEGUN, ENDLESS)

        async def story(client, guard):
            half_open(guard, fake_clock, FIRST)
            stream = await client.messages.create(**CALL, stream=True)
            with failover.recording() as routes:
                reader = asyncio.ensure_future(self.all_of(stream))
                await asyncio.sleep(0.02)
                await stream.close()
                error = await reader
            assert isinstance(error, (httpx2.StreamError, httpx2.HTTPError))
            assert_given_back(guard, FIRST)
            assert (busy(client), routes) == ([], [])
            assert failover.route(stream).outcome == "cancelled"

        run(story)
        assert told == [(FIRST, "neutral", "closed"), "cancelled"]
        assert len(raw.connections) == 1

    def test_whose_stream_is_closed_before_another_takes_over_gets_none_of_that(self, run, raw, told, fake_clock):
        go_on = threading.Event()
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, TAKEN_OVER[0], go_on, *TAKEN_OVER[1:], ENDLESS)

        async def story(client, guard):
            half_open(guard, fake_clock, SECOND)
            stream = await client.messages.create(**CALL, stream=True)
            reader = asyncio.ensure_future(self.all_of(stream))
            await until_async(lambda: len(raw.connections) == 2)
            await stream.close()
            go_on.set()
            error = await reader
            assert isinstance(error, (httpx2.StreamError, httpx2.HTTPError))
            assert_given_back(guard, SECOND)
            assert busy(client) == []
            assert failover.route(stream).outcome == "cancelled"

        run(story)
        assert told == [(FIRST, "failure", "cut"), (SECOND, "neutral", "closed"), "cancelled"]

    @staticmethod
    async def all_of(stream):
        with contextlib.suppress(StopAsyncIteration):
            try:
                async for _ in stream:
                    pass
            except Exception as error:  # noqa: BLE001 - looked at by the test
                return error
        return None

    def test_that_loses_its_stream_leaves_it_to_the_garbage_collector(self, run, raw, told, fake_clock):
        raw.answers(FIRST, *BEGUN, ENDLESS)

        async def story(client, guard):
            half_open(guard, fake_clock, FIRST)
            stream = await client.messages.create(**CALL, stream=True)
            assert (await anext(aiter(stream))).type == "message_start"
            del stream
            gc.collect()
            await until_async(lambda: guard.board[FIRST].outlook() is None)
            assert_given_back(guard, FIRST)

        run(story)
        assert told == [(FIRST, "neutral", "closed"), "cancelled"]


class _Interrupted(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in whose reading somebody presses Ctrl-C, after so many pieces."""

    def __init__(self, body, after):
        self._body, self._after = body, after

    def __iter__(self):
        left = self._after
        for piece in self._body:
            if not left:
                raise KeyboardInterrupt
            left -= 1
            yield piece

    async def __aiter__(self):
        left = self._after
        async for piece in self._body:
            if not left:
                raise KeyboardInterrupt
            left -= 1
            yield piece

    def close(self):
        self._body.close()

    async def aclose(self):
        await self._body.aclose()


class TestCtrlC:
    @pytest.fixture
    def interrupting(self, connect, asynchronous, raw, fake_clock, told):
        """Makes a caller and its guard; Ctrl-C is pressed after so many pieces of a model's answer."""

        def interrupting(model, after):
            def changed(request, response):
                if b'"' + model.encode() + b'"' in request.content:
                    response.stream = _Interrupted(response.stream, after)
                return response

            class Sync(httpx2.HTTPTransport):
                def handle_request(self, request):
                    return changed(request, super().handle_request(request))

            class Async(httpx2.AsyncHTTPTransport):
                async def handle_async_request(self, request):
                    return changed(request, await super().handle_async_request(request))

            http = (
                httpx2.AsyncClient(transport=Async(verify=False))
                if asynchronous
                else httpx2.Client(transport=Sync(verify=False))
            )
            return connect(policy(retry=NO_REPEAT, **RESUMING), url=raw.url, http_client=http, listeners=[told])

        return interrupting

    @pytest.mark.parametrize("place", PLACES)
    def test_gives_everything_back_wherever_it_is_pressed(self, interrupting, raw, fake_clock, told, place):
        first, second, (model, _, pieces) = PLACES[place]
        raw.answers(FIRST, *first, 0.05, *BEGUN[1:])
        raw.answers(SECOND, *(second or ()), 0.05, *TAKEN_OVER[1:])
        after = 1 if place.startswith("before") else 2
        caller = interrupting(model, after)
        half_open(caller.guard, fake_clock, model)
        reading = read(caller, "messages.create")
        assert type(reading.error) is KeyboardInterrupt
        assert reading.types.count("content_block_delta") <= pieces
        assert_given_back(caller.guard, model)
        assert busy(caller.client) == []
        assert told[-1] == "cancelled"

    def test_in_another_middleware_before_another_takes_over(self, connect, raw, told):
        def press(request):
            if request.json["model"] == SECOND:
                raise KeyboardInterrupt

        raw.answers(FIRST, *BEGUN, CUT)
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder(SECOND), **RESUMING), url=raw.url, listeners=[told])
        caller.client = caller.client.with_middleware(Watcher(press))
        reading = read(caller)
        assert type(reading.error) is KeyboardInterrupt
        assert caller.board[SECOND].outlook() is None
        assert told == [(FIRST, "failure", "cut"), "cancelled"]

    def test_in_a_wait_before_another_takes_over(self, connect, raw, told):
        raw.answers(FIRST, *BEGUN, CUT)
        raw.answers(SECOND, **UNWELL)
        caller = connect(policy(**RESUMING), url=raw.url, clock=InterruptedClock(), listeners=[told])
        assert type(read(caller).error) is KeyboardInterrupt
        assert caller.board[SECOND].outlook() is None
        assert told == [(FIRST, "failure", "cut"), (SECOND, "failure", None), "cancelled"]
