"""What a report makes of entries: a table of stories, and for each the facts that it must tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from report_lab import EVENING, HOUR, OLDER, OPUS, SONNET, attempt, call, incident, moved, outage, served

from failover.journal.entry import Entry
from failover.report import Report, build, not_over

T = EVENING


def outages(report: Report) -> list[tuple]:
    """Circuit, from, to, how it ended; seconds are since the evening."""
    return [(one.circuit, one.opened - T, one.last_heard - T, one.ending) for one in report.outages]


def incidents(report: Report) -> list[tuple]:
    return [(one.client, one.began - T, one.last_heard - T, one.ending) for one in report.incidents]


def attempts(report: Report) -> tuple[list[int], list[int], int]:
    """How many failed attempts belong to each incident, to each outage, and to none."""
    return (
        [one.cost.attempts for one in report.incidents],
        [one.cost.attempts for one in report.outages],
        report.outside.cost.attempts,
    )


def in_row(*seconds: float, **changes: Any) -> list[Entry]:
    return [attempt(T + second, **changes) for second in seconds]


Story = tuple[list[Entry], Callable[[Report], Any], Any]

OUTAGES: dict[str, Story] = {
    "a circuit that opened and closed is an outage": (outage(T, T + 60), outages, [(OPUS, 0, 60, "over")]),
    "one that did not close is open as the period ends": (
        [*outage(T, None), *in_row(90)],
        outages,
        [(OPUS, 0, 90, "going_on")],
    ),
    "one that was open before the period is open from its beginning": (
        [attempt(T, SONNET), moved(T + 30, "closed", "half_open")],
        lambda report: (outages(report), report.outages[0].before_period),
        ([(OPUS, 0, 30, "over")], True),
    ),
    "a closed circuit that is closed once more was no outage": (
        [moved(T, "closed", "closed"), moved(T + 1, "open", "closed"), moved(T + 2, "closed", "open")],
        outages,
        [(OPUS, 1, 2, "over")],
    ),
    "outages of one circuit after each other are two": (
        outage(T, T + 60) + outage(T + 61, T + 90),
        outages,
        [(OPUS, 0, 60, "over"), (OPUS, 61, 90, "over")],
    ),
    "outages of two circuits at once are two": (
        [*outage(T, None), *outage(T + 1, T + 5, SONNET), moved(T + 9, "closed", "open")],
        outages,
        [(OPUS, 0, 9, "over"), (SONNET, 1, 5, "over")],
    ),
    "those of two processes that overlap are one, from the first opening to the last closing": (
        outage(T, T + 60, process="a") + outage(T + 30, T + 90, process="b"),
        lambda report: (outages(report), report.outages[0].processes),
        ([(OPUS, 0, 90, "over")], 2),
    ),
    "those of two processes that do not overlap are two": (
        outage(T, T + 60, process="a") + outage(T + 70, T + 90, process="b"),
        outages,
        [(OPUS, 0, 60, "over"), (OPUS, 70, 90, "over")],
    ),
    "one process's circuit that is still open keeps the outage open": (
        outage(T, T + 60, process="a") + outage(T + 30, None, process="b"),
        outages,
        [(OPUS, 0, 60, "going_on")],
    ),
    "each policy of a process has circuits of its own": (
        outage(T, T + 60, policy="x") + outage(T + 100, T + 160, policy="y")[:1],
        outages,
        [(OPUS, 0, 60, "over"), (OPUS, 100, 100, "going_on")],
    ),
    "a process that was stopped with an open circuit left no outage for ever": (
        [*outage(T, None, process="old"), *outage(T + 20, T + 40, process="new"), served(T + HOUR, 5, process="new")],
        outages,
        [(OPUS, 0, 0, "unheard"), (OPUS, 20, 40, "over")],
    ),
    "failed probes are counted as reopenings": (
        [
            moved(T, "open", "closed"),
            moved(T + 15, "half_open", "open"),
            moved(T + 16, "open", "half_open", reason="probe_failed"),
            moved(T + 46, "half_open", "open"),
            moved(T + 47, "closed", "half_open"),
        ],
        lambda report: [(one.reopened, one.reasons) for one in report.outages],
        [(1, ("consecutive_failures", "probe_failed"))],
    ),
    "a clock that was set back does not make an outage end before it began": (
        [moved(T + 100, "open", "closed"), moved(T + 40, "closed", "open"), *outage(T + 50, T + 60)],
        lambda report: (outages(report), report.clock_steps),
        ([(OPUS, 50, 60, "over"), (OPUS, 100, 100, "over")], 1),
    ),
    "an outage over midnight is one": (
        outage(T + 1.9 * HOUR, T + 2.1 * HOUR),
        outages,
        [(OPUS, 1.9 * HOUR, 2.1 * HOUR, "over")],
    ),
    "a state that a newer version knows is no outage": ([moved(T, "open", "closed", outcome="ajar")], outages, []),
}

INCIDENTS: dict[str, Story] = {
    "an incident began with the first of its failures": (
        [incident(T + 60, "started", seconds=50.0), incident(T + 300, "ended", seconds=290.0)],
        lambda report: (incidents(report), report.incidents[0].noticed - T),
        ([("default", 10, 300, "over")], 60),
    ),
    "one that did not end goes on": (
        [incident(T + 60, "started", seconds=60.0), *in_row(100)],
        incidents,
        [("default", 0, 100, "going_on")],
    ),
    "one whose beginning is not in the period began as long ago as it lasted": (
        [served(T, 1), incident(T + 10, "ended", seconds=600.0)],
        lambda report: (incidents(report), report.incidents[0].noticed),
        ([("default", -590, 10, "over")], None),
    ),
    "those of several processes that overlap are one": (
        [
            incident(T + 60, "started", process="a", seconds=60.0, count=7),
            incident(T + 70, "started", process="b", seconds=60.0, count=8),
            incident(T + 300, "ended", process="a", count=3),
            incident(T + 310, "ended", process="b", count=4),
        ],
        lambda report: (
            incidents(report),
            [(one.processes, one.failures, one.kept_back) for one in report.incidents],
        ),
        ([("default", 0, 310, "over")], [(2, 15, 7)]),
    ),
    "those of two clients are two": (
        [
            incident(T + 60, "started", seconds=60.0),
            incident(T + 60, "started", client="bedrock", seconds=30.0),
            incident(T + 90, "ended"),
            incident(T + 95, "ended", client="bedrock"),
        ],
        incidents,
        [("default", 0, 90, "over"), ("bedrock", 30, 95, "over")],
    ),
    "its probes are counted, those that were answered apart": (
        [
            incident(T + 60, "started", seconds=60.0),
            *(Entry(T + 70 + n, "probe", "p", model=OPUS, client="default", outcome="failed") for n in range(3)),
            Entry(T + 80, "probe", "p", model=OPUS, client="default", outcome="answered"),
            incident(T + 90, "ended", detail={"models": [OPUS], "probes": 4}),
        ],
        lambda report: [(one.probes, one.probes_answered) for one in report.incidents],
        [(4, 1)],
    ),
    "what the status page said in its time is told with it, each change once": (
        [
            Entry(T - 500, "status", "p", outcome="none"),
            incident(T + 60, "started", seconds=60.0),
            Entry(T + 70, "status", "p", outcome="major", detail={"incidents": [{"name": "Errors"}]}),
            Entry(T + 71, "status", "q", outcome="major", detail={"incidents": ["Errors"]}),
            incident(T + 90, "ended"),
            Entry(T + 100, "status", "p", outcome="none"),
        ],
        lambda report: [(said.at - T, said.indicator, said.incidents) for said in report.incidents[0].said],
        [(-500, "none", ()), (70, "major", ("Errors",))],
    ),
    "an outage that began in it is a part of it": (
        [incident(T + 60, "started", seconds=60.0), *outage(T + 30, T + 99), incident(T + 90, "ended"), *in_row(95)],
        lambda report: (attempts(report), report.outages[0].incident, report.incidents[0].outages),
        (([1], [0], 0), 1, (1,)),
    ),
    "one that began before it keeps what failed before it": (
        [
            moved(T, "open", "closed"),
            *in_row(5, 6, 150),
            incident(T + 160, "started", seconds=60.0),
            incident(T + 200, "ended"),
            *in_row(210),
            moved(T + 220, "closed", "half_open"),
        ],
        lambda report: (attempts(report), report.outages[0].incident),
        (([1], [3], 0), None),
    ),
}


def table(stories: dict[str, Story]) -> Any:
    return pytest.mark.parametrize(("entries", "tell", "expected"), stories.values(), ids=stories.keys())


@table(OUTAGES)
def test_outages(entries, tell, expected):
    assert tell(build(entries)) == expected


@table(INCIDENTS)
def test_incidents(entries, tell, expected):
    assert tell(build(entries)) == expected


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, (T, T + 90)),
        (T - 100, None, (T - 100, T + 90)),
        (None, T + 500, (T, T + 500)),
        (T - 100, T + 500, (T - 100, T + 500)),
    ],
)
def test_the_period_is_the_one_asked_for_or_else_that_of_the_entries(since, until, expected):
    report = build([attempt(T), attempt(T + 90)], since=since, until=until)
    assert (report.period.start, report.period.end) == expected


def test_an_empty_journal_is_a_quiet_report():
    report = build([])
    assert report.quiet
    assert (report.entries, report.period.start, report.period.end) == (0, None, None)


@pytest.mark.parametrize(
    "entry",
    [attempt(T), moved(T, "open", "closed"), moved(T, "closed", "open"), incident(T, "ended"), call(T, "failed")],
    ids=lambda entry: entry.kind,
)
def test_one_entry_is_a_report(entry):
    report = build([entry])
    assert report.entries == 1
    assert report.period.start == T


class TestWhatHadBegunBeforeThePeriod:
    BEFORE = (
        *outage(EVENING, EVENING + 60),
        moved(EVENING + 100, "open", "closed"),
        moved(EVENING + 115, "half_open", "open"),
        moved(EVENING + 116, "open", "half_open"),
        moved(EVENING + 120, "open", "closed", OLDER, process="gone"),
        incident(EVENING + 130, "started", policy="default"),
        incident(EVENING + 131, "started", client="bedrock"),
        incident(EVENING + 140, "ended", client="bedrock"),
    )

    def test_is_what_was_not_over_in_processes_that_are_heard_of(self):
        found = not_over(self.BEFORE, frozenset({"p"}))
        assert [(entry.kind, entry.circuit or entry.client, entry.at - EVENING) for entry in found] == [
            ("transition", OPUS, 116),
            ("incident", "default", 130),
        ]

    def test_is_nothing_where_all_was_over(self):
        assert not_over(outage(EVENING, EVENING + 60), frozenset({"p"})) == []
