"""Measures every budget of the project that can be measured by now, and prints one table that can be pasted.

    python -m benchmarks.overhead            the full run, a few minutes
    python -m benchmarks.overhead --quick    small counts: it shows that everything runs, its numbers mean little

Times are differences and ratios between variants that take turns within one run, never absolute claims. It exits
with 0 whatever it measures.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator

from . import circuit, imports, latency, outage, threads
from .report import Row, machine, table
from .timing import FULL, QUICK, Counts

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run all measurements and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it runs, measures little")
    options = parser.parse_args(arguments)
    logging.getLogger("failover").setLevel(logging.CRITICAL)  # outages are what is measured here, not news
    print(machine(), end="\n\n")
    print(table(_rows(QUICK if options.quick else FULL)))


def _rows(counts: Counts) -> Iterator[Row]:
    for part in (latency, circuit, threads, imports, outage):
        print(f"measuring: {part.__name__.rpartition('.')[2]} ...", file=sys.stderr, flush=True)
        yield from part.rows(counts)


if __name__ == "__main__":
    main()
