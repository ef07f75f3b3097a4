"""`failover check`: is this a policy that can be used? For editors, hooks and continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from failover.document import Placed, load_placed
from failover.document.files import printable
from failover.errors import PolicyError
from failover.policy import Policy
from failover.policy.load import POLICY_KIND
from failover.request.catalogue import Catalogue

from . import check_models
from .models import FILE, catalogue_in

__all__ = ["check"]

_SUFFIXES = {".yaml", ".yml"}


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policies, or folders of them (*.yaml, *.yml).")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print problems and warnings only.")] = False,
    models: Annotated[
        Path | None, typer.Option(metavar="FILE", envvar=FILE, help="A catalogue of yours, over the shipped one.")
    ] = None,
) -> None:
    """Check policies, and print every problem of each as file:line:column: path: what is wrong.

    A warning is about a policy that can be used: a model of its ladders that is retired or may be within 90 days, or
    a rung that never is. A hint is about a model that is not in the catalogue: see `failover models`.

    Exit code 0: all can be used; 1: there are problems, or a file cannot be read; 2: wrong use of this command.
    """
    catalogue = catalogue_in(models)
    results = [_all_well(file, catalogue, quiet=quiet) for file in files]
    raise typer.Exit(0 if all(results) else 1)


def _all_well(file: Path, catalogue: Catalogue, *, quiet: bool) -> bool:
    """Check one file, or each in a folder, and print what is found."""
    try:
        if file.is_dir():
            results = [_all_well(policy, catalogue, quiet=quiet) for policy in _policies_in(file)]
            return all(results)
        placed = load_placed(file, POLICY_KIND)
    except PolicyError as error:
        typer.echo(str(error))
        return False
    _print_remarks(placed, catalogue, quiet=quiet)
    if not quiet:
        policy: Policy = placed.value
        ladders = "1 ladder" if len(policy.ladders) == 1 else f"{len(policy.ladders)} ladders"
        typer.echo(f"{printable(str(file))}: ok: {policy.name}, digest {policy.digest}, {ladders}")
    return True


def _print_remarks(placed: Placed, catalogue: Catalogue, *, quiet: bool) -> None:
    for remark in check_models.remarks(placed.value, catalogue, check_models.today()):
        if remark.what == "warning" or not quiet:
            typer.echo(placed.line(remark.path, f"{remark.what}: {remark.message}"))


def _policies_in(folder: Path) -> list[Path]:
    """The policies directly in a folder, by name."""
    try:
        found = sorted(entry for entry in folder.iterdir() if entry.suffix in _SUFFIXES and not entry.is_dir())
    except OSError as error:
        raise PolicyError((f"{printable(str(folder))}: this folder cannot be read: {error.strerror}",)) from None
    if not found:
        raise PolicyError((f"{printable(str(folder))}: no *.yaml or *.yml file is in this folder",))
    return found
