"""`failover models`: what is known of each model, where that is from, and what the API says now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from failover.errors import FailoverError
from failover.request.catalogue import Catalogue, load_catalogue, shipped

from .console import terminal
from .models_refresh import refresh
from .models_show import all_models, as_json, one_model, table

__all__ = ["FILE", "catalogue_in", "models"]

FILE = "FAILOVER_MODELS"
"""The environment variable that names a user's catalogue."""

_HERE = Path("failover-models.yaml")


def models(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show all of one, with its sources.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", envvar=FILE, help="A catalogue of yours, over the shipped one.")
    ] = None,
    in_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    ask: Annotated[
        bool, typer.Option("--refresh", help="Ask the Models API, with your key, and write down what differs.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where --refresh writes; a catalogue there is kept and added to [default: {_HERE}]."
        ),
    ] = None,
) -> None:
    """Show what is known of models: limits, what their requests may hold, prices, and when they retire.

    What is not known is shown as "?". A file of yours has the form of the shipped one and says only what differs:

        models: {our-opus: {like: claude-opus-5-5, max_output: 64k}}

    Exit code 0: fine; 1: no such model, or the API or the file could not be used; 2: wrong use.
    """
    if output is not None and not ask:
        raise FailoverError("--output is where --refresh writes, and does nothing without it")
    if ask:
        if model is not None or in_json:
            raise FailoverError("--refresh asks for all models and prints what differs: leave MODEL and --json out")
        raise typer.Exit(0 if refresh(output or file or _HERE) else 1)
    catalogue = catalogue_in(file)
    known = catalogue.models
    if model is not None:
        found = catalogue.find(model)
        if found is None:
            typer.echo(f"failover: no model is called {model!r}{catalogue.hint(model)}", err=True)
            raise typer.Exit(1)
        known = (found,)
    if in_json:
        typer.echo(json.dumps(as_json(known, catalogue.sources), indent=2))
    elif model is not None:
        typer.echo("\n".join(one_model(known[0], catalogue.sources)))
    elif (console := terminal()) is not None:
        console.print(table(known))
    else:
        typer.echo("\n".join(all_models(known)))


def catalogue_in(file: Path | None) -> Catalogue:
    """The shipped catalogue, or a user's file over it.

    Raises:
        CatalogueError: the file cannot be used.
    """
    return shipped() if file is None else load_catalogue(file)
