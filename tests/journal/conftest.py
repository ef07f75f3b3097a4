"""A file, and a journal that is in a hurry."""

from __future__ import annotations

import logging

import pytest
from journal_lab import QUICK

from failover.journal import Journal
from failover.journal.database import Database


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def make(path):
    """Makes journals; all are closed after the test."""
    made = []

    def make(where=path, **options):
        made.append(Journal(where, **({"pace": QUICK} | options)))
        return made[-1]

    yield make
    for journal in made:
        journal.close()


@pytest.fixture
def journal(make):
    return make()


@pytest.fixture
def tries(monkeypatch):
    """Grows with every try to write, when it is over."""
    tries = []
    real = Database.insert

    def insert(database, rows):
        try:
            real(database, rows)
        finally:
            tries.append(len(rows))

    monkeypatch.setattr(Database, "insert", insert)
    return tries


@pytest.fixture
def log(caplog):
    """What is logged, from the finest line on."""
    caplog.set_level(logging.DEBUG, logger="failover")
    return caplog
