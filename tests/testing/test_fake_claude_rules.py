"""What a model cannot take is refused over HTTP as the API refuses it, before anything else goes wrong with it."""

from __future__ import annotations

import json

import anyio
import pytest
from anthropic import Anthropic, APIStatusError, AsyncAnthropic, BadRequestError, NotFoundError, OverloadedError
from fake_lab import CALL, TOOL, ask, post

from failover.testing import FakeClaude

both_clients = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])

REFUSED = {
    "kind of thinking": ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
    "effort": ({"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}, "effort parameter"),
    "length of the answer": ({"model": "claude-haiku-4-5", "max_tokens": 64_001}, "max_tokens: 64001 > 64000"),
    "length of the prompt": ({"model": "claude-haiku-4-5", "system": "word " * 170_000}, "prompt is too long: "),
    "prefill": ({"messages": [*CALL["messages"], {"role": "assistant", "content": "I"}]}, "assistant message prefill"),
    "forced tool": ({"tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_choice: type"),
    "sampling": ({"extra_body": {"temperature": 1}}, "temperature: Extra inputs are not permitted"),
    "version of a tool": ({"tools": [{"type": "computer_20251124", "name": "computer"}]}, "computer_20251124"),
    "fast mode": ({"extra_body": {"speed": "fast"}}, "speed: Extra inputs are not permitted"),
    "fallbacks": ({"extra_body": {"fallbacks": "default"}}, "fallbacks: Extra inputs are not permitted"),
    "conversation": ({"messages": [{"role": "assistant", "content": "hi"}]}, "first message must use"),
}


@both_clients
@both_ways
@pytest.mark.parametrize(("more", "words"), REFUSED.values(), ids=REFUSED)
def test_what_a_model_cannot_take_is_a_bad_request(fake_claude, more, words, stream, asynchronous):
    with pytest.raises(BadRequestError) as raised:
        ask(fake_claude.url, stream=stream, asynchronous=asynchronous, **more)
    assert words in raised.value.body["error"]["message"]
    assert raised.value.type == "invalid_request_error"
    assert [request.status for request in fake_claude.requests] == [400]


@both_clients
@both_ways
def test_a_retired_model_is_not_found(fake_claude, stream, asynchronous):
    with pytest.raises(NotFoundError, match="model: claude-opus-4-1") as raised:
        ask(fake_claude.url, stream=stream, asynchronous=asynchronous, model="claude-opus-4-1")
    assert raised.value.type == "not_found_error"


@pytest.mark.parametrize(("more", "words"), REFUSED.values(), ids=REFUSED)
def test_without_validation_it_is_taken(more, words):
    with FakeClaude(validate=False) as fake:
        assert ask(fake.url, stream=False, **more).stop_reason in {"end_turn", "tool_use"}


def test_a_wrong_request_is_refused_whatever_state_the_api_is_in(fake_claude):
    fake_claude.fail(status=529, times=1)
    with pytest.raises(BadRequestError):
        ask(fake_claude.url, stream=False, thinking={"type": "disabled"})
    with pytest.raises(OverloadedError):
        ask(fake_claude.url, stream=False)
    assert ask(fake_claude.url, stream=False).stop_reason == "end_turn"


def test_a_wrong_request_uses_up_no_entry_of_a_script(fake_claude):
    fake_claude.script("claude-opus-5-5", [None])
    assert post(fake_claude, thinking={"type": "disabled"}).status_code == 400
    fake_claude.fail(status=500)
    assert [post(fake_claude).status_code for _ in range(2)] == [200, 500]


def test_the_version_of_the_api_is_that_of_the_header(fake_claude):
    with Anthropic(
        base_url=fake_claude.url, api_key="test", default_headers={"anthropic-version": "2023-06-01"}
    ) as old:
        more = {**CALL, "model": "claude-sonnet-4-6", "extra_body": {"temperature": 0.5}}
        assert old.messages.create(**more).stop_reason == "end_turn"


@both_clients
def test_a_count_of_tokens_is_refused_for_the_same_reasons(fake_claude, asynchronous):
    options = {"base_url": fake_claude.url, "api_key": "test", "max_retries": 0}

    def call(client, **more):
        return client.messages.count_tokens(model=CALL["model"], messages=CALL["messages"], **more)

    async def count_async(**more):
        async with AsyncAnthropic(**options) as client:
            return (await call(client, **more)).input_tokens

    def count(**more):
        if asynchronous:
            return anyio.run(lambda: count_async(**more))
        with Anthropic(**options) as client:
            return call(client, **more).input_tokens

    assert count(thinking={"type": "adaptive"}) > 10
    with pytest.raises(APIStatusError, match="is not supported for this model"):
        count(thinking={"type": "disabled"})


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [3]},
        {"messages": [{"role": "user", "content": [3]}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
        {"messages": [{"role": "user", "content": 3}]},
        {"system": 3},
        {"tools": [3]},
        {"fallbacks": [3]},
        {"fallbacks": [{}]},
        {"thinking": {"type": "adaptive", "block_binding": 3}},
        {"output_config": {"effort": ["low"]}},
        {"max_tokens": 1, "thinking": {"type": []}},
        {"thread": {"type": "continue"}},
    ],
    ids=json.dumps,
)
def test_fields_of_no_shape_are_refused_and_break_nothing(fake_claude, body):
    answer = post(fake_claude, **body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert post(fake_claude).status_code == 200


def test_attachments_count_by_their_kind(fake_claude):
    def counted(size):
        source = {"type": "base64", "media_type": "image/png", "data": "A" * size}
        content = [{"type": "image", "source": source}]
        return ask(fake_claude.url, stream=False, messages=[{"role": "user", "content": content}]).usage.input_tokens

    assert counted(1_000_000) == counted(40) < 2000
