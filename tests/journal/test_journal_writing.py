"""A journal writes what it is given a moment later, and whoever gives it does not notice."""

from __future__ import annotations

import gc
import sqlite3
import stat
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from journal_lab import QUICK, an_entry, happens, kinds, numbers, told

from failover.journal import Journal
from failover.journal.outage import Pace
from failover.journal.processes import process_name
from failover.journal.served import Served


def writers():
    return [thread for thread in threading.enumerate() if thread.name == "failover-journal"]


def test_entries_are_written_in_their_order_without_anybody_asking(path, journal):
    for number in range(5):
        journal.put(an_entry(number))
    assert happens(lambda: path.exists() and numbers(path) == list(range(5)))


def test_a_flush_is_over_when_all_that_was_put_before_is_in_the_file(path, journal):
    for number in range(2_500):  # more than one transaction
        journal.put(an_entry(number))
    assert journal.flush(10)
    assert numbers(path) == list(range(2_500))


def test_a_flush_does_not_wait_for_others_to_come(path, make):
    patient = make(pace=Pace(gather=60))
    patient.put(an_entry(1))
    began = time.monotonic()
    assert patient.flush(30)
    assert time.monotonic() - began < 15
    assert numbers(path) == [1]


def test_nothing_happens_before_the_first_entry(path, journal):
    assert writers() == []
    assert journal.flush(0)
    assert not path.exists()


def test_the_file_is_for_its_owner_alone(path, journal):
    journal.put(an_entry())
    journal.flush(10)
    files = list(path.parent.glob("journal.db*"))
    assert {file.name for file in files} == {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_an_empty_file_becomes_a_journal_and_keeps_its_permissions(path, journal):
    path.touch()
    path.chmod(0o640)
    journal.put(an_entry(3))
    journal.flush(10)
    assert numbers(path) == [3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_file_says_what_it_is(path, journal):
    journal.put(an_entry())
    journal.close()
    with sqlite3.connect(path) as connection:
        said = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode", "auto_vacuum")
        }
    connection.close()
    incremental = 2
    assert said == {
        "application_id": 0x666F7672,
        "user_version": 1,
        "journal_mode": "wal",
        "auto_vacuum": incremental,
    }


def test_a_journal_goes_on_where_another_ended(path, make):
    for number in range(3):
        journal = make()
        journal.put(an_entry(number))
        journal.close()
    assert numbers(path) == [0, 1, 2]


def test_closing_writes_what_waits_and_leaves_one_file(path, make):
    journal = make(pace=Pace(gather=60))
    journal.put(an_entry(1))
    journal.close()
    assert numbers(path) == [1]
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]
    assert happens(lambda: writers() == [])


def test_a_closed_journal_takes_nothing_more_and_does_not_mind(path, journal):
    journal.put(an_entry(1))
    journal.close()
    journal.put(an_entry(2))
    assert journal.flush(0)
    journal.close()
    assert journal.closed
    assert numbers(path) == [1]


def test_a_journal_that_nobody_used_can_be_closed(path, journal):
    journal.close()
    assert not path.exists()


def test_a_with_statement_closes_it(path):
    with Journal(path, pace=QUICK) as journal:
        journal.put(an_entry(1))
    assert journal.closed
    assert numbers(path) == [1]


def test_a_journal_that_is_dropped_writes_what_waits_and_ends(path):
    journal = Journal(path, pace=QUICK)
    journal.put(an_entry(1))
    gone = weakref.ref(journal)
    del journal
    gc.collect()
    assert gone() is None
    assert happens(lambda: writers() == [])
    assert numbers(path) == [1]


def test_many_threads_may_put_at_once(path, journal):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.put(an_entry(number)), range(4_000)))
    assert journal.flush(10)
    assert sorted(numbers(path)) == list(range(4_000))
    assert len(writers()) == 1


def test_several_journals_of_one_process_share_a_file(path, make):
    journals = [make() for _ in range(5)]
    for number in range(1_000):
        journals[number % 5].put(an_entry(number))
    assert all(journal.flush(10) for journal in journals)
    assert sorted(numbers(path)) == list(range(1_000))


def test_a_relative_path_is_that_of_the_folder_at_the_beginning(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = Journal(Path("journal.db"), pace=QUICK)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    journal.put(an_entry(1))
    journal.close()
    assert journal.path == str(path)
    assert numbers(path) == [1]


@pytest.mark.parametrize(
    "name", ["ünïcode 日本.db", "per%20cent?mode=memory#x.db", ":memory:", "file:x", "q'uote\"s.db"]
)
def test_any_name_is_a_name(tmp_path, name):
    with Journal(tmp_path / name, pace=QUICK) as journal:
        journal.put(an_entry(1))
        assert journal.flush(10)
        assert numbers(tmp_path / name) == [1]
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_one_journal_serves_all_who_share_a_path(path):
    first = Journal.shared(path)
    assert Journal.shared(str(path)) is first
    assert Journal.shared(path.with_name("other.db")) is not first
    first.close()
    assert Journal.shared(path) is not first


def test_a_journal_tells_what_it_has_done(path, make):
    journal = make(pace=Pace(gather=60))
    assert repr(journal) == f"<Journal {path}: 0 written, 0 waiting, 0 lost>"
    journal.put(an_entry(1))
    journal.put(an_entry(2))
    journal.flush(10)
    assert repr(journal) == f"<Journal {path}: 2 written, 0 waiting, 0 lost>"


MISTAKES = [
    ({"path": 5}, TypeError, "a journal's path is a str or a path, not a int; give the path of a file"),
    ({"path": None}, TypeError, "a journal's path is a str or a path, not a NoneType; give the path of a file"),
    ({"path": b"j.db"}, TypeError, "a journal's path is a str or a path, not a bytes; give the path of a file"),
    ({"path": ""}, ValueError, "'' is no path; give the path of a file"),
    ({"path": "a\0b"}, ValueError, r"'a\x00b' is no path; give the path of a file"),
    ({"path": "\ud800"}, ValueError, r"'\ud800' cannot be a path on this system; give the path of a file"),
    ({"keep_for": 0}, ValueError, "keep_for is 0; give a number above 0"),
    ({"keep_for": -1.5}, ValueError, "keep_for is -1.5; give a number above 0"),
    ({"keep_for": float("nan")}, ValueError, "keep_for is nan; give a number above 0"),
    ({"keep_for": "30d"}, TypeError, "keep_for is a str; give a number above 0"),
    ({"keep_bytes": 0}, ValueError, "keep_bytes is 0; give a number above 0"),
    ({"keep_bytes": True}, TypeError, "keep_bytes is a bool; give a number above 0"),
    ({"capacity": None}, TypeError, "capacity is a NoneType; give a number above 0"),
]


@pytest.mark.parametrize(("options", "kind", "message"), MISTAKES)
def test_a_mistake_in_the_program_is_told_at_once(options, kind, message):
    with pytest.raises(kind) as error:
        Journal(**({"path": "journal.db"} | options))
    assert str(error.value) == message


# --- what does not fit -------------------------------------------------------------------------------------------


def test_entries_that_find_no_room_are_counted_and_the_count_is_written(path, make):
    journal = make(capacity=10, pace=Pace(gather=60))
    for number in range(25):
        journal.put(an_entry(number))
    assert journal.flush(10)
    written = numbers(path)
    assert written == list(range(len(written)))
    assert 10 <= len(written) <= 11  # the thread may have taken the first from the queue already
    assert kinds(path)[-1] == "lost"
    assert f"{25 - len(written)} lost" in repr(journal)


def test_nothing_is_told_of_a_journal_that_works(journal, log):
    journal.put(an_entry())
    journal.close()
    assert told(log) == []


# --- answers that are only counted -------------------------------------------------------------------------------


def served(at, seconds=0.5, model="claude-opus-5-5", client="default"):
    return Served(at, seconds, "default", client, model, model if client == "default" else f"{client}/{model}")


def counted(path):
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT at, circuit, count, seconds, policy, process FROM entries ORDER BY id")
        rows = found.fetchall()
    connection.close()
    return rows


def test_answers_are_one_entry_for_each_minute_and_circuit(path, make):
    journal = make(wall=lambda: 630.0)
    for at, model, client in (
        (600.0, "claude-opus-5-5", "default"),
        (605.0, "claude-opus-5-5", "default"),
        (659.9, "claude-opus-5-5", "bedrock"),
        (601.0, "claude-haiku-5-5", "default"),
        (599.9, "claude-opus-5-5", "default"),
    ):
        journal.put(served(at, model=model, client=client))
    assert journal.flush(10)
    assert sorted(counted(path)) == [
        (540.0, "claude-opus-5-5", 1, 0.5, "default", process_name()),
        (600.0, "bedrock/claude-opus-5-5", 1, 0.5, "default", process_name()),
        (600.0, "claude-haiku-5-5", 1, 0.5, "default", process_name()),
        (600.0, "claude-opus-5-5", 2, 1.0, "default", process_name()),
    ]


def test_a_minute_is_written_when_it_is_over(path, make):
    time_now = [655.0]
    journal = make(wall=lambda: time_now[0])
    journal.put(served(655.0))
    journal.put(an_entry(1))
    assert happens(lambda: path.exists() and numbers(path) == [1])
    assert kinds(path) == ["attempt"]
    time_now[0] = 660.0
    journal.put(an_entry(2))
    assert happens(lambda: numbers(path) == [1, 2])
    assert sorted(kinds(path)) == ["attempt", "attempt", "served"]


def test_a_clock_that_is_set_back_holds_no_minute_up(path, make):
    time_now = [655.0]
    journal = make(wall=lambda: time_now[0])
    journal.put(served(655.0))
    journal.put(an_entry(1))
    assert happens(lambda: path.exists() and kinds(path) == ["attempt"])
    time_now[0] = 500.0
    journal.put(an_entry(2))
    assert happens(lambda: sorted(kinds(path)) == ["attempt", "attempt", "served"])


def test_a_minute_is_written_although_nothing_else_comes(path, make):
    begun = time.monotonic()
    journal = make(wall=lambda: 659.9 + time.monotonic() - begun)
    journal.put(served(659.9))
    assert happens(lambda: path.exists() and kinds(path) == ["served"])


def test_what_a_closed_journal_counted_is_in_the_file(path, make):
    journal = make()
    journal.put(served(time.time()))
    journal.close()
    assert kinds(path) == ["served"]
