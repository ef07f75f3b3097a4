"""The view for a terminal: ladder, circuits, time strips, the last calls and what happened, redrawn as they change."""

from __future__ import annotations

from collections import Counter, deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from failover import Breaker
from failover.events import Event

from .drive import Demonstration
from .script import Phase
from .story import Line, Story, clock_text
from .tally import CallSeen, Tally

__all__ = ["LEAST_COLUMNS", "LEAST_ROWS", "LiveView"]

LEAST_COLUMNS = 80
LEAST_ROWS = 24
_MOST_CALLS = 8
_LINES = 5
_FIXED_ROWS = 12  # all but rungs, calls and lines, and one for the cursor
_LABEL = 15
_MOST_CELLS = 60
_COUNT = 14  # columns for "  12345 failed"
_RUNG_COLOURS = ("green", "cyan", "magenta", "blue", "yellow")
_STATE_COLOURS = {"closed": "green", "open": "bold red", "half_open": "yellow"}
_OUTCOME_COLOURS = {"primary": "green", "fallback": "cyan"}
_FAILED = "red"


class LiveView:
    """An audience that draws, in a `with` block: the last picture stays on the screen."""

    def __init__(self, demonstration: Demonstration, console: Console) -> None:
        self._demonstration = demonstration
        script = demonstration.script
        rungs = [rung.model for rung in demonstration.policy.rungs_for(script.model)]
        self._colours = {model: _RUNG_COLOURS[index % len(_RUNG_COLOURS)] for index, model in enumerate(rungs)}
        room = console.height - _FIXED_ROWS - len(rungs) - _LINES
        self._calls: deque[CallSeen] = deque(maxlen=min(max(room, 3), _MOST_CALLS))
        self._lines: deque[Line] = deque(maxlen=_LINES)
        self._story = Story(self._lines.append)
        self._now = 0.0
        self._cells = min(console.width - _LABEL - _COUNT, _MOST_CELLS)
        self._live = Live(self.picture(), console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def phase(self, phase: Phase) -> None:
        """See `Audience`."""
        self._story.phase(phase)

    def event(self, at: float, event: Event) -> None:
        """See `Audience`."""
        self._story.event(at, event)

    def guarded_call(self, call: CallSeen) -> None:
        """See `Audience`."""
        self._calls.append(call)
        self._story.guarded_call(call)

    def bare_call(self, call: CallSeen) -> None:
        """See `Audience`."""
        self._story.bare_call(call)

    def look(self) -> None:
        """Draw."""
        self._now = min(self._demonstration.now(), self._demonstration.script.duration)
        self._live.update(self.picture(), refresh=True)

    def picture(self) -> RenderableType:
        """What is on the screen now."""
        return Group(
            self._title(),
            Text(),
            self._strip("with failover", self._demonstration.guarded),
            self._strip("SDK alone", self._demonstration.bare),
            self._legend(),
            Text(),
            self._ladder(),
            Text("\nlast calls with failover", "bold"),
            self._last_calls(),
            Text("\nwhat happened", "bold"),
            *(Text(str(line), no_wrap=True, overflow="ellipsis") for line in self._lines),
            *(Text() for _ in range(_LINES - len(self._lines))),
        )

    def _title(self) -> Text:
        script, policy = self._demonstration.script, self._demonstration.policy
        return Text.assemble(
            (clock_text(self._now)[:-2], "bold"),
            f" of {clock_text(script.duration)[:-2]}   scenario {script.scenario.name}, {script.speed:g} times as fast"
            f"   policy {policy.name} {policy.digest}",
        )

    def _strip(self, name: str, tally: Tally) -> Text:
        """Time from left to right; each cell has the colour of who answered most of its calls, or of a failed one."""
        script = self._demonstration.script
        cells: list[Counter[str]] = [Counter() for _ in range(self._cells)]
        for call in tally.calls:
            cells[min(int(call.started / script.duration * self._cells), self._cells - 1)][call.served or _FAILED] += 1
        strip = Text(name.ljust(_LABEL))
        for cell in cells:
            winner = _FAILED if cell[_FAILED] else max(cell, key=cell.__getitem__, default=None)
            strip.append("·" if winner is None else "█", "dim" if winner is None else self._colours.get(winner, winner))
        return strip.append(f"  {tally.failed} failed", _FAILED if tally.failed else "green")

    def _legend(self) -> Text:
        legend = Text(" " * _LABEL)
        answering = [model for model in self._colours if self._demonstration.guarded.served[model]]
        for model in answering:
            legend.append("█", self._colours[model]).append(f" {model}  ")
        return legend.append("█", _FAILED).append(" a call failed")

    def _ladder(self) -> Table:
        table = Table.grid(padding=(0, 3))
        table.add_row(*(Text(title, "bold") for title in ("ladder", "circuit", "answered")))
        breakers = {breaker.name: breaker for breaker in self._demonstration.failover.board.breakers()}
        for model, colour in self._colours.items():
            answered = self._demonstration.guarded.served[model]
            table.add_row(Text(model, colour), _state(breakers.get(model)), Text(str(answered), justify="right"))
        return table

    def _last_calls(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for call in self._calls:
            outcome = call.route.outcome if call.route else "failed"
            table.add_row(
                clock_text(call.started),
                Text(call.served or call.error or "", self._colours.get(call.served or "", _FAILED)),
                str(call.status or "-"),
                Text(outcome, _OUTCOME_COLOURS.get(outcome, _FAILED)),
                f"{call.seconds:.1f} s",
                Text(" ".join(call.route.request_ids if call.route else ()), "dim", no_wrap=True, overflow="ellipsis"),
            )
        for _ in range((self._calls.maxlen or 0) - len(self._calls)):
            table.add_row("")
        return table


def _state(breaker: Breaker | None) -> Text:
    if breaker is None:
        return Text("closed", "dim")
    state = Text(breaker.state, _STATE_COLOURS[breaker.state])
    outlook = breaker.outlook()
    if breaker.state == "open":
        if outlook is None:
            state.append(", the next call asks")
        elif outlook.retry_in is not None:
            state.append(f", {outlook.retry_in:.0f} s left")
    return state
