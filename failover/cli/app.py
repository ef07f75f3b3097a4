"""Which commands there are. Each is a function of its own file."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from .check import check
from .demo.command import demo
from .models import models
from .report import report
from .tail import tail

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Keeps Python programs that call Claude answering while some of Claude is failing.",
)
app.command(short_help="See an outage of one model, with and without failover.")(demo)
app.command(short_help="Check policies, and print every problem of each.")(check)
app.command(short_help="Show what is known of each model, and ask the API what it says.")(models)
app.command(short_help="Tell what happened, by a journal: outages, their cost, a text for support.")(report)
app.command(short_help="Follow a journal: one line for each entry as it comes.")(tail)


def _show_version(asked: bool) -> None:
    if asked:
        versions = {name: importlib.metadata.version(name) for name in ("anthropic-failover", "anthropic")}
        typer.echo(f"failover {versions['anthropic-failover']} (anthropic {versions['anthropic']})")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _no_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has ended the program if it was asked for
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
