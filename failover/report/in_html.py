"""A report as one page of HTML that needs nothing else: no script, no request, light and dark.

Names come from users and from upstreams. All of them go through Jinja's escaping; the one thing that does not is the
picture, in which matplotlib has escaped them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

from failover.document.files import printable
from failover.errors import MissingExtra

from .drawing import draw
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
from .model import Report
from .ticket import ticket
from .timeline import Timeline
from .words import count, duration, headline, named, remarks, span

__all__ = ["in_html"]

_MOST = 50
"""Incidents, outages and models, each."""


class _Figure(NamedTuple):
    label: str
    value: str
    tone: str


class _Card(NamedTuple):
    tone: str
    title: str
    facts: list[Fact]


class _Group(NamedTuple):
    title: str
    cards: list[_Card]
    left_out: str


class _Table(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    total: bool


@dataclass(frozen=True, slots=True)
class _Page:
    """What the template fills in."""

    title: str
    heading: str
    headline: str
    remarks: list[str]
    figures: list[_Figure]
    timeline: object
    left_out: str
    groups: list[_Group]
    tables: list[_Table]
    ticket: str | None
    scope: str
    style: object


def in_html(report: Report, timeline: Timeline | None) -> str:
    """The whole page.

    Raises:
        MissingExtra: matplotlib or Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - an extra
        from markupsafe import Markup  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a report in HTML is a Jinja2 template: pip install 'anthropic-failover[report]'", name=error.name
        ) from error
    folder = files(__package__ or "failover.report")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (folder / "page.html.jinja").read_text("utf-8")
    )
    page = _Page(
        title=f"failover: {_heading(report)}",
        heading=_heading(report),
        headline=headline(report),
        remarks=remarks(report),
        figures=_figures(report),
        timeline=Markup(draw(timeline)) if timeline is not None else "",  # noqa: S704 - matplotlib has escaped its text
        left_out=_left_out(timeline.left_out, "circuit") if timeline is not None else "",
        groups=list(_groups(report)),
        tables=list(_tables(report)),
        ticket=ticket(report),
        scope=_scope(report),
        style=Markup((folder / "page.css").read_text("utf-8")),  # noqa: S704 - a file of this package
    )
    text: str = template.render(page=page)
    return text.encode("ascii", "xmlcharrefreplace").decode() + "\n"  # whoever stores it, in whichever encoding


def _heading(report: Report) -> str:
    period = report.period
    if period.start is None or period.end is None:
        return "What happened"
    return f"What happened, {span(period.start, period.end)}"


def _figures(report: Report) -> list[_Figure]:
    """The five that matter most."""
    if not report.entries:
        return []
    total = report.total
    return [
        _Figure("requests answered", f"{report.answers:,}", ""),
        _Figure("calls saved", f"{total.saved:,}", "good" if total.saved else ""),
        _Figure("calls lost", f"{total.lost:,}", "bad" if total.lost else ""),
        _Figure("attempts failed", f"{total.attempts:,}", "bad" if total.attempts else ""),
        _Figure("tokens thrown away", f"{total.input_tokens + total.output_tokens:,}", ""),
        _Figure("callers waited", duration(total.waited), ""),
    ]


def _groups(report: Report) -> Iterator[_Group]:
    incidents = [
        _Card("incident", incident_title(incident), incident_facts(incident, report.outages))
        for incident in report.incidents[:_MOST]
    ]
    if incidents:
        yield _Group("Platform incidents", incidents, _left_out(len(report.incidents) - _MOST, "incident"))
    alone = [outage for outage in report.outages if outage.incident is None]
    dearest = {outage.number for outage in sorted(alone, key=lambda outage: -outage.cost.attempts)[:_MOST]}
    outages = [
        _Card("outage", outage_title(outage), outage_facts(outage)) for outage in alone if outage.number in dearest
    ]
    if outages:
        yield _Group("Outages of single circuits", outages, _left_out(len(alone) - _MOST, "outage"))
    outside = outside_facts(report)
    if outside:
        title = "Outside of these" if incidents or outages else "What failed"
        yield _Group(title, [_Card("", "", outside)], "")


def _tables(report: Report) -> Iterator[_Table]:
    if report.incidents or report.outages:
        costs = [(row.what, *row.cells) for row in cost_table(report, most=_MOST)]
        yield _Table("Cost", ("", *COLUMNS), costs, total=True)
    if report.served:
        rows = [
            (
                printable(served.place),
                f"{served.answers:,}",
                _share(served.answers, report.answers),
                _mean(served.seconds, served.answers),
            )
            for served in report.served[:_MOST]
        ]
        yield _Table("Who answered", ("", "answers", "of all", "one took, on average"), rows, total=False)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}".replace("%", " %") if whole else ""


def _mean(seconds: float, number: int) -> str:
    return duration(seconds / number) if number else ""


def _left_out(number: int, what: str) -> str:
    return f"{count(number, f'more {what}')} not shown: --format json has all." if number > 0 else ""


def _scope(report: Report) -> str:
    parts: Sequence[str] = (
        f"{count(report.entries, 'entry', 'entries')} of {count(len(report.processes), 'process', 'processes')}",
        f"policy {named(report.policies)}" if report.policies else "",
        "all times are UTC",
    )
    text = "; ".join(part for part in parts if part)
    return f"From a journal with {text}."
