"""Whether 32 threads that share one board get in each other's way: throughput against the no-op middleware.

The upstream is inside the process and waits a moment with the interpreter's lock released, as a socket would; a
real server in the same process would take part in the race for that lock and hide what is measured. Answers after
1 ms keep the processor busy all the time: a lock that is held too long would show here, and so does every
microsecond of ours. Answers after 100 ms leave it idle most of the time, as Claude does: there a lock held during a
request would show.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx2
from anthropic import Middleware

import failover

from .report import Row
from .sides import NoOp, ask, good_answer
from .timing import Block, Counts, in_turns, spread

__all__ = ["rows"]

_THREADS = 32
_AT_LEAST = 0.97


def rows(counts: Counts) -> Iterator[Row]:
    """One row for each speed of the upstream."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for milliseconds, calls in ((1, 10), (100, 2)):
            blocks = {
                "no-op": _block(pool, _client(NoOp(), milliseconds / 1000)),
                "Failover": _block(pool, _client(failover.Failover(), milliseconds / 1000)),
            }
            taken = in_turns(blocks, rounds=counts.slow_rounds, calls=calls)
            ratio = spread(other / ours for other, ours in zip(taken["no-op"], taken["Failover"], strict=True))
            yield Row(
                f"{_THREADS} threads, one board, answers after {milliseconds} ms: throughput against the no-op",
                f"{ratio.median:.3f}",
                f"{ratio.low:.3f} to {ratio.high:.3f}",
                f"≥ {_AT_LEAST}",
                ratio.median >= _AT_LEAST,
            )


def _client(middleware: Middleware, seconds: float) -> anthropic.Anthropic:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        time.sleep(seconds)
        return good_answer()

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="benchmark", http_client=http, max_retries=0, middleware=[middleware])


def _block(pool: ThreadPoolExecutor, client: anthropic.Anthropic) -> Block:
    def work(calls: int) -> None:
        for _ in range(calls):
            ask(client)

    def block(calls: int) -> float:
        """Wall time, for that is what throughput is about."""
        start = time.perf_counter()
        for done in [pool.submit(work, calls) for _ in range(_THREADS)]:
            done.result()
        return (time.perf_counter() - start) / (calls * _THREADS)

    return block
