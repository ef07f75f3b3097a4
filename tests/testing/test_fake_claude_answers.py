"""What the fake API says when nothing goes wrong, as the real SDK reads it."""

from __future__ import annotations

import anthropic
import anyio
import httpx2
import pydantic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool

from failover.testing import FakeClaude

CALL = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


class Child(pydantic.BaseModel):
    name: str
    age: int


class Family(pydantic.BaseModel):
    name: str
    big: bool
    income: float
    children: list[Child]
    motto: str | None


class Tree(pydantic.BaseModel):
    label: str
    left: "Tree | None"  # noqa: UP037 - a model that refers to itself
    branches: list[Tree]


@pytest.fixture
def client(fake_claude):
    with Anthropic(base_url=fake_claude.url, api_key="test", max_retries=0, timeout=5) as client:
        yield client


def test_a_message_names_its_model(client):
    message = client.messages.create(**CALL)
    assert message.content[0].text == "Hello from claude-opus-5-5."
    assert (message.model, message.role, message.stop_reason) == ("claude-opus-5-5", "assistant", "end_turn")
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert message.id.startswith("msg_")


def test_a_stream_has_every_kind_of_event(client):
    with client.messages.create(**CALL, stream=True) as stream:
        events = [event.event for event in stream.raw_events(stream.response)]
    deltas = events.count("content_block_delta")
    assert deltas > 2
    assert events == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_stream_says_the_same_as_a_message(client):
    with client.messages.stream(**CALL) as stream:
        streamed = stream.get_final_message()
    plain = client.messages.create(**CALL)
    assert streamed.content[0].text == plain.content[0].text
    assert streamed.stop_reason == plain.stop_reason
    assert streamed.usage.output_tokens == plain.usage.output_tokens


def test_the_async_client_reads_the_same(fake_claude):
    async def main():
        async with AsyncAnthropic(base_url=fake_claude.url, api_key="test", max_retries=0) as client:
            message = await client.messages.create(**CALL)
            async with client.messages.stream(**CALL) as stream:
                return message, await stream.get_final_message()

    message, streamed = anyio.run(main)
    assert message.content[0].text == streamed.content[0].text == "Hello from claude-opus-5-5."


def test_every_answer_has_the_headers_of_the_api(client):
    ids = set()
    for call in (
        lambda: client.messages.with_raw_response.create(**CALL),
        lambda: client.messages.with_raw_response.count_tokens(model="m", messages=CALL["messages"]),
        client.models.with_raw_response.list,
    ):
        headers = call().headers
        ids.add(headers["request-id"])
        assert headers["request-id"].startswith("req_")
        assert headers["anthropic-organization-id"]
        assert headers["date"].endswith("GMT")
    assert len(ids) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_with_tools_gets_a_tool_call_and_then_text(client, stream):
    def ask(messages, **more):
        call = {**CALL, "messages": messages, "tools": [TOOL], **more}
        if not stream:
            return client.messages.create(**call)
        with client.messages.stream(**call) as events:
            return events.get_final_message()

    first = ask(CALL["messages"])
    (call,) = first.content
    assert (first.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "text"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    answer = [
        *CALL["messages"],
        {"role": "assistant", "content": [call.to_dict()]},
        {"role": "user", "content": [result]},
    ]
    assert ask(answer).stop_reason == "end_turn"
    assert ask(CALL["messages"], tool_choice={"type": "none"}).stop_reason == "end_turn"
    forced = ask(CALL["messages"], tool_choice={"type": "any"}, model="claude-opus-5")
    assert forced.stop_reason == "tool_use"


def test_tool_choice_names_the_tool_and_server_tools_are_left_alone(client):
    search = {"type": "web_search_20260209", "name": "web_search"}
    other = {**TOOL, "name": "other"}
    message = client.messages.create(**CALL, tools=[search, TOOL, other])
    assert message.content[0].name == "weather"
    call = {**CALL, "model": "claude-opus-5"}  # one that can be made to call a tool
    message = client.messages.create(**call, tools=[TOOL, other], tool_choice={"type": "tool", "name": "other"})
    assert message.content[0].name == "other"
    assert client.messages.create(**CALL, tools=[search]).stop_reason == "end_turn"


def test_the_sdks_tool_runner_runs_to_its_end(client):
    asked = []

    @beta_tool
    def weather(city: str, days: int) -> str:
        """The weather."""
        asked.append((city, days))
        return "sunny"

    messages = list(client.beta.messages.tool_runner(**CALL, tools=[weather]))
    assert asked == [("text", 1)]
    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]


def test_the_async_tool_runner_runs_to_its_end(fake_claude):
    @beta_async_tool
    async def weather(city: str) -> str:
        """The weather."""
        return f"sunny in {city}"

    async def main():
        async with AsyncAnthropic(base_url=fake_claude.url, api_key="test", max_retries=0) as client:
            return [message.stop_reason async for message in client.beta.messages.tool_runner(**CALL, tools=[weather])]

    assert anyio.run(main) == ["tool_use", "end_turn"]


@pytest.mark.parametrize(
    ("model", "parsed"),
    [
        (Child, Child(name="text", age=1)),
        (Family, Family(name="text", big=True, income=1.5, children=[Child(name="text", age=1)], motto="text")),
        (Tree, Tree(label="text", left=None, branches=[])),
    ],
)
def test_structured_output_fits_its_schema(client, model, parsed):
    assert client.messages.parse(**CALL, output_format=model).parsed_output == parsed


def test_other_endpoints_answer(client):
    assert client.messages.count_tokens(model="claude-x", messages=CALL["messages"]).input_tokens > 0
    models = client.models.list().data
    assert "claude-opus-5-5" in [model.id for model in models]
    assert client.models.retrieve("claude-opus-5-5").lifecycle == "active"
    with pytest.raises(anthropic.NotFoundError, match="model: gpt"):
        client.models.retrieve("gpt")


MESSAGES = "/v1/messages"
GOOD = '{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", MESSAGES, "{", 400, "The request body is not valid JSON"),
        ("POST", MESSAGES, "[" * 100_000, 400, "The request body is not valid JSON"),
        ("POST", MESSAGES, "[]", 400, "Input should be an object"),
        ("POST", MESSAGES, "", 400, "model: Field required"),
        ("POST", MESSAGES, '{"model": "m"}', 400, "max_tokens: Field required"),
        ("POST", MESSAGES, '{"model": "m", "max_tokens": 1}', 400, "messages: Field required"),
        ("POST", MESSAGES, GOOD.replace('"m"', "3"), 400, "model: Input should be a valid string"),
        ("POST", MESSAGES, GOOD.replace('{"role": "user", "content": "x"}', ""), 400, "messages: at least one message is required"),
        ("POST", MESSAGES, GOOD.replace('{"role": "user", "content": "x"}', "1"), 400, "Some field does not have the shape that the API reference gives it"),
        ("POST", MESSAGES + "/count_tokens", '{"model": "m"}', 400, "messages: Field required"),
        ("GET", MESSAGES, "", 404, "Not found"),
        ("GET", "/v1/nothing", "", 404, "Not found"),
        ("GET", "/", "", 404, "Not found"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_as_the_api_does(fake_claude, method, path, body, status, message):  # noqa: PLR0917 - a row
    answer = httpx2.request(method, fake_claude.url + path, content=body, headers={"x-api-key": "test"}, verify=False)
    assert answer.status_code == status
    error_type = {400: "invalid_request_error", 404: "not_found_error"}[status]
    assert answer.json() == {
        "type": "error",
        "error": {"type": error_type, "message": message},
        "request_id": answer.headers["request-id"],
    }
    assert [request.status for request in fake_claude.requests] == [status]


def test_a_request_without_a_key_is_refused(fake_claude):
    answer = httpx2.post(fake_claude.url + MESSAGES, content=GOOD, verify=False)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    for header in ({"x-api-key": "k"}, {"authorization": "Bearer k"}):
        assert httpx2.post(fake_claude.url + MESSAGES, content=GOOD, headers=header, verify=False).status_code == 200


def test_it_writes_down_what_it_received():
    with FakeClaude() as fake, Anthropic(base_url=fake.url, api_key="test", max_retries=0) as client:
        client.beta.messages.create(**CALL, betas=["one-2026-01-01", "two-2026-01-01"])
        client.messages.create(**CALL, stream=True).close()
        client.models.list()
    beta, streamed, models = fake.requests
    assert (beta.model, beta.stream, beta.path, beta.status) == ("claude-opus-5-5", False, "/v1/messages", 200)
    assert beta.betas == ("one-2026-01-01", "two-2026-01-01")
    assert beta.body["messages"] == CALL["messages"]
    assert (streamed.stream, streamed.betas) == (True, ())
    assert (models.path, models.model, models.body) == ("/v1/models", "", {})
    assert 0 <= beta.time <= streamed.time <= models.time
    assert len({beta.request_id, streamed.request_id, models.request_id}) == 3
