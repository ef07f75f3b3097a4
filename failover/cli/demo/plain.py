"""The view for everything that is no terminal: one line for each thing that happens, as a log wants it."""

from __future__ import annotations

from rich.console import Console
from typing_extensions import Self

from failover.events import Event

from .script import Phase
from .story import Line, Story
from .tally import CallSeen

__all__ = ["PlainView"]


class PlainView:
    """An audience that writes lines, in a `with` block like the other one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: list[Line] = []
        self._story = Story(self._lines.append)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def phase(self, phase: Phase) -> None:
        """See `Audience`."""
        self._story.phase(phase)

    def event(self, at: float, event: Event) -> None:
        """See `Audience`."""
        self._story.event(at, event)

    def guarded_call(self, call: CallSeen) -> None:
        """See `Audience`."""
        self._story.guarded_call(call)

    def bare_call(self, call: CallSeen) -> None:
        """See `Audience`."""
        self._story.bare_call(call)

    def look(self) -> None:
        """Write what is new."""
        lines, self._lines[:] = self._lines[:], []
        for line in lines:
            self._console.print(str(line))
