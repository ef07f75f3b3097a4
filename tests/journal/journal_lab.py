"""Journals that are in a hurry, what is in a file, and programs of their own that write or read one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from failover.journal import Entry, read
from failover.journal.outage import Pace

LONG = 20.0
"""Seconds after which something is taken not to happen."""

NOBODY = 65534

QUICK = Pace(gather=0.01, busy=0.1, retry=0.02, retry_most=0.1, patience=0.3, end=1.0, pause=0.001)


def an_entry(number=0, **changes):
    """A failed attempt; `number` tells them apart."""
    fields = {
        "at": time.time(),
        "kind": "attempt",
        "process": "test",
        "policy": "default",
        "call": number,
        "model": "claude-opus-5-5",
        "status": 529,
        "error_type": "overloaded_error",
        "request_id": f"req_{number}",
        "seconds": 0.5,
        "detail": {"retry_after": 1.5},
    }
    return Entry(**(fields | changes))


def numbers(path, kind="attempt"):
    """The numbers of the entries that are in a file."""
    return [entry.call for _, entry in read(path) if entry.kind == kind]


def kinds(path):
    return [entry.kind for _, entry in read(path)]


def happens(condition):
    """Whether it comes true before it must be taken not to."""
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.005)
    return False


def in_vain(journal, tries):
    """Whether a try to write that somebody waits for comes to nothing; the `tries` of before are over."""
    if not happens(lambda: tries):
        return False
    before = len(tries)
    return not journal.flush(0.05) and happens(lambda: len(tries) > before)


def told(caplog, event=None):
    """What the log was told of journals, as data."""
    records = [record for record in caplog.records if record.name == "failover" and hasattr(record, "failover")]
    return [record.failover for record in records if event in {None, record.failover["event"]}]


def run(program, *arguments, **options):
    """Run a program in a Python of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextlib.contextmanager
def locked(path):
    """Another program that lets nobody write."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextlib.contextmanager
def a_folder_for_all():
    """A folder that a process without rights can enter; pytest's own are for one user."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def without_rights(work):
    """A function that does the same as somebody to whom permissions apply; for a forked child."""

    def run_as_nobody():
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        return work()

    return run_as_nobody
