"""Time that runs faster for everybody: minutes of outage in seconds, with nothing else changed.

What a client believes to be seconds are scenario seconds: its clock, its waits, its time-outs, and what a server
asks it to wait. The fake API runs at the same speed by itself.
"""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2

from failover.clock import Clock, SystemClock

__all__ = ["CompressedClock", "bare_client", "client_for_failover"]

_ANY_KEY = "not-a-key"  # the fake API wants some key, and this one must never be a real one


class CompressedClock:
    """A clock that runs `speed` times as fast as another, and whose sleeps are as much shorter."""

    def __init__(self, speed: float, base: Clock | None = None) -> None:
        self._speed = speed
        self._base = base or SystemClock()

    def now(self) -> float:
        """Seconds on this clock."""
        return self._base.now() * self._speed

    def sleep(self, seconds: float) -> None:
        """Wait, blocking the thread."""
        self._base.sleep(seconds / self._speed)

    async def sleep_async(self, seconds: float) -> None:
        """Wait, leaving the event loop to others."""
        await self._base.sleep_async(seconds / self._speed)


class _CompressedTransport(httpx2.AsyncHTTPTransport):
    """Between a client that thinks in scenario seconds and sockets that do not.

    Of the time-outs only the wait for an answer is shortened: connecting to this machine is no part of a scenario.
    """

    def __init__(self, speed: float) -> None:
        super().__init__(limits=anthropic.DEFAULT_CONNECTION_LIMITS)
        self._speed = speed

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        timeout = request.extensions.get("timeout", {})
        if timeout.get("read") is not None:
            request.extensions["timeout"] = {**timeout, "read": timeout["read"] / self._speed}
        response = await super().handle_async_request(request)
        if "retry-after" in response.headers:  # the fake API sends real seconds
            response.headers["retry-after"] = f"{float(response.headers['retry-after']) * self._speed:.3f}"
        return response


class _CompressedRetries(anthropic.AsyncAnthropic):
    """The SDK's client with its own retries; only the waits between them, as it reckons them, are shortened."""

    def __init__(self, speed: float, **options: Any) -> None:
        super().__init__(**options)
        self._speed = speed

    def _calculate_retry_timeout(self, *args: Any, **kwargs: Any) -> float:
        return super()._calculate_retry_timeout(*args, **kwargs) / self._speed


def client_for_failover(url: str, speed: float, tracer_provider: Any) -> anthropic.AsyncAnthropic:
    """A client to be wrapped: its waits will be the policy's, on a `CompressedClock`."""
    return anthropic.AsyncAnthropic(
        base_url=url,
        api_key=_ANY_KEY,
        http_client=_http_client(speed),
        open_telemetry={"tracer_provider": tracer_provider},
    )


def bare_client(url: str, speed: float) -> anthropic.AsyncAnthropic:
    """A client as the SDK makes it, with the retries that it has by default."""
    return _CompressedRetries(speed, base_url=url, api_key=_ANY_KEY, http_client=_http_client(speed))


def _http_client(speed: float) -> httpx2.AsyncClient:
    return anthropic.DefaultAsyncHttpxClient(transport=_CompressedTransport(speed))
