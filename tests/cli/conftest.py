"""The small outage as files, one plain run of it that many tests read, and the command line in this process."""

from __future__ import annotations

import os
import sys
from subprocess import CompletedProcess

import pytest
from cli_lab import POLICY, SCENARIO, UNWANTED, run

from failover.cli import main


@pytest.fixture(scope="session")
def outage(tmp_path_factory):
    """The arguments of a demo that takes a second and a half; a later `--speed` wins."""
    folder = tmp_path_factory.mktemp("demo")
    scenario, policy = folder / "scenario.yaml", folder / "policy.yaml"
    scenario.write_text(SCENARIO)
    policy.write_text(POLICY)
    return ("--scenario", str(scenario), "--policy", str(policy), "--speed", "20")


@pytest.fixture(scope="session")
def moment(tmp_path_factory):
    """The arguments of a demo that takes no time to speak of: nothing fails, and four calls are made."""
    scenario = tmp_path_factory.mktemp("moment") / "brücke.yaml"
    scenario.write_text("name: brücke\nduration: 2s\n", encoding="utf-8")
    return ("--scenario", str(scenario), "--speed", "20")


@pytest.fixture(scope="session")
def plain_run(outage):
    return run("demo", *outage, "--speed", "10", "--plain")


@pytest.fixture
def cli(monkeypatch, capsys):
    """Runs the command line here, which takes a second less than a program of its own."""
    for name in os.environ:
        if name.startswith(UNWANTED):
            monkeypatch.delenv(name)

    def in_process(*arguments):
        monkeypatch.setattr(sys, "argv", ["failover", *arguments])
        with pytest.raises(SystemExit) as raised:
            main()
        return CompletedProcess(arguments, raised.value.code, *capsys.readouterr())

    return in_process
