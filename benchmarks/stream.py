"""What a stream costs more for each of its events, and once for all of them.

Whole streams are read as a program reads them, parsed by the SDK, and as bytes, where the SDK's own work is a
twentieth and ours stands out. *The guard alone* is what it does to one event in a loop, without the two layers of
`httpx2` that handing on a body takes: the lower bound.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from anthropic import Middleware
from opentelemetry.sdk.trace import TracerProvider

import failover
from failover.policy.stream import StreamRules
from failover.stream.listening import Listening, Patience
from failover.tail import Tail

from .latency import discarding
from .report import Row, microseconds
from .sides import AsyncSide, Side, SyncSide
from .stream_source import answer_with, events
from .timing import Block, Counts, difference, in_turns, timed

__all__ = ["rows"]

_FEW, _SOME, _MANY = 50, 500, 5_000  # events of one stream
_AT_MOST = 3.0  # microseconds for each
_CALLS = {_FEW: 5, _SOME: 1, _MANY: 1}  # in one block


def rows(counts: Counts) -> Iterator[Row]:
    """Sync, then async, then the guard alone."""
    loop = asyncio.new_event_loop()
    provider = discarding()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        for side in sides:
            yield from _streams(side, counts, provider)
    finally:
        loop.close()
    yield _guard_alone(counts)


def _streams(side: Side, counts: Counts, provider: TracerProvider) -> Iterator[Row]:
    taken = {length: _taken(side, length, counts, provider) for length in (_FEW, _SOME, _MANY)}
    for name, how in (("", ""), ("raw ", ", read as bytes")):
        for length in (_FEW, _SOME, _MANY):
            added = difference(taken[length], name + "Failover", name + "bare").each_of(length)
            at_most = None if length == _FEW else _AT_MOST  # a short one's share is that of its call, measured below
            yield microseconds(f"{side.name}, stream of {length:,} events{how}: added per event", added, at_most)
    each = difference(taken[_MANY], "raw Failover", "raw bare").each_of(_MANY).median
    added = difference(taken[_FEW], "raw Failover", "raw bare").less(_FEW * each)
    yield microseconds(f"{side.name}, stream: added once, by its call, opening and end", added)
    added = difference(taken[_FEW], "spans", "Failover")
    yield microseconds(f"{side.name}, stream: added once by recorded spans", added)


def _taken(side: Side, length: int, counts: Counts, provider: TracerProvider) -> dict[str, list[float]]:
    answer = answer_with(events(length))

    def client(*middleware: Middleware) -> Any:
        return side.client(*middleware, answer=answer)

    bare, guarded = client(), client(failover.Failover())
    blocks = {
        "bare": side.streams(bare),
        "Failover": side.streams(guarded),
        "raw bare": side.raw_streams(bare),
        "raw Failover": side.raw_streams(guarded),
    }
    if length == _FEW:
        blocks["spans"] = side.streams(client(failover.Failover(tracer_provider=provider)))
    rounds = counts.slow_rounds if length == _MANY else counts.rounds
    return in_turns(blocks, rounds=rounds, calls=_CALLS[length])


def _guard_alone(counts: Counts) -> Row:
    pieces = events(_SOME)
    blocks: dict[str, Block] = {"nothing": timed(lambda: _pass_on(pieces)), "guard": timed(lambda: _guard(pieces))}
    taken = in_turns(blocks, rounds=counts.rounds, calls=10)
    added = difference(taken, "guard", "nothing").each_of(_SOME)
    return microseconds("stream, the guard alone: per event", added, _AT_MOST)


def _pass_on(pieces: list[bytes]) -> None:
    for _ in pieces:
        pass


def _guard(pieces: list[bytes]) -> None:
    """All that is done to the events of one stream, but to read them and to hand them on."""
    now = time.monotonic
    patience = Patience(StreamRules(), now, sent_at=now(), until=float("inf"), longest_read=600.0)
    listening, exchange, opened = Listening(patience), SimpleNamespace(mark=lambda: None), SimpleNamespace()
    tail = Tail(exchange, opened)  # type: ignore[arg-type] # nothing is asked of them before the end
    for piece in pieces:
        patience.next_read()
        passed = listening.feed(piece)
        if passed:
            tail.give(passed)
