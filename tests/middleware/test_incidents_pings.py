"""The tiny request on the wire: the same for every way to call, valid, without anything of the caller's prompt."""

from __future__ import annotations

import json

import httpx2
import pydantic
import pytest
from incident_places import Listening, begin, due, incident_policy, pings, probed, tiny
from sdk_callers import CALL, FIRST, LADDER, SECOND, Watcher, make_client, refuse, reply, weather_tool
from stream_callers import streams_of

from failover.errors import PlatformIncident
from failover.policy import default_policy

CANARY = "canary-of-the-caller"
SECRETS = [{"role": "user", "content": f"{CANARY} in a message"}]
EVERYTHING = {
    "messages": SECRETS,
    "system": f"{CANARY} in the system prompt",
    "metadata": {"user_id": f"{CANARY}-user"},
    "stop_sequences": [CANARY],
    "extra_body": {"of_a_gateway": CANARY},
    "tools": [{"name": "look", "description": CANARY, "input_schema": {"type": "object", "title": CANARY}}],
}


class City(pydantic.BaseModel):
    name: str
    people: int


WAYS = {
    "create": lambda caller: caller.create(),
    "create that streams": lambda caller: caller.events(),
    "stream": lambda caller: caller.stream(),
    "parse": lambda caller: caller.call("messages.parse", **CALL, output_format=City),
    "raw": lambda caller: caller.call("messages.with_raw_response.create", **CALL),
    "raw that streams": lambda caller: streams_of(caller).wire(),
    "being streamed": lambda caller: caller.streaming_response(),
    "beta": lambda caller: caller.call("beta.messages.create", **CALL, betas=["some-beta-2026-01-01"]),
    "beta stream": lambda caller: caller.stream("beta.messages.stream"),
    "beta parse": lambda caller: caller.call("beta.messages.parse", **CALL, output_format=City),
    "a thread": lambda caller: caller.call(
        "beta.messages.create", **CALL, thread={"type": "create"}, betas=["message-threads-2026-08-12"]
    ),
    "tools": lambda caller: caller.run_tools(weather_tool(asynchronous=caller.asynchronous), thread=False),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_call_asks_with_the_same_tiny_request_that_is_never_streamed(
    connect, fake_claude, fake_clock, way
):
    told = Listening()
    caller = connect(incident_policy(), listeners=[told])
    before = due(caller, fake_claude, fake_clock)
    assert WAYS[way](caller)
    asked = fake_claude.requests[before:]
    assert [(request.path, request.stream, request.status, request.body) for request in asked[:2]] == [
        ("/v1/messages", False, 200, tiny(FIRST))
    ] * 2
    assert pings(asked[2:]) == []
    assert len(asked) == (4 if way == "tools" else 3)
    assert probed(told) == [(FIRST, True, 200, None)] * 2


@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
def test_nothing_of_the_callers_request_is_in_it(connect, fake_claude, fake_clock, path):
    caller = connect(incident_policy())
    before = due(caller, fake_claude, fake_clock)
    caller.attempt(path, **EVERYTHING)
    first, second, own = fake_claude.requests[before:]
    assert CANARY not in json.dumps([first.body, second.body])
    assert json.dumps(own.body).count(CANARY) == 7


def test_it_goes_through_the_callers_own_middleware_and_gateway(connect, fake_claude, fake_clock):
    """What signs requests, or sends them elsewhere, has to do so with these as well."""
    watcher = Watcher()
    caller = connect(incident_policy(), middleware=[])
    caller.client = caller.client.with_middleware(watcher)
    due(caller, fake_claude, fake_clock)
    del watcher.requests[:]
    caller.create(extra_headers={"x-gateway": "yes"}, extra_query={"tenant": "7"})
    assert [request.headers.get("x-gateway") for request in watcher.requests] == ["yes"] * 3
    assert [request.json["max_tokens"] for request in watcher.requests] == [1, 1, CALL["max_tokens"]]


def test_the_rungs_changes_are_for_real_requests_only(connect, fake_claude, fake_clock):
    there = {"model": SECOND, "set": {"max_tokens": 5}}
    caller = connect(incident_policy(ladders=[{"match": "claude-*", "rungs": [there]}]))
    begin(caller, fake_claude)
    for _ in range(2):
        fake_clock.advance(30)
        caller.attempt()
    assert [request.body for request in pings(fake_claude.requests)] == [tiny(FIRST), tiny(SECOND)]


class TestAnAnswerIs:
    """What a wire in memory answers to the probe; before it, everything is overloaded."""

    @pytest.fixture
    def ask(self, connect, fake_clock):
        def ask(answer):
            down = [True]
            told = Listening()
            caller = connect(
                incident_policy(), listeners=[told], answer=lambda request: refuse(529) if down else answer(request)
            )
            caller.attempt()
            assert caller.guard.incidents
            down.clear()
            fake_clock.advance(30)
            last = caller.attempt()
            return [(answered, status, error_type) for _, answered, status, error_type in probed(told)], last

        return ask

    @pytest.mark.parametrize(
        ("response", "error_type"),
        [
            (lambda: refuse(400, "invalid_request_error"), "invalid_request_error"),
            (lambda: refuse(401, "authentication_error"), "authentication_error"),
            (lambda: refuse(403, "permission_error"), "permission_error"),
            (lambda: refuse(404, "not_found_error", "model: nobody"), "not_found_error"),
            (lambda: refuse(429, "rate_limit_error", **{"retry-after": "60"}), "rate_limit_error"),
            (lambda: httpx2.Response(200, json=reply(FIRST)), None),
        ],
    )
    def test_whatever_the_api_says(self, ask, response, error_type):
        told, last = ask(lambda _: response())
        status = response().status_code
        assert told == [(True, status, error_type)] * 2
        assert type(last) is not PlatformIncident

    @pytest.mark.parametrize(
        "response",
        [
            lambda: httpx2.Response(200, html="<html>We are sorry</html>"),
            lambda: httpx2.Response(
                200, content=b'{"type":"message","content":[{"ty', headers={"content-type": "a/json"}
            ),
            lambda: httpx2.Response(200, content=b"[" * 100_000, headers={"content-type": "application/json"}),
            lambda: httpx2.Response(200, content=b"\xff\xfe{}", headers={"content-type": "application/json"}),
            lambda: httpx2.Response(200, json={"ok": True}),
            lambda: httpx2.Response(200, json=[reply(FIRST)]),
            lambda: httpx2.Response(200, json=None),
            lambda: httpx2.Response(200),
            lambda: httpx2.Response(204),
            lambda: httpx2.Response(
                200, content=b"event: ping\ndata: {}\n\n", headers={"content-type": "text/event-stream"}
            ),
        ],
    )
    def test_no_page_and_no_other_json(self, ask, response):
        told, last = ask(lambda _: response())
        assert [answered for answered, _, _ in told] == [False]
        assert type(last) is PlatformIncident

    def test_no_error_that_came_with_a_status_of_success(self, ask):
        body = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
        told, last = ask(lambda _: httpx2.Response(200, json=body))
        assert told == [(False, 200, "overloaded_error")]
        assert type(last) is PlatformIncident

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
    def test_no_failure(self, ask, status):
        told, last = ask(lambda _: httpx2.Response(status, html="no"))
        assert [(answered, its) for answered, its, _ in told] == [(False, status)]
        assert type(last) is PlatformIncident

    @pytest.mark.parametrize(
        ("error", "error_type"),
        [
            (httpx2.ConnectError, "connection_error"),
            (httpx2.ConnectTimeout, "client_timeout_error"),
            (httpx2.ReadTimeout, "client_timeout_error"),
            (httpx2.RemoteProtocolError, "connection_error"),
            (httpx2.PoolTimeout, "pool_timeout"),
        ],
    )
    def test_nothing_that_never_came(self, ask, error, error_type):
        def fail(_):
            raise error("no")

        told, last = ask(fail)
        assert told == [(False, None, error_type)]
        assert type(last) is PlatformIncident


@pytest.mark.parametrize("fault", [{"drop": True}, {"cut": True}, {"malformed": "html"}, {"malformed": "truncated"}])
def test_a_connection_that_breaks_is_no_answer(connect, fake_claude, fake_clock, fault):
    told = Listening()
    caller = connect(incident_policy(), listeners=[told])
    due(caller, fake_claude, fake_clock)
    fake_claude.fail("*", **fault)
    assert type(caller.error()) is PlatformIncident
    assert [answered for _, answered, _, _ in probed(told)] == [False]


class TestItsConnection:
    @pytest.mark.parametrize("status", [200, 400, 529])
    def test_is_given_back(self, connect, raw, fake_clock, status):
        caller = connect(incident_policy(), url=raw.url)
        for model in LADDER:
            raw.answers(model, b"{}", status=529, kind="application/json")
        caller.attempt()
        for model in LADDER:
            raw.answers(model, json.dumps(reply(model)).encode(), status=status, kind="application/json")
        for _ in range(5):
            fake_clock.advance(30)
            caller.attempt()
        assert len(raw.connections) >= 2 + 5
        assert len(set(raw.connections)) == 1


def test_it_is_valid_for_every_model_of_the_built_in_ladders(fake_claude):
    models = {rung.model for ladder in default_policy().ladders for rung in ladder.rungs}
    assert len(models) > 8
    with make_client(fake_claude.url, asynchronous=False) as client:
        for model in models:
            assert client.messages.create(**tiny(model)).model == model
