"""`failover report`: what happened, by a journal."""

from __future__ import annotations

import contextlib
import enum
import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from failover.document.files import printable
from failover.errors import FailoverError
from failover.journal import Entry, read
from failover.report import (
    LASTING,
    SortedEntries,
    in_html,
    in_json,
    in_markdown,
    json_text,
    not_over,
    report_of,
    sort_entries,
    timeline,
)

from .moments import moment

__all__ = ["report"]


class Format(str, enum.Enum):
    """How a report is written."""

    md = "md"
    json = "json"
    html = "html"


_SUFFIXES = {".json": Format.json, ".html": Format.html, ".htm": Format.html}


def report(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The file that a program wrote.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="From when on: 24h (ago), or a time in UTC such as 2026-11-21T22:00Z."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="Until when, spelled likewise.")] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="How it is written [default: as --output ends, else md].", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it is written [default: printed].", show_default=False)
    ] = None,
) -> None:
    """Tell what happened: platform incidents, outages, what they cost, who answered, and a text for support.

    md is Markdown, which can be read in a terminal as it is. json is for programs. html is one file with a timeline of
    every model; it needs the extra "report". All times are UTC.

    Exit code 0: fine, whatever has happened; 2: wrong use, or a file that is no journal or cannot be written.
    """
    now = time.time()
    start = None if since is None else moment("--since", since, now)
    end = None if until is None else moment("--until", until, now)
    if start is not None and end is not None and start >= end:
        raise FailoverError(f"--since {since} is not before --until {until}: there is no time between them")
    form = format_ or _SUFFIXES.get(output.suffix.lower() if output else "", Format.md)
    if form is Format.html and output is None and sys.stdout.isatty():
        raise FailoverError("a page of HTML is not for a terminal: add --output report.html")
    if output is not None and _same(output, journal):
        raise FailoverError(f"--output {printable(str(output))} is the journal itself: name another file")
    with _without_collection():
        within = [entry for _, entry in read(journal, since=start, until=end)]
        entries = sort_entries([*_earlier(journal, start, within), *within], start, end)
        text = _written(form, entries)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FailoverError(f"--output {printable(str(output))} cannot be written: {error.strerror}") from None


def _earlier(journal: Path, start: float | None, within: list[Entry]) -> list[Entry]:
    """What was going on as the period began."""
    if start is None:
        return []
    before = (entry for _, entry in read(journal, until=start, kinds=LASTING))
    return not_over(before, frozenset(entry.process for entry in within))


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """All that is made here is kept to the end; to look for garbage in 100,000 rows takes a fifth of a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _written(form: Format, entries: SortedEntries) -> str:
    told = report_of(entries)
    if form is Format.html:
        return in_html(told, timeline(entries, told))
    if form is Format.json:
        return json_text(in_json(told))
    return in_markdown(told)


def _same(output: Path, journal: Path) -> bool:
    try:
        return output.samefile(journal)
    except OSError:
        return False
