"""How long a single read of a response's body may take, although the transport decides that once for all of them.

Over HTTP/1 the transport has looked at the request's time-outs before the first read. Its connection is at hand,
though, as the response's documented extension `network_stream`
(https://www.python-httpx.org/advanced/extensions/#network_stream), and while a body is being read nobody else uses
it: so it is given a `read` that keeps to our limit for whoever reads this body, and gets its own back after.

Over HTTP/2 one connection serves many streams, and a time-out of one would end them all; so the client's own
time-outs are put back. The clocks are then looked at whenever a read brings something, if only a ping. For any other
transport the limit is written into the request's time-outs, in case it looks at each read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

__all__ = ["ReadLimit"]

_READ = "read"
_OURS = "of_failover"


class ReadLimit:
    """The limit of one response's reads, where the transport lets us set one."""

    __slots__ = ("_before", "_connection", "_limited", "_reader", "_seconds", "_timeouts", "_whoever")

    def __init__(self, response: httpx2.Response, own: float | None, whoever: Callable[[], object]) -> None:
        """Take over from the time-outs of the request.

        Args:
            response: whose body will be read.
            own: seconds that the client itself would wait for one read; `None`: for ever.
            whoever: tells the thread or task that runs.
        """
        timeouts = response.request.extensions.get("timeout")
        self._timeouts: dict[str, Any] | None = timeouts if isinstance(timeouts, dict) else None
        self._seconds = own
        self._whoever = whoever
        self._reader: object = None
        self._connection: dict[str, Any] | None = None
        self._before: Any = None
        self._limited: Any = None
        version = response.extensions.get("http_version")
        if isinstance(version, bytes):
            if self._timeouts is not None:
                self._timeouts[_READ] = own
            self._timeouts = None
            if version.startswith(b"HTTP/1"):
                self._take(response.extensions.get("network_stream"))

    def next_read(self, seconds: float | None) -> None:
        """The next read, by this very thread or task, may take so long; `None`: for ever."""
        if self._connection is not None:
            self._seconds = seconds
            self._reader = self._whoever()
        elif self._timeouts is not None:
            self._timeouts[_READ] = seconds

    def release(self) -> None:
        """The connection's reads are its own again, unless somebody else has taken them over meanwhile."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.get(_READ) is self._limited:
            del connection[_READ]
            if self._before is not None:
                connection[_READ] = self._before
        self._limited = None

    def _take(self, connection: Any) -> None:
        read, attributes = getattr(type(connection), _READ, None), getattr(connection, "__dict__", None)
        if read is None or attributes is None:
            return  # a connection of another make
        before = attributes.get(_READ)
        self._before = before = getattr(before, _OURS, before)  # what stood there before any of ours
        read = read.__get__(connection) if before is None else before

        def limited(max_bytes: int, timeout: float | None = None) -> Any:
            # At the end of its body the connection may go to another request before it is released here.
            ours = self._connection is not None and self._reader == self._whoever()
            return read(max_bytes, self._seconds if ours else timeout)

        setattr(limited, _OURS, before)
        attributes[_READ] = self._limited = limited
        self._connection = attributes
