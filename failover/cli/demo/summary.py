"""What is printed when it is over: the comparison, the request ids for support, and one saved call as a trace."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from failover.telemetry.setup import SpanRecord

from .drive import Demonstration
from .spantree import saved_call, span_tree
from .tally import Figures, figures, opening_failures

__all__ = ["broken_promises", "print_summary"]

_LATE = 2.0  # scenario seconds; a call in the healthy minute takes about one


def print_summary(console: Console, demonstration: Demonstration, spans: Sequence[SpanRecord]) -> None:
    """Print all of it."""
    script = demonstration.script
    guarded, bare = _figures(demonstration)
    console.print()
    console.print(_comparison(guarded, bare, outage=script.outage is not None))
    for sentence in _how_it_was_measured(demonstration):
        console.print(Text(sentence, "dim"))
    _print_opening(console, demonstration)
    saved = saved_call(spans)
    if saved:
        title = f"\nOne call that another model saved, as a trace (seconds of the scenario, {script.speed:g} to a real one):"
        console.print(Text(title, "bold"))
        console.print(span_tree(saved, script.speed))
    elif spans:
        console.print("\nNo call needed another model, so there is no such trace to show.")


def broken_promises(demonstration: Demonstration) -> list[str]:
    """What the built-in scenario should have shown and did not; nothing is promised for other scenarios."""
    script = demonstration.script
    if not script.built_in:
        return []
    guarded, _ = _figures(demonstration)
    if guarded.opened_after is None:
        return [f"the circuit of {script.model} did not open during its outage"]
    if guarded.closed_after is None:
        return [f"the circuit of {script.model} opened and did not close again after its outage"]
    return []


def _figures(demonstration: Demonstration) -> tuple[Figures, Figures]:
    script = demonstration.script
    return (
        figures(demonstration.guarded, demonstration.guarded_upstream.requests, script),
        figures(demonstration.bare, demonstration.bare_upstream.requests, script),
    )


def _comparison(guarded: Figures, bare: Figures, *, outage: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("with failover", justify="right")
    table.add_column("SDK alone", justify="right")

    def row(label: str, ours: str, theirs: str) -> None:
        table.add_row(label, ours, theirs)

    row("calls", str(guarded.calls), str(bare.calls))
    row("answered", str(guarded.answered), str(bare.answered))
    row("failed", _alarm(guarded.failed), _alarm(bare.failed))
    row("requests sent", str(guarded.requests), str(bare.requests))
    if outage:
        row("  to the failing model in its outage", str(guarded.dead_requests), str(bare.dead_requests))
        row("a call's time in the outage, median", _seconds(guarded.median), _seconds(bare.median))
        row("  95th percentile", _seconds(guarded.slow), _seconds(bare.slow))
        row("outage began until circuit open", _seconds(guarded.opened_after), "no circuit")
        row("outage over until first model answers", _seconds(guarded.back_after), _seconds(bare.back_after))
        row("outage over until circuit closed", _seconds(guarded.closed_after), "no circuit")
    return table


def _how_it_was_measured(demonstration: Demonstration) -> list[str]:
    script = demonstration.script
    sentences = [
        (
            "Measured in this run: two clients of the anthropic SDK, each with a fake API of its own on this machine"
            f" that fails in the same way, {script.rate:g} calls per second at the same moments."
        ),
        (
            f"Seconds are the scenario's, {script.speed:g} to a real one. The policy's times, the SDK's own waits between"
            " its retries (alone it makes 2, as by default), time-outs and answers are all shortened alike."
        ),
    ]
    if demonstration.late > _LATE:
        sentences.append(
            f"This machine was too busy for that: some calls started {demonstration.late:.1f} s late, so some times are"
            " longer than they should be; a lower --speed or --rate helps."
        )
    return sentences


def _print_opening(console: Console, demonstration: Demonstration) -> None:
    failures = opening_failures(demonstration.guarded, demonstration.script.model)
    if not failures:
        return
    console.print(Text("\nRequest ids of the failures that opened the circuit, for support:", "bold"))
    for failure in failures:
        status = "no response" if failure.status is None else str(failure.status)
        request_id = failure.request_id or "no request id"
        console.print(f"  {request_id}  {failure.model}  {status} {failure.error_type}")


def _alarm(count: int) -> str:
    return f"[red]{count}[/]" if count else f"[green]{count}[/]"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
