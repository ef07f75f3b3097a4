"""Minutes in seconds: every time that a client knows is compressed alike."""

from __future__ import annotations

import anthropic
import anyio
import pytest

from failover.cli.demo.compression import CompressedClock, bare_client, client_for_failover
from failover.telemetry.setup import Tracing
from failover.testing import FakeClaude, FakeClock

HELLO = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
SPEED = 10.0


@pytest.fixture
def upstream():
    with FakeClaude(speed=SPEED) as upstream:
        yield upstream


def test_the_clock_runs_faster_and_sleeps_less():
    base = FakeClock(start=100)
    clock = CompressedClock(SPEED, base)
    before = clock.now()
    clock.sleep(30)
    anyio.run(clock.sleep_async, 20)
    assert base.slept == [3, 2]
    assert clock.now() - before == 50


def test_the_bare_client_retries_as_the_sdk_does_with_shorter_waits(upstream, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("anthropic._base_client.anyio.sleep", sleep)
    upstream.fail("*", 500)

    async def call():
        async with bare_client(upstream.url, SPEED) as client:
            assert client.max_retries == anthropic.DEFAULT_MAX_RETRIES
            with pytest.raises(anthropic.InternalServerError):
                await client.messages.create(**HELLO)

    anyio.run(call)
    assert upstream.count() == 3
    first, second = (seconds * SPEED for seconds in slept)
    assert 0.375 <= first <= 0.5
    assert 0.75 <= second <= 1.0


def test_a_retry_after_arrives_as_the_scenario_means_it(upstream):
    upstream.fail("*", 429, retry_after=25)

    async def call():
        async with client_for_failover(upstream.url, SPEED, Tracing("test").provider) as client:
            with pytest.raises(anthropic.RateLimitError) as raised:
                await client.with_options(max_retries=0).messages.create(**HELLO)
            return raised.value.response.headers["retry-after"]

    assert float(anyio.run(call)) == 25


def test_a_time_out_is_as_much_shorter(upstream):
    upstream.fail("*", hang=10_000)

    async def call():
        async with client_for_failover(upstream.url, SPEED, Tracing("test").provider) as client:
            with pytest.raises(anthropic.APITimeoutError):
                await client.with_options(max_retries=0, timeout=1.0).messages.create(**HELLO)

    with anyio.from_thread.start_blocking_portal() as portal:
        portal.call(call)
    assert upstream.count() == 1
