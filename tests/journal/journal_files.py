"""Files that are no journals, or none any more, and must stay as they are."""

from __future__ import annotations

import os
import sqlite3

from journal_lab import QUICK, an_entry

from failover.journal import Journal
from failover.journal.entry import APPLICATION_ID, SCHEMA


def text(path):
    path.write_text("Dear diary.\n" * 1_000)


def one_line(path):
    path.write_text("\n")  # which SQLite would take for an empty database


def a_database(*statements, mode="delete"):
    def make(path):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        for statement in ("CREATE TABLE precious (thing)", "INSERT INTO precious VALUES (1)", *statements):
            connection.execute(statement)
        connection.commit()
        connection.close()

    return make


def a_named_but_empty_one(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 5")
    connection.close()


def a_newer_journal(path):
    connection = sqlite3.connect(path)
    for statement in (*SCHEMA, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 2"):
        connection.execute(statement)
    connection.close()


def a_journal_without_its_table(path):
    connection = sqlite3.connect(path)
    for statement in (f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 1"):
        connection.execute(statement)
    connection.close()


def a_damaged_journal(path):
    with Journal(path, pace=QUICK) as journal:
        for number in range(500):
            journal.put(an_entry(number))
    page = 4096
    path.write_bytes(path.read_bytes()[:page] + os.urandom(path.stat().st_size - page))


THEIRS = {
    "a text": (text, "not_a_database"),
    "a line": (one_line, "not_a_database"),
    "another program's database": (a_database(f"PRAGMA application_id = {0x47504B47}"), "foreign"),
    "a database of nobody in particular": (a_database(), "foreign"),
    "one with a log of its writes": (a_database(mode="wal"), "foreign"),
    "one that has only a name": (a_named_but_empty_one, "foreign"),
    "a journal of a newer version": (a_newer_journal, "newer"),
    "a journal without its table": (a_journal_without_its_table, "damaged"),
    "a damaged journal": (a_damaged_journal, "damaged"),
}
"""How each is made, and why it is refused."""
