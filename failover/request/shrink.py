"""Making a prompt smaller after it failed because of its size: the steps of a policy, each as far as needed.

The result is as valid as the body was, for whichever model and account (`failover.request.shrinking.settling` says
what that takes), and it tells what was done in numbers, never in words of the prompt. It belongs to one call: the
caller's own history stays as it is. Thinking in the answer is bound to the smaller prompt, not to that history.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from failover.policy.shrinking import Step

from .shrinking.capping import capped
from .shrinking.cut import Body, Cut
from .shrinking.optional import dropping_optional, optional
from .shrinking.replacing import clearing, unpicturing
from .shrinking.settling import thinking_blocks
from .shrinking.turns import dropping_turns
from .size import tokens_of

__all__ = ["Shrunk", "optional", "shrunk"]

_CUTS: Mapping[str, Callable[[Body, Any], Cut]] = {
    "clear_tool_results": clearing,
    "drop_images": unpicturing,
    "drop_optional_system": dropping_optional,
    "drop_turns": dropping_turns,
}


class Shrunk(NamedTuple):
    """A body that was made smaller."""

    body: dict[str, Any]
    done: tuple[str, ...]
    """What was done, step by step: `clear_tool_results: 12 results, about 48,000 tokens`."""
    tokens_before: int
    tokens_after: int
    """Both as `tokens_of` estimates them."""


def shrunk(body: dict[str, Any], steps: Sequence[Step], *, to_tokens: int) -> Shrunk | None:
    """A smaller body; `None` if the steps find nothing to take away.

    A body that belongs to a message thread keeps its prompt, for most of that is with the server.

    Args:
        body: of a request for a message; never changed, and all that stays is shared with it.
        steps: what may be taken away, in this order.
        to_tokens: how many input tokens are few enough. A step is not begun when they are reached, and stops when
            they are; `cap_max_tokens` is for the answer, and is always taken.
    """
    before = tokens_of(body)
    smaller, tokens = body, before
    done: list[str] = []
    for step in steps:
        if step.cap_max_tokens is not None:
            if (lowered := capped(smaller, step.cap_max_tokens)) is not None:
                smaller, said = lowered
                done.append(said)
        elif tokens > to_tokens and not body.get("thread"):
            cut = _CUTS[step.kind](smaller, getattr(step, step.kind))
            if cut.most:
                count, after = _as_far_as_needed(cut, to_tokens)
                left = tokens_of(after)
                done.append(
                    _said(step.kind, cut, count, tokens - left, thinking_blocks(smaller) - thinking_blocks(after))
                )
                smaller, tokens = after, left
    return Shrunk(smaller, tuple(done), before, tokens) if done else None


def _as_far_as_needed(cut: Cut, to_tokens: int) -> tuple[int, Body]:
    """The least that is enough, or all there is."""
    fewer = range(1, cut.most)
    count = 1 + bisect.bisect_left(fewer, 1, key=lambda count: tokens_of(cut.after(count)) <= to_tokens)
    return count, cut.after(count)


def _said(kind: str, cut: Cut, count: int, tokens: int, thoughts: int) -> str:
    things = f"{count:,} {cut.noun if count == 1 else _plural(cut.noun)}"
    thinking = (
        f" with {thoughts:,} thinking {'block' if thoughts == 1 else 'blocks'} made after them" if thoughts else ""
    )
    return f"{kind}: {things}{thinking}, about {tokens:,} tokens"


def _plural(noun: str) -> str:
    return " or ".join(f"{word}s" for word in noun.split(" or "))
