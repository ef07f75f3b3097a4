"""Only calls for a message are guarded. All else passes through, with the retries that the client was made with."""

from __future__ import annotations

import anthropic
import pytest
from sdk_callers import CALL, FIRST, HELLO

import failover
from failover.testing import Fault

OTHERS = pytest.mark.parametrize(
    ("method", "fields", "path"),
    [
        pytest.param("models.list", {}, "/v1/models", id="models.list"),
        pytest.param("models.retrieve", {"model_id": FIRST}, f"/v1/models/{FIRST}", id="models.retrieve"),
        pytest.param(
            "messages.count_tokens", {"model": FIRST, "messages": HELLO}, "/v1/messages/count_tokens", id="count_tokens"
        ),
        pytest.param(
            "beta.messages.count_tokens",
            {"model": FIRST, "messages": HELLO},
            "/v1/messages/count_tokens",
            id="beta count_tokens",
        ),
        pytest.param(
            "messages.batches.create",
            {"requests": [{"custom_id": "1", "params": CALL}]},
            "/v1/messages/batches",
            id="batches.create",
        ),
    ],
)


@pytest.fixture(autouse=True)
def no_waits_of_the_sdk(monkeypatch):
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)


@OTHERS
@pytest.mark.parametrize(("retries", "sends"), [({}, 3), ({"max_retries": 1}, 2), ({"max_retries": 0}, 1)])
@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}], ids=["500", "drop"])
def test_keep_the_clients_own_retries(connect, fake_claude, *, method, fields, path, retries, sends, fault):
    caller = connect(**retries)
    fake_claude.fail("*", path=path, **fault)
    error = caller.error(method, **fields)
    assert isinstance(error, anthropic.InternalServerError | anthropic.APIConnectionError)
    assert fake_claude.count(path=path) == sends
    assert failover.route(error) is None
    assert caller.board.breakers() == ()


@OTHERS
def test_are_in_no_recording(caller, method, fields, path):
    with failover.recording() as routes:
        try:
            caller.call(method, **fields)
        except anthropic.NotFoundError:
            assert path == "/v1/messages/batches"  # the fake API has none
    assert routes == []


def test_are_asked_although_every_circuit_is_open(caller):
    caller.create()
    caller.board[FIRST].isolate()
    assert caller.call("messages.count_tokens", model=FIRST, messages=HELLO).input_tokens > 0
    assert caller.call("models.list").data


def test_messages_and_others_each_have_their_own_retries(connect, fake_claude):
    caller = connect(max_retries=1)
    fake_claude.script(FIRST, [Fault(status=500)])
    fake_claude.fail("*", 500, path="/v1/models", times=1)
    assert caller.create().model == FIRST
    assert caller.call("models.list").data
    assert (fake_claude.count(), fake_claude.count(path="/v1/models")) == (2, 2)


@pytest.mark.parametrize("body", [{"messages": HELLO}, {"model": 5}, ["a", "list"]])
def test_a_request_for_a_message_that_names_no_model_is_the_apis_to_judge(caller, fake_claude, body):
    error = caller.error("post", path="/v1/messages", body=body, cast_to=object)
    assert isinstance(error, anthropic.BadRequestError)
    assert caller.board.breakers() == ()


def test_a_raw_post_for_a_message_is_guarded(caller, fake_claude):
    fake_claude.fail(FIRST, 529)
    assert caller.call("post", path="/v1/messages", body=CALL, cast_to=object)["model"] != FIRST
