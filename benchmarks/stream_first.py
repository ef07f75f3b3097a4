"""What a caller waits longer for the first words of a stream, and that none of it is waiting for a network.

Until the first content the guard holds everything back, so that another model can still answer. It must cost no more
than that: the read that brings the first content is the one in which it is passed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from anthropic import Middleware

import failover
from failover.testing import FakeClaude

from .report import Row, microseconds
from .sides import AsyncSide, Side, SyncSide
from .stream_source import Source, events
from .timing import Block, Counts, difference, in_turns

__all__ = ["rows"]

_FIRST, _LATER = 0.01, 0.002  # seconds that the upstream takes before its first words, and between them
_EVENTS = 40
_SIZES = (1, 7, 100, 1_000, 100_000)  # of reads, in bytes


def rows(counts: Counts) -> Iterator[Row]:
    """Time on a socket, sync and async; then reads."""
    loop = asyncio.new_event_loop()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        for side in sides:
            yield _time_to_first_content(side, counts)
        yield _reads_to_first_content(sides)
    finally:
        loop.close()


def _time_to_first_content(side: Side, counts: Counts) -> Row:
    with FakeClaude() as fake:
        fake.fail(first_token=_FIRST, token_every=_LATER)
        clients = {"bare": side.remote(fake.url), "Failover": side.remote(fake.url, failover.Failover())}
        blocks = {name: _wait(side, client) for name, client in clients.items()}
        taken = in_turns(blocks, rounds=counts.slow_rounds * 4, calls=1)
        for client in clients.values():
            side.close(client)
    what = f"{side.name}, stream over a socket: time to first content over the bare SDK"
    return microseconds(what, difference(taken, "Failover", "bare"))


def _wait(side: Side, client: Any) -> Block:
    def block(calls: int) -> float:
        """Wall time, for nearly all of it is waiting. The rest of each stream is read after it."""
        waited = 0.0
        for _ in range(calls):
            start = time.perf_counter()
            waited += side.look_at(client, 1, time.perf_counter) - start
        return waited / calls

    return block


def _reads_to_first_content(sides: tuple[Side, ...]) -> Row:
    stream = events(_EVENTS)
    ways = [stream, *(_in_reads_of(size, stream) for size in _SIZES)]
    more = max(_reads(side, pieces, failover.Failover()) - _reads(side, pieces) for side in sides for pieces in ways)
    what = (
        f"stream, cut in {len(ways)} ways: reads after the one that brought the first content, before it is passed on"
    )
    return Row(what, str(more), budget="0", kept=more == 0)


def _reads(side: Side, pieces: list[bytes], *middleware: Middleware) -> int:
    """How many reads it took until the caller had the first content."""
    source = Source(pieces)
    return side.look_at(side.client(*middleware, answer=source.answer), 1, lambda: source.reads)


def _in_reads_of(size: int, stream: list[bytes]) -> list[bytes]:
    whole = b"".join(stream)
    return [whole[start : start + size] for start in range(0, len(whole), size)]
