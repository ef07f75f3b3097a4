"""Many processes write one journal: at once, forked, killed, and to their last moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from dataclasses import replace

import pytest
from elsewhere import passes_in_a_child
from journal_lab import LONG, QUICK, an_entry, happens, in_vain, locked, numbers, run, told

from failover.journal import Journal, processes, read
from failover.journal.database import Database
from failover.journal.outage import Pace
from failover.journal.processes import process_name

FORKS = hasattr(os, "fork")
SLOW = Pace(gather=LONG)


def sound(path):
    """Whether SQLite finds nothing wrong with a file."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return found == [("ok",)]


# --- the name of a process ---------------------------------------------------------------------------------------


def test_a_process_has_one_name_with_its_number_in_it():
    assert process_name() == process_name()
    assert f"-{os.getpid()}-" in process_name()


# --- the end -----------------------------------------------------------------------------------------------------

BEGIN = """
    import atexit, gc, sys, time
    from failover.journal import Entry, Journal
    from failover.journal.outage import Pace

    def put(journal, *numbers):
        for number in numbers:
            journal.put(Entry(time.time(), "attempt", "test", call=number))

    path, slow = sys.argv[1], Pace(gather=1.0)
"""

ENDS = {
    "a program that just ends": (
        """
        journal = Journal(path, pace=slow)
        put(journal, 1, 2, 3)
        """,
        [1, 2, 3],
    ),
    "a program that forgot its journal just before": (
        """
        def main():
            put(Journal(path, pace=slow), 1, 2, 3)
        main()
        """,
        [1, 2, 3],
    ),
    "a program that exits in the middle": (
        """
        journal = Journal(path, pace=slow)
        put(journal, 1)
        sys.exit(0)
        put(journal, 2)
        """,
        [1],
    ),
    "a program that tells something when all is over": (
        """
        class Late:
            def __del__(self):
                put(self.journal, 2)
                put(Journal(path), 3)
                self.journal.flush(0.1)
                self.journal.close()
        late = Late()
        late.journal = Journal(path, pace=slow)
        late.own = late
        gc.disable()
        put(late.journal, 1)
        """,
        [1],
    ),
}


@pytest.mark.parametrize("what", ENDS)
def test_the_last_entries_are_written_at_the_end_of(path, what):
    program, expected = ENDS[what]
    assert run(textwrap.dedent(BEGIN) + textwrap.dedent(program), path) == ""
    assert numbers(path) == expected


def test_a_program_that_nobody_lets_write_ends_all_the_same(path):
    path.mkdir()
    program = "journal = Journal(path)\nput(journal, 1)"
    done = subprocess.run(
        [sys.executable, "-c", f"{textwrap.dedent(BEGIN)}\n{program}", path],
        check=True,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert "it is a directory; name a file in it" in done.stderr
    assert "Traceback" not in done.stderr


EIGHT = """
    import multiprocessing, sys, time
    from failover.journal import Entry, Journal
    from failover.journal.processes import process_name

    def work(path, entries, start):
        journal = Journal(path)
        start.wait()
        for number in range(entries):
            journal.put(Entry(time.time(), "attempt", process_name(), call=number, request_id=f"req_{number}"))

    def at_once(path, entries):
        fork = multiprocessing.get_context("fork")
        start = fork.Event()
        children = [fork.Process(target=work, args=(path, entries, start)) for _ in range(8)]
        for child in children:
            child.start()
        start.set()
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0] * 8

    entries = int(sys.argv[1])
    for path in sys.argv[2:]:
        at_once(path, entries)
"""


@pytest.mark.skipif(not FORKS, reason="this system has no fork")
def test_eight_processes_that_write_at_once_lose_nothing(path):
    run(EIGHT, 2_000, path)
    entries = [entry for _, entry in read(path)]
    by_process = Counter(entry.process for entry in entries)
    assert list(by_process.values()) == [2_000] * 8
    for process in by_process:
        assert [entry.call for entry in entries if entry.process == process] == list(range(2_000))
    assert sound(path)


@pytest.mark.skipif(not FORKS, reason="this system has no fork")
def test_eight_processes_that_make_a_file_at_once_make_one_and_lose_nothing(tmp_path):
    paths = [tmp_path / f"journal {number}.db" for number in range(15)]
    run(EIGHT, 3, *paths)
    assert [sorted(numbers(path)) for path in paths] == [sorted([0, 1, 2] * 8)] * 15


# --- a sudden end ------------------------------------------------------------------------------------------------

KILLED = """
    import sys, time
    from failover.journal import Entry, Journal

    journal = Journal(sys.argv[1])
    number = 0
    while True:
        for _ in range(50):
            journal.put(Entry(time.time(), "attempt", "test", call=number, error_type="x" * 100))
            number += 1
        if number % 500 == 0 and journal.flush(10):
            print(number, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed here")
def test_a_killed_process_leaves_a_sound_file_with_all_but_its_last_moment(path):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), path], stdout=subprocess.PIPE, text=True
    ) as writing:
        known = [int(writing.stdout.readline()) for _ in range(10)][-1]
        writing.kill()
        known = max([known, *map(int, writing.stdout.read().split())])
    left = path.with_name("journal.db-wal")
    assert left.stat().st_size > 0
    found = numbers(path)
    assert found == list(range(len(found)))
    assert len(found) >= known
    assert sound(path)
    with Journal(path, pace=QUICK) as journal:
        journal.put(an_entry(len(found)))
    assert numbers(path) == list(range(len(found) + 1))


# --- forks -------------------------------------------------------------------------------------------------------

if FORKS:

    def test_a_child_writes_on_its_own_and_nothing_of_its_parent(path, make):
        journal = make(pace=SLOW)
        parent = process_name()
        journal.put(an_entry(1, process=parent))  # has not been written when the child begins

        def check():
            journal.put(an_entry(2, process=process_name()))
            found = [entry.process for _, entry in read(path)] if path.exists() else []
            return process_name() != parent and journal.flush(10) and parent not in found

        assert passes_in_a_child(check)
        assert journal.flush(10)
        assert [entry.call for _, entry in read(path)] == [2, 1]
        [child, own] = [entry.process for _, entry in read(path)]
        assert child != own == parent

    def test_a_child_of_a_child_has_a_name_and_a_journal_too(path, journal):
        journal.put(an_entry(1, process=process_name()))

        def write(number):
            journal.put(an_entry(number, process=process_name()))
            return journal.flush(10)

        assert passes_in_a_child(lambda: write(2) and passes_in_a_child(lambda: write(3)))
        assert write(4)
        assert sorted(numbers(path)) == [1, 2, 3, 4]
        assert len({entry.process for _, entry in read(path)}) == 3

    def test_a_process_that_forks_while_it_writes_loses_nothing_and_nor_do_its_children(path, journal):
        enough = threading.Event()
        put = []

        def keep_writing():
            while not enough.is_set():
                for _ in range(20):
                    journal.put(an_entry(len(put), process="parent"))
                    put.append(None)
                enough.wait(0.001)

        def work(child):
            for number in range(50):
                journal.put(an_entry(number, process=f"child {child}"))
            return journal.flush(5)

        busy = threading.Thread(target=keep_writing)
        busy.start()
        try:
            assert happens(lambda: path.exists() and numbers(path) != [])
            for child in range(8):
                assert passes_in_a_child(lambda child=child: work(child))
        finally:
            enough.set()
            busy.join()
        assert journal.flush(10)
        found = {}
        for _, entry in read(path):
            found.setdefault(entry.process, []).append(entry.call)
        assert found == {
            "parent": list(range(len(put))),
            **{f"child {child}": list(range(50)) for child in range(8)},
        }
        assert sound(path)

    def test_a_parents_journal_stays_whole_when_its_child_goes_first_or_last(path, journal):
        journal.put(an_entry(1))
        assert journal.flush(10)
        assert passes_in_a_child(lambda: True)  # knows of the file, and never uses it
        journal.put(an_entry(2))
        assert journal.flush(10)

        def outlive():
            journal.put(an_entry(3))
            return journal.flush(5)

        assert passes_in_a_child(outlive)
        journal.put(an_entry(4))
        journal.close()
        assert numbers(path) == [1, 2, 3, 4]
        assert sound(path)

    def test_a_child_that_lives_on_loses_nothing_when_its_parent_closes(path, journal):
        """SQLite in the child must not believe to hold what the parent holds; else the parent tidies its log away."""
        journal.put(an_entry(1))
        assert journal.flush(10)
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()

        def live_on():
            journal.put(an_entry(2))
            written = [journal.flush(2)]
            os.write(to_parent, b".")
            os.read(from_parent, 1)
            journal.put(an_entry(3))
            written.append(journal.flush(2))
            return written == [True, True]

        def close():
            os.read(from_child, 1)
            journal.close()
            os.write(to_child, b".")

        closing = threading.Thread(target=close)
        closing.start()
        assert passes_in_a_child(live_on)
        closing.join()
        assert numbers(path) == [1, 2, 3]
        assert sound(path)
        for end in (from_child, to_parent, from_parent, to_child):
            os.close(end)

    def test_a_child_that_was_forked_in_the_middle_of_a_write_keeps_off_the_file(path, make, log, tries, monkeypatch):
        monkeypatch.setattr(processes, "_PATIENCE", 0.05)
        journal = make(pace=replace(QUICK, busy=LONG))
        journal.put(an_entry(1))
        assert journal.flush(10)

        def check():
            log.clear()
            tries.clear()
            journal.put(an_entry(3))
            came_to_nothing = in_vain(journal, tries) and in_vain(journal, tries)
            return came_to_nothing and [said["reason"] for said in told(log)] == ["forked"]

        def stuck():
            inside = journal._worker._database._inside
            got_in = inside.acquire(timeout=0.2)
            if got_in:
                inside.release()
            return not got_in

        with locked(path):
            journal.put(an_entry(2))
            assert happens(stuck)
            assert passes_in_a_child(check)
        assert journal.flush(10)
        assert numbers(path) == [1, 2]
        assert told(log) == []

    def test_a_child_of_a_closed_journal_writes_nothing(path, journal):
        journal.put(an_entry(1))
        journal.close()

        def check():
            journal.put(an_entry(2))
            return journal.closed and journal.flush(0)

        assert passes_in_a_child(check)
        assert numbers(path) == [1]


@pytest.mark.skipif(not FORKS, reason="no forks here")
def test_ctrl_c_while_a_fork_waits_gives_back_nothing_that_was_not_taken(path, monkeypatch):
    database = Database(str(path), busy=1.0)
    database.before_fork(1.0)
    database.after_fork_in_parent()
    inside = database._inside
    inside.acquire()  # its thread is at work

    class Interrupted:
        def acquire(self, **_):
            raise KeyboardInterrupt

    monkeypatch.setattr(database, "_inside", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        database.before_fork(1.0)
    monkeypatch.setattr(database, "_inside", inside)
    database.after_fork_in_parent()
    assert inside.locked()
