"""The example policies: each loads, says what its comments promise, and teaches by numbers that are right."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from failover.cli.check_models import remarks
from failover.policy import Backoff, Policy, default_policy, load_policy, parse_policy
from failover.request.catalogue import shipped

FOLDER = Path(__file__).parents[2] / "policies"
FILES = sorted(FOLDER.iterdir())


def _waits(backoff: Backoff, times: int) -> float:
    """Seconds of so many waits in a row, if jitter shortens none."""
    return sum(min(backoff.first * backoff.factor**time, backoff.max) for time in range(times))


def _rungs(policy: Policy) -> int:
    """Of the longest ladder, with a requested model that is not on it."""
    return 1 + max(len(ladder.rungs) for ladder in policy.ladders)


def test_the_folder_has_the_five_policies():
    assert [file.name for file in FILES] == [
        "default.yaml",
        "interactive.yaml",
        "multi-cloud.yaml",
        "patient-batch.yaml",
        "shrink-on-timeout.yaml",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_policy_loads_under_the_name_of_its_file(file):
    assert load_policy(file).name == file.stem


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_worst_case_in_the_comments_is_what_the_policy_says(file):
    policy = load_policy(file)
    found = re.search(
        r"Worst case of one call: (\d+) requests, ([\d.]+) s of waits, no request later than (\d+) s", file.read_text()
    )
    retry, rungs = policy.retry, _rungs(policy)
    in_place = rungs * retry.passes * _waits(retry.wait, retry.tries - 1)
    assert int(found[1]) == rungs * retry.tries * retry.passes
    assert float(found[2]) == pytest.approx(in_place + _waits(retry.between_passes, retry.passes - 1), abs=0.05)
    assert int(found[3]) == retry.deadline


def test_the_default_file_is_the_built_in_policy_word_by_word():
    policy = load_policy(FOLDER / "default.yaml")
    assert policy == default_policy()
    assert policy.digest == default_policy().digest


def test_the_default_file_names_every_key_that_there_is():
    assert load_policy(FOLDER / "default.yaml").model_fields_set == set(Policy.model_fields)
    text = (FOLDER / "default.yaml").read_text()
    policy = default_policy()
    for part in (policy.retry, policy.breaker, policy.breaker.trip, policy.breaker.open_for, policy.breaker.probe):
        for key in type(part).model_fields:
            assert re.search(rf"^ +{key}:", text, re.MULTILINE), key


@pytest.mark.parametrize(
    ("stem", "answers"),
    [("default", "stretch"), ("interactive", "cut"), ("multi-cloud", "cut"), ("patient-batch", "stretch")],
)
def test_a_person_is_not_kept_waiting_for_a_long_answer_and_a_batch_is(stem, answers):
    assert load_policy(FOLDER / f"{stem}.yaml").retry.long_answers == answers


def test_interactive_gives_up_in_seconds():
    policy = load_policy(FOLDER / "interactive.yaml")
    retry, trip = policy.retry, policy.breaker.trip
    assert (retry.passes, retry.tries) == (1, 2)
    assert 20 <= retry.deadline <= 30
    assert 0 < retry.reserve < retry.deadline / 2
    assert retry.wait.max <= 0.5
    assert retry.retry_after.max <= 1
    assert _rungs(policy) == 3
    assert trip.consecutive_failures < default_policy().breaker.trip.consecutive_failures


def test_no_good_answer_opens_a_circuit_of_interactive_by_its_length():
    trip = load_policy(FOLDER / "interactive.yaml").breaker.trip
    assert (trip.slow_rate, trip.hung_calls) == (None, None)


@pytest.mark.parametrize("file", [FOLDER / "default.yaml", FOLDER / "interactive.yaml"], ids=lambda file: file.stem)
@pytest.mark.parametrize("rule", ["slow_rate", "hung_calls"])
def test_a_rule_that_is_off_can_be_turned_on_as_its_comment_writes_it(file, rule):
    text = re.sub(rf"{rule}: off +# ({{.+?}})", rf"{rule}: \1  #", file.read_text())
    assert getattr(parse_policy(text).breaker.trip, rule) is not None


def test_patient_batch_begins_as_advised_and_outlasts_half_an_hour():
    policy = load_policy(FOLDER / "patient-batch.yaml")
    retry = policy.retry
    assert retry.deadline == 1_800
    assert (retry.between_passes.first, retry.between_passes.jitter) == (10, "equal")  # 5 to 10 s
    shortest = _waits(retry.between_passes, retry.passes - 1) / 2
    assert shortest > retry.deadline
    assert f"add up to {shortest:.1f} s" in (FOLDER / "patient-batch.yaml").read_text().replace("\n# ", " ").replace(
        "  ", " "
    )


def test_patient_batch_stays_in_the_family_of_the_requested_model():
    policy = load_policy(FOLDER / "patient-batch.yaml")
    for family in ("opus", "sonnet", "haiku"):
        assert all(family in rung.model for rung in policy.rungs_for(f"claude-{family}-9"))


def test_patient_batch_lets_three_hundred_workers_wait_at_once():
    retry = load_policy(FOLDER / "patient-batch.yaml").retry
    assert retry.budget.min_per_second * retry.between_passes.max / 2 >= 300


class TestMultiCloud:
    POLICY = load_policy(FOLDER / "multi-cloud.yaml")
    LINES = ("fable", "opus", "sonnet", "haiku")

    @pytest.mark.parametrize("line", LINES)
    def test_goes_from_the_own_client_to_bedrock_to_another_key(self, line):
        rungs = self.POLICY.rungs_for(f"claude-{line}-9")
        assert [rung.client for rung in rungs] == ["default", "default", "bedrock", "backup-key"]

    @pytest.mark.parametrize("line", LINES)
    def test_names_models_as_each_place_does(self, line):
        for rung in self.POLICY.rungs_for(f"claude-{line}-9")[1:]:
            model = shipped().find(rung.model)
            there = model.ids["bedrock"] if rung.client == "bedrock" else (model.id,)
            assert rung.model.removeprefix("global.") in there

    def test_has_no_rung_that_its_price_rules_out(self):
        assert [one for one in remarks(self.POLICY, shipped(), dt.date(2026, 11, 22)) if one.what == "warning"] == []

    def test_lets_pass_what_its_comment_says(self):
        asked, dearer = (shipped().find(name).price for name in ("claude-sonnet-5-5", "claude-opus-5-5"))
        assert dearer.input == 2 * asked.input
        assert dearer.output == 2 * asked.output
        assert self.POLICY.cost_at_most == 3

    def test_says_which_clients_it_needs(self):
        text = (FOLDER / "multi-cloud.yaml").read_text()
        given = text.partition("clients={")[2].partition("})")[0]
        assert set(re.findall(r'"([\w-]+)": \w+\(', given)) == self.POLICY.clients

    def test_can_be_told_to_raise_what_it_would_hide(self):
        text = (FOLDER / "multi-cloud.yaml").read_text()
        rule = re.search(r"^#   (authentication_error: .*)$", text, re.MULTILINE)[1]
        changed = parse_policy(text.replace("errors: {}", f"errors:\n  {rule}"))
        assert changed.errors["authentication_error"].do == "raise"
