"""Where each failure and call is counted, what it cost, and which request ids are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from report_lab import EVENING, OLDER, OPUS, SONNET, attempt, call, incident, moved, outage, served

from failover.journal.entry import Entry
from failover.report import Report, build

T = EVENING


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


@table(PLACES)
def test_each_failure_and_call_has_its_place(entries, tell, expected):
    assert tell(build(entries)) == expected


@table(COSTS)
def test_what_it_cost(entries, tell, expected):
    assert tell(build(entries)) == expected


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
