"""What each model takes of a request's fields, rule by rule: who is refused, who is not, and in which words."""

from __future__ import annotations

import pytest

from failover.testing.model_rules import violations

ALL = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-1",
    "claude-mythos-5-1",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-mythos-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "claude-mythos-preview",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
)
OF_4_5 = {"claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"}
OF_4_6 = {"claude-opus-4-6", "claude-sonnet-4-6"}
FABLES = {"claude-fable-5-1", "claude-mythos-5-1", "claude-fable-5", "claude-mythos-5"}
HI = [{"role": "user", "content": "hi"}]
BUDGET = {"type": "enabled", "budget_tokens": 1024}
FAST = "fast-mode-2026-02-01"
FALLBACK = "server-side-fallback-2026-07-01"


def words(model, *betas, version="2026-10-21", tokens=None, **fields):
    """What is wrong with a plain request that has some more fields."""
    body = {"model": model, "max_tokens": 2048, "messages": HI, **fields}
    found = violations(body, betas, version=version, tokens=tokens)
    assert {(item.status, item.error_type, item.error_code) for item in found} <= {(400, "invalid_request_error", None)}
    return [item.message for item in found]


def refusing(*betas, **fields):
    """The models that do not take such a request."""
    return {model for model in ALL if words(model, *betas, **fields)}


def test_a_plain_request_is_taken_by_every_model():
    assert refusing() == set()


@pytest.mark.parametrize(
    ("thinking", "refused"),
    [
        (BUDGET, {*ALL} - OF_4_5 - OF_4_6 - {"claude-mythos-preview"}),
        ({"type": "adaptive"}, OF_4_5),
        (
            {"type": "disabled"},
            FABLES | {"claude-opus-5-5", "claude-sonnet-5-5", "claude-mythos-preview"},
        ),
        ({"type": "between_tools"}, {*ALL} - {"claude-sonnet-5-5"}),
        (None, set()),
    ],
    ids=str,
)
def test_a_kind_of_thinking_is_refused_by_those_that_do_not_have_it(thinking, refused):
    assert refusing(thinking=thinking) == refused


@pytest.mark.parametrize(
    ("model", "kind", "effort", "taken"),
    [
        ("claude-opus-5", "disabled", "high", True),
        ("claude-opus-5", "disabled", "xhigh", False),
        ("claude-opus-5", "disabled", "max", False),
        ("claude-opus-5", "adaptive", "max", True),
        ("claude-haiku-5-5", "disabled", "high", True),
        ("claude-haiku-5-5", "disabled", "xhigh", False),
        ("claude-sonnet-5-5", "between_tools", "high", True),
        ("claude-sonnet-5-5", "between_tools", "max", False),
        ("claude-opus-4-8", "disabled", "max", True),
    ],
)
def test_thinking_can_be_turned_off_only_up_to_an_effort(model, kind, effort, taken):
    said = words(model, thinking={"type": kind}, output_config={"effort": effort})
    assert said == (
        []
        if taken
        else [f'"thinking.type.{kind}" is not supported for this model with "output_config.effort" above high.']
    )


@pytest.mark.parametrize(
    ("thinking", "said"),
    [
        ({"type": "enabled"}, ["thinking.enabled.budget_tokens: Field required"]),
        (
            {"type": "enabled", "budget_tokens": 1023},
            ["thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"],
        ),
        ({"type": "enabled", "budget_tokens": 1024}, []),
        ({"type": "enabled", "budget_tokens": 2047}, []),
        (
            {"type": "enabled", "budget_tokens": 2048},
            ["`max_tokens` must be greater than `thinking.budget_tokens`."],
        ),
    ],
)
def test_a_budget_of_thinking_has_its_limits(thinking, said):
    assert words("claude-sonnet-4-6", thinking=thinking) == said


@pytest.mark.parametrize(
    ("effort", "refused"),
    [
        ("low", OF_4_5 - {"claude-opus-4-5"}),
        ("medium", OF_4_5 - {"claude-opus-4-5"}),
        ("high", OF_4_5 - {"claude-opus-4-5"}),
        ("xhigh", OF_4_5 | OF_4_6 | {"claude-mythos-preview"}),
        ("max", OF_4_5),
        ("extreme", {*ALL}),
        (None, set()),
    ],
)
def test_an_effort_is_refused_by_those_that_do_not_have_it(effort, refused):
    assert refusing(output_config={"effort": effort}) == refused


@pytest.mark.parametrize(("most", "refused"), [(64_000, set()), (64_001, OF_4_5), (128_000, OF_4_5), (128_001, {*ALL})])
def test_more_output_than_a_model_can_give_is_refused(most, refused):
    assert refusing(max_tokens=most) == refused


@pytest.mark.parametrize(
    ("tokens", "refused"),
    [(197_952, set()), (197_953, OF_4_5), (997_952, OF_4_5), (997_953, {*ALL}), (1_000_001, {*ALL})],
)
def test_a_prompt_and_its_answer_must_fit_the_context_window(tokens, refused):
    assert refusing(tokens=tokens) == refused


def test_a_prompt_that_is_too_long_by_itself_is_named_so():
    assert words("claude-haiku-4-5", tokens=200_001) == ["prompt is too long: 200001 tokens > 200000 maximum"]
    (said,) = words("claude-haiku-4-5", tokens=199_000)
    assert said.startswith("input length and `max_tokens` exceed context limit: 199000 + 2048 > 200000")


def test_a_prompt_is_estimated_where_nobody_says_how_long_it_is():
    long = [{"role": "user", "content": "word " * 170_000}]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}}
    assert words("claude-haiku-4-5", messages=long)
    assert words("claude-haiku-4-5", messages=[{"role": "user", "content": [picture]}]) == []


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_forced_tool_is_refused_by_some(choice):
    refused = {"claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5"}
    assert refusing(tool_choice=choice) == refused
    assert words("claude-opus-5-5", tool_choice=choice) == [
        'tool_choice: type "tool" and "any" are not supported for this model.'
    ]


def test_a_forced_tool_does_not_go_with_manual_thinking():
    more = {"tool_choice": {"type": "any"}}
    assert words("claude-haiku-4-5", thinking=BUDGET, **more) == [
        "Thinking may not be enabled when tool_choice forces tool use."
    ]
    assert words("claude-haiku-4-5", thinking=BUDGET, tool_choice={"type": "auto"}) == []
    assert words("claude-opus-5", thinking={"type": "adaptive"}, **more) == []


@pytest.mark.parametrize("choice", [None, {"type": "auto"}, {"type": "none"}])
def test_a_free_choice_of_tools_is_taken_by_all(choice):
    assert refusing(tool_choice=choice) == set()


@pytest.mark.parametrize(
    ("name", "value", "default"), [("temperature", 0.5, 1.0), ("top_p", 0.9, 1.0), ("top_k", 40, None)]
)
def test_sampling_is_refused_by_all_now_and_formerly_by_newer_models_only(name, value, default):
    assert words("claude-sonnet-4-6", **{name: value}) == [f"{name}: Extra inputs are not permitted"]
    assert refusing(**{name: value}) == refusing(**{name: default}) == {*ALL}
    assert refusing(version="2023-06-01", **{name: value}) == {*ALL} - OF_4_5 - OF_4_6
    assert refusing(version="2023-06-01", **{name: default}) == set()


def test_a_prefill_is_taken_by_the_oldest_models_only():
    prefilled = [*HI, {"role": "assistant", "content": "It is"}]
    assert refusing(messages=prefilled) == {*ALL} - OF_4_5
    assert refusing(messages=prefilled, fallback_credit_token="fct_1") == set()
    assert words("claude-opus-5", messages=prefilled)[0].startswith("This model does not support assistant message")


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("computer_20251124", {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"}),
        ("computer_20250124", {"claude-haiku-5-5"}),
        ("computer_toolset_20260801", set()),
        ("web_search_20260209", set()),
        (None, set()),
    ],
)
def test_a_version_of_a_tool_is_refused_by_those_that_need_another(kind, refused):
    tool = {"name": "one", **({} if kind is None else {"type": kind})}
    assert refusing(tools=[{"name": "two", "input_schema": {}}, tool]) == refused
    assert [said.split(":")[0] for said in words("claude-haiku-5-5", tools=[tool])] == ["tools.0"] * bool(refused)


@pytest.mark.parametrize(
    ("advisor", "refused"),
    [
        ("claude-opus-4-8", {"claude-sonnet-5-5"}),
        ("claude-opus-4-7", {"claude-sonnet-5-5"}),
        ("claude-sonnet-5", {"claude-sonnet-5-5"}),
        ("claude-opus-5-5", set()),
    ],
)
def test_an_advisor_may_not_be_every_model(advisor, refused):
    assert refusing(tools=[{"type": "advisor_20260301", "name": "advisor", "model": advisor}]) == refused


def test_fast_mode_is_for_a_few_models_and_behind_a_beta():
    fast = {"claude-opus-5-5", "claude-opus-5", "claude-opus-4-8", "claude-opus-4-6"}
    assert refusing(FAST, speed="fast") == {*ALL} - fast
    assert refusing(speed="fast") == {*ALL}
    assert refusing(speed="standard") == set()


@pytest.mark.parametrize(
    ("fallbacks", "more", "said"),
    [
        ("default", {}, None),
        ([{"model": "claude-opus-4-8"}], {}, None),
        (None, {}, None),
        ("other", {}, "fallbacks: Input should be"),
        ([{"model": "claude-opus-5"}], {}, "fallbacks.0.model: must differ"),
        ([{"model": "claude-opus-4-8"}] * 2, {}, "fallbacks.1.model: must differ"),
        ([{"model": f"claude-x-{number}"} for number in range(4)], {}, "fallbacks: List should have at most 3"),
        ([{"model": "claude-opus-4-8", "system": "no"}], {}, "fallbacks.0.system: Extra inputs"),
        ([{"model": "claude-3-haiku-20240307"}], {}, "fallbacks.0.model: claude-3-haiku-20240307 is not available"),
        ([{"model": "claude-haiku-4-5", "max_tokens": 64_001}], {}, "fallbacks.0.max_tokens: 64001 > 64000"),
        ([{"model": "claude-haiku-4-5", "thinking": BUDGET}], {}, None),
        ([{"model": "claude-haiku-4-5", "thinking": BUDGET}], {"max_tokens": 1024}, "fallbacks.0.`max_tokens` must be"),
        ([{"model": "claude-opus-4-8", "thinking": BUDGET}], {}, 'fallbacks.0."thinking.type.enabled" is not'),
        ([{"model": "claude-haiku-4-5", "thinking": None}], {"thinking": {"type": "adaptive"}}, None),
        ("default", {"fallback_credit_token": "fct_1"}, "fallback_credit_token: cannot be combined"),
    ],
)
def test_fallbacks_have_their_own_rules(fallbacks, more, said):
    found = words("claude-opus-5", FALLBACK, fallbacks=fallbacks, **more)
    assert len(found) == (said is not None)
    assert all(each.startswith(said) for each in found)


def test_fallbacks_need_a_beta_and_a_model_that_has_them():
    entries = [{"model": "claude-sonnet-4-6"}]
    assert words("claude-opus-5", fallbacks=entries) == ["fallbacks: Extra inputs are not permitted"]
    assert words("claude-opus-5", "server-side-fallback-2026-06-01", fallbacks=entries) == []
    assert words("claude-haiku-5-5", FALLBACK, fallbacks=entries) == ["fallbacks: not supported for this model."]
    assert words("claude-haiku-5-5", FALLBACK, fallbacks="default") == []


@pytest.mark.parametrize(
    ("field", "beta"),
    [
        ({"thread": {"type": "create"}}, "message-threads-2026-08-12"),
        (
            {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}},
            "thinking-binding-controls-2026-08-01",
        ),
    ],
)
def test_some_fields_need_a_beta(field, beta):
    assert "Extra inputs are not permitted" in words("claude-opus-5-5", **field)[0]
    assert words("claude-opus-5-5", beta, **field) == []


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-4-1",
        "claude-opus-4-20250514",
        "claude-sonnet-4-0",
        "claude-3-7-sonnet-latest",
        "claude-3-5-haiku-20241022",
        "claude-3-haiku-20240307",
    ],
)
def test_a_retired_model_is_not_found(model):
    (found,) = violations({"model": model, "max_tokens": 10**9, "messages": [], "temperature": 1})
    assert (found.status, found.error_type, found.message) == (404, "not_found_error", f"model: {model}")


@pytest.mark.parametrize("alias", ["opus", "sonnet", "haiku"])
def test_an_alias_is_refused_what_its_model_is_refused(alias):
    dated = {"opus": "20251101", "sonnet": "20250929", "haiku": "20251001"}[alias]
    adaptive = {"thinking": {"type": "adaptive"}}
    assert words(f"claude-{alias}-4-5", **adaptive) == words(f"claude-{alias}-4-5-{dated}", **adaptive) != []


def test_of_a_model_that_nobody_knows_only_the_conversation_can_be_wrong():
    fields = {"max_tokens": 10**9, "temperature": 2, "speed": "fast", "thinking": {"type": "between_tools"}}
    assert words("claude-next", **fields, messages=[*HI, {"role": "assistant", "content": "It"}]) == []
    assert len(words("claude-next", **fields, messages=[{"role": "user", "content": ""}])) == 1


def test_a_request_to_count_tokens_is_not_measured_by_its_answer():
    body = {"model": "claude-haiku-4-5", "messages": HI}
    assert violations(body, tokens=10**9) == ()
    assert len(violations({**body, "thinking": {"type": "adaptive"}})) == 1
