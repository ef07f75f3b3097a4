"""How long a journal of 100,000 entries takes to be told, in each of the forms of `failover report`.

From the file to the text, with all that a form needs to be imported, in an interpreter that has been started and has
imported `failover`: how long that takes is another row (see `imports`). Each is a process of its own, in CPU time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from failover import Journal
from failover.journal import Entry

from .report import Row
from .timing import Counts, spread

__all__ = ["rows"]

_AT_MOST = 2.0
_BEGAN = 1_795_298_400.0
_MODELS = ("claude-opus-5-5", "claude-opus-5", "claude-sonnet-5-5")
_OF_A_CALL = 4  # entries: two attempts, a switch, the call
_TELL = """
import sys, time
import failover
from failover.cli import report
began = time.process_time()
report.report(__import__("pathlib").Path(sys.argv[1]), format_=report.Format(sys.argv[2]),
              output=__import__("pathlib").Path(sys.argv[3]))
print(time.process_time() - began)
"""


def rows(counts: Counts) -> Iterator[Row]:
    """One for each form."""
    entries = counts.calls * 100
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with Journal(path, capacity=entries + 1, keep_for=float("inf"), keep_bytes=float("inf")) as journal:
            for entry in _night(entries):
                journal.put(entry)
            journal.flush(60.0)
        for form in ("md", "json", "html"):
            taken = spread(_seconds(path, form) for _ in range(max(1, counts.slow_rounds // 5)))
            yield Row(
                f"journal told as {form}, {entries:,} entries",
                f"{taken.median:.2f} s",
                f"{taken.low:.2f} to {taken.high:.2f}",
                f"≤ {_AT_MOST:g} s",
                taken.median <= _AT_MOST,
            )


def _seconds(path: Path, form: str) -> float:
    command = [sys.executable, "-c", _TELL, str(path), form, str(path.with_suffix("." + form))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - our own


def _night(entries: int) -> Iterator[Entry]:
    """Calls whose first model fails, by four processes, and an outage of some minutes every hour."""
    for number in range(entries // _OF_A_CALL):
        at = _BEGAN + number * 8 * 3600.0 * _OF_A_CALL / entries
        process, first, second = f"p{number % 4}", _MODELS[number % 2], _MODELS[number % 2 + 1]
        for attempt, (model, reason) in enumerate(((first, "primary"), (first, "retry")), 1):
            yield Entry(
                at,
                "attempt",
                process,
                "default",
                number,
                client="default",
                model=model,
                circuit=model,
                number=attempt,
                reason=reason,
                outcome="failure",
                status=529,
                error_type="overloaded_error",
                request_id=f"req_{number}_{attempt}",
                seconds=0.5,
            )
        if number % 1000 in {0, 200}:
            before, after = ("closed", "open") if number % 1000 == 0 else ("open", "closed")
            yield Entry(
                at, "transition", process, "default", circuit=first, outcome=after, count=5, detail={"from": before}
            )
        else:
            yield Entry(at, "served", process, "default", client="default", model=second, circuit=second, count=1)
        detail = {"served": second, "request_ids": [f"req_{number}_1", f"req_{number}_2"]}
        yield Entry(at, "call", process, "default", number, model=first, outcome="fallback", count=3, detail=detail)
