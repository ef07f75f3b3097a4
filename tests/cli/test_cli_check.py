"""`failover check`: exit codes and lines."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from typer.testing import CliRunner

from failover import PolicyError, load_policy
from failover.cli import check_models
from failover.cli.app import app
from failover.policy import Policy
from failover.request.catalogue import parse_catalogue

GOOD = "version: 1\nname: good\nladders:\n  - {match: '*', rungs: []}\n"
TWO_PROBLEMS = "version: 1\nname: bad\nretrry: {}\nretry: {tries: 0}\n"


TODAY = dt.date(2026, 11, 22)


@pytest.fixture(autouse=True)
def on_a_day(monkeypatch):
    monkeypatch.setattr(check_models, "today", lambda: TODAY)
    monkeypatch.delenv("FAILOVER_MODELS", raising=False)


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


def test_the_policies_of_this_repository_are_good_and_have_no_warnings(pytestconfig):
    code, lines = check(pytestconfig.rootpath / "policies")
    assert code == 0
    assert len([line for line in lines if ": ok: " in line]) >= 3
    assert [line for line in lines if ": warning: " in line] == []


CATALOGUE = """
models:
  m-gone: {lifecycle: retired, retires: 2026-08-05}
  m-gone-some-day: {lifecycle: retired}
  m-going: {lifecycle: deprecated, retires: 2026-11-30}
  m-going-tomorrow: {lifecycle: deprecated, retires: 2026-11-23}
  m-going-today: {retires: 2026-11-22}
  m-overdue: {lifecycle: deprecated, retires: 2026-06-30}
  m-in-90-days: {lifecycle: deprecated, retires: 2027-02-20}
  m-in-91-days: {lifecycle: deprecated, retires: 2027-02-21}
  m-deprecated: {lifecycle: deprecated}
  m-old: {lifecycle: active, retires: 2026-10-15}
  m-aging: {lifecycle: active, retires: 2026-11-24}
  m-young: {lifecycle: active, retires: 2027-09-22}
  m-unknown: {}
"""


def policy_of(folder, *rungs):
    """A policy whose rungs stand on lines of their own, from line 6."""
    file = folder / "rungs.yaml"
    lines = "".join(f"      - {rung}\n" for rung in rungs)
    file.write_text(f"version: 1\nname: x\nladders:\n  - match: 'm-*'\n    rungs:\n{lines}")
    return file


@pytest.fixture
def models(tmp_path):
    file = tmp_path / "models.yaml"
    file.write_text(CATALOGUE)
    return file


@pytest.mark.parametrize(
    ("model", "remark"),
    [
        ("m-gone", "warning: m-gone was retired on 2026-08-05: requests for it fail"),
        ("m-gone-some-day", "warning: m-gone-some-day was retired: requests for it fail"),
        ("m-going", "warning: m-going retires on 2026-11-30, in 8 days"),
        ("m-going-tomorrow", "warning: m-going-tomorrow retires on 2026-11-23, tomorrow"),
        ("m-going-today", "warning: m-going-today retires on 2026-11-22, today"),
        (
            "m-overdue",
            "warning: m-overdue was to be retired on 2026-06-30, which has passed: requests for it may fail",
        ),
        ("m-in-90-days", "warning: m-in-90-days retires on 2027-02-20, in 90 days"),
        ("m-in-91-days", "hint: m-in-91-days retires on 2027-02-21, in 91 days"),
        ("m-deprecated", "hint: m-deprecated is deprecated: it will be retired"),
        (
            "m-old",
            "hint: m-old may retire any day: its date, not sooner than 2026-10-15, has passed; no retirement is announced",
        ),
        ("m-aging", "hint: m-aging may retire from 2026-11-24 on, in 2 days; no retirement is announced"),
        ("m-youngg", "hint: 'm-youngg' is not in the catalogue of models; did you mean `m-young`?"),
        ("m-young", None),
        ("m-unknown", None),
    ],
)
def test_a_model_that_goes_or_is_unknown_is_said_where_it_stands(tmp_path, models, model, remark):
    file = policy_of(tmp_path, f"{{set: {{max_tokens: 1}}, model: {model}}}", model)
    code, lines = check("--models", models, file)
    assert code == 0
    *remarks, last = lines
    assert remarks == (
        [f"{file}:6:39: ladders[0].rungs[0].model: {remark}", f"{file}:7:9: ladders[0].rungs[1]: {remark}"]
        if remark
        else []
    )
    assert ": ok: " in last


OWN_DAYS = "these are Anthropic's days, and another platform may have its own"


@pytest.mark.parametrize(
    ("model", "remark"),
    [
        ("m-gone", "m-gone was retired on 2026-08-05"),
        ("m-gone-some-day", "m-gone-some-day was retired"),
        ("m-going", "m-going retires on 2026-11-30, in 8 days"),
        ("m-overdue", "m-overdue was to be retired on 2026-06-30, which has passed"),
        ("m-deprecated", "m-deprecated is deprecated: it will be retired"),
        ("m-aging", "m-aging may retire from 2026-11-24 on, in 2 days; no retirement is announced"),
    ],
)
def test_of_a_client_whose_platform_is_not_known_no_failure_is_foretold(tmp_path, models, model, remark):
    file = policy_of(tmp_path, f"{{model: {model}, client: bedrock}}")
    code, lines = check("--models", models, file)
    assert code == 0
    assert lines[:-1] == [f"{file}:6:17: ladders[0].rungs[0].model: hint: {remark}; {OWN_DAYS}"]


@pytest.mark.parametrize("client", ["", ", client: default"])
def test_the_callers_own_client_is_taken_for_the_api(tmp_path, models, client):
    _, lines = check("--models", models, policy_of(tmp_path, f"{{model: m-gone, set: {{max_tokens: 1}}{client}}}"))
    assert lines[0].endswith("warning: m-gone was retired on 2026-08-05: requests for it fail")


@pytest.mark.parametrize(
    ("name", "elsewhere"),
    [("us.anthropic.m-gone-v1:0", True), ("m-gone@20250101", True), ("m-also-gone", False), ("m-gone", False)],
)
def test_a_name_of_another_platform_says_that_the_rung_is_there(tmp_path, models, name, elsewhere):
    ids = "ids: {bedrock: ['anthropic.m-gone-v1:0'], vertex: [m-gone@20250101]}, aliases: [m-also-gone]"
    models.write_text(f"models: {{m-gone: {{lifecycle: retired, {ids}}}}}")
    _, lines = check("--models", models, policy_of(tmp_path, f"'{name}'"))
    expected = f"hint: {name} was retired; {OWN_DAYS}" if elsewhere else f"warning: {name} was retired: requests for"
    assert expected in lines[0]


def test_quiet_prints_warnings_but_no_hints(tmp_path, models):
    file = policy_of(tmp_path, "m-gone", "m-old", "nosuch-model")
    code, (line,) = check("-q", "--models", models, file)
    assert code == 0
    assert line.startswith(f"{file}:6:9: ladders[0].rungs[0]: warning: m-gone was retired")


def test_a_name_of_another_platform_is_known(tmp_path):
    file = policy_of(tmp_path, "us.anthropic.claude-opus-5-5", "claude-opus-4-5@20251101")
    _, lines = check(file)
    assert [line.partition("hint: ")[2] for line in lines if "not in the catalogue" in line] == []
    assert "hint: claude-opus-4-5@20251101 may retire from 2026-11-24 on" in lines[0]


def test_ladders_that_are_built_in_are_not_remarked_on(tmp_path):
    file = tmp_path / "short.yaml"
    file.write_text("version: 1\nname: short\n")
    code, lines = check(file)
    assert (code, len(lines)) == (0, 1)


def test_the_catalogue_may_be_named_by_the_environment(tmp_path, models, monkeypatch):
    monkeypatch.setenv("FAILOVER_MODELS", str(models))
    assert "warning: m-gone" in check(policy_of(tmp_path, "m-gone"))[1][0]


def test_a_catalogue_that_cannot_be_used_is_wrong_use(cli, tmp_path):
    file = policy_of(tmp_path, "claude-opus-5")
    ran = cli("check", "--models", str(tmp_path / "nosuch.yaml"), str(file))
    assert ran.returncode == 2
    assert "nosuch.yaml: there is no such file" in ran.stderr


@pytest.mark.parametrize(
    ("prices", "most", "warned"),
    [
        ("m-dear: {price: {input: 30, output: 90}}", 3, "it costs 9 times as much as m-plain, and cost_at_most is 3x"),
        ("m-dear: {price: {input: 30, output: 90}}", 9, None),
        ("m-dear: {price: {input: 30, output: 15}}", 3, None),
        ("m-dear: {}", 3, None),
        ("m-dear: {price: {input: 30, output: 90}}, m-other: {}", 3, None),
        ("m-dear: {price: {input: 30, output: 90}}", None, None),
    ],
)
def test_a_rung_that_always_costs_too_much_is_never_used(prices, most, warned):
    plain = "m-cheap: {price: {input: 1, output: 5}}, m-plain: {price: {input: 2, output: 10}}"
    catalogue = parse_catalogue(f"models: {{{plain}, {prices}}}")
    ladders = [{"match": name, "rungs": ["m-dear"]} for name in ("m-dear", "m-*")]
    policy = Policy.model_validate({"version": 1, "name": "x", "ladders": ladders})
    policy = policy.model_copy(update={"cost_at_most": most})
    found = [(remark.path, remark.message) for remark in check_models.remarks(policy, catalogue, TODAY)]
    path = ("ladders", 1, "rungs", 0, "model")
    assert found == ([(path, f"m-dear is never used: {warned}")] if warned else [])
