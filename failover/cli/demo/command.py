"""`failover demo`: its options, and what follows from them. Everything else is in the files beside this one."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from failover.cli.console import output
from failover.errors import FailoverError
from failover.policy import Policy, default_policy, load_policy
from failover.telemetry.setup import Tracing

from .drive import Demonstration
from .interrupt import run_interruptibly
from .live import LEAST_COLUMNS, LEAST_ROWS, LiveView
from .one_call import make_one_call
from .plain import PlainView
from .script import Script, write_script
from .streams import OverloadedStreams, print_streams
from .summary import broken_promises, print_summary

__all__ = ["demo"]

_SERVICE = "failover-demo"
_MODEL = "claude-opus-5-5"
_SPEED = 12.0
_RATE = 2.0


def demo(  # noqa: PLR0917 - one argument for each option, and Typer passes them by name
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="A policy; left out: the default one.")] = None,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What fails and when; its `duration` says how long to play it.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that every call asks for.")] = _MODEL,
    speed: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.1, max=1000, help=f"Scenario seconds in a real second [default: {_SPEED:g}]."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", min=0.01, max=1000, help=f"Calls in a scenario second [default: {_RATE:g}]."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="For the scenario's dice and the policy's jitter.")
    ] = None,
    otlp: Annotated[
        str | None, typer.Option(metavar="URL", help="Send all spans there too, such as http://localhost:4318.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep a journal of it, in the scenario's time, for `failover report`."),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a picture, as without a terminal.")] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Make one real call instead; needs ANTHROPIC_API_KEY, and costs a few tokens."),
    ] = False,
) -> None:
    """See an outage of one model, with failover and with the SDK alone, on this machine and without a key.

    Exit code 0: fine; 1: the circuit did not open and close as it should, or the real call failed; 2: wrong use.
    """
    loaded = default_policy() if policy is None else load_policy(policy)
    console = output(plain=plain)
    if live:
        _refuse_beside_live(scenario=scenario, speed=speed, rate=rate, seed=seed, journal=journal)
        with _tracing(otlp) as tracing:
            well = make_one_call(console, loaded, model, tracing.provider)
    else:
        script = write_script(scenario, model=model, speed=speed or _SPEED, rate=rate or _RATE, seed=seed)
        with _tracing(otlp) as tracing, _quiet_log():
            demonstration = Demonstration(script, loaded, tracing.provider, journal)
            _play(console, demonstration)
            played = tracing.spans()
            streams = OverloadedStreams(loaded, model, tracing)
            run_interruptibly(streams.run)
        print_summary(console, demonstration, played)
        print_streams(console, streams)
        broken = broken_promises(demonstration)
        for promise in broken:
            typer.echo(f"failover: the demo failed: {promise}", err=True)
        well = not broken
    _print_delivery(console, tracing)
    if journal is not None:
        console.print(f"\nThe journal is {journal}: failover report {journal}", soft_wrap=True)
    raise typer.Exit(0 if well else 1)


def _play(console: Console, demonstration: Demonstration) -> None:
    view = LiveView(demonstration, console) if _can_draw(console) else PlainView(console)
    console.print(_announcement(demonstration.script, demonstration.policy))
    with view:
        run_interruptibly(functools.partial(demonstration.run, view))


def _announcement(script: Script, policy: Policy) -> str:
    return (
        f"failover demo: scenario {script.scenario.name}, policy {policy.name} ({policy.digest}), calls for"
        f" {script.model}; {script.duration:g} s in about {script.duration / script.speed:.0f} real seconds\n"
    )


def _can_draw(console: Console) -> bool:
    return console.is_terminal and console.width >= LEAST_COLUMNS and console.height >= LEAST_ROWS


@contextlib.contextmanager
def _tracing(otlp: str | None) -> Iterator[Tracing]:
    tracing = Tracing(_SERVICE, otlp)
    try:
        yield tracing
    finally:
        tracing.close()


@contextlib.contextmanager
def _quiet_log() -> Iterator[None]:
    """The demo tells what happens in its own words; the library's warnings would tell it twice."""
    logger, silence = logging.getLogger("failover"), logging.NullHandler()
    logger.addHandler(silence)
    try:
        yield
    finally:
        logger.removeHandler(silence)


def _print_delivery(console: Console, tracing: Tracing) -> None:
    delivery = tracing.delivery()
    if delivery is None:
        return
    if tracing.delivered:
        console.print(f"\n{delivery} (service {_SERVICE})")
    else:
        typer.echo(f"failover: warning: {delivery}", err=True)


def _refuse_beside_live(**options: object) -> None:
    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given:
        raise FailoverError(
            f"--live makes one real call, and {', '.join(given)} would change nothing about it: remove it"
        )
