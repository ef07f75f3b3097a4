"""An answer that nobody here reads holds its place before a bulkhead all the same, until its reader is done with it."""

from __future__ import annotations

import gc
from functools import partial

import httpx2
import pytest
from bulkhead_places import idle, limit_of, limited
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, ladder, policy

import failover

PATHS = ("messages.with_streaming_response.create", "beta.messages.with_streaming_response.create")
LIMITED = {"model": SECOND, "at_once": 1, "queue": 0}


class Responses:
    """Responses being streamed of calls without streaming: opened, read and closed step by step."""

    def __init__(self, caller):
        self._caller = caller

    def _do(self, step, *args):
        return self._caller._portal.call(partial(step, *args)) if self._caller.asynchronous else step(*args)

    def open(self, path=PATHS[0], **fields):
        """A manager, and the response that it gives."""
        manager = _at(self._caller.client, path)(**{**CALL, **fields})
        enter = manager.__aenter__ if self._caller.asynchronous else manager.__enter__
        return manager, self._do(enter)

    def read(self, response):
        return self._do(response.read)

    def close(self, manager):
        leave = manager.__aexit__ if self._caller.asynchronous else manager.__exit__
        self._do(leave, None, None, None)


def _at(client, path):
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.fixture
def caller(connect):
    """A caller whose first model takes one attempt at once."""
    return connect(limited(1, 0, SECOND))


@pytest.fixture
def responses(caller):
    return Responses(caller)


class TestAResponseBeingStreamed:
    @pytest.mark.parametrize("path", PATHS)
    def test_holds_its_place_until_it_is_closed(self, caller, responses, path):
        manager, response = responses.open(path)
        assert limit_of(caller.guard).running == 1
        assert not response.http_response.is_closed
        assert caller.create().model == SECOND
        responses.close(manager)
        assert idle(caller.guard)
        assert caller.create().model == FIRST

    def test_holds_it_until_it_has_been_read(self, caller, responses):
        manager, response = responses.open()
        assert b"Hello from" in responses.read(response)
        assert idle(caller.guard)
        assert caller.create().model == FIRST
        responses.close(manager)
        assert idle(caller.guard)

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_gives_it_back_when_it_is_dropped(self, caller, responses):
        manager, response = responses.open()
        assert limit_of(caller.guard).running == 1
        del manager, response
        gc.collect()
        assert idle(caller.guard)

    def test_holds_one_place_for_each(self, connect):
        caller = connect(limited(2, 0, SECOND))
        responses = Responses(caller)
        managers = [responses.open()[0] for _ in range(2)]
        assert limit_of(caller.guard).running == 2
        assert caller.create().model == SECOND
        for manager in managers:
            responses.close(manager)
            responses.close(manager)
        assert idle(caller.guard)

    def test_of_a_fallback_holds_the_fallbacks_place(self, connect, fake_claude):
        caller = connect(policy(ladders=ladder({"model": FIRST, "at_once": 1}, LIMITED), retry=NO_REPEAT))
        fake_claude.fail(FIRST, 529)
        manager, response = Responses(caller).open()
        assert failover.route(response).served_model == SECOND
        assert [limit_of(caller.guard, model).running for model in (FIRST, SECOND)] == [0, 1]
        Responses(caller).close(manager)
        assert idle(caller.guard)

    def test_tells_its_circuit_at_once_that_it_was_answered(self, caller, responses, fake_clock):
        """The permit is of the circuit, and so is its lease: a slow reader is no slow model."""
        caller.create()
        caller.board[FIRST].open()
        fake_clock.advance(15)
        manager, _ = responses.open()
        assert (caller.board[FIRST].state, caller.board[FIRST].outlook()) == ("half_open", None)
        assert limit_of(caller.guard).running == 1
        responses.close(manager)

    def test_that_breaks_gives_its_place_back(self, connect):
        def broken(_request):
            return httpx2.Response(200, stream=Broken(), headers={"content-type": "application/json"})

        caller = connect(limited(1, 0), answer=broken)
        responses = Responses(caller)
        _, response = responses.open()
        assert limit_of(caller.guard).running == 1
        with pytest.raises(httpx2.ReadError):
            responses.read(response)
        assert idle(caller.guard)

    def test_still_says_how_long_it_took(self, responses):
        manager, response = responses.open()
        responses.read(response)
        assert response.http_response.elapsed.total_seconds() > 0
        responses.close(manager)


class Broken(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that does not come to its end."""

    def __iter__(self):
        yield b'{"type": '
        raise httpx2.ReadError("gone")

    async def __aiter__(self):
        yield b'{"type": '
        raise httpx2.ReadError("gone")


@pytest.mark.parametrize("path", ["messages.create", "messages.with_raw_response.create"])
def test_an_answer_that_has_been_read_holds_none(caller, fake_claude, path):
    answer = caller.call(path, **CALL)
    assert idle(caller.guard)
    assert fake_claude.count(FIRST) == 1
    del answer


def test_an_answer_without_limits_is_left_as_it_came(connect):
    caller = connect(policy(ladders=ladder(SECOND)))
    manager, response = Responses(caller).open()
    assert "failover" not in type(response.http_response.stream).__module__
    Responses(caller).close(manager)
