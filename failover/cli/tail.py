"""`failover tail`: what a journal's programs write, as they write it."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from failover.document.files import printable
from failover.errors import FailoverError
from failover.journal import Entry, JournalError
from failover.report.follow import Follower
from failover.report.line import Line, line

from .console import terminal
from .moments import moment

__all__ = ["tail"]

_PAUSE = 0.5
_LAST = 10


def tail(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The file that programs write.")],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help=f"From when on: 10m (ago), or a time in UTC such as 2026-11-21T22:00Z [default: the last {_LAST} entries].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Follow a journal: print one line for each entry as it comes, until Ctrl-C. All times are UTC.

    A file that is not there yet is waited for, and one that is replaced is followed on.

    Exit code 130: ended by Ctrl-C; 2: wrong use, or a file that is no journal.
    """
    start = None if since is None else moment("--since", since, time.time())
    if not journal.absolute().parent.is_dir():
        name = printable(str(journal))
        raise FailoverError(f"{name}: its folder does not exist, so no journal can come to be there; check the path")
    follow(journal, start, show=_show_on(terminal()), tell=_tell, pause=lambda: time.sleep(_PAUSE))


def follow(
    journal: Path,
    since: float | None,
    *,
    show: Callable[[Line], None],
    tell: Callable[[str], None],
    pause: Callable[[], None],
) -> None:
    """Show the lines of a journal for ever.

    Args:
        journal: the file.
        since: entries before it are left out; without it those before the last ten.
        show: prints a line.
        tell: prints a remark about the file.
        pause: waits before the next look.

    Raises:
        JournalError: the file is there at first, and is no journal or cannot be read.
    """
    follower = Follower(journal)
    told: str | None = None
    begun = False
    while True:
        try:
            new: Iterable[Entry] = follower.look()
            if not begun:
                new = deque(new, _LAST) if since is None else (entry for entry in new if entry.at >= since)
            for entry in new:
                show(line(entry))
            told, begun = None, True
        except JournalError as error:
            if not begun and error.reason not in {"missing", "locked"}:
                raise
            if told != error.reason:
                tell(_remark(error, journal, begun=begun))
            told = error.reason
            if error.reason == "missing":
                follower.forget()
                begun = begun or since is None  # what is written from now on is all new
        pause()


def _remark(error: JournalError, journal: Path, *, begun: bool) -> str:
    name = printable(str(journal))
    if error.reason != "missing":
        return f"{name}: {error.why}; trying again"
    return f"{name} is gone: waiting for a new one" if begun else f"{name} is not there yet: waiting for it"


def _show_on(console: Console | None) -> Callable[[Line], None]:
    """With colours on a terminal that wants them; each line is out at once, in a pipe, too."""
    if console is None:
        return lambda one: print(one, flush=True)

    def show(one: Line) -> None:
        text = Text.assemble(
            (one.time, "dim"), "  ", f"{one.kind:<10}  ", (one.text, one.style), "  ", (f"[{one.process}]", "dim")
        )
        console.print(text, soft_wrap=True)

    return show


def _tell(remark: str) -> None:
    print(f"failover: {remark}", file=sys.stderr, flush=True)
