"""`policies/multi-cloud.yaml` through an outage of everything on the wrapped client, with the clients that it names."""

from __future__ import annotations

import json
from pathlib import Path

import anthropic
import httpx2
import pytest
from named_lab import OWN_KEY, Lab, attempts
from sdk_callers import refuse, reply
from stream_lab import frames
from stream_reading import assert_one_stream, read
from test_clients import AWS
from test_stream_bedrock import chunk

import failover
from failover.policy import load_policy
from failover.stream.message import parsed

POLICY = load_policy(Path(__file__).parents[2] / "policies" / "multi-cloud.yaml")
OPUS, SONNET, HAIKU = "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"
ON_BEDROCK = "https://bedrock-runtime.us-east-1.amazonaws.com/model/global.anthropic."


class BedrockInMemory:
    """Answers well until it is told not to."""

    def __init__(self):
        self.requests = []
        self.down = False

    @property
    def urls(self):
        return [str(request.url) for request in self.requests]

    def __call__(self, request):
        self.requests.append(request)
        if self.down:
            return refuse(503, "api_error")
        model = request.url.path.split("/")[2]
        headers = {"x-amzn-requestid": f"aws_{len(self.requests)}"}
        if request.url.path.endswith("/invoke"):
            return httpx2.Response(200, json=reply(model), headers=headers)
        frames_of_it = b"".join(chunk(event) for event in parsed(b"".join(frames(model).whole)))
        headers["content-type"] = "application/vnd.amazon.eventstream"
        return httpx2.Response(200, content=frames_of_it, headers=headers)


@pytest.fixture
def bedrock():
    return BedrockInMemory()


@pytest.fixture
def caller(connect, asynchronous, fake_clock, backup, bedrock):
    """An `Anthropic` wrapped with the policy and both clients that it names."""
    lab = Lab(connect, fake_clock, backup.url, asynchronous=asynchronous)
    kind = anthropic.AsyncAnthropicBedrock if asynchronous else anthropic.AnthropicBedrock
    http_kind = httpx2.AsyncClient if asynchronous else httpx2.Client
    http_client = http_kind(transport=httpx2.MockTransport(bedrock), verify=False)
    clients = {"bedrock": lab.keep(kind(http_client=http_client, **AWS)), "backup-key": lab.client()}
    yield lab.caller(POLICY, clients)
    lab.close()


def served(caller, model=OPUS, **fields):
    """Which client answered a call, by its route."""
    with failover.recording() as routes:
        caller.create(model=model, **fields)
    return routes[0].attempts[-1].client


@pytest.mark.parametrize("model", [OPUS, SONNET, HAIKU, "claude-fable-5-1"])
def test_bedrock_answers_for_the_very_model_when_the_own_client_is_down(caller, fake_claude, backup, bedrock, model):
    fake_claude.fail("*", 529)
    assert served(caller, model) == "bedrock"
    assert bedrock.urls == [f"{ON_BEDROCK}{model}/invoke"]
    assert bedrock.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256")
    assert OWN_KEY not in f"{bedrock.requests[0].headers.raw}"
    assert backup.requests == []


def test_the_other_key_answers_when_bedrock_is_down_too(caller, fake_claude, backup, bedrock):
    fake_claude.fail("*", 529)
    bedrock.down = True
    assert served(caller) == "backup-key"
    assert [request.model for request in backup.requests] == [OPUS]


def test_a_model_twice_as_dear_may_answer(caller, fake_claude, backup, bedrock):
    fake_claude.fail("*", 529)
    bedrock.down = True
    assert served(caller, SONNET) == "backup-key"
    assert [request.model for request in backup.requests] == [OPUS]


def test_from_the_third_failure_on_calls_begin_at_bedrock(caller, fake_claude, bedrock):
    fake_claude.fail("*", 529)
    assert [served(caller) for _ in range(6)] == ["bedrock"] * 6
    assert fake_claude.count() == 3
    assert caller.board[OPUS].state == "open"
    assert caller.board[f"bedrock/global.anthropic.{OPUS}"].state == "closed"


def test_the_own_client_is_asked_again_and_taken_back(caller, fake_claude, fake_clock):
    fake_claude.fail("*", 529)
    for _ in range(4):
        caller.create(model=OPUS)
    fake_claude.heal()
    assert served(caller) == "bedrock"
    fake_clock.advance(11)
    assert [served(caller) for _ in range(3)] == ["default"] * 3
    assert caller.board[OPUS].state == "closed"


@pytest.mark.parametrize("path", ["messages.create", "messages.stream"])
def test_a_stream_is_read_from_bedrock_as_from_the_api(caller, fake_claude, path):
    fake_claude.fail("*", 529)
    reading = read(caller, path, model=OPUS)
    assert reading.error is None
    assert_one_stream(reading)
    assert reading.blocks == [("text", f"Hello from global.anthropic.{OPUS}.")]
    assert reading.route.request_ids == (fake_claude.requests[0].request_id, "aws_1")


@pytest.mark.parametrize(
    "refusal", [{"status": 401}, {"status": 402}, {"status": 400, "message": "Your credit balance is too low."}]
)
def test_a_refused_account_is_asked_once_by_each_call(caller, fake_claude, bedrock, refusal):
    fake_claude.fail("*", **refusal)
    assert [served(caller, "claude-opus-5") for _ in range(5)] == ["bedrock"] * 5
    assert fake_claude.count() == 5
    assert [breaker.state for breaker in caller.board.breakers()] == ["closed"] * 4


def test_when_every_place_is_down_the_error_is_the_own_clients(caller, fake_claude, backup, bedrock):
    fake_claude.fail("*", 529)
    backup.fail("*", 529)
    bedrock.down = True
    error = caller.error(model="claude-opus-5")
    assert type(error) is anthropic.OverloadedError
    assert error.request_id == fake_claude.requests[0].request_id
    assert {client for client, *_ in attempts(failover.route(error))} == {"default", "bedrock", "backup-key"}
    assert fake_claude.count() + backup.count() + len(bedrock.requests) <= 16


def test_what_only_the_own_workspace_has_goes_nowhere_else(caller, fake_claude, backup, bedrock):
    fake_claude.fail("*", 529)
    document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    messages = [{"role": "user", "content": [document, {"type": "text", "text": "sum up"}]}]
    error = caller.error("beta.messages.create", model=OPUS, messages=messages)
    assert type(error) is anthropic.OverloadedError
    assert backup.requests == bedrock.requests == []


def test_what_does_not_alter_the_answer_is_left_out_on_the_way(caller, fake_claude, bedrock):
    fake_claude.fail("*", 529)
    caller.call(
        "beta.messages.create",
        model=OPUS,
        max_tokens=5,
        messages=[{"role": "user", "content": "hi"}],
        service_tier="auto",
        betas=["fast-mode-2026-02-01"],
    )
    body = json.loads(bedrock.requests[0].content)
    assert {"service_tier", "anthropic_beta", "model"}.isdisjoint(body)
    assert body["messages"] == [{"role": "user", "content": "hi"}]
