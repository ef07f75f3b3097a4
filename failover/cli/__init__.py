"""The command line: `failover`, an entry point that turns every expected mishap into one line and an exit code.

Typer, Rich and the fake API's web server come with the extra `cli`; nothing of them is imported before `main` runs.
"""

from __future__ import annotations

import io
import os
import sys

from failover.errors import FailoverError, MissingExtra

__all__ = ["main"]

_USAGE = 2
_INTERRUPTED = 130
"""What a shell gives to a program that Ctrl-C ended."""


def main() -> None:
    """Run the command line. Exit codes: 0 fine, 1 a command's own "no", 2 wrong use, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show must not be a traceback
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()  # now, where a reader that has gone can still be noticed quietly
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except FailoverError as error:
        problems = getattr(error, "problems", None)  # of a policy or a scenario: lines that begin with their file
        print("\n".join(problems) if problems else f"failover: {error}", file=sys.stderr)
        sys.exit(_USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it exits
        sys.exit(1)


def _run() -> None:
    try:
        from .app import app  # noqa: PLC0415 - what it needs may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("failover"):
            raise
        raise MissingExtra(
            f"the command line needs {error.name}: pip install 'anthropic-failover[cli]'", name=error.name
        ) from error
    app(prog_name="failover")
