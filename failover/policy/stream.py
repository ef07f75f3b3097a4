"""How streamed answers are watched, and what happens when one breaks: the `stream` part of a policy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from failover.document.units import Count, Off, Seconds

from .part import Part

__all__ = ["StreamRules"]


class StreamRules(Part):
    """The clocks of a stream, and what its caller gets when it breaks in the middle."""

    first_event: Off[Seconds] = 120.0
    """From sending until the first content."""
    idle: Off[Seconds] = 120.0
    """Between two pieces of content, while the program is reading."""
    pings: Literal["silence", "thinking", "life"] = "thinking"
    """What the API's `ping` events say to both clocks: nothing; that the model lives, while it thinks or a tool that the
    API runs for it works (either may take minutes without content,
    https://platform.claude.com/docs/en/build-with-claude/extended-thinking); or that it lives, whatever it does."""
    on_interrupt: Literal["raise", "restart", "continue"] = "raise"
    """What happens to a stream that breaks after the caller was given some of it."""
    collect_over: Annotated[Off[Count], Field(examples=["16000"])] = None
    """Calls without streaming that ask for more `max_tokens` than this are sent as streams and collected
    (https://platform.claude.com/docs/en/api/errors#long-requests); `None`: none are."""
