"""A journal can be read at any time, by anybody who may, and that changes nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time

import pytest
from elsewhere import passes_in_a_child
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_files import THEIRS
from journal_lab import QUICK, a_folder_for_all, an_entry, numbers, without_rights

import failover
from failover.journal import Journal, JournalError, read
from failover.journal.database import Database
from failover.journal.rows import to_row


def write(path, *numbers, **changes):
    database = Database(str(path), busy=1.0)
    database.insert([to_row(an_entry(number, **({"at": float(number)} | changes))) for number in numbers])
    return database


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    """A journal with entries of ten seconds, two of each, which took their time to be written."""
    path = tmp_path_factory.mktemp("ten") / "journal.db"
    write(path, *range(10), *range(10)).close()
    return path


MOMENTS = st.none() | st.floats(-1, 11)


@settings(deadline=None)
@given(since=MOMENTS, until=MOMENTS, after=st.integers(-1, 22))
def test_a_reader_gets_what_it_asks_for_in_the_order_of_writing(ten, since, until, after):
    everything = list(enumerate([*range(10), *range(10)], 1))
    wanted = [
        (number, call)
        for number, call in everything
        if (since is None or call >= since) and (until is None or call < until) and number > after
    ]
    found = read(ten, since=since, until=until, after=after)
    assert [(number, entry.call) for number, entry in found] == wanted


@pytest.mark.parametrize("count", [1_999, 2_000, 2_001, 6_000])
def test_all_of_a_long_journal_is_read(path, count):
    write(path, *range(count)).close()
    assert numbers(path) == list(range(count))


def test_a_reader_that_is_slow_keeps_nobody_waiting_and_gets_what_comes_meanwhile(path, journal):
    for number in range(3_000):
        journal.put(an_entry(number))
    assert journal.flush(10)
    entries = read(path)
    first = next(entries)[1].call
    for number in range(3_000, 4_000):
        journal.put(an_entry(number))
    assert journal.flush(10)
    other = sqlite3.connect(path)
    busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert busy == 0
    assert [first, *(entry.call for _, entry in entries)] == list(range(4_000))


def test_a_reader_can_follow(path, journal):
    last, seen = 0, []
    for number in range(5):
        journal.put(an_entry(number))
        assert journal.flush(10)
        new = list(read(path, after=last))
        last = new[-1][0]
        seen.extend(entry.call for _, entry in new)
    assert seen == [0, 1, 2, 3, 4]


def test_reading_makes_no_files_and_changes_none(path):
    write(path, 1, 2, 3).close()
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert numbers(path) == [1, 2, 3]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(path.parent.iterdir()) == [path]


def test_an_empty_file_is_a_journal_without_entries(path):
    path.touch()
    assert list(read(path)) == []


def test_a_writer_that_comes_while_a_file_at_rest_is_read_is_noticed(path, monkeypatch):
    write(path, 1).close()
    coming = [lambda: write(path, 2)]
    open_ones = []
    real = sqlite3.connect

    def connect(target, *arguments, **options):
        connection = real(target, *arguments, **options)
        if coming and "immutable" in str(target):
            open_ones.append(coming.pop()())
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    assert numbers(path) == [1, 2]
    open_ones[0].close()


def test_a_path_may_be_relative_and_have_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("a?mode=rwc#%20é.db", 1).close()
    assert numbers("a?mode=rwc#%20é.db") == [1]


def test_a_link_leads_to_the_journal_and_to_its_log(path, tmp_path):
    database = write(path, 1)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert numbers(link) == [1]
    database.close()
    assert numbers(link) == [1]


# --- what cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", THEIRS)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(path, what):
    begin, reason = THEIRS[what]
    begin(path)
    before = path.read_bytes()
    with pytest.raises(JournalError) as error:
        list(read(path))
    assert error.value.reason == reason
    assert str(error.value).startswith(f"{path}: it ") or reason == "newer"
    assert isinstance(error.value, failover.FailoverError)
    assert (path.read_bytes(), list(path.parent.iterdir())) == (before, [path])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.symlink_to("nowhere"), "missing"),
        (lambda path: path.mkdir(), "directory"),
        (os.mkfifo, "special_file"),
    ],
)
def test_what_is_no_file_is_refused_at_once(path, spoil, reason):
    spoil(path)
    with pytest.raises(JournalError) as error:
        read(path)
    assert error.value.reason == reason


def test_a_journal_whose_end_is_missing_is_refused(path):
    write(path, *range(5_000)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalError) as error:
        list(read(path))
    assert error.value.reason == "damaged"


def test_damage_in_the_middle_is_told_when_it_is_reached(path):
    write(path, *range(20_000)).close()
    whole, page = path.read_bytes(), 4096
    middle = len(whole) // 2 // page * page
    path.write_bytes(whole[:middle] + os.urandom(40 * page) + whole[middle + 40 * page :])
    entries = read(path)
    assert next(entries)[1].call == 0
    with pytest.raises(JournalError) as error:
        list(entries)
    assert error.value.reason == "damaged"


def test_a_detail_that_is_no_json_is_damage(path):
    write(path, 1).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET detail = 'mine'")
    connection.close()
    with pytest.raises(JournalError) as error:
        list(read(path))
    assert error.value.reason == "damaged"


def test_a_file_that_is_locked_for_long_is_refused(path, monkeypatch):
    monkeypatch.setattr("failover.journal.reading._BUSY", 0.05)
    write(path, 1).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("DELETE FROM entries")
    with pytest.raises(JournalError) as error:
        list(read(path))
    other.close()
    assert error.value.reason == "locked"


if hasattr(os, "fork"):

    def refusal(path):
        try:
            return [entry.call for _, entry in read(path)]
        except JournalError as error:
            return error.reason

    def test_a_journal_at_rest_can_be_read_where_nothing_can_be_written():
        with a_folder_for_all() as folder:
            path = folder / "journal.db"
            write(path, 1, 2).close()
            path.chmod(0o444)
            folder.chmod(0o555)
            assert passes_in_a_child(without_rights(lambda: refusal(path) == [1, 2]))

    def test_a_killed_writers_last_entries_are_not_passed_over_where_they_cannot_be_read():
        with a_folder_for_all() as folder:
            writing, left = folder / "writing.db", folder / "left.db"
            database = write(writing, 1, 2)
            shutil.copy(writing, left)
            shutil.copy(f"{writing}-wal", f"{left}-wal")
            database.close()
            for file in folder.iterdir():
                file.chmod(0o444)
            folder.chmod(0o555)
            assert passes_in_a_child(without_rights(lambda: refusal(left) == "log_left"))
            folder.chmod(0o777)
            assert refusal(left) == [1, 2]

    def test_a_journal_that_somebody_else_keeps_for_himself_is_refused():
        with a_folder_for_all() as folder:
            path = folder / "journal.db"
            with Journal(path, pace=QUICK) as journal:
                journal.put(an_entry(1))
            assert not os.geteuid() or path.chmod(0) is None
            assert passes_in_a_child(without_rights(lambda: refusal(path) == "cannot_open"))


def test_a_long_journal_takes_a_moment_to_read(path):
    write(path, *range(20_000)).close()
    began = time.perf_counter()
    assert sum(1 for _ in read(path)) == 20_000
    assert time.perf_counter() - began < 2  # it is a tenth of that


def test_only_some_kinds_can_be_asked_for(path):
    database = Database(str(path), busy=1.0)
    database.insert(
        [to_row(an_entry(number, kind=kind)) for number, kind in enumerate(["call", "attempt", "incident"])]
    )
    database.close()
    assert [entry.kind for _, entry in read(path, kinds=("incident", "call"))] == ["call", "incident"]
    assert len(list(read(path, kinds=()))) == 3
