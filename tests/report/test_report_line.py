"""An entry as one line."""

from __future__ import annotations

import pytest
from report_lab import EVENING, OLDER, OPUS, attempt, call, incident, moved, served

from failover.journal.entry import Entry
from failover.report.line import line

T = EVENING


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            attempt(T, call=17, number=2),
            f"attempt     call 17: attempt 2 at {OPUS} failed: 529 overloaded_error req_1795298400 after 0.5 s  [p]",
        ),
        (
            attempt(T, status=None, error_type="connection_error", request_id=None, number=None, seconds=None),
            f"attempt     a call: an attempt at {OPUS} failed: connection_error  [p]",
        ),
        (
            Entry(T, "switch", "p", call=17, circuit=OLDER, reason="open", detail={"from": OPUS}),
            f"switch      call 17 goes from {OPUS} to {OLDER} (open)  [p]",
        ),
        (
            Entry(T, "switch", "p", call=17, circuit=OLDER, reason="failed", status=529, error_type="overloaded_error"),
            f"switch      call 17 goes to {OLDER} (529 overloaded_error)  [p]",
        ),
        (
            moved(T, "open", "closed", seconds=15.0, error_type="api_error", request_id="req_1"),
            f"transition  {OPUS} is open for 15 s (5 failures in a row); the last: api_error req_1  [p]",
        ),
        (moved(T, "half_open", "open"), f"transition  {OPUS} is half open (time to probe)  [p]"),
        (moved(T, "closed", "half_open"), f"transition  {OPUS} is closed (probes were answered)  [p]"),
        (
            call(T, "fallback", call=17, count=2, seconds=3.2, detail={"served": OLDER, "waited": 0.5}),
            (
                f"call        call 17 for {OPUS}: fallback, answered by {OLDER}; 2 attempts in 3.2 s,"
                " of which 0.5 s waiting  [p]"
            ),
        ),
        (
            call(T, "refused", count=0, error_type="circuit_open", detail={"skipped": [OPUS]}),
            f"call        a call for {OPUS}: refused, circuit_open; 0 attempts in 1 s; passed over {OPUS}  [p]",
        ),
        (served(T, 12), f"served      {OPUS} gave 12 answers in this minute, 2 s each on average  [p]"),
        (
            incident(T, "started", reason="models", count=9, seconds=42.0, detail={"models": [OPUS]}),
            (
                "incident    platform incident of client default begins (several models failed together):"
                f" 9 failures in 42 s; {OPUS}  [p]"
            ),
        ),
        (
            incident(T, "ended", count=1, seconds=2400.0, detail={"models": [OPUS]}),
            f"incident    platform incident of client default is over after 40 min; 1 call kept back; {OPUS}  [p]",
        ),
        (
            incident(T, "paused", client=None),
            "incident    platform incident of client default: paused  [p]",
        ),
        (
            Entry(T, "probe", "p", model=OPUS, outcome="failed", status=529, seconds=0.3),
            f"probe       probe of {OPUS} failed: 529 after 0.3 s  [p]",
        ),
        (Entry(T, "probe", "p", model=OPUS, outcome="answered"), f"probe       probe of {OPUS} answered  [p]"),
        (
            Entry(T, "status", "p", outcome="major", detail={"incidents": ["Errors"]}),
            "status      the status page says major: Errors  [p]",
        ),
        (Entry(T, "lost", "p", count=3, reason="full"), "lost        3 entries could not be written (full)  [p]"),
        (Entry(T, "omen", "p", model="crow", outcome="bad"), "omen        crow, bad  [p]"),
        (Entry(T, "omen", "p"), "omen        of a newer version  [p]"),
        (attempt(T, "a\nb\x1b[31m", number=1), None),
    ],
    ids=lambda value: value.kind if isinstance(value, Entry) else "",
)
def test_an_entry_is_one_line(entry, expected):
    shown = str(line(entry))
    assert shown.isprintable()
    if expected is not None:
        assert shown == f"2026-11-21T22:00:00Z  {expected}"


@pytest.mark.parametrize("at", [-1e12, 1e300, float("inf")])
def test_an_entry_without_a_possible_time_has_a_line_too(at):
    assert str(line(attempt(at, request_id="r"))).startswith("????-??-??T??:??:??Z  attempt ")
