"""The models endpoint tells what the fake refuses, and what a test wants it to tell."""

from __future__ import annotations

from datetime import date

import anyio
import pytest
from anthropic import Anthropic, AsyncAnthropic, NotFoundError
from fake_lab import CALL, PATIENT, post

CAPABILITIES = {
    "batch", "citations", "code_execution", "context_management", "effort", "image_input", "pdf_input",
    "server_tools", "structured_outputs", "thinking",
}  # fmt: skip
KINDS = ("adaptive", "between_tools", "disabled", "enabled")
LEVELS = ("low", "medium", "high", "xhigh", "max")


@pytest.fixture
def client(fake_claude):
    with Anthropic(base_url=fake_claude.url, api_key="test", max_retries=0, timeout=PATIENT) as client:
        yield client


def supported(part, names):
    return {name for name in names if getattr(part, name).supported}


def usable(client):
    return [model for model in client.models.list() if model.capabilities is not None]


def test_the_list_holds_every_model_of_the_sdk_and_those_that_were(client):
    models = {model.id: model for model in client.models.list()}
    assert {"claude-fable-5-2", "claude-opus-5-5", "claude-haiku-4-5-20251001"} <= models.keys()
    assert models["claude-3-haiku-20240307"].lifecycle == "retired"
    assert len(models) == len(list(client.models.list()))


@pytest.mark.parametrize(
    ("name", "line", "limits", "released"),
    [
        ("claude-fable-5-1", "fable", (1_000_000, 128_000), date(2026, 9, 1)),
        ("claude-opus-5-5", "opus", (1_000_000, 128_000), date(2026, 9, 22)),
        ("claude-sonnet-4-6", "sonnet", (1_000_000, 128_000), date(2026, 2, 17)),
        ("claude-haiku-4-5", "haiku", (200_000, 64_000), date(2025, 10, 15)),
        ("claude-fable-5-2", "fable", (None, None), date(1970, 1, 1)),
    ],
)
def test_a_model_has_its_own_limits(client, name, line, limits, released):
    model = client.models.retrieve(name)
    assert (model.line, (model.max_input_tokens, model.max_tokens)) == (line, limits)
    assert (model.lifecycle, model.retires_at, model.created_at.date()) == ("active", None, released)


@pytest.mark.parametrize(
    ("name", "lifecycle", "day"),
    [
        ("claude-sonnet-4-5", "deprecated", date(2026, 11, 30)),
        ("claude-mythos-preview", "deprecated", date(2026, 6, 30)),
        ("claude-opus-4-1", "retired", date(2026, 8, 5)),
    ],
)
def test_a_model_that_goes_says_when(client, name, lifecycle, day):
    model = client.models.retrieve(name)
    assert (model.lifecycle, model.retires_at.date()) == (lifecycle, day)


def test_an_alias_is_answered_with_the_model(client):
    assert client.models.retrieve("claude-sonnet-4-5").id == "claude-sonnet-4-5-20250929"


def test_capabilities_have_all_their_keys(client):
    for model in usable(client):
        said = model.capabilities.to_dict()
        assert said.keys() == CAPABILITIES
        assert said["thinking"]["types"].keys() == {*KINDS}
        assert said["effort"].keys() == {"supported", *LEVELS}
        assert len(said["context_management"]) == 4


def takers(fake, client, **fields):
    """The models that a request with such fields is not refused for."""
    return {model.id for model in usable(client) if post(fake, model=model.id, **fields).status_code == 200}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_thinking_is_supported_exactly_where_it_is_not_refused(fake_claude, client, kind):
    thinking = {"type": kind, **({"budget_tokens": 1024} if kind == "enabled" else {})}
    said = {model.id for model in usable(client) if kind in supported(model.capabilities.thinking.types, KINDS)}
    assert takers(fake_claude, client, max_tokens=2048, thinking=thinking) == said != set()


@pytest.mark.parametrize("level", LEVELS)
def test_an_effort_is_supported_exactly_where_it_is_not_refused(fake_claude, client, level):
    said = {model.id for model in usable(client) if level in supported(model.capabilities.effort, LEVELS)}
    assert takers(fake_claude, client, output_config={"effort": level}) == said != set()


@pytest.mark.parametrize("name", ["gpt", "claude-unheard-of"])
def test_a_model_that_there_is_not_is_not_found(client, name):
    with pytest.raises(NotFoundError, match=f"model: {name}"):
        client.models.retrieve(name)


def test_a_test_can_change_what_is_said_of_a_model(fake_claude, client):
    fake_claude.describe(
        "claude-opus-5-5", max_tokens=5, capabilities={"thinking": {"types": {"enabled": {"supported": True}}}}
    )
    fake_claude.describe("claude-opus-5-5", lifecycle="deprecated", retires_at="2027-01-02T00:00:00Z")
    model = client.models.retrieve("claude-opus-5-5")
    assert (model.max_tokens, model.lifecycle, model.retires_at.date()) == (5, "deprecated", date(2027, 1, 2))
    assert supported(model.capabilities.thinking.types, KINDS) == {"adaptive", "enabled"}
    assert model.capabilities.pdf_input.supported
    assert model in list(client.models.list())


def test_a_model_is_described_by_any_of_its_names(fake_claude, client):
    fake_claude.describe("claude-haiku-4-5", display_name="Small")
    assert client.models.retrieve("claude-haiku-4-5-20251001").display_name == "Small"


def test_a_test_can_tell_of_a_model_that_is_not_known(fake_claude, client):
    fake_claude.describe("claude-next", line="opus", max_tokens=7)
    model = client.models.retrieve("claude-next")
    assert (model.line, model.max_tokens, model.capabilities, model.max_input_tokens) == ("opus", 7, None, None)
    assert "claude-next" in [each.id for each in client.models.list()]


def test_what_a_model_is_said_to_be_changes_nothing_of_what_it_refuses(fake_claude, client):
    fake_claude.describe("claude-opus-5-5", max_tokens=5, lifecycle="retired")
    assert client.messages.create(**CALL).stop_reason == "end_turn"


def test_what_was_said_of_a_model_is_forgotten_on_clear(fake_claude, client):
    fake_claude.describe("claude-next")
    fake_claude.clear()
    with pytest.raises(NotFoundError):
        client.models.retrieve("claude-next")


def test_the_async_client_reads_the_same(fake_claude, client):
    async def listed():
        async with AsyncAnthropic(base_url=fake_claude.url, api_key="test", max_retries=0) as asynchronous:
            return [model async for model in asynchronous.models.list()]

    assert anyio.run(listed) == list(client.models.list())


def test_the_beta_endpoint_says_the_same(client):
    assert [model.id for model in client.beta.models.list()] == [model.id for model in client.models.list()]
