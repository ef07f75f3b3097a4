"""The mark of a text that may be dropped, on its way from the caller through the SDK to whoever shrinks the prompt."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle

import pytest
from anthropic import Anthropic, AsyncAnthropic

from failover.policy.shrinking import Step
from failover.request.shrink import optional, shrunk

WAYS = ["create", "beta", "raw", "stream", "beta_stream"]
SYSTEMS = [
    optional("A catalogue."),
    [{"type": "text", "text": "Be kind."}, {"type": "text", "text": optional("A catalogue.")}],
    [{"type": "text", "text": optional("A catalogue."), "cache_control": {"type": "ephemeral"}}],
]


def _call(client, way, **fields):
    fields = {"model": "claude-opus-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Go."}], **fields}
    if way == "create":
        return client.messages.create(**fields)
    if way == "beta":
        return client.beta.messages.create(**fields, betas=["context-management-2025-06-27"])
    if way == "raw":
        return client.messages.with_raw_response.create(**fields)
    return client.messages.stream(**fields) if way == "stream" else client.beta.messages.stream(**fields)


def _sync(url, middleware, way, **fields):
    with Anthropic(base_url=url, api_key="none", max_retries=0, middleware=[middleware]) as client:
        answer = _call(client, way, **fields)
        if "stream" in way:
            with answer as stream:
                stream.until_done()


async def _async(url, middleware, way, **fields):
    async def also_async(request, call_next):
        return await middleware(request, call_next)

    async with AsyncAnthropic(base_url=url, api_key="none", max_retries=0, middleware=[also_async]) as client:
        answer = _call(client, way, **fields)
        if "stream" in way:
            async with answer as stream:
                await stream.until_done()
        else:
            await answer


@pytest.fixture(params=["sync", "async"])
def send(request, fake_claude):
    """Sends a prompt through a middleware, with either client."""

    def send(middleware, way, **fields):
        if request.param == "sync":
            _sync(fake_claude.url, middleware, way, **fields)
        else:
            asyncio.run(_async(fake_claude.url, middleware, way, **fields))
        return fake_claude.requests[-1].body

    return send


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("system", SYSTEMS, ids=["text", "block", "only_block"])
def test_the_mark_reaches_a_middleware_and_the_wire_has_a_plain_text(send, way, system):
    def shrinking(request, call_next):
        shrunken.append(shrunk(request.copy().json, [Step(drop_optional_system={})], to_tokens=0))
        return call_next(request)

    shrunken = []
    assert send(shrinking, way, system=system)["system"] == system
    assert [done.body.get("system") for done in shrunken] == [system[:1] if len(system) == 2 else None]


@pytest.mark.parametrize("way", ["create", "beta_stream"])
def test_without_the_marked_texts_the_rest_is_sent(send, way):
    def shrinking(request, call_next):
        done = shrunk(request.json, [Step(drop_optional_system={})], to_tokens=0)
        return call_next(request.copy(body=done.body))

    assert send(shrinking, way, system=SYSTEMS[1])["system"] == SYSTEMS[1][:1]
    assert "system" not in send(shrinking, way, system=SYSTEMS[0])


def test_a_marked_text_is_the_same_text():
    marked = optional("words")
    assert isinstance(marked, str)
    assert marked == "words"
    assert hash(marked) == hash("words")
    assert json.dumps(marked) == '"words"'


@pytest.mark.parametrize(
    "travelled", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text)), optional]
)
def test_the_mark_survives_copying(travelled):
    body = {"system": travelled(optional("words")), "messages": []}
    assert shrunk(body, [Step(drop_optional_system={})], to_tokens=0).body == {"messages": []}
