"""`failover demo --journal`: what the demo went through, for `failover report`."""

from __future__ import annotations

from collections import Counter

import pytest
from cli_lab import FALLBACK, OPUS, run

from failover.journal import read


@pytest.fixture(scope="module")
def journal(outage, tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "demo.db"
    ran = run("demo", *outage, "--journal", str(path))
    assert ran.returncode == 0, ran.stderr
    assert f"failover report {path}" in ran.stdout
    return [entry for _, entry in read(path)]


def test_it_tells_the_outage(journal):
    kinds = Counter(entry.kind for entry in journal)
    assert kinds["attempt"] >= 3
    assert kinds["call"] == kinds["switch"] > 0
    opened = [entry for entry in journal if entry.kind == "transition"]
    assert (opened[0].circuit, opened[0].outcome) == (OPUS, "open")
    assert opened[-1].outcome == "closed"
    served = Counter()
    for entry in journal:
        if entry.kind == "served":
            served[entry.model] += entry.count
    assert sum(served.values()) == 60
    assert served[FALLBACK] == kinds["switch"]


def test_its_times_are_those_of_the_scenario(journal):
    failures = [entry.at for entry in journal if entry.kind == "attempt"]
    closed = [entry.at for entry in journal if entry.kind == "transition"][-1]
    assert 8 <= closed - failures[0] <= 25  # in a second and a half


def test_the_journal_of_the_environment_is_not_for_a_demo(moment, tmp_path):
    ran = run("demo", *moment, FAILOVER_JOURNAL=str(tmp_path / "real.db"))
    assert ran.returncode == 0
    assert not (tmp_path / "real.db").exists()
