"""`failover check`: exit codes and lines."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from failover import PolicyError, load_policy
from failover.cli.app import app

GOOD = "version: 1\nname: good\nladders:\n  - {match: '*', rungs: []}\n"
TWO_PROBLEMS = "version: 1\nname: bad\nretrry: {}\nretry: {tries: 0}\n"


def check(*arguments):
    ran = CliRunner().invoke(app, ["check", *map(str, arguments)])
    assert ran.exception is None or isinstance(ran.exception, SystemExit)
    return ran.exit_code, ran.stdout.splitlines()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "other.yml").write_text(GOOD.replace("name: good", "name: other"))
    (tmp_path / "notes.txt").write_text("not a policy")
    (tmp_path / "folder.yaml").mkdir()
    return tmp_path


def test_a_good_policy_is_one_line_with_name_digest_and_ladders(folder):
    file = folder / "good.yaml"
    assert check(file) == (0, [f"{file}: ok: good, digest {load_policy(file).digest}, 1 ladder"])


def test_all_problems_of_all_files_are_printed_as_they_are_raised(folder):
    first, second = folder / "first.yaml", folder / "second.yaml"
    first.write_text(TWO_PROBLEMS)
    second.write_text("[")
    expected = []
    for file in (first, second):
        with pytest.raises(PolicyError) as raised:
            load_policy(file)
        expected += raised.value.problems
    code, lines = check(first, folder / "good.yaml", second)
    assert code == 1
    assert len(expected) == 3
    assert [line for line in lines if ": ok: " not in line] == expected
    assert all(re.match(r".*\.yaml:\d+:\d+: ", line) for line in expected)


def test_a_folder_stands_for_the_policies_directly_in_it(folder):
    code, lines = check(folder)
    assert code == 0
    assert [line.partition(":")[0] for line in lines] == [str(folder / "good.yaml"), str(folder / "other.yml")]


def test_quiet_prints_problems_only(folder):
    assert check("--quiet", folder) == (0, [])
    (folder / "bad.yaml").write_text(TWO_PROBLEMS)
    code, lines = check("-q", folder)
    assert code == 1
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nosuch.yaml", "there is no such file"),
        ("empty", "no *.yaml or *.yml file is in this folder"),
        ("binary.yaml", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_the_rest_is_still_checked(folder, name, words):
    (folder / "empty").mkdir()
    (folder / "binary.yaml").write_bytes(b"\xff")
    code, (problem, good) = check(folder / name, folder / "good.yaml")
    assert code == 1
    assert problem.startswith(str(folder / name))
    assert words in problem
    assert ": ok: " in good


def test_the_policies_of_this_repository_are_good(pytestconfig):
    code, lines = check(pytestconfig.rootpath / "policies")
    assert code == 0
    assert len(lines) >= 3
