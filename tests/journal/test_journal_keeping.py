"""What is too old, or too much, is deleted bit by bit, and the file becomes as small as what it keeps."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from dataclasses import replace

import pytest
from journal_lab import QUICK, an_entry, happens, locked, numbers, told

from failover.journal import JournalError, read
from failover.journal.database import Database
from failover.journal.rows import to_row

OFTEN = replace(QUICK, prune=0.01, rows=100, pages=8)
FOREVER = float("inf")


def fill(path, count, **changes):
    database = Database(str(path), busy=1.0)
    database.insert([to_row(an_entry(number, **{"at": float(number)} | changes)) for number in range(count)])
    return database


def used(path):
    with sqlite3.connect(path) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    connection.close()
    return (pages - free) * size


def steps_of(database, before, keep_bytes, rows=100, pages=8):
    while database.prune(before, keep_bytes, rows=rows, pages=pages):
        yield


def test_entries_that_are_too_old_are_deleted_by_the_journal_itself(path, make):
    fill(path, 500).close()
    journal = make(keep_for=100, wall=lambda: 500.0, pace=OFTEN)
    journal.put(an_entry(500, at=500.0))
    assert happens(lambda: numbers(path) == list(range(400, 501)))


def test_the_oldest_entries_are_deleted_while_the_file_has_too_much(path, make):
    fill(path, 5_000, reason="x" * 100).close()
    begun = path.stat().st_size
    journal = make(keep_for=FOREVER, keep_bytes=300_000, pace=OFTEN)
    journal.put(an_entry(5_000))
    assert happens(lambda: used(path) <= 300_000 and path.stat().st_size <= 300_000)
    kept = numbers(path)
    assert kept == list(range(kept[0], 5_001))
    assert used(path) > 200_000
    assert begun > 1_000_000


def test_old_entries_go_as_time_passes_although_nothing_else_happens(path, make):
    now = [100.0]
    journal = make(keep_for=50, wall=lambda: now[0], pace=OFTEN)
    for number in range(10):
        journal.put(an_entry(number, at=100.0 + number))
    assert journal.flush(10)
    assert numbers(path) == list(range(10))
    now[0] = 155.0
    assert happens(lambda: numbers(path) == [5, 6, 7, 8, 9])


def test_many_rows_bring_the_next_look_forward(path, make):
    pace = replace(QUICK, prune=1e6, prune_rows=1_000)
    journal = make(keep_for=FOREVER, keep_bytes=100_000, pace=pace)
    for number in range(1_500):
        journal.put(an_entry(number))
        if number % 500 == 499:
            assert journal.flush(10)
    assert happens(lambda: used(path) <= 100_000)


def test_a_journal_that_keeps_everything_deletes_nothing(path, make):
    fill(path, 3_000).close()
    journal = make(keep_for=FOREVER, keep_bytes=FOREVER, pace=OFTEN)
    journal.put(an_entry(3_000))
    assert journal.flush(10)
    assert numbers(path) == list(range(3_001))
    with contextlib.closing(Database(str(path), busy=1.0)) as database:
        assert not database.prune(-FOREVER, FOREVER, rows=100, pages=8)


@pytest.mark.parametrize(("before", "keep_bytes"), [(900.0, FOREVER), (-FOREVER, 60_000)])
def test_others_can_write_between_two_steps_each_of_which_is_small(path, before, keep_bytes):
    database = fill(path, 1_000)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    sizes = [1_000]
    for _ in steps_of(database, before, keep_bytes):
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        sizes.append(other.execute("SELECT count(*) FROM entries").fetchone()[0])
    other.close()
    database.close()
    assert all(0 <= old - new <= 100 for old, new in itertools.pairwise(sizes))
    assert sizes[-1] < 500


def test_the_file_gives_its_room_back(path):
    database = fill(path, 5_000)
    database.close()
    large = path.stat().st_size
    for _ in steps_of(database, 4_900.0, FOREVER):
        pass
    database.close()
    assert numbers(path) == list(range(4_900, 5_000))
    assert path.stat().st_size < large / 10
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    connection.close()


def test_a_limit_that_nothing_fits_in_empties_the_file_and_comes_to_an_end(path):
    database = fill(path, 300)
    assert sum(1 for _ in steps_of(database, -FOREVER, 1)) < 100
    database.close()
    assert numbers(path) == []


def test_numbers_are_never_used_again_so_that_a_reader_can_go_on_from_its_last(path):
    database = fill(path, 10)
    last = max(number for number, _ in read(path))
    for _ in steps_of(database, FOREVER, FOREVER):
        pass
    assert list(read(path)) == []
    database.insert([to_row(an_entry(77))])
    database.close()
    assert [entry.call for _, entry in read(path, after=last)] == [77]


@pytest.fixture
def refused(monkeypatch):
    """What looks at what is to be deleted came to nothing."""
    refused = []
    real = Database.prune

    def prune(*arguments, **options):
        try:
            return real(*arguments, **options)
        except JournalError as error:
            refused.append(error.reason)
            raise

    monkeypatch.setattr(Database, "prune", prune)
    return refused


def test_a_lock_only_puts_deleting_off(path, make, log, refused):
    now = [0.0]
    journal = make(keep_for=10, wall=lambda: now[0], pace=OFTEN)
    journal.put(an_entry(1, at=0.0))
    assert journal.flush(10)
    with locked(path):
        now[0] = 100.0
        assert happens(lambda: len(refused) > 5)
    assert happens(lambda: numbers(path) == [])
    assert set(refused) == {"locked"}
    assert told(log) == []


def test_a_failure_to_delete_is_told_like_any_other(path, make, log, monkeypatch):
    def prune(*_, **__):
        raise JournalError(str(path), "disk")

    monkeypatch.setattr(Database, "prune", prune)
    journal = make(pace=OFTEN)
    journal.put(an_entry(1))
    assert happens(lambda: [said.get("reason") for said in told(log)] == ["disk"])
    monkeypatch.undo()
    journal.put(an_entry(2))
    assert journal.flush(10)
    assert [said["event"] for said in told(log)] == ["journal_failed", "journal_written"]
