"""The picture for a terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import anyio
import pytest
from cli_lab import FALLBACK, OPUS, POLICY, SCENARIO, command, environment
from rich.console import Console

from failover import parse_policy
from failover.cli.demo.drive import Demonstration
from failover.cli.demo.live import LiveView
from failover.cli.demo.plain import PlainView
from failover.cli.demo.script import Phase, Script
from failover.cli.demo.tally import CallSeen
from failover.engine.route import Attempt, Route
from failover.telemetry.setup import Tracing
from failover.testing import parse_scenario


@pytest.fixture
def demonstration():
    script = Script(parse_scenario(SCENARIO), 30.0, OPUS, speed=20.0, rate=2.0, built_in=False)
    return Demonstration(script, parse_policy(POLICY), Tracing("test").provider)


def seen(at, served, *, route=None):
    return CallSeen(at, 1.5, served, 200 if served else 529, None if served else "OverloadedError", "req_b", route)


def picture(demonstration, *, calls=(), bare=(), rows=40):
    console = Console(record=True, width=110, height=rows, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - a sink
    with console.file:
        view = LiveView(demonstration, console)
        view.phase(Phase(5.0, "OUTAGE: it fails", outage=True))
        for call in calls:
            demonstration.guarded.add(call)
            view.guarded_call(call)
        for call in bare:
            demonstration.bare.add(call)
            view.bare_call(call)
        console.print(view.picture())
    return console.export_text()


SAVED = Route(
    "fallback",
    OPUS,
    FALLBACK,
    (
        Attempt(OPUS, "default", 529, "overloaded_error", "req_a", 0.3),
        Attempt(FALLBACK, "default", 200, None, "req_b", 1.2),
    ),
    (),
    0.0,
)


def test_it_shows_ladder_circuits_strips_calls_and_what_happened(demonstration):
    board = demonstration.failover.board
    board.breaker(OPUS).open()
    board.breaker(FALLBACK)
    text = picture(demonstration, calls=[seen(1.0, OPUS), seen(6.0, FALLBACK, route=SAVED)], bare=[seen(6.0, None)])
    assert re.search(rf"{OPUS} +open, [34] s left +1\n", text)
    assert re.search(rf"{FALLBACK} +closed +1\n", text)
    assert re.search(r"with failover +[·█]+ +0 failed", text)
    assert re.search(r"SDK alone +[·█]+ +1 failed", text)
    assert re.search(rf"00:06.0 +{FALLBACK} +200 +fallback +1.5 s +req_a req_b", text)
    assert "00:05.0  OUTAGE: it fails" in text
    assert "call saved by claude-opus-5 (req_b), after claude-opus-5-5: 529 overloaded_error req_a" in text
    assert "SDK alone: call FAILED after 1.5 s: OverloadedError (req_b)" in text


def test_a_circuit_that_is_half_open_or_due_says_so(demonstration):
    breaker = demonstration.failover.board.breaker(OPUS)
    breaker.isolate()
    assert re.search(rf"{OPUS} +open +0\n", picture(demonstration))
    breaker.close()
    breaker.pybreaker.half_open()
    assert re.search(rf"{OPUS} +half_open +0\n", picture(demonstration))


@pytest.mark.parametrize("rows", [24, 30, 60])
def test_it_never_has_more_rows_than_the_terminal(demonstration, rows):
    calls = [seen(at, OPUS) for at in range(20)]
    assert len(picture(demonstration, calls=calls, rows=rows).splitlines()) < rows


@pytest.mark.parametrize(
    ("variables", "drawn"),
    [
        ({}, True),
        ({"COLUMNS": "60"}, False),
        ({"LINES": "15"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"CI": "true"}, False),
        ({"CI": "false"}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_it_is_drawn_on_a_terminal_that_can_and_wants_to(cli, moment, monkeypatch, variables, drawn):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    for name, value in {"TERM": "xterm", "COLUMNS": "110", "LINES": "40", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cli("demo", *moment).returncode == 0
    assert ("last calls with failover" in terminal.getvalue()) is drawn
    assert "SDK alone" in terminal.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_real_terminal_the_cursor_comes_back(moment):
    output = on_a_terminal(command("demo", *moment), 110, 40, environment())
    assert output.count("last calls with failover") > 1
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


def test_without_colours_a_real_terminal_gets_no_escape_code(moment):
    output = on_a_terminal(command("demo", *moment), 110, 40, environment(NO_COLOR="1"))
    assert "with failover" in output
    assert "\x1b" not in output


def on_a_terminal(arguments, columns, rows, variables):
    """What a program writes to a terminal of that size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as program:
        os.close(theirs)
        chunks = []
        while chunk := read(ours):
            chunks.append(chunk)
    os.close(ours)
    assert program.returncode == 0
    return b"".join(chunks).decode()


def read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says when the last program has closed it
        return b""


def test_the_run_ends_early_when_nobody_reads_any_more(demonstration):
    class GoneConsole(Console):
        def print(self, *_, **__):
            raise BrokenPipeError

    view = PlainView(GoneConsole())
    with pytest.raises(BrokenPipeError):
        anyio.run(demonstration.run, view)
    assert len(demonstration.guarded.calls) < demonstration.script.calls
