"""A small outage that takes a second and a half, and ways to run the command line on it."""

from __future__ import annotations

import os
import subprocess
import sys

OPUS, FALLBACK = "claude-opus-5-5", "claude-opus-5"

SCENARIO = """
name: small-outage
seed: 3
duration: 30s
faults:
  - {model: claude-opus-5-5, from: 5s, until: 15s, status: 500, probability: 50%}
  - {model: claude-opus-5-5, from: 5s, until: 15s, status: 529}
"""
POLICY = """
version: 1
name: small
ladders:
  - match: "claude-opus-*"
    rungs: [claude-opus-5-5, claude-opus-5]
breaker:
  trip: {consecutive_failures: 3}
  open_for: {first: 4s, factor: 2, max: 20s, jitter: 0%}
"""
"""Opens at about 6 s, asks in vain at 10 s, and closes after 18 s."""

UNWANTED = ("ANTHROPIC_", "FAILOVER_", "OTEL_", "CI", "NO_COLOR", "FORCE_COLOR")
"""Variables of whoever runs the tests that would change what is printed."""


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNWANTED)}
    return {**kept, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", **variables}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "failover.cli", *arguments]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=environment(**variables),
    )


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
