"""What the stories about streams share: an upstream that sends the very bytes it is told, and a reader's notes.

`FakeClaude` fails as an API or a network does. Some faults are made of single bytes and of connections, and those are
written down here.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from failover.testing.payloads import error_event, sse
from failover.testing.replies import reply_to

CUT = "cut"
"""The connection breaks here."""
EVENT_STREAM = "text/event-stream; charset=utf-8"
PING = sse({"type": "ping"})
OVERLOADED = error_event("overloaded_error", None, request_id="req_raw")


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


class RawUpstream:
    """A server on loopback whose answers are pieces: bytes to send, seconds to wait, or `CUT`.

    A model that was not told what to answer answers well. Connections are kept alive after a whole answer.
    """

    def __init__(self) -> None:
        self.connections: list[int] = []
        """For each request the client's port, by which a connection is known again."""
        self._answers: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """What to give to a client as its `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answers(self, model: str, *pieces: bytes | float | str, content_type: str = EVENT_STREAM) -> None:
        """What a model answers from now on."""
        self._answers[model] = (content_type, pieces)

    def answer_to(self, model: str) -> tuple[str, tuple[Any, ...]]:
        return self._answers.get(model, (EVENT_STREAM, frames(model).whole))

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
            content_type, pieces = upstream.answer_to(asked["model"])
            self.send_response(200)
            for name, value in _headers(content_type).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked has gone
                self._send(pieces)

        def _send(self, pieces: tuple[Any, ...]) -> None:
            for piece in pieces:
                if piece == CUT:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(piece, bytes):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                else:
                    upstream.wait(piece)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def _headers(content_type: str) -> dict[str, str]:
    return {"content-type": content_type, "transfer-encoding": "chunked", "request-id": "req_raw"}


def until(condition: Any, seconds: float = 10) -> bool:
    """Whether something comes true that another thread or the garbage collector does, within some seconds."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(condition())


@contextlib.contextmanager
def raw_upstream() -> Iterator[RawUpstream]:
    upstream = RawUpstream()
    try:
        yield upstream
    finally:
        upstream.stop()
