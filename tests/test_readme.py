"""Every code block of the README does what it says."""

import logging
import os
import pathlib
import re
import subprocess
import sys

import anthropic
import pytest
from jaeger.jaeger_build import JAEGER

import failover
from failover import Policy, PolicyError, parse_policy
from failover.cli.app import app
from failover.policy import Retry
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


def test_the_example_of_a_mistake_is_what_is_really_said():
    example = next(line for _, text in BLOCKS for line in text.splitlines() if line.startswith("my.yaml:"))
    with pytest.raises(PolicyError) as raised:
        parse_policy("version: 1\nname: mine\nbreaker:\n trip:\n  consecutive_failurs: 3\n", "my.yaml")
    assert str(raised.value) == example


def test_the_example_of_a_log_is_what_is_really_logged(fake_claude, fake_clock, caplog):
    caplog.set_level(logging.INFO, "failover")
    policy = Policy(version=1, name="short", retry=Retry(tries=1))
    client = failover.wrap(
        anthropic.Anthropic(base_url=fake_claude.url, api_key="test"), failover.Failover(policy, clock=fake_clock)
    )

    def call():
        client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": "Hello"}])

    fake_claude.fail("claude-opus-5-5", status=500)
    for _ in range(5):
        call()
    fake_claude.heal()
    fake_clock.advance(20)
    call()
    call()
    logged = {_without_numbers(f"{record.levelname} {record.message}") for record in caplog.records}
    examples = [line for _, text in BLOCKS for line in text.splitlines() if line.startswith(("WARNING", "INFO"))]
    assert examples
    assert {_without_numbers(line) for line in examples} == logged


def _without_numbers(line):
    return re.sub(r"req_\w+|\d+\.\d+", "*", line)


@pytest.mark.parametrize("text", blocks("bash"))
def test_a_command_exists(text):
    targets = set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    known = {"make": targets, "failover": {command.callback.__name__ for command in app.registered_commands}}
    for line in text.splitlines():
        program, *words = line.partition("#")[0].split()
        if program == "docker":
            assert words[-1] == f"jaegertracing/jaeger:{JAEGER}"
        elif program == "pip":
            assert words == ["install", "anthropic-failover"]
        else:
            assert words[0] in known[program]
