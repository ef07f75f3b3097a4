"""Clients of both kinds, wrapped, before an upstream that fails as told."""

from __future__ import annotations

import contextlib

import pytest
from anyio.from_thread import start_blocking_portal
from named_lab import Lab
from sdk_callers import AsyncCaller, SyncCaller, make_client
from stream_lab import raw_upstream

from failover import Failover, wrap
from failover.testing import FakeClaude


@pytest.fixture(params=["sync", "async"])
def asynchronous(request):
    """Each test that asks for it, directly or not, runs for the sync and for the async client."""
    return request.param == "async"


@pytest.fixture
def connect(asynchronous, fake_claude, fake_clock):
    """Makes callers; all are closed after the test.

    `connect(policy, clock=..., listeners=..., tracer_provider=..., journal=..., wrapped=False, **options_of_the_client)`.
    """
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal()) if asynchronous else None

        def connect(policy=None, *, clock=fake_clock, wrapped=True, url=fake_claude.url, guard=None, **options):
            ours = {name: options.pop(name) for name in _OURS & options.keys()}
            client = make_client(url, asynchronous=asynchronous, **options)
            if wrapped:
                guard = guard or Failover(policy, clock=clock, random=lambda: 0.5, **ours)
                client = wrap(client, guard)
            caller = AsyncCaller(client, guard, portal) if asynchronous else SyncCaller(client, guard)
            stack.callback(caller.close)
            return caller

        yield connect


_OURS = {"listeners", "breaker_listeners", "breaker_storage", "tracer_provider", "meter_provider", "journal"}


@pytest.fixture
def raw():
    """An upstream that sends the bytes that it is told."""
    with raw_upstream() as raw:
        yield raw


@pytest.fixture
def caller(connect):
    """A wrapped client with the default policy, on a clock that waits for nobody."""
    return connect()


@pytest.fixture
def backup():
    """A second API, behind another client."""
    with FakeClaude() as backup:
        yield backup


@pytest.fixture
def lab(connect, asynchronous, fake_clock, backup):
    """A caller, and the clients that a policy can name."""
    lab = Lab(connect, fake_clock, backup.url, asynchronous=asynchronous)
    yield lab
    lab.close()
