"""`failover models`: what is shown of the catalogue, to people and to programs."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from failover.cli.app import app
from failover.cli.models_show import table
from failover.request.catalogue import shipped

USABLE = [model.id for model in shipped().models if model.lifecycle != "retired"]


def test_every_usable_model_is_a_paragraph_that_fits_a_page(cli):
    ran = cli("models")
    lines = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line for line in lines if line.startswith("claude-") and "(" not in line] == USABLE
    assert all(len(line) <= 80 for line in lines)
    at = lines.index("claude-opus-5-5")
    assert " ".join(" ".join(lines[at + 1 : at + 5]).split()).startswith(
        "line opus, context 1M, max output 128k, thinking adaptive, effort low..max, forced tools no, prefill no,"
        " price $4/$20, bucket opus-5-5, retires from 2027-09-22"
    )


def test_retired_models_are_one_list_at_the_end(cli):
    text = " ".join(cli("models").stdout.partition("\n\n")[2].split())
    assert text.startswith("Retired: claude-opus-4-1 (2026-08-05), ")
    assert len(re.findall(r"\(20\d\d-\d\d-\d\d\)", text)) == len(shipped().models) - len(USABLE)


def test_a_terminal_gets_a_table():
    output = io.StringIO()
    Console(file=output, width=200, force_terminal=True, color_system=None).print(table(shipped().models))
    (row,) = (line for line in output.getvalue().splitlines() if line.strip().startswith("claude-haiku-5-5"))
    assert " ".join(row.split()) == (
        "claude-haiku-5-5 haiku 1M 128k adaptive/disabled low..max ? no $0.1/$0.5 (over 100k: $0.5/$2.5) haiku-5-5"
        " from 2027-10-07"
    )
    assert "claude-opus-4-1 (2026-08-05)" in output.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_fits_its_terminal(width):
    output = io.StringIO()
    Console(file=output, width=width, force_terminal=True, color_system=None).print(table(shipped().models))
    assert all(len(line) <= width for line in output.getvalue().splitlines())


def test_one_model_is_shown_with_every_value_and_its_source(cli):
    lines = cli("models", "us.anthropic.claude-opus-5-5").stdout.splitlines()
    model = shipped().find("claude-opus-5-5")
    assert lines[0] == "claude-opus-5-5"
    values = dict(zip(lines[2::2], lines[3::2], strict=False))
    for field, key in model.sources.items():
        if field != "id":
            (shown,) = (line for line in values if line.startswith(f"  {field}: "))
            source = shipped().sources[key]
            assert values[shown] == f"      {source.url} ({source.read})"
    assert "  thinking: adaptive" in values
    assert "  refused_tools: computer_20251124" in values
    assert "  retires: from 2027-09-22" in values
    assert "  prefill: no" in values
    assert re.search(r"not known: .*server_tools", " ".join(lines[-2:]))


def test_nothing_is_all_that_is_shown_of_a_model_without_documentation(cli):
    text = " ".join(cli("models", "claude-mythos-5-2").stdout.split())
    assert text.startswith("claude-mythos-5-2 https://github.com/anthropics/anthropic-sdk-python")
    assert text.count("https://") == 1
    assert "not known: line, released, lifecycle" in text


def test_programs_read_json(cli):
    said = json.loads(cli("models", "--json").stdout)
    assert [model["id"] for model in said["models"]] == [model.id for model in shipped().models]
    opus = next(model for model in said["models"] if model["id"] == "claude-opus-5-5")
    assert opus["max_output"] == 128_000
    assert opus["price"] == {"input": 4.0, "output": 20.0, "above": None}
    assert opus["retires"] == "2027-09-22"
    assert opus["server_tools"] is None
    assert {key for model in said["models"] for key in model["sources"].values()} == set(said["sources"])


def test_json_of_one_model_is_a_list_of_one(cli):
    said = json.loads(cli("models", "claude-haiku-4-5@20251001", "--json").stdout)
    assert [model["id"] for model in said["models"]] == ["claude-haiku-4-5"]
    assert set(said["sources"]) == set(said["models"][0]["sources"].values())


@pytest.mark.parametrize("chosen", ["option", "environment"])
def test_a_catalogue_of_the_users_is_laid_over(tmp_path, chosen):
    file = tmp_path / "mine.yaml"
    file.write_text("models: {our-opus: {like: claude-opus-5-5, max_output: 10k}}\n")
    option = ["--file", str(file)] if chosen == "option" else []
    ran = CliRunner(env={"FAILOVER_MODELS": None if option else str(file)}).invoke(app, ["models", "our-opus", *option])
    assert f"  max_output: 10k\n      {file}\n" in ran.stdout


def test_an_unknown_model_is_one_line_and_exit_code_1(cli):
    ran = cli("models", "claude-opus-5.5")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == "failover: no model is called 'claude-opus-5.5'; did you mean `claude-opus-5-5`?\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "x.yaml"], "--output is where --refresh writes"),
        (["--refresh", "claude-opus-5-5"], "leave MODEL and --json out"),
        (["--refresh", "--json"], "leave MODEL and --json out"),
        (["--refresh"], "needs ANTHROPIC_API_KEY in the environment"),
        (["--file", "nosuch.yaml"], "nosuch.yaml: there is no such file"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(cli, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    ran = cli("models", *arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert words in line
