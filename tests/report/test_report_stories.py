"""What a report makes of entries: a table of stories, and for each the facts that it must tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from report_lab import EVENING, HOUR, OLDER, OPUS, SONNET, attempt, call, incident, moved, outage, served

from failover.journal.entry import Entry
from failover.report import Report, build

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


def calls(report: Report) -> dict[str, int]:
    kinds = ("saved", "lost", "failed", "cancelled", "rethreaded", "other")
    return {kind: number for kind in kinds if (number := getattr(report.total, kind))}


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

PLACES: dict[str, Story] = {
    "failures in a row before an opening belong to the outage": (
        [
            *in_row(0, 1, 2, 3, request_id=None),
            moved(T + 3.01, "open", "closed", count=4),
            moved(T + 9, "closed", "open"),
        ],
        lambda report: (attempts(report), report.outages[0].failures_before),
        (([], [4], 0), 4),
    ),
    "so does the last of them where it is told after the opening": (
        [*in_row(1, 2), moved(T + 3, "open", "closed", count=3), *in_row(3.1), moved(T + 9, "closed", "open")],
        attempts,
        ([], [3], 0),
    ),
    "a failure before those in a row does not": (
        [*in_row(0, 20, 21), moved(T + 21.1, "open", "closed", count=2, request_id=f"req_{T + 21:.0f}")],
        attempts,
        ([], [2], 1),
    ),
    "but it does if it came shortly before them": (
        [*in_row(0, 9, 18, 19), moved(T + 19.1, "open", "closed", count=2, request_id=f"req_{T + 19:.0f}")],
        attempts,
        ([], [4], 0),
    ),
    "where a share opened it, all failures of the minute before do": (
        [*in_row(0, 50, 90), moved(T + 100, "open", "closed", reason="failure_rate", count=1)],
        attempts,
        ([], [2], 1),
    ),
    "a failure of another circuit is outside of it": (
        [*outage(T, T + 60), *in_row(30), *in_row(30, model=SONNET)],
        attempts,
        ([], [1], 1),
    ),
    "a failure of another process belongs to the outage, too": (
        [*outage(T, T + 60), *in_row(30, process="other")],
        attempts,
        ([], [1], 0),
    ),
    "failures before and after are outside": (
        [attempt(T - 300), *outage(T, T + 60, count=1), *in_row(61)],
        attempts,
        ([], [0], 2),
    ),
    "a circuit of another client is known by its name": (
        [
            *outage(T, T + 60, f"bedrock/{OPUS}"),
            attempt(T + 5, circuit=f"bedrock/{OPUS}", client="bedrock"),
            attempt(T + 6),
        ],
        lambda report: (attempts(report), [one.client for one in report.outages]),
        (([], [1], 1), ["bedrock"]),
    ),
    "a model's id with a slash in it is no client": (
        [*outage(T, T + 60, "arn:aws:bedrock/opus"), attempt(T + 5, "arn:aws:bedrock/opus")],
        lambda report: (attempts(report), [one.client for one in report.outages]),
        (([], [1], 0), ["default"]),
    ),
    "a call belongs where its first attempt failed": (
        [
            *outage(T, T + 60),
            attempt(T + 5, SONNET, call=1, number=1),
            attempt(T + 6, call=1, number=2),
            call(T + 7, "fallback", SONNET, call=1),
        ],
        lambda report: [one.cost.saved for one in report.outages],
        [1],
    ),
    "a call without an attempt belongs where it passed over a circuit": (
        [*outage(T, T + 60), call(T + 7, "fallback", detail={"skipped": [OPUS], "served": OLDER})],
        lambda report: [one.cost.saved for one in report.outages],
        [1],
    ),
    "a call that passed over nothing belongs to its model's outage, if it met it": (
        [*outage(T, T + 60), call(T + 70, "cancelled", seconds=20.0), call(T + 80, "cancelled", seconds=5.0)],
        lambda report: ([one.cost.cancelled for one in report.outages], report.outside.cost.cancelled),
        ([1], 1),
    ),
    "calls of two processes with the same number are two": (
        [
            *outage(T, T + 60),
            attempt(T + 5, call=1),
            attempt(T + 5, SONNET, call=1, process="q"),
            call(T + 6, "fallback", SONNET, call=1, process="q"),
        ],
        lambda report: (report.outages[0].cost.saved, report.outside.cost.saved),
        (0, 1),
    ),
    "a call that was kept back belongs to the incident": (
        [
            incident(T, "started"),
            call(T + 5, "refused", count=0, detail={"skipped": [OPUS, OLDER]}),
            incident(T + 9, "ended"),
        ],
        lambda report: report.incidents[0].cost.lost,
        1,
    ),
}

COSTS: dict[str, Story] = {
    "how calls ended": (
        [
            call(T, "fallback"),
            call(T, "primary", count=2),
            call(T, "primary", count=1, detail={"waited": 2.0}),
            call(T, "exhausted"),
            call(T, "refused"),
            call(T, "interrupted"),
            call(T, "failed"),
            call(T, "cancelled"),
            call(T, "rethreaded"),
            call(T, "something new"),
        ],
        calls,
        {"saved": 2, "lost": 3, "failed": 1, "cancelled": 1, "rethreaded": 1, "other": 2},
    ),
    "what failed attempts took": (
        [
            attempt(T, seconds=1.5, input_tokens=100, output_tokens=7),
            attempt(T, seconds=None),
            attempt(T, seconds=-1.0),
        ],
        lambda report: (
            report.total.attempts,
            report.total.seconds,
            report.total.input_tokens,
            report.total.output_tokens,
        ),
        (3, 1.5, 100, 7),
    ),
    "how long callers waited": (
        [call(T, "fallback", detail={"waited": 2.5}), call(T, "failed", detail={"waited": "long"})],
        lambda report: report.total.waited,
        2.5,
    ),
    "who answered": (
        [
            served(T, 3),
            served(T + 60, 4),
            served(T, 9, SONNET, process="q"),
            served(T, 1, client="bedrock", circuit=None),
        ],
        lambda report: [(one.place, one.answers) for one in report.served],
        [(SONNET, 9), (OPUS, 7), (f"bedrock/{OPUS}", 1)],
    ),
    "entries that were lost": (
        [Entry(T, "lost", "p", count=12, reason="full"), Entry(T, "lost", "q", count=3, reason="full")],
        lambda report: (report.lost, report.lost_reasons, report.quiet),
        (15, {"full": 15}, True),
    ),
    "entries of a newer version": (
        [Entry(T, "omen", "p"), Entry(T, "omen", "p"), served(T, 1)],
        lambda report: (report.ignored, report.entries, report.answers),
        ({"omen": 2}, 3, 1),
    ),
    "entries without a possible time": (
        [attempt(float("nan"), request_id="a"), attempt(-1.0), attempt(1e300, request_id="b"), attempt(T)],
        lambda report: (report.unusable, report.total.attempts, report.period.start),
        (3, 1, T),
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


@table(PLACES)
def test_each_failure_and_call_has_its_place(entries, tell, expected):
    assert tell(build(entries)) == expected


@table(COSTS)
def test_what_it_cost(entries, tell, expected):
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


def test_request_ids_are_the_first_and_the_last_with_their_number():
    report = build([*outage(T, T + 500, count=1), *in_row(*range(1, 101))])
    evidence = report.outages[0].evidence
    assert evidence.request_ids == 100
    assert [one.at - T for one in evidence.first] == list(range(1, 11))
    assert [one.at - T for one in evidence.last] == list(range(91, 101))


def test_a_request_id_that_is_told_twice_is_one():
    report = build([attempt(T, request_id="same"), attempt(T + 1, request_id="same"), attempt(T + 2, request_id=None)])
    assert report.outside.evidence.request_ids == 1
    assert report.total.attempts == 3


def test_request_ids_of_errors_about_the_request_itself_are_not_for_support():
    wrong = attempt(T, outcome="neutral", status=400, error_type="invalid_request_error", request_id="wrong")
    limit = attempt(T, outcome="neutral", status=429, error_type="rate_limit_error", request_id="limit")
    evidence = build([wrong, limit]).outside.evidence
    assert [one.request_id for one in evidence.first] == ["limit"]
    assert sum(error.count for error in evidence.errors) == 2


def test_a_failed_probe_has_a_request_id_for_support_and_is_no_failed_attempt():
    probe = Entry(T + 5, "probe", "p", client="default", model=OPUS, outcome="failed", request_id="req_p", status=529)
    report = build([incident(T, "started"), probe, incident(T + 9, "ended")])
    assert [(one.request_id, one.probe) for one in report.incidents[0].evidence.first] == [("req_p", True)]
    assert report.total.attempts == 0
