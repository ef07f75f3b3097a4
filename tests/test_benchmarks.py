"""The benchmarks run as they are told to in the README, and every budget gets a number."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUDGETS = {  # what a row begins with, and the budget that it must show
    "sync, in the chain, 1 KB: Failover over the no-op": "≤ 15 µs",
    "sync, in the chain, 1 KB: failover.wrap over the bare SDK": "≤ 100 µs",
    "sync, in the chain, 1 KB: with recorded spans": "≤ 90 µs",
    "sync, handle alone, 1 KB: Failover over the no-op": "≤ 15 µs",
    "sync, handle alone, 5 MB: Failover over the no-op": "≤ 15 µs",
    "async, in the chain, 1 KB: Failover over the no-op": "≤ 20 µs",
    "async, in the chain, 1 KB: failover.wrap over the bare SDK": "≤ 100 µs",
    "async, in the chain, 1 KB: with recorded spans": "≤ 90 µs",
    "async, handle alone, 1 KB: Failover over the no-op": "≤ 20 µs",
    "async, handle alone, 5 MB: Failover over the no-op": "≤ 20 µs",
    "sync, a collector that takes them": "≤ 100 µs",
    "sync, a collector that is down": "≤ 100 µs",
    "sync, a collector that never answers": "≤ 100 µs",
    "sync, a collector that answers nonsense": "≤ 100 µs",
    "sync, stream of 500 events: added per event": "≤ 3 µs",
    "sync, stream of 5,000 events: added per event": "≤ 3 µs",
    "sync, stream of 5,000 events, read as bytes: added per event": "≤ 3 µs",
    "async, stream of 500 events: added per event": "≤ 3 µs",
    "async, stream of 5,000 events: added per event": "≤ 3 µs",
    "async, stream of 5,000 events, read as bytes: added per event": "≤ 3 µs",
    "stream, the guard alone": "≤ 3 µs",
    "stream, cut in 6 ways: reads after the one that brought the first content": "0",
    "stream whose caller pauses: read ahead": "0",
    "breaker, closed": "≤ 1.5 µs",
    "breaker, open": "≤ 1 µs",
    "32 threads, one board": "≥ 0.97",
    "import failover": "≤ 80 ms",
    "journal told as md": "≤ 2 s",
    "journal told as json": "≤ 2 s",
    "journal told as html": "≤ 2 s",
    "dead calls of 100, one by one": "5 + ",
    "dead calls of 100, 50 at a time": "50 in flight + 5 + ",
    "both models down": "≤ 2 s",
}


@pytest.fixture(scope="module")
def rows():
    command = [sys.executable, "-W", "error", "-m", "benchmarks.overhead", "--quick"]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_row_is_printed_with_a_number_and_a_verdict(rows):
    for what, measured, _spread, budget, verdict in rows:
        assert re.match(r"-?\d", measured), what
        assert verdict == "-" if budget == "-" else verdict in {"ok", "OVER"}, what


@pytest.mark.parametrize("what", BUDGETS)
def test_every_budget_is_measured(rows, what):
    budgets = [row[3] for row in rows if row[0].startswith(what)]
    assert budgets
    assert all(BUDGETS[what] in budget for budget in budgets)


@pytest.mark.parametrize(
    "what",
    [
        "stream, cut in 6 ways",
        "stream whose caller pauses",
        "dead calls of 100, one by one",
        "dead calls of 100, 50 at a time",
        "both models down",
    ],
)
def test_what_is_counted_and_not_timed_keeps_its_budget_on_any_machine(rows, what):
    assert [row[4] for row in rows if row[0].startswith(what)] == ["ok"]


@pytest.mark.parametrize("what", BUDGETS)
def test_the_results_that_are_kept_hold_every_budget(what):
    kept = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert f"| {what.replace('of 100,', 'of 1,000,')}" in kept


def test_of_a_part_that_does_not_exist_is_said_which_ones_do():
    command = [sys.executable, "-m", "benchmarks.overhead", "strems"]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert "there is no part strems: choose from latency, watched, hop, stream, " in run.stderr
