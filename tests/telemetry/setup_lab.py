"""Programs that call `failover.tracing.setup`: in this process with a provider that can be taken back, or on their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from opentelemetry import trace
from opentelemetry.util._once import Once

from failover.telemetry import global_provider

__all__ = ["SPAN", "environment", "run_program", "without_a_provider"]

SPAN = "the program's span"
_PROGRAM = """
import os, sys, threading, time
import failover.tracing

def span(name={span!r}):
    from opentelemetry import trace
    trace.get_tracer("program").start_span(name).end()

"""


def without_a_provider(monkeypatch):
    """As in a program that has set nothing up, until `monkeypatch` is undone."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(global_provider, "_installed", None)


def environment(**variables):
    """This process's, without what would tell OpenTelemetry or the SDK something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))}
    return {**kept, **variables}


def run_program(code, *arguments, timeout=30, **variables):
    """Run a program to its end, which must come within `timeout` seconds; there, `span()` makes a span."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", _PROGRAM.format(span=SPAN) + textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environment(**variables),
    )
