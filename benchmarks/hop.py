"""What a hop to another model costs: finding out what it takes, making the request fit, sending that instead.

The first model answers 529 and the second one well, both from memory. What is shown is the time of such a call over that
of one whose first answer was good: everything that an overloaded model makes the middleware do, but for the network.
The request is one that the second model does not take as it is, so that there is something to fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import failover

from .report import Row, microseconds
from .sides import MODEL, AsyncSide, Prompt, Side, SyncSide
from .timing import Counts, difference, in_turns

__all__ = ["rows"]

_POLICY = f"""
version: 1
name: hop
ladders: [{{match: {MODEL}, rungs: [claude-sonnet-4-6]}}]
retry: {{budget: off}}
breaker: {{trip: {{consecutive_failures: 1000000, failure_rate: off}}}}
"""
_PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 5_000_000}}
_PROMPTS: dict[str, Prompt] = {
    "1 KB": "x" * 1_000,
    "100 KB": "x" * 100_000,
    "5 MB": [{"role": "user", "content": [_PICTURE]}],  # as text it would be too long for any model
    "2 MB in 2,000 messages": [
        {"role": "assistant" if number % 2 else "user", "content": [{"type": "text", "text": "x" * 1_000}]}
        for number in range(2_001)
    ],
}
_UNFIT = {"output_config": {"effort": "xhigh"}, "thinking": {"type": "adaptive"}}


def rows(counts: Counts) -> Iterator[Row]:
    """Sync, then async, for prompts of several sizes."""
    policy = failover.parse_policy(_POLICY)
    loop = asyncio.new_event_loop()
    try:
        sides: tuple[Side, ...] = (SyncSide(), AsyncSide(loop))
        for side in sides:
            for size, prompt in _PROMPTS.items():
                blocks = {
                    "hop": side.handling(failover.Failover(policy), prompt, overloaded=MODEL, **_UNFIT),
                    "plain": side.handling(failover.Failover(policy), prompt, **_UNFIT),
                }
                taken = in_turns(blocks, rounds=counts.rounds // 2, calls=max(1, counts.loops // 10))
                yield microseconds(
                    f"{side.name}, a hop to a model that takes less, {size}", difference(taken, "hop", "plain")
                )
    finally:
        loop.close()
