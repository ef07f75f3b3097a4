"""How a hop changes what was said of thinking, effort and lengths."""

from __future__ import annotations

import pytest
from fit_lab import fit, known, sent

ENABLED = {"type": "enabled", "budget_tokens": 2048}
ADAPTIVE = {"type": "adaptive"}
OFF = {"type": "disabled"}
BETWEEN = {"type": "between_tools"}
CLEAR = {"type": "clear_thinking_20251015"}
CLEAR_TOOLS = {"type": "clear_tool_uses_20250919"}


@pytest.mark.parametrize(
    ("asked", "given", "to", "wanted"),
    [
        ("claude-opus-4-6", ENABLED, "claude-sonnet-4-6", ENABLED),
        ("claude-opus-4-6", ENABLED, "claude-haiku-4-5", ENABLED),
        ("claude-haiku-4-5", ENABLED, "claude-opus-4-6", ENABLED),
        ("claude-opus-4-6", ENABLED, "claude-opus-4-8", ADAPTIVE),
        ("claude-opus-4-6", {**ENABLED, "display": "omitted"}, "claude-opus-5-5", {**ADAPTIVE, "display": "omitted"}),
        ("claude-opus-5", ADAPTIVE, "claude-opus-4-6", ADAPTIVE),
        ("claude-opus-5", {**ADAPTIVE, "display": "omitted"}, "claude-opus-4-8", {**ADAPTIVE, "display": "omitted"}),
        ("claude-opus-5", ADAPTIVE, "claude-haiku-4-5", None),
        ("claude-opus-5", OFF, "claude-opus-4-8", OFF),
        ("claude-opus-5", OFF, "claude-opus-5-5", None),
        ("claude-opus-5", OFF, "claude-sonnet-5-5", BETWEEN),
        ("claude-sonnet-5-5", BETWEEN, "claude-opus-5", OFF),
        ("claude-sonnet-5-5", BETWEEN, "claude-haiku-4-5", OFF),
        ("claude-sonnet-5-5", BETWEEN, "claude-opus-5-5", None),
        ("claude-opus-5", None, "claude-opus-4-8", None),
    ],
)
def test_thinking_is_carried_put_in_the_nearest_words_or_left_to_the_target(asked, given, to, wanted):
    done = fit(sent(asked, **({} if given is None else {"thinking": given})), to)
    assert done.misfit is None
    assert done.body.get("thinking") == wanted
    assert any("thinking" in change for change in done.changes) == (given != wanted)


@pytest.mark.parametrize(
    ("asked", "given", "to", "wanted"),
    [
        ("claude-opus-5", "xhigh", "claude-opus-4-8", "xhigh"),
        ("claude-opus-5", "xhigh", "claude-opus-4-6", "high"),
        ("claude-opus-5", "max", "claude-opus-4-6", "max"),
        ("claude-opus-5", "max", "claude-opus-4-5", "high"),
        ("claude-opus-5", "low", "claude-opus-4-5", "low"),
        ("claude-opus-5", "low", "claude-haiku-4-5", None),
        ("claude-opus-5", "high", "claude-opus-5-5", "high"),
        ("claude-opus-5", None, "claude-opus-5-5", "high"),
        ("claude-opus-5-5", None, "claude-opus-5", "medium"),
        ("claude-opus-5-5", None, "claude-haiku-5-5", None),
        ("claude-opus-5", None, "claude-fable-5", None),
        ("claude-opus-5-5", None, "claude-haiku-4-5", None),
        ("claude-haiku-4-5", None, "claude-haiku-5-5", None),
    ],
)
def test_effort_is_the_highest_that_is_taken_and_not_above_what_was_asked_for_or_is_usual(asked, given, to, wanted):
    done = fit(sent(asked, **({} if given is None else {"output_config": {"effort": given}})), to)
    assert done.misfit is None
    assert done.body.get("output_config") == (None if wanted is None else {"effort": wanted})
    assert len(done.changes) == (given != wanted)


@pytest.mark.parametrize("facts", [{"effort": None}, {"effort": ()}, {"effort": ("low",)}, {"effort_default": None}])
def test_a_default_is_named_only_where_it_is_known_to_differ_and_to_be_taken(facts):
    assert fit(sent("claude-opus-5-5"), known("claude-opus-5", **facts)).changes == ()


def test_a_rung_that_demands_another_part_of_the_output_config_does_not_demand_effort():
    demanded = {"output_config": {"format": {"type": "json_schema"}}}
    done = fit(sent("claude-opus-5", output_config={"effort": "max"}), "claude-opus-4-5", patch=demanded)
    assert done.body["output_config"] == {"effort": "high", **demanded["output_config"]}


def test_what_else_the_output_config_holds_stays():
    form = {"type": "json_schema", "schema": {}}
    done = fit(sent("claude-opus-5", output_config={"format": form, "effort": "max"}), "claude-haiku-4-5")
    assert done.body["output_config"] == {"format": form}


@pytest.mark.parametrize(
    ("asked", "thinking", "level", "to", "wanted"),
    [
        ("claude-opus-4-8", OFF, "xhigh", "claude-opus-5", (OFF, "high")),
        ("claude-opus-4-8", OFF, "max", "claude-haiku-5-5", (OFF, "high")),
        ("claude-opus-4-8", OFF, "max", "claude-sonnet-5-5", (BETWEEN, "high")),
        ("claude-opus-4-8", OFF, "medium", "claude-opus-5", (OFF, "medium")),
        ("claude-opus-4-8", OFF, "max", "claude-opus-5-5", (None, "max")),
        ("claude-opus-4-8", OFF, "max", "claude-sonnet-5", (OFF, "max")),
        ("claude-opus-4-8", ADAPTIVE, "max", "claude-opus-5", (ADAPTIVE, "max")),
    ],
)
def test_effort_gives_way_to_thinking_that_is_off(asked, thinking, level, to, wanted):
    done = fit(sent(asked, thinking=thinking, output_config={"effort": level}), to)
    assert done.misfit is None
    assert (done.body.get("thinking"), done.body["output_config"]["effort"]) == wanted


def test_thinking_gives_way_to_effort_that_the_rung_demands():
    demanded = {"output_config": {"effort": "max"}}
    done = fit(sent("claude-opus-4-8", thinking=OFF), "claude-opus-5", patch=demanded)
    assert (done.body.get("thinking"), done.body["output_config"]) == (None, {"effort": "max"})


def test_of_levels_that_are_not_known_only_what_thinking_allows_is_taken_away():
    to = known("claude-opus-5", effort=None)
    assert fit(sent("claude-opus-4-8", output_config={"effort": "max"}), to).changes == ()
    done = fit(sent("claude-opus-4-8", thinking=OFF, output_config={"effort": "max"}), to)
    assert done.body["output_config"] == {"effort": "high"}


@pytest.mark.parametrize(("wished", "to", "got"), [
    (128_000, "claude-haiku-4-5", 64_000),
    (64_000, "claude-haiku-4-5", 64_000),
    (128_000, "claude-opus-5", 128_000),
    (128_000, known("claude-haiku-4-5", max_output=None), 128_000),
])  # fmt: skip
def test_an_answer_is_no_longer_than_the_target_can_write(wished, to, got):
    done = fit(sent("claude-opus-5", max_tokens=wished), to)
    assert done.body["max_tokens"] == got
    assert done.changes == (("max_tokens: 128000 -> 64000",) if got < wished else ())


@pytest.mark.parametrize(
    ("budget", "longest", "to", "wanted"),
    [
        (100_000, 128_000, "claude-haiku-4-5", (63_999, 64_000)),
        (64_000, 128_000, "claude-haiku-4-5", (63_999, 64_000)),
        (63_999, 128_000, "claude-haiku-4-5", (63_999, 64_000)),
        (2_048, 128_000, "claude-haiku-4-5", (2_048, 64_000)),
        (2_048, 128_000, known("claude-haiku-4-5", max_output=2_000), (1_999, 2_000)),
        (2_048, 128_000, known("claude-haiku-4-5", max_output=1_025), (1_024, 1_025)),
        (2_048, 128_000, known("claude-haiku-4-5", max_output=1_024), (None, 1_024)),
    ],
)
def test_a_budget_stays_below_an_answer_that_was_cut(budget, longest, to, wanted):
    done = fit(sent("claude-opus-4-6", max_tokens=longest, thinking={"type": "enabled", "budget_tokens": budget}), to)
    assert ((done.body.get("thinking") or {}).get("budget_tokens"), done.body["max_tokens"]) == wanted


def test_a_budget_for_thinking_between_tools_may_be_larger_than_the_answer():
    thinking = {"type": "enabled", "budget_tokens": 100_000}
    body = sent("claude-opus-4-5", max_tokens=8_000, thinking=thinking)
    done = fit(body, "claude-haiku-4-5", betas=["interleaved-thinking-2025-05-14"])
    assert done.body["thinking"] is thinking
    assert done.changes == ()


@pytest.mark.parametrize(
    ("asked", "thinking", "to", "kept"),
    [
        ("claude-opus-5", ADAPTIVE, "claude-haiku-4-5", [CLEAR_TOOLS]),
        ("claude-opus-5", None, "claude-opus-4-8", [CLEAR_TOOLS]),
        ("claude-opus-5", OFF, "claude-opus-4-8", [CLEAR_TOOLS]),
        ("claude-opus-5", OFF, "claude-opus-5-5", [CLEAR, CLEAR_TOOLS]),
        ("claude-opus-4-8", None, "claude-opus-4-8", [CLEAR, CLEAR_TOOLS]),
        ("claude-opus-5", ADAPTIVE, "claude-opus-4-8", [CLEAR, CLEAR_TOOLS]),
        ("claude-opus-4-6", ENABLED, "claude-haiku-4-5", [CLEAR, CLEAR_TOOLS]),
        ("claude-opus-4-6", ENABLED, "claude-opus-5-5", [CLEAR, CLEAR_TOOLS]),
    ],
)
def test_thinking_is_not_cleared_where_there_is_none(asked, thinking, to, kept):
    fields = {} if thinking is None else {"thinking": thinking}
    done = fit(sent(asked, context_management={"edits": [CLEAR, CLEAR_TOOLS]}, **fields), to)
    assert done.body["context_management"] == {"edits": kept}
    done = fit(sent(asked, context_management={"edits": [CLEAR]}, **fields), to)
    assert ("context_management" in done.body) == (CLEAR in kept)


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"thinking": ENABLED}, "thinking"),
        ({"thinking": None}, "thinking"),
        ({"output_config": {"effort": "max"}}, "output_config"),
        ({"max_tokens": 100_000}, "max_tokens"),
    ],
)
def test_what_the_rung_says_is_sent(patch, field):
    body = sent("claude-opus-5", thinking=ADAPTIVE, output_config={"effort": "low"})
    done = fit(body, "claude-haiku-4-5", patch=patch)
    assert done.body.get(field) == patch[field]
    assert not any(change.startswith(field) for change in done.changes)
