"""Measures every budget of the project that can be measured by now, and prints one table that can be pasted.

    python -m benchmarks.overhead            the full run, a few minutes
    python -m benchmarks.overhead --quick    small counts: it shows that everything runs, its numbers mean little
    python -m benchmarks.overhead stream     one part of it, or several

Times are differences and ratios between variants that take turns within one run, never absolute claims. It exits
with 0 whatever it measures.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator

from . import circuit, hop, imports, latency, nights, outage, stream, stream_first, stream_memory, threads, watched
from .report import Row, machine, table
from .timing import FULL, QUICK, Counts

__all__ = ["main"]

_PARTS = {
    part.__name__.rpartition(".")[2]: part
    for part in (latency, watched, hop, stream, stream_first, stream_memory, circuit, threads, imports, nights, outage)
}


def main(arguments: list[str] | None = None) -> None:
    """Run all measurements and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it runs, measures little")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(_PARTS)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose from {', '.join(_PARTS)}")
    for name in ("failover", "opentelemetry"):  # outages are what is measured here, not news
        logging.getLogger(name).setLevel(logging.CRITICAL)
    print(machine(), end="\n\n")
    print(table(_rows(options.parts or list(_PARTS), QUICK if options.quick else FULL)))


def _rows(names: list[str], counts: Counts) -> Iterator[Row]:
    for name in names:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        yield from _PARTS[name].rows(counts)


if __name__ == "__main__":
    main()
