"""Whatever is wrong with the file costs a line of the log; nobody's file is touched, and nothing is lost that fits."""

from __future__ import annotations

import logging
import os
import sqlite3
from dataclasses import replace

import pytest
from elsewhere import passes_in_a_child
from journal_files import THEIRS, a_database, text
from journal_lab import LONG, QUICK, a_folder_for_all, an_entry, happens, in_vain, numbers, told, without_rights

from failover.journal import Journal, database
from failover.journal.entry import SCHEMA

ASKED = replace(QUICK, retry=LONG)
"""Tries again when somebody waits for it, and not otherwise."""


@pytest.mark.parametrize("what", THEIRS)
def test_a_file_that_is_no_journal_is_left_as_it_is_until_it_is_gone(path, make, log, what, tries):
    begin, reason = THEIRS[what]
    begin(path)
    before, beside = path.read_bytes(), set(path.parent.iterdir())
    journal = make(pace=ASKED)
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    assert in_vain(journal, tries)
    journal.put(an_entry(2))
    assert [said["reason"] for said in told(log)] == [reason]
    assert (path.read_bytes(), set(path.parent.iterdir())) == (before, beside)
    path.rename(path.with_suffix(".theirs"))
    assert journal.flush(10)
    assert numbers(path) == [1, 2]
    assert path.with_suffix(".theirs").read_bytes() == before
    assert [said["event"] for said in told(log)] == ["journal_failed", "journal_written"]


def test_a_database_that_another_program_is_using_is_not_touched(path, make, log, tries):
    a_database(mode="wal")(path)
    theirs = sqlite3.connect(path)
    theirs.execute("INSERT INTO precious VALUES (2)")
    theirs.commit()
    files = sorted(path.parent.iterdir())
    before = [file.read_bytes() for file in files if file.suffix != ".db-shm"]
    journal = make()
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    journal.close()
    assert [file.read_bytes() for file in files if file.suffix != ".db-shm"] == before
    assert theirs.execute("SELECT * FROM precious").fetchall() == [(1,), (2,)]
    theirs.close()


PLACES = {
    "a folder that is not there": (
        lambda path: path.parent / "no" / path.name,
        lambda path: None,
        lambda path: path.parent.mkdir(),
        "missing_folder",
    ),
    "a folder that is a file": (
        lambda path: path.parent / "file" / path.name,
        lambda path: path.parent.touch(),
        lambda path: (path.parent.unlink(), path.parent.mkdir()),
        "missing_folder",
    ),
    "a directory": (lambda path: path, lambda path: path.mkdir(), lambda path: path.rmdir(), "directory"),
    "a pipe": (lambda path: path, os.mkfifo, lambda path: path.unlink(), "special_file"),
    "a link to nothing in a folder that is not there": (
        lambda path: path,
        lambda path: path.symlink_to(path.parent / "no" / "journal.db"),
        lambda path: path.unlink(),
        "missing",
    ),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_path_that_cannot_have_a_file_is_told_once_and_written_to_when_it_can(path, make, log, what, tries):
    place, spoil, mend, reason = PLACES[what]
    path = place(path)
    spoil(path)
    journal = make(path, pace=ASKED)
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    assert in_vain(journal, tries)
    assert [said["reason"] for said in told(log)] == [reason]
    mend(path)
    assert journal.flush(10)
    assert numbers(path) == [1]
    assert [said["event"] for said in told(log)] == ["journal_failed", "journal_written"]


def test_it_is_tried_again_although_nobody_asks(path, make, tries):
    path = path.parent / "no" / path.name
    journal = make(path)
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    path.parent.mkdir()
    assert happens(lambda: path.is_file() and numbers(path) == [1])


def test_the_log_says_what_and_where_and_what_to_do_and_later_that_it_is_over(path, make, log, tries):
    path.mkdir()
    journal = make(capacity=50, pace=ASKED)
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    path.rmdir()
    assert journal.flush(10)
    failed, written = (record for record in log.records if record.name == "failover")
    said = f"journal {path} cannot be written: it is a directory; name a file in it."
    meanwhile = "Up to 50 entries are kept in memory until it can"
    assert (failed.levelno, failed.getMessage()) == (logging.ERROR, f"{said} {meanwhile}")
    assert failed.failover == {"event": "journal_failed", "path": str(path), "reason": "directory"}
    seconds = written.failover["seconds"]
    assert (written.levelno, written.getMessage()) == (
        logging.INFO,
        f"journal {path} is written again after {seconds:.1f} s; 0 entries were lost",
    )
    assert written.failover == {"event": "journal_written", "path": str(path), "seconds": seconds, "lost": 0}


def test_each_thing_that_is_wrong_is_told_once(path, make, log, tries):
    journal = make(pace=ASKED)
    for _ in range(2):
        path.mkdir()
        journal.put(an_entry(1))
        assert in_vain(journal, tries)
        path.rmdir()
        text(path)
        assert in_vain(journal, tries)
        path.unlink()
    path.mkdir()
    assert in_vain(journal, tries)
    assert [said["reason"] for said in told(log)] == ["directory", "not_a_database"]


def test_a_logging_handler_that_raises_does_not_stop_the_journal(path, make, monkeypatch, tries):
    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError("the log is full as well")

    handler = Broken()
    logging.getLogger("failover").addHandler(handler)
    try:
        path.mkdir()
        journal = make(pace=ASKED)
        journal.put(an_entry(1))
        assert in_vain(journal, tries)
        path.rmdir()
        assert journal.flush(10)
    finally:
        logging.getLogger("failover").removeHandler(handler)
    assert numbers(path) == [1]


def test_a_file_that_was_deleted_is_begun_anew(path, journal):
    journal.put(an_entry(1))
    assert journal.flush(10)
    for file in path.parent.iterdir():
        file.unlink()
    journal.put(an_entry(2))
    assert journal.flush(10)
    assert numbers(path) == [2]


def test_a_file_that_was_moved_away_keeps_what_it_has_and_another_is_begun(path, make):
    first = make()
    first.put(an_entry(1))
    first.close()
    second = make()
    second.put(an_entry(2))
    assert second.flush(10)
    kept = path.with_name("kept.db")
    path.rename(kept)  # without its -wal, which holds both
    second.put(an_entry(3))
    assert second.flush(10)
    assert numbers(kept) == [1, 2]
    assert numbers(path) == [3]


def test_a_file_is_made_whole_or_not_at_all(path, make, monkeypatch, tries):
    monkeypatch.setattr(database, "SCHEMA", (*SCHEMA, "CREATE TABLE"))
    journal = make()
    journal.put(an_entry(1))
    assert in_vain(journal, tries)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    monkeypatch.undo()
    assert journal.flush(10)
    assert numbers(path) == [1]


def test_a_mistake_of_our_own_is_told_and_the_entries_are_tried_again(path, journal, log, monkeypatch):
    mistakes = [IndexError("canary")]
    real = journal._worker._database.insert

    def insert(rows):
        if mistakes:
            raise mistakes.pop()
        real(rows)

    monkeypatch.setattr(journal._worker._database, "insert", insert)
    journal.put(an_entry(1))
    assert journal.flush(10)
    assert numbers(path) == [1]
    assert told(log, "journal_failed")[0]["reason"] == "unexpected"
    assert "IndexError" in log.text
    assert "canary" not in log.text


if hasattr(os, "fork"):

    @pytest.mark.parametrize("locked", ["the file", "its folder"])
    def test_a_file_that_must_not_be_written_is_told_once(locked, tries):
        with a_folder_for_all() as folder:
            path = folder / "journal.db"
            if locked == "the file":
                folder.chmod(0o777)
                with Journal(path, pace=QUICK) as journal:
                    journal.put(an_entry(1))
                path.chmod(0o444)
            else:
                folder.chmod(0o555)

            def check():
                lines = []
                handler = logging.Handler()
                handler.emit = lambda record: lines.append(record.failover["reason"])
                logging.getLogger("failover").addHandler(handler)
                tries.clear()
                journal = Journal(path, pace=QUICK)
                journal.put(an_entry(2))
                came_to_nothing = in_vain(journal, tries) and in_vain(journal, tries)
                return came_to_nothing and lines == ["read_only"]

            assert passes_in_a_child(without_rights(check))
            assert locked != "the file" or numbers(path) == [1]
