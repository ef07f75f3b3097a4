"""What holds for all rules: nothing of the caller's is touched or told, and what makes no sense stays as it is."""

from __future__ import annotations

import copy

import pytest
from bodies import FEATURES, body_with
from fit_lab import CURRENT, fit, known, sent

FIELDS = (
    "thinking", "output_config", "output_format", "max_tokens", "tool_choice", "tools", "speed", "service_tier",
    "inference_geo", "container", "mcp_servers", "context_management", "messages", "system", "diagnostics",
    "temperature",
)  # fmt: skip
STRANGE = (
    None, "", "text", 0, 7, -1.5, True, [], ["x"], [None], [[]], {}, {"type": None}, {"type": []}, {"type": {}},
    {"type": "strange"}, [{"type": None}], [{"type": {}, "text": 5}], {"effort": []}, {"effort": "strange"},
    {"effort": None}, {"edits": None}, {"edits": [None, 5]}, {"edits": "x"}, {"type": "enabled", "budget_tokens": "x"},
    [{"role": "assistant", "content": None}], [{"role": "user", "content": [None, 5, {"type": []}]}],
    [{"role": "user", "content": [{"type": "tool_result", "content": [None, {"source": 5}]}]}],
    [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": 5}}]}],
    [{"role": "user", "content": [{"type": "text", "text": 5}]}], [{"role": ["user"], "content": "x"}],
    [{"type": "advisor_20260301", "model": {}}], [{"type": "advisor_20260301"}], {"type": "tool"},
)  # fmt: skip
UNABLE = known(
    "claude-opus-5-5", structured_outputs=False, images=False, pdfs=False, citations=False, context_edits=(),
    server_tools=(), max_output=100, context_window=2_000_000, effort=("low",),
)  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("to", [UNABLE, known("claude-haiku-4-5"), known("claude-sonnet-5-5")], ids=lambda m: m.id)
def test_a_field_of_a_strange_form_raises_nothing(name, to):
    for value in STRANGE:
        for adapt in (False, True):
            for place in ({}, {"platform": "bedrock", "other_client": True}):
                body = sent("claude-opus-4-8", **{name: value})
                before = copy.deepcopy(body)
                fit(body, to, adapt=adapt, **place)
                assert body == before


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("thinking", "output_config", "tool_choice", "context_management") for value in
     (None, "", "text", 7, True, [], ["x"], {}, {"type": None}, {"type": []}, {"edits": "x"}, {"effort": "strange"},
      {"effort": []})],
)  # fmt: skip
def test_a_field_of_a_strange_form_stays_as_it_is(name, value):
    done = fit(sent("claude-fable-5", **{name: value}), "claude-sonnet-5")
    assert done.body[name] is value
    assert (done.misfit, done.changes) == (None, ())


def changed(before, after):
    """The names of the fields that are not the very same objects."""
    return {name for name in before.keys() | after.keys() if before.get(name) is not after.get(name)}


@pytest.mark.parametrize("feature", FEATURES)
def test_the_callers_body_is_not_touched_and_what_does_not_change_is_not_copied(feature):
    for model in CURRENT:
        given = body_with("claude-opus-4-6", feature)
        before = copy.deepcopy(given.body)
        for adapt in (False, True):
            done = fit(given.body, model, adapt=adapt, betas=given.betas)
            assert given.body == before
            if done.misfit is None:
                instructions = sum("instruction" in change for change in done.changes)
                assert len(changed(given.body, done.body)) <= 1 + len(done.changes) + instructions
                olds = {id(message) for message in given.body["messages"]}
                news = [message for message in done.body["messages"] if id(message) not in olds]
                assert len(news) <= instructions


CANARY = "canary"


def with_canaries(value):
    """Every text of a prompt, and every name that a caller chooses, has the canary in it."""
    if isinstance(value, list):
        return [with_canaries(item) for item in value]
    if not isinstance(value, dict):
        return value
    chosen = {"text", "name", "data", "file_id", "thinking", "content", "system", "url", "user_id", "id", "description"}
    return {
        key: f"{CANARY} {item}" if key in chosen and isinstance(item, str) else with_canaries(item)
        for key, item in value.items()
    }


@pytest.mark.parametrize("feature", FEATURES)
def test_what_changed_and_why_not_is_said_without_a_word_of_the_prompt(feature):
    given = body_with("claude-opus-4-6", feature)
    body = with_canaries({**given.body, "container": CANARY, "system": CANARY})
    assert CANARY in str(body)
    for model in CURRENT:
        for adapt in (False, True):
            for other_client in (False, True):
                done = fit(body, model, adapt=adapt, betas=given.betas, other_client=other_client)
                assert CANARY not in " ".join([*done.changes, done.why or ""])


def test_the_name_of_a_forced_tool_stands_in_the_body_alone():
    choice = {"type": "tool", "name": CANARY}
    tools = [{"name": CANARY, "input_schema": {"type": "object"}}]
    done = fit(sent("claude-opus-5", tools=tools, tool_choice=choice), "claude-opus-5-5", adapt=True)
    assert CANARY in str(done.body["messages"])
    assert CANARY not in " ".join(done.changes)
