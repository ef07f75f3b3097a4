"""Every client class of the SDK keeps its type when it is wrapped, and falls over on its own platform's wire."""

from __future__ import annotations

import json

import anthropic
import anthropic.lib.aws
import anthropic.lib.bedrock
import anthropic.lib.google_cloud
import anyio
import httpx2
import pytest
from sdk_callers import CALL, HELLO, NO_REPEAT, ladder, policy, reply

import failover
from failover import Failover

GOOD = "claude-good"
BAD = "claude-bad"
AWS = {"aws_access_key": "fake", "aws_secret_key": "fake", "aws_region": "us-east-1"}
FAKE_KEY = "fake-key"

PLATFORMS = {
    "": {"api_key": FAKE_KEY},
    "AWS": {**AWS, "workspace_id": "wrkspc_1"},
    "Bedrock": AWS,
    "BedrockMantle": AWS,
    "Foundry": {"api_key": FAKE_KEY, "resource": "fake"},
    "GoogleCloud": {"project": "fake", "workspace_id": "wrkspc_1", "token_provider": lambda: "fake"},
    "Vertex": {"region": "us-east5", "project_id": "fake", "access_token": "fake"},
}
HOMES = (anthropic, anthropic.lib.aws, anthropic.lib.bedrock, anthropic.lib.google_cloud)
CLASSES = [f"{prefix}Anthropic{platform}" for platform in PLATFORMS for prefix in ("", "Async")]


def class_named(name):
    return next(getattr(home, name) for home in HOMES if hasattr(home, name))


class Wire:
    """A platform on which one model is overloaded; it writes down what reached it."""

    def __init__(self):
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        number = len(self.requests)
        # Bedrock and Claude Platform on AWS have an id of their own; only the latter has ours as well.
        headers = (
            {"x-amzn-requestid": f"aws_{number}"}
            if "bedrock-runtime" in request.url.host
            else {"request-id": f"req_{number}"}
        )
        if BAD in str(request.url) or BAD.encode() in request.content:
            body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return httpx2.Response(529, json=body, headers=headers)
        return httpx2.Response(200, json=reply(GOOD), headers=headers)


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def make(wire):
    """Makes a client of a class, by its name, that talks to the wire."""

    def make(name):
        platform = name.removeprefix("Async").removeprefix("Anthropic")
        options = dict(PLATFORMS[platform])
        if name.startswith("Async"):
            http_client = httpx2.AsyncClient(transport=httpx2.MockTransport(wire))
            if "token_provider" in options:

                async def provide():
                    return "fake"

                options["token_provider"] = provide
        else:
            http_client = httpx2.Client(transport=httpx2.MockTransport(wire))
        return class_named(name)(http_client=http_client, **options)

    return make


def test_no_class_of_the_sdk_is_missing_here():
    found = {
        name
        for home in HOMES
        for name in dir(home)
        if name.startswith(("Anthropic", "AsyncAnthropic")) and hasattr(getattr(home, name), "with_middleware")
    }
    assert found == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_the_type_is_kept(make, name):
    client = make(name)
    wrapped = failover.wrap(client)
    assert type(wrapped) is type(client)
    assert wrapped is not client
    assert wrapped.with_options(timeout=3).max_retries == client.max_retries


def ask(client, model):
    """A message, from either kind of client."""
    fields = {**CALL, "model": model}
    if type(client).__name__.startswith("Async"):
        return anyio.run(lambda: client.messages.create(**fields))
    return client.messages.create(**fields)


@pytest.mark.parametrize("name", CLASSES)
def test_it_falls_over_and_knows_each_request_id(make, wire, name):
    client = failover.wrap(make(name), policy(ladders=ladder(GOOD), retry=NO_REPEAT))
    with failover.recording() as routes:
        assert ask(client, BAD).model == GOOD
    (route,) = routes
    prefix = "aws" if name.endswith("Bedrock") else "req"
    assert [(a.model, a.status, a.request_id) for a in route.attempts] == [
        (BAD, 529, f"{prefix}_1"),
        (GOOD, 200, f"{prefix}_2"),
    ]
    sent = json.loads(wire.requests[1].content)
    assert sent["messages"] == HELLO
    assert GOOD in str(wire.requests[1].url) or sent["model"] == GOOD


@pytest.mark.parametrize("name", CLASSES)
def test_when_nobody_answers_the_error_is_the_sdks_own(make, wire, name):
    client = failover.wrap(make(name), policy(ladders=[], retry=NO_REPEAT))
    with pytest.raises(anthropic.InternalServerError) as raised:
        ask(client, BAD)
    assert raised.value.status_code == 529
    assert len(failover.route(raised.value).attempts) == len(wire.requests) == 1
    assert len(raised.value.__notes__) == 1


@pytest.mark.parametrize("name", ["AnthropicBedrock", "AnthropicBedrockMantle", "AnthropicAWS"])
def test_each_attempt_is_signed_anew(make, wire, name):
    ask(failover.wrap(make(name), policy(ladders=ladder(GOOD), retry=NO_REPEAT)), BAD)
    first, second = (request.headers["authorization"] for request in wire.requests)
    assert first.startswith("AWS4-HMAC-SHA256")
    assert first != second


def test_a_client_and_its_async_twin_share_one_guard(make):
    guard = Failover(policy(ladders=ladder(GOOD), retry=NO_REPEAT))
    sync, asynchronous = failover.wrap(make("Anthropic"), guard), failover.wrap(make("AsyncAnthropic"), guard)
    assert [ask(client, BAD).model for client in (sync, asynchronous, sync, asynchronous)] == [GOOD] * 4
    assert guard.board[BAD].pybreaker.fail_counter == 4
