"""A file that is locked, a disk that is full: entries wait, and what cannot wait is counted."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from journal_lab import LONG, QUICK, an_entry, happens, kinds, locked, numbers, told

from failover.journal import JournalError, read
from failover.journal.database import Database
from failover.journal.outage import Outage, Pace
from failover.journal.served import Served
from failover.journal.trouble import sqlite_errors

PATIENT = replace(QUICK, patience=LONG)


@pytest.fixture
def begun(path, make):
    """Makes a journal whose file is there already."""

    def begun(**options):
        journal = make(**options)
        journal.put(an_entry(0))
        assert journal.flush(10)
        return journal

    return begun


# --- a lock ------------------------------------------------------------------------------------------------------


def test_a_short_lock_is_waited_out_and_nobody_is_bothered(path, begun, log):
    journal = begun(pace=PATIENT)
    with locked(path):
        for number in range(1, 50):
            journal.put(an_entry(number))
        assert not journal.flush(0.3)
    assert journal.flush(10)
    assert numbers(path) == list(range(50))
    assert told(log) == []


def test_a_long_lock_is_told_once_and_nothing_is_lost(path, begun, log):
    journal = begun()
    with locked(path):
        journal.put(an_entry(1))
        assert happens(lambda: told(log) != [])
        journal.put(an_entry(2))
        assert not journal.flush(0.3)
    assert journal.flush(10)
    assert numbers(path) == [0, 1, 2]
    assert [said.get("reason") for said in told(log)] == ["locked", None]


def test_a_file_that_is_locked_before_it_is_a_journal_becomes_one_later(path, make, log):
    path.touch()
    journal = make(pace=PATIENT)
    with locked(path):
        journal.put(an_entry(1))
        assert not journal.flush(0.3)
    assert journal.flush(10)
    assert numbers(path) == [1]
    assert told(log) == []


def test_putting_does_not_wait_for_a_lock(path, begun):
    journal = begun(pace=replace(QUICK, busy=LONG))
    with locked(path):
        journal.put(an_entry(1))
        time.sleep(0)
        began = time.perf_counter()
        for number in range(2, 1_002):
            journal.put(an_entry(number))
        assert time.perf_counter() - began < 1
    assert journal.flush(LONG)
    assert numbers(path) == list(range(1_002))


def test_closing_waits_two_seconds_for_a_lock_and_then_tells_what_was_lost(path, begun, log):
    journal = begun(pace=PATIENT)
    with locked(path):
        journal.put(an_entry(1))
        journal.put(an_entry(2))
        began = time.monotonic()
        journal.close()
        assert time.monotonic() - began < 5
        assert happens(lambda: told(log) != [])
    [said] = told(log)
    assert said == {"event": "journal_lost", "path": str(path), "reason": "locked", "lost": 2}
    [line] = [record for record in log.records if record.name == "failover"]
    why = "another program has locked it; let that program finish"
    assert line.levelno == logging.ERROR
    assert line.getMessage() == f"journal {path}: 2 entries are lost, because it could not be written: {why}"
    assert numbers(path) == [0]


def test_closing_writes_what_waits_when_the_lock_goes_in_time(path, begun, tries, log):
    journal = begun(pace=replace(PATIENT, end=LONG))
    with locked(path):
        journal.put(an_entry(1))
        assert not journal.flush(0.2)
        journal._worker.leave()
        before = len(tries)
        assert happens(lambda: len(tries) > before + 2)
    journal.close()
    assert numbers(path) == [0, 1]
    assert told(log) == []


def test_a_lock_does_not_cost_the_connection(path, begun, tries, monkeypatch):
    journal = begun(pace=PATIENT)
    with locked(path):
        monkeypatch.setattr(Database, "_open", None)
        journal.put(an_entry(1))
        assert happens(lambda: len(tries) > 3)
    assert journal.flush(10)
    assert numbers(path) == [0, 1]


# --- a full disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Makes the disk full when the file has so many pages, until it is told otherwise."""
    disk = {"pages": 20}
    real = Database._connect

    def connect(database):
        connection = real(database)
        connection.execute(f"PRAGMA max_page_count = {disk['pages']}").fetchone()
        return connection

    monkeypatch.setattr(Database, "_connect", connect)
    return disk


def test_a_full_disk_is_told_once_and_nothing_is_lost(path, make, log, small):
    journal = make()
    count = 0
    while not told(log):
        journal.put(an_entry(count))
        count += 1
        journal.flush(0.05)
    assert not journal.flush(0.2)
    written = numbers(path)
    assert written == list(range(len(written)))
    assert 0 < len(written) < count
    small["pages"] = 1_000_000
    assert journal.flush(10)
    assert numbers(path) == list(range(count))
    assert [said.get("reason") for said in told(log)] == ["full", None]


def test_what_does_not_fit_into_memory_either_is_counted_and_the_count_is_written(path, make, log, small):
    small["pages"] = 4
    journal = make(capacity=100)
    for number in range(300):
        journal.put(an_entry(number))
    assert happens(lambda: told(log) != [])
    for number in range(300, 600):
        journal.put(an_entry(number))
    small["pages"] = 1_000_000
    assert journal.flush(10)
    [lost] = [entry for _, entry in read(path) if entry.kind == "lost" and entry.reason == "full"]
    counts = [entry.count for _, entry in read(path) if entry.kind == "lost"]
    written = numbers(path)
    assert lost.count > 290
    assert len(written) + sum(counts) == 600
    assert written == sorted(written)
    assert told(log, "journal_written")[0]["lost"] == sum(counts)
    assert f"{sum(counts)} lost" in repr(journal)


def test_answers_are_counted_on_while_nothing_can_be_written(path, make, log, small):
    small["pages"] = 4
    journal = make(capacity=50, wall=lambda: 630.0)
    for number in range(50):
        journal.put(an_entry(number, at=630.0))
    assert happens(lambda: told(log) != [])
    for _ in range(150):
        journal.put(Served(630.0, 0.5, "default", "default", "claude-opus-5-5", "claude-opus-5-5"))
        if journal._worker.inbox._queue.qsize() > 20:
            journal.flush(0.05)
    small["pages"] = 1_000_000
    assert journal.flush(10)
    assert sum(entry.count for _, entry in read(path) if entry.kind == "served") == 150
    assert "lost" not in kinds(path)


ON_A_SMALL_DISK = """
    import json, logging, sys, time
    from pathlib import Path
    from failover.journal import Entry, Journal, read
    from failover.journal.outage import Pace

    disk, filler = Path(sys.argv[1]), Path(sys.argv[1], "filler")
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.failover.get("reason"))
    logging.getLogger("failover").addHandler(handler)
    logging.getLogger("failover").setLevel(logging.INFO)
    journal = Journal(disk / "journal.db", pace=Pace(gather=0.01, retry=0.02, retry_most=0.1))
    filler.write_bytes(bytes(600_000))
    count = 0
    while not lines and count < 10_000:
        journal.put(Entry(time.time(), "attempt", "test", call=count, error_type="x" * 200, reason="y" * 200))
        count += 1
        if count % 20 == 0:
            journal.flush(0.05)
    before = [entry.call for _, entry in read(journal.path)]
    filler.unlink()
    assert journal.flush(20), lines
    after = [entry.call for _, entry in read(journal.path)]
    journal.close()
    print(json.dumps({"count": count, "before": before, "after": after, "lines": lines}))
"""


def on_a_small_disk(folder):
    """Run the program on a file system of one megabyte that nobody else sees, and that goes with the program."""
    mount = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    program = textwrap.dedent(ON_A_SMALL_DISK)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(folder), sys.executable, program]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return None


def test_a_disk_that_is_really_full_is_told_once_and_nothing_is_lost(tmp_path):
    done = on_a_small_disk(tmp_path)
    if done is None or "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no file system can be made here")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["lines"] == ["full", None]
    assert said["before"] == list(range(len(said["before"])))
    assert 0 < len(said["before"]) < said["count"] < 10_000
    assert said["after"] == list(range(said["count"]))


# --- when to try again -------------------------------------------------------------------------------------------


def outage(now):
    return Outage("journal.db", 10, Pace(), lambda: now[0])


def test_each_further_try_comes_later_but_a_minute_later_at_most():
    now = [0.0]
    waits = []
    failing = outage(now)
    for _ in range(12):
        failing.failed(JournalError("journal.db", "full"))
        waits.append(failing.retry_in())
        now[0] += waits[-1]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
    failing.over(0)
    assert failing.retry_in() == 0
    failing.failed(JournalError("journal.db", "full"))
    assert failing.retry_in() == 0.25


def test_a_lock_is_asked_for_again_and_again_and_told_after_five_seconds(log):
    now = [0.0]
    failing = outage(now)
    for second in range(10):
        now[0] = float(second)
        failing.failed(JournalError("journal.db", "locked"))
        assert failing.retry_in() == 0.25
        assert len(told(log)) == (second >= 5)


def test_somebody_who_waits_makes_it_try_at_once():
    failing = outage([0.0])
    failing.failed(JournalError("journal.db", "full"))
    failing.hurry()
    assert failing.retry_in() == 0


def test_an_error_is_a_sentence_with_the_path():
    error = JournalError("/var/journal.db", "full")
    assert str(error) == "/var/journal.db: the disk is full; make room"
    assert (error.path, error.reason) == ("/var/journal.db", "full")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("database is locked", "locked"),
        ("database table is locked: entries", "locked"),
        ("database schema is locked: main", "locked"),
        ("locking protocol", "locked"),
        ("database or disk is full", "full"),
        ("attempt to write a readonly database", "read_only"),
        ("unable to open database file", "cannot_open"),
        ("file is not a database", "not_a_database"),
        ("database disk image is malformed", "damaged"),
        ("no such table: entries", "damaged"),
        ("no such column: at", "damaged"),
        ("table entries has no column named at", "damaged"),
        ("disk I/O error", "disk"),
        ("something new", "disk"),
    ],
)
def test_what_sqlite_says_has_one_meaning(path, said, reason):
    with pytest.raises(JournalError) as error, sqlite_errors(str(path)):
        raise sqlite3.OperationalError(said)
    assert error.value.reason == reason
