"""Every method of the SDK that asks for a message is guarded alike, and gives back what it gave before."""

from __future__ import annotations

import anthropic
import pydantic
import pytest
from anthropic.types import Message, ParsedMessage
from anthropic.types.beta import BetaMessage
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, policy, weather_tool

import failover


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def first_is_down(caller, fake_claude):
    fake_claude.fail(FIRST, 529)
    return caller


def test_create(first_is_down):
    message = first_is_down.create()
    assert type(message) is Message
    assert message.model == SECOND


def test_beta_create(first_is_down, fake_claude):
    message = first_is_down.call("beta.messages.create", **CALL, betas=["some-beta-2026-01-01"])
    assert type(message) is BetaMessage
    assert message.model == SECOND
    assert [request.betas for request in fake_claude.requests] == [("some-beta-2026-01-01",)] * 2


def test_parse(first_is_down):
    message = first_is_down.call("messages.parse", **CALL, output_format=City)
    assert isinstance(message, ParsedMessage)
    assert message.model == SECOND
    assert message.parsed_output == City(name="text", people=1)


def test_beta_parse(first_is_down):
    message = first_is_down.call("beta.messages.parse", **CALL, output_format=City)
    assert message.parsed_output == City(name="text", people=1)
    assert message.model == SECOND


@pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
def test_stream(first_is_down, path):
    text, route = first_is_down.stream(path)
    assert text == f"Hello from {SECOND}."
    assert route.served_model == SECOND


@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
def test_create_with_stream(first_is_down, path):
    events = first_is_down.events(path)
    assert (events[0], events[-1]) == ("message_start", "message_stop")


@pytest.mark.parametrize("path", ["messages", "beta.messages"])
def test_with_raw_response(first_is_down, fake_claude, path):
    response = first_is_down.call(f"{path}.with_raw_response.create", **CALL)
    assert isinstance(response, anthropic.APIResponse | anthropic.AsyncAPIResponse)
    assert response.headers["request-id"] == response.request_id == fake_claude.requests[1].request_id
    assert first_is_down.parsed(response).model == SECOND
    route = response.http_response.extensions["failover"]
    assert route is failover.route(response) is failover.route(response.http_response)
    assert route.outcome == "fallback"
    assert route.request_ids == tuple(request.request_id for request in fake_claude.requests)


def test_with_raw_response_of_an_error(connect, fake_claude):
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.fail("*", 529)
    error = caller.error("messages.with_raw_response.create")
    assert type(error) is anthropic.OverloadedError
    assert len(failover.route(error).attempts) == 2


def test_with_streaming_response(first_is_down):
    message, route = first_is_down.streaming_response()
    assert message.model == route.served_model == SECOND


def test_the_tool_runner(connect, fake_claude, asynchronous):
    """Each of its requests is a call of its own."""
    caller = connect(policy(retry=NO_REPEAT))
    fake_claude.fail(FIRST, 529)
    with failover.recording() as routes:
        first, last = caller.run_tools(weather_tool(asynchronous=asynchronous), thread=False)
    assert (first.stop_reason, last.content[0].text) == ("tool_use", f"Hello from {SECOND}.")
    assert [route.served_model for route in routes] == [SECOND, SECOND]


def test_a_turn_that_continues_a_thread_is_never_sent_to_another_model(connect, fake_claude):
    """It holds only the new messages, and no other model knows the rest."""
    caller = connect(policy(retry=NO_REPEAT))
    betas = ["message-threads-2026-08-12"]
    begun = caller.attempt("beta.messages.create", thread={"type": "create"}, betas=betas)
    fake_claude.fail(FIRST, 529)
    thread = {"type": "continue", "previous_message_id": begun.id}
    assert type(caller.error("beta.messages.create", thread=thread, betas=betas)) is anthropic.OverloadedError
    assert [request.model for request in fake_claude.requests] == [FIRST, FIRST]


def test_an_unstreamed_call_with_other_query_parameters_is_guarded_too(first_is_down):
    assert first_is_down.create(extra_query={"some": "thing"}).model == SECOND


def test_a_body_given_as_extra_is_guarded_by_the_model_that_is_sent(first_is_down, fake_claude):
    message = first_is_down.create(model="claude-opus-5", extra_body={"model": FIRST, "other": {"a": 1}})
    assert message.model == SECOND
    assert [request.model for request in fake_claude.requests] == [FIRST, SECOND]
    assert [request.body["other"] for request in fake_claude.requests] == [{"a": 1}] * 2
