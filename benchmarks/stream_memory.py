"""What a long stream takes of memory, and what is read of it while its caller pauses.

The guard keeps the events that it has passed on, up to a limit (`failover.tail`), so that a stream that breaks can
still show how far it came. Memory is what Python's own allocations come to, counted by `tracemalloc`: the same on
every machine. Streams are read as bytes here, for the SDK's parsing keeps nothing and takes most of the time.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
from anthropic import Middleware

import failover

from .report import Row
from .sides import AsyncSide, Side, SyncSide, ask_raw
from .stream_source import Source, beginning, events, words
from .timing import Counts

__all__ = ["rows"]

_MEGABYTE = 1_000_000
_CUT = "cut"
_PAUSE, _BREAK = 0.1, 0.15  # of the whole: 10 and 15 MB of 100, both before the guard ceases to keep events


@dataclass(frozen=True)
class _Used:
    """Bytes."""

    paused: int
    peak: int


def rows(counts: Counts) -> Iterator[Row]:
    """A stream that goes well, one that breaks, and a pause."""
    total = counts.megabytes
    pause, breaking = int(total * _PAUSE * _MEGABYTE), int(total * _BREAK * _MEGABYTE)
    for what, size, breaks in (
        (f"sync, stream of {total} MB", total * _MEGABYTE, False),
        (f"sync, stream that breaks after {_megabytes(breaking)}", breaking, True),
    ):
        bare, guarded = (_used(chain, size, pause, breaks=breaks) for chain in ((), (failover.Failover(),)))
        yield Row(f"{what}: peak of memory over the bare SDK", _megabytes(guarded.peak - bare.peak))
        if not breaks:
            at = f"while its caller pauses after {_megabytes(pause)}"
            yield Row(f"{what}: memory over the bare SDK {at}", _megabytes(guarded.paused - bare.paused))
    yield from _seconds_after_the_break(breaking)
    yield _read_ahead()


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.1f} MB"


def _used(chain: tuple[Middleware, ...], size: int, pause: int, *, breaks: bool) -> _Used:
    tracemalloc.start()
    try:
        at_pause: list[int] = []

        def look(given: int) -> None:
            if given >= pause and not at_pause:
                at_pause.append(tracemalloc.get_traced_memory()[0])

        pieces = _breaking(size, []) if breaks else _long(size, ends=True)
        client = SyncSide().client(*chain, answer=Source(pieces).answer)
        before, _ = tracemalloc.get_traced_memory()
        _read(client, look)
        return _Used(at_pause[0] - before, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


def _seconds_after_the_break(size: int) -> Iterator[Row]:
    (bare, _), (guarded, error) = (_broken(chain, size) for chain in ((), (failover.Failover(),)))
    what = f"sync, stream that breaks after {_megabytes(size)}"
    yield Row(f"{what}: from the break to its error, over the bare SDK", f"{(guarded - bare) * 1000:.1f} ms")
    start = time.thread_time()
    assert failover.partial_message(error) is not None
    yield Row(f"{what}: its partial message, for who asks", f"{(time.thread_time() - start) * 1000:.0f} ms")


def _broken(chain: tuple[Middleware, ...], size: int) -> tuple[float, Exception]:
    """What passes from the moment in which the upstream breaks off until the caller's error, and that error."""
    broke: list[float] = []
    error = _read(SyncSide().client(*chain, answer=Source(_breaking(size, broke)).answer), lambda _given: None)
    assert error is not None
    return time.thread_time() - broke[0], error


def _long(size: int, *, ends: bool) -> Iterator[bytes]:
    """Events of so many bytes, one for each read; what the caller has read is nobody's but the reader's."""
    for piece in itertools.chain(beginning(), words()):
        yield piece
        size -= len(piece)
        if size <= 0:
            break
    if ends:
        yield from events(6)[-3:]


def _breaking(size: int, broke: list[float]) -> Iterator[bytes]:
    """The same, broken off; when that was is noted."""
    yield from _long(size, ends=False)
    broke.append(time.thread_time())
    raise httpx2.ReadError(_CUT)


def _read(client: anthropic.Anthropic, look: Callable[[int], None]) -> Exception | None:
    """Read one stream to its end or its error; `look` is told how many bytes were given so far."""
    given = 0
    try:
        with ask_raw(client) as response:
            for piece in response.iter_bytes():
                given += len(piece)
                look(given)
    except (anthropic.APIError, httpx2.HTTPError) as error:
        return error
    return None


def _read_ahead() -> Row:
    """What is read of a stream while its caller looks at its tenth word, more than the bare SDK reads."""
    loop = asyncio.new_event_loop()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        more = max(_bytes_read(side, failover.Failover()) - _bytes_read(side) for side in sides)
    finally:
        loop.close()
    return Row("stream whose caller pauses: read ahead, over the bare SDK", f"{more} bytes", budget="0", kept=more == 0)


def _bytes_read(side: Side, *middleware: Middleware) -> int:
    source = Source(events(1_000))
    client: Any = side.client(*middleware, answer=source.answer)
    return side.look_at(client, 10, lambda: source.bytes)
