"""The rows of the table: what was measured, against which budget, and how they are printed."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from .timing import Spread

__all__ = ["Row", "machine", "microseconds", "table"]


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    measured: str
    spread: str = ""
    """The middle half of what was measured, from the lower to the upper quartile."""
    budget: str = ""
    kept: bool | None = None
    """Whether the budget was kept; `None` for what is shown without one."""

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        verdict = "-" if self.kept is None else "ok" if self.kept else "OVER"
        return self.what, self.measured, self.spread or "-", self.budget or "-", verdict


def microseconds(what: str, seconds: Spread, at_most: float | None = None) -> Row:
    """A difference of times; `at_most` is in microseconds."""
    median, low, high = (f"{value * 1e6:.1f}" for value in (seconds.median, seconds.low, seconds.high))
    if at_most is None:
        return Row(what, f"{median} µs", f"{low} to {high}")
    return Row(what, f"{median} µs", f"{low} to {high}", f"≤ {at_most:g} µs", seconds.median * 1e6 <= at_most)


def machine() -> str:
    """What it ran on, in one line, without anybody's names."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("anthropic", "httpx2", "pydantic", "opentelemetry-sdk"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {python}, {packages}"


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in GitHub's Markdown, aligned for a terminal."""
    lines = [("what", "measured", "middle half", "budget", ""), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]])
