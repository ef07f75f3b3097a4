"""Where the command line prints: with colours and tables on a terminal that wants them, else as plain text."""

from __future__ import annotations

import os
import sys

from rich.console import Console

__all__ = ["output", "terminal"]

_PIPE_COLUMNS = 10_000  # so that nothing is wrapped


def terminal() -> Console | None:
    """The terminal, or `None` where plain text is wanted: in a pipe, in a log, and by who asked for no colours."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("CI", "").lower() not in {"", "0", "false"}
    if not sys.stdout.isatty() or unwanted or os.environ.get("TERM", "dumb") in {"dumb", "unknown"}:
        return None
    return _Console(highlight=False, emoji=False)


def output(*, plain: bool) -> Console:
    """The terminal; where plain text is wanted, also by `plain`, a console that prints such, and wraps none of it in a pipe."""
    coloured = None if plain else terminal()
    if coloured is not None:
        return coloured
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return _Console(force_terminal=False, color_system=None, highlight=False, emoji=False, width=width)


class _Console(Console):
    """Lets the command line's `main` see that nobody reads any more; Rich would end the program from here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
