"""The timeline as one SVG picture, drawn by matplotlib through its objects: no window, no `pyplot`, the same bytes each time.

All bars and bands of a kind are one path, so a picture takes a tenth of a second however much is in it. Colours are
variables of the page's style sheet, for light and dark; every kind has a place or a hatching of its own, too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from failover.document.files import printable
from failover.errors import MissingExtra

from .svg import COLOURS, for_a_page
from .timeline import Lane, Timeline
from .words import clock, count, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom: seconds from the beginning, and units from the top."""

_WIDTH = 1120.0  # units, which are the page's pixels where it is as wide
_GUTTER, _RIGHT = 84.0, 22.0
_HEAD, _FOOT = 58.0, 34.0
_NAME, _ANSWERS, _FAILURES, _GAP, _BAND, _BELOW = 26.0, 52.0, 24.0, 5.0, 16.0, 22.0
_LANE = _NAME + _ANSWERS + _FAILURES + _GAP + _BAND + _BELOW
_LEAST = 2.5  # units; one failure beside a thousand is still seen
_DPI = 72.0
_LONGEST_NAME = 60
_LABEL = 66.0  # units that the label of an outage takes
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MOST_TICKS = 9
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "failover",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "hatch.linewidth": 1.0,
    "path.simplify": False,
}


def draw(timeline: Timeline) -> str:
    """An `<svg>` element with a title and a description.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, and half a second
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a report in HTML is drawn by matplotlib: pip install 'anthropic-failover[report]'", name=error.name
        ) from error
    height = _HEAD + _LANE * len(timeline.lanes) + _FOOT
    defaults = {name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")}
    settings: Any = {**defaults, **_SETTINGS}
    with mpl.rc_context(settings):  # whatever the user's own settings are
        figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI)
        figure.patch.set_visible(False)
        axes = figure.add_axes((_GUTTER / _WIDTH, 0.0, 1 - (_GUTTER + _RIGHT) / _WIDTH, 1.0))
        axes.set(xlim=(0.0, timeline.end - timeline.start), ylim=(height, 0.0))
        axes.set_axis_off()
        _Picture(axes, timeline, height).draw()
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return for_a_page(written.getvalue(), timeline)


class _Picture:
    """Puts everything onto the axes."""

    def __init__(self, axes: Axes, timeline: Timeline, height: float) -> None:
        self._axes = axes
        self._timeline = timeline
        self._height = height
        self._seconds = timeline.end - timeline.start
        self._unit = self._seconds / (_WIDTH - _GUTTER - _RIGHT)
        self._top_answers = max((max(lane.answers.values(), default=0) for lane in timeline.lanes), default=0)
        self._top_failures = max((max(lane.failures.values(), default=0) for lane in timeline.lanes), default=0)

    def draw(self) -> None:
        """From the back to the front."""
        lanes = list(enumerate(self._timeline.lanes))
        self._incidents()
        self._ticks()
        self._fill([self._band(number) for number, _ in lanes], "closed")
        self._fill(
            [box for number, lane in lanes for box in self._steps(number, lane, half=True)], "half", hatch="\\\\\\\\"
        )
        self._fill(
            [box for number, lane in lanes for box in self._steps(number, lane, half=False)], "open", hatch="////"
        )
        self._fill([box for number, lane in lanes for box in self._answers(number, lane)], "answer")
        self._fill([box for number, lane in lanes for box in self._failures(number, lane)], "failure")
        self._baselines()
        for number, lane in lanes:
            self._names(number, lane)
        self._outages()
        self._legend()

    # --- where things are ------------------------------------------------------------------------------------

    def _base(self, lane: int) -> float:
        """The line from which answers go up and failures down."""
        return _HEAD + lane * _LANE + _NAME + _ANSWERS

    def _band(self, lane: int) -> Box:
        top = self._base(lane) + _FAILURES + _GAP
        return 0.0, top, self._seconds, top + _BAND

    def _steps(self, number: int, lane: Lane, *, half: bool) -> Iterator[Box]:
        """What is open stands at the bottom of the band, what is half open upon it."""
        _, top, _, bottom = self._band(number)
        for step in lane.steps:
            share = step.half_open if half else step.open
            if share:
                low = bottom - (step.open * (bottom - top) if half else 0.0)
                high = max(top, min(low - share * (bottom - top), low - _LEAST))
                yield self._clipped(step.start, high, step.end, low)

    def _answers(self, number: int, lane: Lane) -> Iterator[Box]:
        base, width = self._base(number), self._timeline.answers_width
        for left, right, value in self._bars(lane.answers.items(), width):
            yield left, base - max(_LEAST, value / self._top_answers * (_ANSWERS - 4)), right, base

    def _failures(self, number: int, lane: Lane) -> Iterator[Box]:
        base, width = self._base(number), self._timeline.failures_width
        for left, right, value in self._bars(lane.failures.items(), width):
            yield left, base, right, base + max(_LEAST, value / self._top_failures * (_FAILURES - 2))

    def _bars(self, counted: Iterable[tuple[int, int]], width: float) -> Iterator[tuple[float, float, int]]:
        first = self._timeline.start // width * width
        gap = min(self._unit, width / 5)
        for index, value in sorted(counted):
            left, _, right, _ = self._clipped(first + index * width, 0.0, first + (index + 1) * width - gap, 0.0)
            if value and right > left:
                yield left, right, value

    def _clipped(self, start: float, top: float, end: float, bottom: float) -> Box:
        left, right = start - self._timeline.start, end - self._timeline.start
        return max(0.0, min(left, self._seconds)), top, max(0.0, min(right, self._seconds)), bottom

    # --- what is drawn ---------------------------------------------------------------------------------------

    def _fill(self, boxes: list[Box], colour: str, *, hatch: str | None = None, **style: Any) -> None:
        """All boxes of a kind as one path."""
        from matplotlib.patches import PathPatch  # noqa: PLC0415 - see `draw`
        from matplotlib.path import Path  # noqa: PLC0415

        if not boxes:
            return
        corners = [point for left, top, right, bottom in boxes for point in _around(left, top, right, bottom)]
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
        line = {"edgecolor": COLOURS["page"], "linewidth": 0.0} if hatch else {"linewidth": 0.0}
        self._axes.add_patch(
            PathPatch(Path(corners, codes), facecolor=COLOURS[colour], hatch=hatch, clip_on=False, **{**line, **style})
        )

    def _lines(self, ends: list[Box], colour: str, width: float, **style: Any) -> None:
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - see `draw`

        lines = [((left, top), (right, bottom)) for left, top, right, bottom in ends]
        style = {"zorder": 1, **style}  # that of patches: what is drawn later is in front
        self._axes.add_collection(
            LineCollection(lines, colors=COLOURS[colour], linewidths=width, clip_on=False, **style), autolim=False
        )

    def _text(self, x: float, y: float, text: str, colour: str = "ink", size: float = 11.5, **style: Any) -> None:
        """Text stays text; what looks like a formula in it is none."""
        style = {"verticalalignment": "baseline", **style}
        self._axes.text(x, y, text, color=COLOURS[colour], fontsize=size, parse_math=False, clip_on=False, **style)

    def _incidents(self) -> None:
        boxes, edges = [], []
        for mark in self._timeline.incidents:
            left, _, right, _ = self._clipped(mark.start, 0.0, mark.end, 0.0)
            right = max(right, left + 2 * self._unit)
            for lane in mark.lanes:
                top = _HEAD + lane * _LANE
                boxes.append((left, top, right, top + _LANE))
                edges += [(x, top, x, top + _LANE) for x in (left, right)]
            if mark.lanes:
                self._text(left, _HEAD + mark.lanes[0] * _LANE - 5, mark.label, "incident", 11, fontweight="bold")
        self._fill(boxes, "incident", alpha=0.16)
        self._lines(edges, "incident", 1.4, linestyles="dashed")

    def _ticks(self) -> None:
        """Whole hours or minutes of UTC, and the day where it begins."""
        start, end, bottom = self._timeline.start, self._timeline.end, self._height - _FOOT
        step = next((step for step in _TICKS if self._seconds / step <= _MOST_TICKS), 0)
        step = step or math.ceil(self._seconds / _MOST_TICKS / 86400) * 86400
        ticks = [at for number in range(math.ceil(start / step), int(end // step) + 1) if (at := number * step)]
        self._lines([(at - start, _HEAD, at - start, bottom) for at in ticks], "grid", 0.8)
        for index, at in enumerate(ticks):
            day, time = clock(at).split(" ")
            written = time if step < _MINUTE else time[:5]
            if step < _DAY:
                self._text(at - start, bottom + 14, written, "faint", 11, horizontalalignment="center")
            if index == 0 or at % _DAY == 0 or step >= _DAY:
                self._text(
                    at - start, bottom + (28 if step < _DAY else 14), day, "faint", 11, horizontalalignment="center"
                )
        self._text(-(_GUTTER - 2) * self._unit, bottom + 14, "UTC", "faint", 11)

    def _baselines(self) -> None:
        bases = [self._base(number) for number in range(len(self._timeline.lanes))]
        self._lines([(0.0, base, self._seconds, base) for base in bases], "faint", 0.8)

    def _names(self, number: int, lane: Lane) -> None:
        base, left = self._base(number), -10 * self._unit
        name = printable(lane.place)
        name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
        self._text(-(_GUTTER - 2) * self._unit, base - _ANSWERS - 8, name, size=13, fontweight="bold")
        answers, failures = sum(lane.answers.values()), sum(lane.failures.values())
        counted = f"{count(answers, 'answer')}, {count(failures, 'failed attempt')}"
        self._text(self._seconds, base - _ANSWERS - 8, counted, "faint", horizontalalignment="right")
        for y, label in (
            (-_ANSWERS / 2, "answered"),
            (_FAILURES - 6, "failed"),
            (_FAILURES + _GAP + _BAND - 4, "circuit"),
        ):
            self._text(left, base + y, label, "faint", 11, horizontalalignment="right")

    def _outages(self) -> None:
        """The name of each below its beginning, where there is room for it."""
        free: dict[int, float] = {}
        for mark in sorted(self._timeline.outages, key=lambda mark: mark.start):
            left = self._clipped(mark.start, 0.0, mark.end, 0.0)[0]
            (lane,) = mark.lanes
            if left >= free.get(lane, -math.inf):
                room = min(left, self._seconds - _LABEL * self._unit)
                self._text(room, self._band(lane)[3] + 13, mark.label, "open", 11, fontweight="bold")
                free[lane] = left + _LABEL * self._unit

    def _legend(self) -> None:
        timeline = self._timeline
        per = (duration(timeline.answers_width), duration(timeline.failures_width))
        parts = (
            ("answer", None, f"answered (up to {self._top_answers:,} in {per[0]})"),
            ("failure", None, f"failed (up to {self._top_failures:,} in {per[1]})"),
            ("closed", None, "circuit closed"),
            ("half", "\\\\\\\\", "half open"),
            ("open", "////", "open"),
            ("incident", None, "platform incident"),
        )
        x = -(_GUTTER - 2) * self._unit
        for colour, hatch, text in parts:
            style = {"alpha": 0.3} if colour == "incident" else {}
            self._fill([(x, 8.0, x + 16 * self._unit, 20.0)], colour, hatch=hatch, **style)
            self._text(x + 22 * self._unit, 18, text, "ink")
            x += (22 + 6.1 * len(text) + 24) * self._unit


_MINUTE, _DAY = 60, 86400


def _around(left: float, top: float, right: float, bottom: float) -> tuple[tuple[float, float], ...]:
    return (left, top), (right, top), (right, bottom), (left, bottom), (left, top)
