"""What goes into a file comes out as it was."""

from __future__ import annotations

import dataclasses
import math
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_lab import an_entry

from failover.journal import Entry, read
from failover.journal.database import Database
from failover.journal.entry import COLUMNS
from failover.journal.rows import to_row

LARGEST = 2**63 - 1
TEXT = st.text()
NUMBER = st.integers(-LARGEST, LARGEST)
SECONDS = st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(TEXT, parts, max_size=3),
    max_leaves=8,
)
VALUES = {"str": TEXT, "Kind": TEXT, "int": NUMBER, "float": SECONDS}


def values_of(column):
    if column.name == "at":
        return st.floats(allow_nan=False, allow_infinity=False)
    if column.name == "detail":
        return st.dictionaries(TEXT, JSON, max_size=4)
    kind = str(column.type)
    known = VALUES[kind.removesuffix(" | None")]
    return st.none() | known if kind.endswith("None") else known


ENTRIES = st.builds(Entry, **{column.name: values_of(column) for column in dataclasses.fields(Entry)})


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(entries=st.lists(ENTRIES, max_size=60))
def test_entries_come_back_as_they_were(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    database = Database(str(path), busy=1.0)
    database.insert([to_row(entry) for entry in entries])
    database.close()
    assert [entry for _, entry in read(path)] == entries


def test_a_file_can_be_read_with_sql(path):
    database = Database(str(path), busy=1.0)
    database.insert([to_row(an_entry(7))])
    database.close()
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT request_id, status, json_extract(detail, '$.retry_after') FROM entries WHERE kind = 'attempt'"
        ).fetchall()
    connection.close()
    assert found == [("req_7", 529, 1.5)]


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("error_type", "half of a pair: \ud83d", "half of a pair: \\ud83d"),
        ("input_tokens", 2**70, LARGEST),
        ("input_tokens", -(2**70), -LARGEST),
        ("seconds", math.nan, None),
    ],
)
def test_what_no_database_can_hold_is_made_to_fit(path, journal, field, given, stored):
    journal.put(an_entry(**{field: given}))
    assert journal.flush(10)
    [(_, entry)] = read(path)
    assert getattr(entry, field) == stored


UNSTORABLE = {
    "a time that is none": {"at": math.nan},
    "a value that is neither text nor a number": {"model": ["a"]},
    "a detail that is no JSON": {"detail": {"a": object()}},
    "a detail that contains itself": {"detail": (ring := {})},
    "no detail at all": {"detail": 5},
}
ring["again"] = ring


@pytest.mark.parametrize("what", UNSTORABLE)
def test_one_entry_that_cannot_be_stored_is_counted_and_the_others_are_written(path, journal, what):
    journal.put(an_entry(1))
    journal.put(an_entry(2, **UNSTORABLE[what]))
    journal.put(an_entry(3))
    assert journal.flush(10)
    assert [(entry.kind, entry.call or entry.count, entry.reason) for _, entry in read(path)] == [
        ("attempt", 1, None),
        ("attempt", 3, None),
        ("lost", 1, "unstorable"),
    ]


def test_the_columns_are_those_of_an_entry_in_its_order(path, journal):
    journal.put(an_entry())
    journal.flush(10)
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
    connection.close()
    assert columns == ["id", *COLUMNS]
