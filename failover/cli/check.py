"""`failover check`: is this a policy that can be used? For editors, hooks and continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from failover.document.files import printable
from failover.errors import PolicyError
from failover.policy import load_policy

__all__ = ["check"]

_SUFFIXES = {".yaml", ".yml"}


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policies, or folders of them (*.yaml, *.yml).")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems only.")] = False,
) -> None:
    """Check policies, and print every problem of each as file:line:column: path: what is wrong.

    Exit code 0: all can be used; 1: there are problems, or a file cannot be read; 2: wrong use of this command.
    """
    results = [_all_well(file, quiet=quiet) for file in files]
    raise typer.Exit(0 if all(results) else 1)


def _all_well(file: Path, *, quiet: bool) -> bool:
    """Check one file, or each in a folder, and print what is found."""
    try:
        if file.is_dir():
            results = [_all_well(policy, quiet=quiet) for policy in _policies_in(file)]
            return all(results)
        policy = load_policy(file)
    except PolicyError as error:
        typer.echo(str(error))
        return False
    if not quiet:
        ladders = "1 ladder" if len(policy.ladders) == 1 else f"{len(policy.ladders)} ladders"
        typer.echo(f"{printable(str(file))}: ok: {policy.name}, digest {policy.digest}, {ladders}")
    return True


def _policies_in(folder: Path) -> list[Path]:
    """The policies directly in a folder, by name."""
    try:
        found = sorted(entry for entry in folder.iterdir() if entry.suffix in _SUFFIXES and not entry.is_dir())
    except OSError as error:
        raise PolicyError((f"{printable(str(folder))}: this folder cannot be read: {error.strerror}",)) from None
    if not found:
        raise PolicyError((f"{printable(str(folder))}: no *.yaml or *.yml file is in this folder",))
    return found
