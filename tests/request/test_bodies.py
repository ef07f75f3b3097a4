"""The bodies that other tests are made of: each feature is refused by the models that it should be, and by no other."""

from __future__ import annotations

import copy
import json

import pytest
from anthropic import Anthropic
from bodies import FEATURES, NEED_A_SERVER, PLAIN, Sent, body_with, conversations, is_valid, valid_bodies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.testing import FakeClaude
from failover.testing.model_rules import violations

ALWAYS = {"temperature"}
"""Refused by every model under the version of the API that the SDK speaks."""
NO_OFF = {"thinking_disabled", "thinking_between_tools"}
OF_5 = ALWAYS | {"prefill", "thinking_enabled", "thinking_between_tools"}
OF_4_6 = ALWAYS | {"prefill", "thinking_between_tools", "effort_xhigh"}
OF_4_5 = ALWAYS | {
    "thinking_adaptive", "thinking_omitted", "thinking_between_tools", "effort_xhigh", "effort_max", "max_tokens_big",
    "long_prompt", "speed_fast",
}  # fmt: skip
FORCED = {"tool_choice_any", "tool_choice_tool"}
EFFORTS = {"effort_low", "effort_medium", "effort_high", "effort_xhigh", "effort_max"}
REFUSED = {
    "claude-haiku-5-5": OF_5 | {"speed_fast", "fallbacks_list", "computer_20251124", "computer_20250124"},
    "claude-sonnet-5-5": OF_5 - {"thinking_between_tools"} | FORCED
    | {"thinking_disabled", "speed_fast", "computer_20251124", "advisor_opus_4_8"},
    "claude-opus-5-5": OF_5 | FORCED | NO_OFF | {"computer_20251124"},
    "claude-fable-5-1": OF_5 | FORCED | NO_OFF | {"speed_fast"},
    "claude-opus-5": OF_5,
    "claude-sonnet-5": OF_5 | {"speed_fast"},
    "claude-fable-5": OF_5 | NO_OFF | {"speed_fast"},
    "claude-opus-4-8": OF_5 | {"fallbacks_list"},
    "claude-opus-4-7": OF_5 | {"speed_fast", "system_message"},
    "claude-opus-4-6": OF_4_6 | {"system_message"},
    "claude-sonnet-4-6": OF_4_6 | {"speed_fast", "system_message"},
    "claude-opus-4-5": OF_4_5 | {"inference_geo", "system_message"},
    "claude-sonnet-4-5": OF_4_5 | EFFORTS | {"inference_geo", "system_message"},
    "claude-haiku-4-5": OF_4_5 | EFFORTS | {"inference_geo", "system_message"},
    "claude-unheard-of": set(),
}  # fmt: skip

some = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
def fake():
    with FakeClaude() as server:
        yield server


@pytest.fixture
def client(fake):
    with Anthropic(base_url=fake.url, api_key="test", max_retries=0) as client:
        yield client


def sent_by_the_sdk(client, sent):
    """The status of the answer when the real client sends it."""
    headers = {"anthropic-beta": ",".join(sent.betas)} if sent.betas else {}
    answer = client.post("/v1/messages", body=sent.body, cast_to=object, options={"headers": headers})
    return answer["type"]


@pytest.mark.parametrize("model", REFUSED)
def test_a_feature_is_refused_by_the_models_that_do_not_have_it(model):
    assert {name for name in FEATURES if not is_valid(body_with(model, name))} == REFUSED[model]


@pytest.mark.parametrize("name", FEATURES.keys() - ALWAYS - NEED_A_SERVER)
def test_a_feature_is_taken_by_the_api_where_it_is_valid(client, name):
    model = next(model for model in REFUSED if name not in REFUSED[model])
    assert sent_by_the_sdk(client, body_with(model, name)) == "message"


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_changes_a_copy(name):
    before = copy.deepcopy(PLAIN)
    sent = body_with("claude-opus-5", name)
    assert before == PLAIN
    assert (sent.body == {"model": "claude-opus-5", **PLAIN}) is (name == "plain")


def test_features_add_up():
    sent = body_with(
        "claude-opus-5", "effort_low", "structured_output", "web_search", "strict_tool", "image", "prefill"
    )
    assert sent.body["output_config"].keys() == {"effort", "format"}
    assert [tool["name"] for tool in sent.body["tools"]] == ["web_search", "strict_one"]
    assert [block["type"] for block in sent.body["messages"][0]["content"]] == ["text", "image"]
    assert sent.body["messages"][-1]["role"] == "assistant"


@some
@given(conversations())
def test_a_conversation_is_taken_by_every_model(body):
    assert [violations({**body, "model": model}) for model in REFUSED if violations({**body, "model": model})] == []


@some
@given(conversations(mark=lambda words: f"(may go) {words}"))
def test_a_conversation_may_have_marked_blocks(body):
    blocks = body.get("system", [])
    marked = [block for block in blocks if isinstance(block, dict) and block["text"].startswith("(may go) ")]
    assert violations(body) == ()
    assert len(json.dumps(body).split('"cache_control"')) <= 5
    assert all(block["text"] != "(may go) " for block in marked)


@pytest.mark.parametrize(
    "wanted", ["tool_use", "image", "document", "thinking", "redacted_thinking", "server_tool_use"]
)
def test_conversations_have_blocks_of_all_kinds(wanted):
    seen = set()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(conversations())
    def look(body):
        seen.update(block["type"] for each in body["messages"] for block in each["content"] if isinstance(block, dict))

    look()
    assert wanted in seen


@some
@given(st.data())
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5", "claude-unheard-of"])
def test_valid_bodies_violate_nothing(model, data):
    sent = data.draw(valid_bodies(model))
    assert isinstance(sent, Sent)
    assert violations(sent.body, sent.betas) == ()
    assert sent.body["model"] == model


@settings(
    some, max_examples=20, suppress_health_check=[*some.suppress_health_check, HealthCheck.function_scoped_fixture]
)
@given(st.data())
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-4-5"])
def test_valid_bodies_are_taken_by_the_api(client, model, data):
    assert sent_by_the_sdk(client, data.draw(valid_bodies(model))) == "message"
