"""Message threads: the fake holds a conversation, and the SDK's own helpers thread against it."""

from __future__ import annotations

import anyio
import pytest
from anthropic import Anthropic, APIStatusError, AsyncAnthropic, beta_async_tool, beta_tool
from fake_lab import CALL, TOOL

from failover.testing import FakeClaude

BETA = "message-threads-2026-08-12"
CREATE = {"type": "create"}

both_clients = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
def client(fake_claude):
    with Anthropic(base_url=fake_claude.url, api_key="test", max_retries=0) as client:
        yield client


def go_on(client, message, words="And then?", **more):
    thread = {"type": "continue", "previous_message_id": getattr(message, "id", message)}
    call = {**CALL, "messages": [{"role": "user", "content": words}], "thread": thread, "betas": [BETA], **more}
    return client.beta.messages.create(**call)


def begin(client, **more):
    return client.beta.messages.create(**CALL, thread=CREATE, betas=[BETA], **more)


def refused(call, *arguments, **more):
    with pytest.raises(APIStatusError) as raised:
        call(*arguments, **more)
    return raised.value.status_code, raised.value.type, raised.value.error_code


def run_tools(fake, *, stream, asynchronous, on_call=lambda: None, **more):
    """Let the SDK's tool runner run to its end; the stop reasons of its messages."""

    def weather(city: str) -> str:
        """The weather."""
        on_call()
        return f"sunny in {city}"

    async def weather_async(city: str) -> str:
        """The weather."""
        return weather(city)

    options = {"base_url": fake.url, "api_key": "test", "max_retries": 0}

    async def run_async():
        async with AsyncAnthropic(**options) as client:
            tool = beta_async_tool(weather_async)
            runner = client.beta.messages.tool_runner(**{**CALL, **more}, tools=[tool], stream=stream)
            return [(await turn.get_final_message() if stream else turn).stop_reason async for turn in runner]

    if asynchronous:
        return anyio.run(run_async)
    with Anthropic(**options) as client:
        runner = client.beta.messages.tool_runner(**{**CALL, **more}, tools=[beta_tool(weather)], stream=stream)
        return [(turn.get_final_message() if stream else turn).stop_reason for turn in runner]


def seen(fake):
    """Of each request: how its thread goes on, how many messages and whether tools it brings, and its status."""
    return [
        (
            request.body.get("thread", {}).get("type"),
            len(request.body["messages"]),
            "tools" in request.body,
            request.status,
        )
        for request in fake.requests
    ]


@both_clients
@both_ways
@pytest.mark.parametrize("more", [{}, {"thinking": {"type": "adaptive"}}], ids=["words", "thinking"])
def test_the_sdks_tool_runner_sends_only_what_is_new(fake_claude, stream, asynchronous, more):
    reasons = run_tools(fake_claude, stream=stream, asynchronous=asynchronous, **more)
    assert reasons == ["tool_use", "end_turn"]
    assert seen(fake_claude) == [("create", 1, True, 200), ("continue", 1, False, 200)]


@both_clients
@both_ways
def test_the_sdks_tool_runner_sends_all_again_when_the_thread_is_lost(fake_claude, stream, asynchronous):
    reasons = run_tools(fake_claude, stream=stream, asynchronous=asynchronous, on_call=fake_claude.clear)
    assert reasons == ["tool_use", "end_turn"]
    assert seen(fake_claude) == [("continue", 1, False, 404), ("create", 3, True, 200)]


@both_clients
@both_ways
def test_what_the_sdk_sends_again_has_thinking_that_is_bound_to_it(fake_claude, stream, asynchronous):
    thinking = {"thinking": {"type": "adaptive"}}
    reasons = run_tools(fake_claude, stream=stream, asynchronous=asynchronous, on_call=fake_claude.clear, **thinking)
    assert reasons == ["tool_use", "end_turn"]
    assert fake_claude.requests[-1].body["messages"][1]["content"][0]["type"] == "thinking"


def test_the_sdks_thread_goes_on_turn_by_turn(fake_claude, client):
    thread = client.beta.messages.thread(model=CALL["model"], max_tokens=100, system="Be brief.")
    for words in ("one", "two", "three"):
        assert thread.send({"role": "user", "content": words}).stop_reason == "end_turn"
    assert [kind for kind, *_ in seen(fake_claude)] == ["create", "continue", "continue"]
    assert ["system" in request.body for request in fake_claude.requests] == [True, False, False]


def test_a_thread_counts_what_it_holds(client):
    first = begin(client, system="word " * 1000)
    second = go_on(client, first)
    assert second.usage.input_tokens > first.usage.input_tokens > 1000


def test_a_thread_that_there_is_not_cannot_go_on(client):
    assert refused(go_on, client, "msg_unknown") == (404, "not_found_error", "thread_not_found")


def test_an_answer_outside_a_thread_cannot_be_continued(client):
    answer = client.messages.create(**CALL)
    assert refused(go_on, client, answer) == (404, "not_found_error", "thread_not_found")


def test_a_thread_goes_on_with_the_model_that_it_has(client):
    first = begin(client)
    assert refused(go_on, client, first, model="claude-opus-5") == (404, "not_found_error", "thread_not_found")
    assert go_on(client, first).stop_reason == "end_turn"


def test_an_answer_is_continued_once(client):
    first = begin(client)
    second = go_on(client, first)
    assert refused(go_on, client, first) == (400, "invalid_request_error", "thread_already_continued")
    assert go_on(client, second).stop_reason == "end_turn"


@pytest.mark.parametrize(
    "fault", [{"status": 529}, {"drop": True}, {"hang": 0.01}, {"error_event": "api_error"}], ids=str
)
def test_an_answer_that_the_api_did_not_give_continues_nothing(fake_claude, client, fault):
    first = begin(client)
    fake_claude.fail(times=1, **fault)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each fault raises what it raises
        list(go_on(client, first, stream=True))
    assert go_on(client, first).stop_reason == "end_turn"


def test_an_answer_that_was_lost_on_its_way_has_continued_the_thread(fake_claude, client):
    first = begin(client)
    fake_claude.fail(cut=True, times=1)
    with pytest.raises(Exception):  # noqa: B017, PT011 - the SDK passes on what its HTTP library raises
        list(go_on(client, first, stream=True))
    assert refused(go_on, client, first)[2] == "thread_already_continued"


def test_a_refused_request_continues_nothing(client):
    first = begin(client)
    assert refused(go_on, client, first, thinking={"type": "disabled"})[0] == 400
    assert go_on(client, first).stop_reason == "end_turn"


@pytest.mark.parametrize("field", [{"system": "Be long."}, {"tools": [TOOL]}], ids=str)
def test_what_a_thread_was_created_with_stays(client, field):
    assert refused(go_on, client, begin(client), **field) == (400, "invalid_request_error", None)


def test_a_thread_keeps_its_tools(client):
    first = begin(client, tools=[TOOL])
    result = [{"type": "tool_result", "tool_use_id": first.content[0].id, "content": "sunny"}]
    assert go_on(client, first, result).stop_reason == "end_turn"
    assert refused(go_on, client, begin(client, tools=[TOOL]), "no result")[0] == 400


def test_words_that_a_fault_adds_are_part_of_the_thread(fake_claude, client):
    fake_claude.fail(say="Let me think. " * 100, times=1)
    with_words = go_on(client, begin(client)).usage.input_tokens
    assert with_words > go_on(client, begin(client)).usage.input_tokens + 200


def test_a_thread_needs_its_beta(client):
    with pytest.raises(APIStatusError, match="thread: Extra inputs are not permitted"):
        client.beta.messages.create(**CALL, thread=CREATE)


def test_without_validation_a_thread_is_a_plain_request():
    with FakeClaude(validate=False) as fake, Anthropic(base_url=fake.url, api_key="test", max_retries=0) as client:
        assert go_on(client, "msg_unknown").stop_reason == "end_turn"
