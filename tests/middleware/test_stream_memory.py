"""A stream costs as much memory as its policy says, whoever reads it, and as fast as it is read."""

from __future__ import annotations

import gc
import socket
import threading
import weakref

import anthropic
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, policy
from stream_lab import CUT, OVERLOADED, frames
from stream_reading import Interruptions, read, until

import failover
from failover.testing.payloads import sse

MEGABYTE = 1024 * 1024
BIG = "x" * 64 * 1024


def big_delta():
    """An event of about 64 KB."""
    delta = {"type": "text_delta", "text": BIG}
    return sse({"type": "content_block_delta", "index": 0, "delta": delta})


_DELTA = big_delta()


class Hose:
    """Sends an endless stream to whoever asks, and counts the bytes that the network has taken."""

    def __init__(self):
        self.sent = 0
        self.blocked = False
        self.gone = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self):
        connection, _ = self._listening.accept()
        with connection:
            connection.recv(65536)
            good = frames(FIRST)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_hose\r\n\r\n"
            connection.sendall(head + good.start + good.block)
            connection.settimeout(0.2)
            while not self.gone.is_set():
                self._send(connection)

    def _send(self, connection):
        try:
            self.sent += connection.send(_DELTA[self.sent % len(_DELTA) :])
            self.blocked = False
        except TimeoutError:
            self.blocked = True
        except OSError:
            self.gone.set()

    def stop(self):
        self.gone.set()
        self._thread.join(10)
        self._listening.close()


@pytest.fixture
def hose():
    hose = Hose()
    yield hose
    hose.stop()


@pytest.mark.parametrize("mode", ["raise", "restart"])
def test_a_slow_reader_slows_the_sender(connect, hose, mode):
    """What is not read stays in the network, and not here."""
    caller = connect(policy(retry=NO_REPEAT, stream={"on_interrupt": mode}), url=hose.url)

    def held_back(number):
        assert until(lambda: hose.blocked), "the sender is never held back"
        assert hose.sent < number * len(_DELTA) + 16 * MEGABYTE
        return hose.sent

    if caller.asynchronous:

        async def read_slowly():
            async with await caller.client.messages.create(**CALL, stream=True) as stream:
                events = aiter(stream)
                for _ in range(3):
                    await anext(events)
                return held_back(3)

        sent = caller._portal.call(read_slowly)
    else:
        with caller.client.messages.create(**CALL, stream=True) as stream:
            events = iter(stream)
            for _ in range(3):
                next(events)
            sent = held_back(3)
    assert sent > 0
    assert until(hose.gone.is_set), "the connection was not closed"


class TestAnAnswerThatIsTooLongToBeKept:
    LONG = (*frames(FIRST).whole[:2], *[big_delta()] * 260)
    """More than 16 MB."""

    @pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
    def test_breaks_with_the_right_error_and_no_partial_message(self, connect, raw, mode):
        told = Interruptions()
        raw.answers(FIRST, *self.LONG, CUT)
        caller = connect(
            policy(retry=NO_REPEAT, stream={"on_interrupt": mode}), url=raw.url, listeners=[told], timeout=60
        )
        reading = read(caller, "messages.create")
        assert type(reading.error) is anthropic.APIConnectionError
        assert failover.partial_message(reading.error) is None
        assert reading.route.outcome == "interrupted"
        assert len(reading.events) == 2 + 260
        assert [event.why for event in told] == [None if mode == "raise" else "not_kept"]

    def test_is_whole_if_nothing_breaks(self, connect, raw):
        raw.answers(FIRST, *self.LONG, *frames(FIRST).end)
        reading = read(connect(policy(retry=NO_REPEAT), url=raw.url, timeout=60), "messages.create")
        assert reading.error is None
        assert sum(len(event.delta.text) for event in reading.events[2:-3]) == 260 * len(BIG)

    def test_is_kept_no_more(self, connect, raw):
        raw.answers(FIRST, *self.LONG, *frames(FIRST).end)
        caller = connect(policy(retry=NO_REPEAT), url=raw.url, timeout=60)
        most = 0
        if caller.asynchronous:

            async def read_it():
                most = 0
                async with await caller.client.messages.create(**CALL, stream=True) as stream:
                    async for _ in stream:
                        most = max(most, kept_by(stream))
                    return most, kept_by(stream)

            most, left = caller._portal.call(read_it)
        else:
            with caller.client.messages.create(**CALL, stream=True) as stream:
                for _ in stream:
                    most = max(most, kept_by(stream))
                left = kept_by(stream)
        assert 15 * MEGABYTE < most < 17 * MEGABYTE
        assert left == 0


def _tail_of(stream):
    body = stream.response.stream
    return weakref.ref(getattr(body, "_stream", body)._tail)


def kept_by(stream):
    """Bytes that are kept of what a stream's reader was given."""
    tail = _tail_of(stream)()
    return len(tail._given or b"")


def test_what_is_kept_of_an_answer_goes_with_its_end(connect, raw):
    """A program may keep a stream's object long after it has read it."""
    caller = connect(policy(retry=NO_REPEAT), url=raw.url)
    if caller.asynchronous:

        async def read_it():
            stream = await caller.client.messages.create(**CALL, stream=True)
            async for _ in stream:
                pass
            return stream

        stream = caller._portal.call(read_it)
    else:
        stream = caller.client.messages.create(**CALL, stream=True)
        for _ in stream:
            pass
    assert kept_by(stream) == 0


def test_a_collected_answer_may_be_longer_than_what_is_kept_of_streams(connect, raw):
    raw.answers(FIRST, *TestAnAnswerThatIsTooLongToBeKept.LONG, *frames(FIRST).end)
    caller = connect(policy(retry=NO_REPEAT, stream={"collect_over": 10}), url=raw.url, timeout=60)
    message = caller.create()
    assert len(message.content[0].text) == 260 * len(BIG)


@pytest.mark.parametrize("mode", ["raise", "restart"])
@pytest.mark.parametrize("ending", ["well", "broken"])
def test_a_stream_that_was_read_is_freed_without_the_help_of_the_garbage_collector(connect, raw, mode, ending):
    """A cycle of objects would hold each answer until a collection that a busy program can do without."""
    if ending == "broken":
        raw.answers(
            FIRST, *frames(FIRST).whole[:3], OVERLOADED
        )  # after a cut the transport itself leaves cycles (3.13)
        raw.answers(SECOND, *frames(SECOND).whole[:3], OVERLOADED)
    caller = connect(policy(retry=NO_REPEAT, stream={"on_interrupt": mode}), url=raw.url)
    gc.collect()
    gc.disable()
    try:
        tail = (
            caller._portal.call(_read_and_forget_async, caller.client)
            if caller.asynchronous
            else _read_and_forget(caller.client)
        )
        assert tail() is None
    finally:
        gc.enable()


def _read_and_forget(client):
    stream = client.messages.create(**CALL, stream=True)
    tail = _tail_of(stream)
    try:
        for _ in stream:
            pass
    except anthropic.APIError:
        pass
    stream.close()
    return tail


async def _read_and_forget_async(client):
    stream = await client.messages.create(**CALL, stream=True)
    tail = _tail_of(stream)
    try:
        async for _ in stream:
            pass
    except anthropic.APIError:
        pass
    await stream.close()
    return tail
