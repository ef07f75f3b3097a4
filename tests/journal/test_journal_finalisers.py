"""Finalisers, which come in at any point of any thread: they never wait, and what they tell is not lost."""

from __future__ import annotations

import gc
import threading

import pytest
from elsewhere import ends, together
from journal_lab import QUICK, an_entry, happens, numbers

from failover.journal import database, outage, worker, writer
from failover.journal.inbox import Inbox
from failover.journal.served import ServedCounts


class Dropped:
    """Something whose finaliser tells the journal, like a stream that somebody dropped."""

    def __init__(self, tell):
        self.tell = tell
        self.cycle = self  # so that only the garbage collector finds it

    def __del__(self):
        self.tell()


STEPS = {
    "as it is put": (Inbox, "put"),
    "as the thread is started": (worker, "close_at_exit"),
    "as a thread begins": (threading.Thread, "start"),
    "as the thread gathers": (Inbox, "gather"),
    "as the thread counts": (ServedCounts, "take"),
    "as rows are made": (writer, "to_row"),
    "as the file is made": (database, "_make"),
    "as the file is opened": (database.Database, "_set_up"),
    "as rows are written": (database.Database, "insert"),
    "as a mark is put": (Inbox, "mark"),
    "as somebody hurries": (Inbox, "hurry"),
    "as a failure is noted": (outage.Outage, "failed"),
    "as a line is logged": (outage, "tell"),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_finaliser_may_come_in(path, make, monkeypatch, step):
    journal = make()
    where, name = STEPS[step]
    real = getattr(where, name)
    told = []

    def interrupted(*arguments, **options):
        if len(told) < 3:
            told.append(None)
            journal.put(an_entry(100 + len(told)))
        return real(*arguments, **options)

    monkeypatch.setattr(where, name, interrupted)
    path.mkdir()
    assert ends(lambda: (journal.put(an_entry(1)), journal.flush(0.2)))
    path.rmdir()
    assert ends(lambda: (journal.put(an_entry(2)), journal.flush(10)))
    monkeypatch.undo()
    assert journal.flush(10)
    assert told
    assert sorted(numbers(path)) == [1, 2, *range(101, 101 + len(told))]


def test_the_garbage_collector_may_tell_something_at_any_point_of_any_thread(path, journal):
    before = gc.get_threshold()

    def work(thread):
        for number in range(200):
            Dropped(lambda number=number: journal.put(an_entry(10_000 + 1_000 * thread + number)))
            journal.put(an_entry(1_000 * thread + number))
            if number % 50 == 0:
                journal.flush(0.5)
        return True

    gc.set_threshold(1, 1, 1)
    try:
        assert together(4, work) == [True] * 4
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert journal.flush(10)
    own = [1_000 * thread + number for thread in range(4) for number in range(200)]
    assert sorted(numbers(path)) == [*own, *(10_000 + number for number in own)]


def test_entries_wait_when_no_thread_can_be_started(path, journal, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    for number in range(3):
        journal.put(an_entry(number))
    assert not journal.flush(0.01)
    monkeypatch.undo()
    journal.put(an_entry(3))
    assert happens(lambda: path.exists() and numbers(path) == [0, 1, 2, 3])


def test_a_journal_without_a_thread_can_be_closed(path, make, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    journal = make(pace=QUICK)
    journal.put(an_entry(1))
    journal.close()
    assert not path.exists()
