"""An upstream that sends the very bytes it is told.

`FakeClaude` fails as an API or a network does. Some faults are made of single bytes and of connections, and those are
written down here.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from failover.testing.payloads import error_event, sse
from failover.testing.replies import reply_to

CUT = "cut"
"""The connection breaks here."""
EVENTS = "text/event-stream; charset=utf-8"
PING = sse({"type": "ping"})
REQUEST_ID = "req_raw"
OVERLOADED = error_event("overloaded_error", None, request_id=REQUEST_ID)


class Frames(NamedTuple):
    """The events of a good answer, in the order in which they are sent."""

    start: bytes
    """`message_start`."""
    block: bytes
    """The start of its content block."""
    deltas: tuple[bytes, ...]
    end: tuple[bytes, ...]
    """The end of the block, why the model stopped, and `message_stop`."""

    @property
    def whole(self) -> tuple[bytes, ...]:
        """All of them."""
        return (self.start, self.block, *self.deltas, *self.end)


def frames(model: str) -> Frames:
    """A good answer of a model: `Hello from <model>.`."""
    reply = reply_to({"model": model, "messages": [{}]}, message_id="msg_raw", tool_use_id="", input_tokens=1)
    (block,) = reply.content()
    return Frames(reply.opening(), block.start[0], block.deltas, (block.stop, *reply.closing()))


class Answer(NamedTuple):
    """What a raw upstream sends."""

    pieces: tuple[Any, ...]
    """Bytes, seconds or an event to wait for, or `CUT`."""
    status: int = 200
    kind: str = EVENTS


class RawUpstream:
    """A server on loopback whose answers are given piece by piece.

    A model that was not told what to answer answers well. Connections are kept alive after a whole answer.
    """

    def __init__(self) -> None:
        self.connections: list[int] = []
        """For each request the client's port, by which a connection is known again."""
        self.arrived = threading.Semaphore(0)
        """Released as a request arrives."""
        self._answers: dict[str, Answer] = {}
        self._stopping = threading.Event()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """What to give to a client as its `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answers(self, model: str, *pieces: Any, status: int = 200, kind: str = EVENTS) -> None:
        """What a model answers from now on."""
        self._answers[model] = Answer(pieces, status, kind)

    def answer_to(self, model: str) -> Answer:
        return self._answers.get(model) or Answer(frames(model).whole)

    def wait(self, seconds: float) -> None:
        """Until then, or until the server stops."""
        self._stopping.wait(seconds)

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(upstream: RawUpstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            upstream.connections.append(self.client_address[1])
            upstream.arrived.release()
            answer = upstream.answer_to(asked["model"])
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("transfer-encoding", "chunked")
            self.send_header("request-id", REQUEST_ID)
            self.end_headers()
            self._send(answer.pieces)

        def _send(self, pieces: tuple[Any, ...]) -> None:
            for piece in pieces:
                if piece == CUT:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(piece, bytes):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                elif isinstance(piece, threading.Event):
                    piece.wait(10)
                else:
                    upstream.wait(piece)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked has gone, which is what some tests are about."""


@contextlib.contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    try:
        yield upstream
    finally:
        upstream.stop()
