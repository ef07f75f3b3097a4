"""The entry point: help, version, and every way to fail without a traceback."""

from __future__ import annotations

import importlib.metadata
import signal
import subprocess

import pytest
from cli_lab import command, environment, run, run_python

WITHOUT = """
import sys
sys.modules[{module!r}] = None
sys.argv[0] = "failover"
from failover.cli import main
main()
"""


def test_without_a_command_it_prints_its_help(cli):
    ran = cli()
    assert ran.returncode == 0
    assert "Usage: failover" in ran.stdout
    assert {"demo", "check"} <= set(ran.stdout.split())


def test_it_says_its_version(cli):
    ran = cli("--version")
    assert ran.stdout.split()[:2] == ["failover", importlib.metadata.version("anthropic-failover")]
    assert ran.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], "nosuch"),
        (["chekc"], "Did you mean 'check'?"),
        (["check"], "FILE"),
        (["demo", "--speed", "0"], "--speed"),
        (["demo", "--speed", "fast"], "--speed"),
        (["demo", "--nosuch"], "--nosuch"),
        (["demo", "--rate", "100"], "--rate 100 at --speed 12 would be 1,200 calls"),
        (["demo", "--otlp", "localhost:4318"], "http://localhost:4318"),
        (["demo", "--otlp", "http://host:port"], "http://localhost:4318"),
        (["demo", "--live"], "ANTHROPIC_API_KEY"),
        (["demo", "--live", "--speed", "5", "--seed", "1"], "--speed, --seed"),
        (["demo", "--policy", "nosuch.yaml"], "nosuch.yaml: there is no such file"),
        (["demo", "--scenario", "nosuch.yaml"], "nosuch.yaml: there is no such file"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(cli, arguments, words):
    ran = cli(*arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("typer", [], "cli"),
        ("rich", [], "cli"),
        ("uvicorn", ["demo"], "testing"),
        ("opentelemetry.exporter.otlp.proto.http.trace_exporter", ["demo", "--otlp", "http://127.0.0.1:9"], "otlp"),
    ],
)
def test_a_missing_extra_is_one_line_that_says_what_to_install(module, arguments, extra):
    ran = run_python(WITHOUT.format(module=module), *arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.endswith(f"pip install 'anthropic-failover[{extra}]'")
    assert module.partition(".")[0] in line


def test_a_fault_of_our_own_is_not_called_a_missing_extra():
    ran = run_python(WITHOUT.format(module="failover.cli.check"))
    assert ran.returncode == 1
    assert "ModuleNotFoundError" in ran.stderr


def test_ctrl_c_ends_the_demo_with_130_and_no_traceback():
    with subprocess.Popen(
        command("demo", "--plain"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        assert demo.stdout is not None
        while "every model answers" not in demo.stdout.readline():
            pass
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert errors == ""


@pytest.mark.parametrize("arguments", [["demo", "--plain"], ["check", "."]])
def test_a_reader_that_goes_away_is_met_with_silence(arguments):
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        assert demo.stdout is not None
        demo.stdout.close()
        demo.stdout = None
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert errors == ""


def test_a_reader_that_goes_away_in_the_middle_is_met_with_silence_too():
    with subprocess.Popen(
        command("demo", "--plain"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as demo:
        assert demo.stdout is not None
        while "every model answers" not in demo.stdout.readline():
            pass
        demo.stdout.close()
        demo.stdout = None
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert errors == ""


def test_what_an_old_terminal_cannot_show_is_escaped(moment):
    ran = run("demo", *moment, PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert r"scenario br\xfccke" in ran.stdout
    assert ran.stderr == ""
