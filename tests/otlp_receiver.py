"""An OTLP/HTTP collector on loopback that reads the real protobuf, for tests of whatever sends spans."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import Self

__all__ = ["Collector", "attributes", "garbage", "silence", "status"]

Answer = Callable[["_Receiver"], None]


def status(code: int) -> Answer:
    """Answers with this status and no body."""

    def answer(receiver: _Receiver) -> None:
        receiver.send_response(code)
        receiver.send_header("content-length", "0")
        receiver.end_headers()

    return answer


def silence(receiver: _Receiver) -> None:
    """Takes the spans, and says nothing for as long as the collector lives."""
    receiver.server.closing.wait()
    receiver.close_connection = True


def garbage(receiver: _Receiver) -> None:
    """Answers in no language that a client of HTTP knows."""
    receiver.wfile.write(b"\x00\xff no such protocol\r\n\r\n" * 50)
    receiver.close_connection = True


class Collector(http.server.ThreadingHTTPServer):
    """Keeps what it is sent.

    Args:
        answer: what it does with each request, besides.
        keep_alive: whether several requests may come over one connection.
    """

    daemon_threads = True

    def __init__(self, answer: Answer | None = None, *, keep_alive: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.protocol = "HTTP/1.1" if keep_alive else "HTTP/1.0"
        self.answer = answer or status(200)
        self.closing = threading.Event()
        self.paths: set[str] = set()
        self.headers: list[Mapping[str, str]] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.connections: list[tuple[str, int]] = []
        """From where each request came."""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A sender that leaves in the middle is no news."""

    def spans(self) -> list[tuple[Any, Any]]:
        """Every span, with the resource that it is of."""
        return [
            (span, resource.resource)
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def names(self) -> list[str]:
        """The names of all spans, in the order of their arrival."""
        return [span.name for span, _ in self.spans()]


class _Receiver(http.server.BaseHTTPRequestHandler):
    server: Collector

    def setup(self) -> None:
        self.protocol_version = self.server.protocol
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        collector = self.server
        collector.paths.add(self.path)
        collector.headers.append(dict(self.headers.items()))
        collector.connections.append(self.client_address)
        collector.requests.append(ExportTraceServiceRequest.FromString(body))
        collector.answer(self)

    def log_message(self, *_: object) -> None:
        pass


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a span or a resource; their values are protobuf's."""
    return {pair.key: pair.value for pair in item.attributes}
