"""Bedrock's streams are not server-sent events: they fail over until they open, and are handed on as they are."""

from __future__ import annotations

import base64
import binascii
import gc
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anthropic
import httpx2
import pytest
from bulkhead_places import idle, limit_of
from sdk_callers import CALL, NO_REPEAT, AsyncCaller, SyncCaller, ladder, policy, trip
from stream_callers import streams_of
from stream_lab import CUT, frames
from stream_reading import assert_one_stream, read
from test_traces import Trace

import failover
from failover.events import AttemptFinished, ContentStarted
from failover.stream.message import parsed

GOOD, BAD = "anthropic.claude-good-v1:0", "anthropic.claude-bad-v1:0"
AWS = {"aws_access_key": "fake", "aws_secret_key": "fake", "aws_region": "us-east-1"}


def frame(payload, kind="chunk", message_type="event"):
    """One message of https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": message_type}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return body + struct.pack("!I", binascii.crc32(body))


def chunk(event):
    return frame(json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode())


ANSWER = tuple(chunk(event) for event in parsed(b"".join(frames(GOOD).whole)))
"""A good answer, frame by frame."""


class Bedrock:
    """The part of Bedrock's runtime that answers with a message, on loopback."""

    def __init__(self):
        self.paths = []
        self.pieces = ANSWER
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self):
        bedrock = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                bedrock.paths.append(self.path)
                if "bad" in self.path:
                    self.answer(529, "application/json", b'{"message": "Too many requests"}')
                elif self.path.endswith("/invoke"):
                    plain = {"id": "m", "type": "message", "role": "assistant", "model": GOOD, "content": []}
                    self.answer(200, "application/json", json.dumps(plain).encode())
                else:
                    self.stream(bedrock.pieces)

            def answer(self, status, kind, body):
                self.send_response(status)
                for name, value in (("content-type", kind), ("content-length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def stream(self, pieces):
                self.send_response(200)
                self.send_header("content-type", "application/vnd.amazon.eventstream")
                self.send_header("transfer-encoding", "chunked")
                self.send_header("x-amzn-requestid", "aws_1")
                self.end_headers()
                for piece in pieces:
                    if piece == CUT:
                        self.close_connection = True
                        return
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def bedrock():
    server = Bedrock()
    yield server
    server.stop()


@pytest.fixture
def connect(connect, asynchronous, bedrock, fake_clock):
    """As `connect`, for Bedrock's clients; a plain one lends it its event loop."""
    opened = []

    def connect_to_bedrock(a_policy=None, **options):
        host = connect(wrapped=False)
        kind = anthropic.AsyncAnthropicBedrock if asynchronous else anthropic.AnthropicBedrock
        http_kind = httpx2.AsyncClient if asynchronous else httpx2.Client
        client = kind(base_url=bedrock.url, http_client=http_kind(verify=False), **AWS)
        guard = failover.Failover(
            a_policy or policy(ladders=ladder(GOOD, match="*"), retry=NO_REPEAT), clock=fake_clock, **options
        )
        wrapped = failover.wrap(client, guard)
        opened.append(AsyncCaller(wrapped, guard, host._portal) if asynchronous else SyncCaller(wrapped, guard))
        return opened[-1]

    yield connect_to_bedrock
    for caller in opened:
        caller.close()


def bytes_of(caller):
    """The body of a stream as a program that asks for bytes gets it."""
    options = {**CALL, "model": GOOD, "stream": True}
    if not caller.asynchronous:
        with caller.client.messages.with_streaming_response.create(**options) as response:
            return b"".join(response.iter_bytes())

    async def read_bytes():
        async with caller.client.messages.with_streaming_response.create(**options) as response:
            return b"".join([piece async for piece in response.iter_bytes()])

    return caller._portal.call(read_bytes)


@pytest.mark.parametrize("path", ["messages.create", "messages.stream"])
def test_a_stream_that_does_not_open_is_opened_elsewhere(connect, bedrock, path):
    reading = read(connect(), path, model=BAD)
    assert_one_stream(reading)
    assert reading.blocks == [("text", f"Hello from {GOOD}.")]
    assert (reading.route.outcome, reading.route.served_model) == ("fallback", GOOD)
    assert [attempt.request_id for attempt in reading.route.attempts] == [None, "aws_1"]
    assert len(bedrock.paths) == 2
    assert all(path.endswith("/invoke-with-response-stream") for path in bedrock.paths)


@pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_its_bytes_are_not_touched(connect, bedrock, mode, size):
    whole = b"".join(ANSWER)
    bedrock.pieces = tuple(whole[start : start + size] for start in range(0, len(whole), size))
    a_policy = policy(ladders=[], retry=NO_REPEAT, stream={"on_interrupt": mode, "collect_over": 1})
    assert bytes_of(connect(a_policy)) == whole


def test_it_is_told_that_nobody_judged_it(connect):
    events = []
    read(connect(listeners=[events.append]), model=GOOD)
    (end,) = [event for event in events if isinstance(event, AttemptFinished)]
    assert (end.stream, end.verdict, end.error_type, end.first_content) == ("not_judged", "success", None, None)
    assert not [event for event in events if isinstance(event, ContentStarted)]


def test_its_span_says_so(connect):
    record = Trace()
    reading = read(connect(tracer_provider=record.provider), model=GOOD)
    assert reading.error is None
    (attempt,) = record.named(f"try {GOOD}")
    assert attempt.attributes["failover.stream.end"] == "not_judged"
    assert attempt.status.status_code.name == "UNSET"


@pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
def test_one_that_breaks_is_its_readers_business(connect, bedrock, mode):
    bedrock.pieces = (*ANSWER[:3], CUT)
    breaker = trip(consecutive_failures=1)
    caller = connect(
        policy(ladders=ladder(GOOD, match="*"), retry=NO_REPEAT, stream={"on_interrupt": mode}, breaker=breaker)
    )
    reading = read(caller, model=GOOD)
    assert type(reading.error) is httpx2.RemoteProtocolError
    assert reading.blocks == [("text", "Hello ")]
    assert len(bedrock.paths) == 1
    assert caller.board[GOOD].state == "closed"


def test_one_that_its_reader_leaves_harms_nobody(connect, bedrock):
    caller = connect(policy(ladders=[], retry=NO_REPEAT))
    if caller.asynchronous:

        async def first():
            async with await caller.client.messages.create(**{**CALL, "model": GOOD}, stream=True) as stream:
                return await anext(aiter(stream))

        event = caller._portal.call(first)
    else:
        with caller.client.messages.create(**{**CALL, "model": GOOD}, stream=True) as stream:
            event = next(iter(stream))
    assert event.type == "message_start"
    assert caller.board[GOOD].outlook() is None


def test_its_plain_calls_are_never_collected(connect, bedrock):
    caller = connect(policy(ladders=[], retry=NO_REPEAT, stream={"collect_over": 10}))
    caller.create(model=GOOD, max_tokens=5000)
    assert [path.rpartition("/")[2] for path in bedrock.paths] == ["invoke"]


class TestItsPlaceBeforeABulkhead:
    """A binary stream is read by its caller alone, and is out as long as any other."""

    @pytest.fixture
    def streams(self, connect):
        ladders = ladder({"model": GOOD, "at_once": 1, "queue": 0}, match="*")
        caller = connect(policy(ladders=ladders, retry=NO_REPEAT))
        return caller, streams_of(caller)

    def test_is_held_until_it_has_been_read(self, streams):
        caller, reader = streams
        stream = reader.open(model=GOOD)
        reader.take(stream, 2)
        assert limit_of(caller.guard, GOOD).running == 1
        assert type(caller.error(model=GOOD)) is failover.BulkheadFull
        assert reader.rest(stream).error is None
        assert idle(caller.guard)
        assert read(caller, model=GOOD).error is None

    @pytest.mark.parametrize("events", [0, 2])
    def test_is_held_until_it_is_closed(self, streams, events):
        caller, reader = streams
        stream = reader.open(model=GOOD)
        reader.take(stream, events)
        assert limit_of(caller.guard, GOOD).running == 1
        reader.close(stream)
        assert idle(caller.guard)

    def test_is_given_back_when_it_breaks(self, streams, bedrock):
        bedrock.pieces = (*ANSWER[:3], CUT)
        caller, reader = streams
        assert type(reader.rest(reader.open(model=GOOD)).error) is httpx2.RemoteProtocolError
        assert idle(caller.guard)

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_is_given_back_when_it_is_dropped(self, streams):
        caller, reader = streams
        stream = reader.open(model=GOOD)
        assert limit_of(caller.guard, GOOD).running == 1
        del stream
        gc.collect()
        assert idle(caller.guard)
