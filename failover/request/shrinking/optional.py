"""Parts of a system prompt that a caller can do without, and how they are told from the others.

The mark must not be seen by the API, which takes no field that it does not know. So it is in the type of the text:
the SDK hands values of a request on as they are, and JSON writes a `str` of any type as a string. Whoever sends the
same prompt through a client that is not guarded sends the very same bytes.
"""

from __future__ import annotations

from typing import Any

from .cut import Body, Cut, is_a
from .settling import settled

__all__ = ["dropping_optional", "optional"]


class _Optional(str):
    """A text that may be left out."""

    __slots__ = ()


def optional(text: str) -> str:
    """Mark a text of a system prompt as one that may be left out when a policy shrinks the prompt.

    It equals the plain text and is sent as that. The mark is lost when the text becomes another one, as by `+`, or
    travels as JSON.

        client.messages.create(
            system=[
                {"type": "text", "text": "You are a helpful librarian."},
                {"type": "text", "text": failover.optional(catalogue)},
            ],
            ...,
        )

    Args:
        text: the whole text of a block, or the whole system prompt.
    """
    return _Optional(text)


def dropping_optional(body: Body, _rule: object) -> Cut:
    """The texts of the system prompt that could go, the last first: what is before them stays in the cache."""
    system = body.get("system")
    if isinstance(system, _Optional):
        return Cut(1, lambda count: _with_system(body, None) if count else body, "text")
    blocks = list(system) if isinstance(system, (list, tuple)) else []
    marked = [at for at, block in enumerate(blocks) if is_a(block, "text") and isinstance(block["text"], _Optional)]
    marked.reverse()

    def after(count: int) -> Body:
        gone = marked[:count]
        return _with_system(body, [block for at, block in enumerate(blocks) if at not in gone]) if gone else body

    return Cut(len(marked), after, "text")


def _with_system(body: Body, system: Any) -> Body:
    bare = {key: value for key, value in body.items() if key != "system"}
    return settled({**bare, "system": system} if system else bare, 0, 0)
