"""A report as Markdown that can be read as it is, too: in a terminal, in a mail, in a chat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from failover.document.files import printable

from .facts import (
    COLUMNS,
    Fact,
    cost_table,
    incident_facts,
    incident_title,
    outage_facts,
    outage_title,
    outside_facts,
)
from .model import Outage, Report
from .ticket import ticket
from .words import count, duration, headline, named, remarks, span

__all__ = ["in_markdown"]

_MOST = 20
"""Incidents, outages and models, each."""

_ESCAPED = str.maketrans({"<": "&lt;", "|": "\\|", "`": "'", "*": "\\*", "[": "\\["})
_FENCE = 3


def in_markdown(report: Report) -> str:
    """The whole report; it ends with a line break."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# What happened"
    yield ""
    yield _plain(headline(report))
    for remark in remarks(report):
        yield ""
        yield f"> **Note:** {_plain(remark)}"
    if report.entries:
        yield ""
        yield from _scope(report)
    for incident in report.incidents[:_MOST]:
        yield from _section(incident_title(incident), incident_facts(incident, report.outages))
    yield from _left_out(len(report.incidents), "incident")
    yield from _outages([outage for outage in report.outages if outage.incident is None])
    if outside := outside_facts(report):
        yield from _section("Outside of these" if report.incidents or report.outages else "What failed", outside)
    if report.incidents or report.outages:
        yield from _costs(report)
    yield from _served(report)
    yield from _support(report)


def _scope(report: Report) -> Iterator[str]:
    """What the report is about."""
    period = report.period
    if period.start is not None and period.end is not None:
        yield f"- period: {span(period.start, period.end)} ({duration(period.end - period.start)})"
    yield f"- journal: {count(report.entries, 'entry', 'entries')} of {count(len(report.processes), 'process', 'processes')}"
    if report.policies:
        yield f"- {'policy' if len(report.policies) == 1 else 'policies'}: {_plain(named(report.policies))}"


def _outages(outages: Sequence[Outage]) -> Iterator[str]:
    dearest = sorted(outages, key=lambda outage: -outage.cost.attempts)[:_MOST]
    for outage in outages:
        if outage in dearest:
            yield from _section(outage_title(outage), outage_facts(outage))
    yield from _left_out(len(outages), "outage")


def _left_out(number: int, what: str) -> Iterator[str]:
    if number > _MOST:
        yield ""
        yield f"{count(number - _MOST, what)} more: `--format json` has all."


def _section(title: str, facts: Iterable[Fact]) -> Iterator[str]:
    yield ""
    yield f"## {_plain(title)}"
    yield ""
    yield from (f"- {fact.label}: {_plain(fact.text)}" for fact in facts)


def _costs(report: Report) -> Iterator[str]:
    yield ""
    yield "## Cost"
    yield ""
    yield from _table(("", *COLUMNS), [(row.what, *row.cells) for row in cost_table(report, most=_MOST)])


def _served(report: Report) -> Iterator[str]:
    if not report.served:
        return
    yield ""
    yield "## Who answered"
    yield ""
    rows = [
        (
            _plain(served.place),
            f"{served.answers:,}",
            duration(served.seconds / served.answers) if served.answers else "",
        )
        for served in report.served[:_MOST]
    ]
    yield from _table(("", "answers", "one took, on average"), rows)
    if len(report.served) > _MOST:
        yield ""
        yield f"{count(len(report.served) - _MOST, 'model')} more: `--format json` has all."


def _support(report: Report) -> Iterator[str]:
    text = ticket(report)
    if text is None:
        return
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(_FENCE, longest + 1)
    yield from ("", "## For support", "", "A text to paste into a ticket:", "", f"{fence}text", text, fence)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns in line: the first to the left, numbers to the right."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    ruler = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in (head, ruler, *rows):
        first, *others = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"| {' | '.join((first, *others))} |"


def _plain(text: str) -> str:
    """Text on one line that Markdown takes for nothing else."""
    return printable(text).translate(_ESCAPED)
