"""Every code block of the README does what it says."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from failover import parse_policy
from failover.testing import FakeClaude

ROOT = pathlib.Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


def blocks(language):
    found = [text for kind, text in BLOCKS if kind == language]
    assert found
    return [pytest.param(text, id=f"{language}-{number}") for number, text in enumerate(found, 1)]


def test_every_block_is_of_a_kind_that_is_tested_here():
    assert {kind for kind, _ in BLOCKS} == {"bash", "python", "yaml", "text"}


@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_block_runs_as_a_program_of_its_own(code):
    with FakeClaude() as fake:
        environment = {**os.environ, "ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": "test"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr  # what the log says of a switch is welcome


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_yaml_block_is_a_policy(text):
    assert parse_policy(text, "README.md").version == 1


@pytest.mark.parametrize("text", blocks("bash"))
def test_a_command_exists(text):
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        assert (words[0] == "make" and words[1] in targets) or words == ["pip", "install", "anthropic-failover"]
