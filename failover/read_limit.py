"""How long a single read of a response's body may take, although the transport decides that once for all of them.

Over HTTP/2, and in transports that look, the time-outs of the request count at each read, so they are changed there.
Over HTTP/1 the transport has looked before the first one. Its connection is at hand, though, as the response's
documented extension `network_stream` (https://www.python-httpx.org/advanced/extensions/#network_stream), and while a
body is being read nobody else uses it: so it is given a `read` that keeps to our limit, and gets its own back after.
"""

from __future__ import annotations

import contextlib
from typing import Any

import httpx2

__all__ = ["ReadLimit"]

_OWN = "read"


class ReadLimit:
    """The limit of one response's reads. Where neither way is open, the client's own time-out stays in force."""

    __slots__ = ("_connection", "_seconds", "_timeouts", "own")

    def __init__(self, response: httpx2.Response, own: float | None) -> None:
        """Take over from the time-outs of the request.

        Args:
            response: whose body will be read.
            own: seconds that the client itself would wait for one read; `None`: for ever.
        """
        timeouts = response.request.extensions.get("timeout")
        self.own = own
        self._timeouts: dict[str, Any] | None = timeouts if isinstance(timeouts, dict) else None
        self._seconds = own
        self._connection: Any = None
        version = response.extensions.get("http_version", b"")
        if isinstance(version, bytes) and version.startswith(b"HTTP/1"):
            self._set(own)
            self._timeouts = None
            self._take(response.extensions.get("network_stream"))

    def next_read(self, seconds: float | None) -> None:
        """The next read may take so long; `None`: for ever."""
        if self._connection is not None:
            self._seconds = seconds
        else:
            self._set(seconds)

    def release(self) -> None:
        """The connection's reads are its own again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            vars(connection).pop(_OWN, None)

    def _set(self, seconds: float | None) -> None:
        if self._timeouts is not None:
            self._timeouts[_OWN] = seconds

    def _take(self, connection: Any) -> None:
        read = getattr(connection, _OWN, None)
        if read is None:
            return

        def limited(max_bytes: int, timeout: float | None = None) -> Any:
            return read(max_bytes, timeout if self._connection is None else self._seconds)

        with contextlib.suppress(AttributeError):  # a connection of another make may not take it
            setattr(connection, _OWN, limited)
            self._connection = connection
