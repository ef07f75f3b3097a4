"""Journals for the tests of reports: entries by hand, a night of them, and files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from failover.journal.entry import APPLICATION_ID, COLUMNS, SCHEMA, VERSION, Entry
from failover.journal.rows import to_row

OPUS, OLDER, SONNET = "claude-opus-5-5", "claude-opus-5", "claude-sonnet-5-5"
EVENING = 1795298400.0  # 2026-11-21T22:00:00Z
HOUR, MINUTE = 3600.0, 60.0


def attempt(at: float, model: str = OPUS, **changes) -> Entry:
    defaults = {
        "policy": "default",
        "client": "default",
        "circuit": model,
        "number": 1,
        "reason": "primary",
        "outcome": "failure",
        "status": 529,
        "error_type": "overloaded_error",
        "request_id": f"req_{at:.0f}",
        "seconds": 0.5,
    }
    return Entry(**{"at": at, "kind": "attempt", "process": "p", "model": model, **defaults, **changes})


def moved(at: float, to: str, before: str, circuit: str = OPUS, **changes) -> Entry:
    reason = {"open": "consecutive_failures", "half_open": "open_time_over", "closed": "probe_succeeded"}[to]
    defaults = {
        "policy": "default",
        "outcome": to,
        "reason": reason,
        "count": 5 if to == "open" else 0,
        "detail": {"from": before},
    }
    return Entry(**{"at": at, "kind": "transition", "process": "p", "circuit": circuit, **defaults, **changes})


def call(at: float, outcome: str, model: str = OPUS, **changes) -> Entry:
    defaults = {"policy": "default", "outcome": outcome, "seconds": 1.0, "count": 1}
    return Entry(**{"at": at, "kind": "call", "process": "p", "model": model, **defaults, **changes})


def served(at: float, answers: int, model: str = OPUS, **changes) -> Entry:
    defaults = {"client": "default", "circuit": model, "count": answers, "seconds": 2.0 * answers}
    return Entry(**{"at": at, "kind": "served", "process": "p", "model": model, **defaults, **changes})


def incident(at: float, outcome: str, **changes) -> Entry:
    defaults = {"client": "default", "outcome": outcome, "detail": {"models": [OPUS, OLDER]}}
    return Entry(**{"at": at, "kind": "incident", "process": "p", **defaults, **changes})


def outage(opened: float, closed: float | None, circuit: str = OPUS, **changes) -> list[Entry]:
    """An opening, a probe that is answered, and a closing."""
    entries = [moved(opened, "open", "closed", circuit, **changes)]
    if closed is not None:
        entries += [
            moved(closed - 0.5, "half_open", "open", circuit, **changes),
            moved(closed, "closed", "half_open", circuit, **changes),
        ]
    return entries


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """As they are written: a minute's answers are counted when it is over."""
    return sorted(entries, key=lambda entry: entry.at + (MINUTE if entry.kind == "served" else 0.0))


def one_night() -> list[Entry]:
    """A night by hand, short enough to be checked by reading: an outage of one model, and a platform incident."""
    first, second = EVENING + 75 * MINUTE, EVENING + 4 * HOUR
    both = {"models": [OPUS, OLDER], "error_types": ["overloaded_error", "connection_error"]}
    incident_entries = [
        *(attempt(second + n, seconds=1.0, call=20 + n) for n in range(5)),
        *outage(second + 4, second + 1210, count=5, request_id=f"req_{second + 4:.0f}"),
        *(
            attempt(second + 6 + n, OLDER, status=None, error_type="connection_error", request_id=None, call=24)
            for n in range(3)
        ),
        call(second + 10, "exhausted", call=24, count=4, seconds=6.0, detail={"waited": 3.0}),
        incident(second + 60, "started", reason="after", seconds=60.0, count=8, detail=both),
        call(second + 61, "refused", call=30, count=0, seconds=0.01, detail={"skipped": [OPUS, OLDER]}),
        Entry(second + 200, "status", "p", outcome="major", detail={"incidents": ["Elevated errors on Opus"]}),
        *(
            Entry(
                second + 90 + 30 * n,
                "probe",
                "p",
                "default",
                client="default",
                model=OPUS,
                outcome="failed" if n < 35 else "answered",
                status=529 if n < 35 else 200,
                error_type="overloaded_error" if n < 35 else None,
                request_id=f"req_probe_{n}",
            )
            for n in range(37)
        ),
        incident(second + 1171, "ended", seconds=1171.0, count=9, detail={**both, "probes": 37}),
        Entry(second + 1500, "status", "p", outcome="none"),
    ]
    entries = [
        *(served(EVENING + MINUTE * n, 20) for n in range(75)),
        attempt(EVENING + HOUR, status=500, error_type="api_error", call=1),
        call(EVENING + HOUR + 2, "primary", call=1, count=2, detail={"waited": 0.5}),
        *(attempt(first + n, call=2 + n) for n in range(5)),
        *outage(first + 4, first + 900, count=5, request_id=f"req_{first + 4:.0f}"),
        *(
            call(first + n + 2, "fallback", call=2 + n, count=2, seconds=3.0, detail={"served": OLDER, "skipped": []})
            for n in range(5)
        ),
        *(
            call(first + 60 * n, "fallback", call=10 + n, detail={"served": OLDER, "skipped": [OPUS]})
            for n in range(1, 8)
        ),
        attempt(first + 500, reason="probe", input_tokens=1200, output_tokens=345, call=18),
        *(served(first + MINUTE * n, 18, OLDER) for n in range(15)),
        *incident_entries,
        served(EVENING + 8 * HOUR - MINUTE, 20),
    ]
    return in_order(entries)


def write_journal(path: Path, entries: Iterable[Entry]) -> Path:
    """A journal as a file, written by the table's definition alone."""
    with sqlite3.connect(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            for statement in SCHEMA:
                connection.execute(statement)
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO entries ({', '.join(COLUMNS)}) VALUES ({marks})", map(to_row, entries))
    connection.close()
    return path
