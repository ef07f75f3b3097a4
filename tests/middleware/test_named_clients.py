"""A hop to a client that the policy names: that client sends it, and its answer comes back through the caller's call."""

from __future__ import annotations

import anthropic
import pydantic
import pytest
from anthropic.types import Message, ParsedMessage
from anthropic.types.beta import BetaMessage
from named_lab import BACKUP, attempts, closed_port, rung, to_backup
from sdk_callers import CALL, FIRST, HELLO, SECOND, Watcher, policy, trip, weather_tool
from test_traces import Trace

import failover
from failover import Failover
from failover.testing import FakeClaude, Fault


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def down(lab, fake_claude):
    """A caller whose own client finds every model overloaded."""
    fake_claude.fail("*", 529)
    return lab.caller()


class TestWhatLeadsToAHop:
    @pytest.mark.parametrize(
        ("fault", "status", "kind"),
        [
            ({"status": 529}, 529, "overloaded_error"),
            ({"status": 500}, 500, "api_error"),
            ({"status": 429, "retry_after": 60}, 429, "rate_limit_error"),
            ({"drop": True}, None, "connection_error"),
            ({"malformed": "html"}, 200, "malformed_response"),
        ],
    )
    def test_a_failure_of_the_own_client(self, lab, fake_claude, backup, fault, *, status, kind):
        fake_claude.fail("*", **fault)
        with failover.recording() as routes:
            message = lab.caller().create()
        assert (type(message), message.model) == (Message, FIRST)
        assert message._request_id == backup.requests[0].request_id
        assert attempts(routes[0]) == [("default", FIRST, status, kind), (BACKUP, FIRST, 200, None)]

    def test_a_time_out(self, lab, fake_claude, backup):
        fake_claude.fail("*", hang=10)
        assert lab.caller(own={"timeout": 0.3}).create()._request_id == backup.requests[0].request_id

    def test_a_refused_connection(self, lab, fake_claude, backup):
        caller = lab.caller(own={"base_url": closed_port()})
        assert caller.create()._request_id == backup.requests[0].request_id
        assert fake_claude.count() == 0

    def test_an_open_circuit(self, lab, fake_claude, backup):
        caller = lab.caller()
        caller.create()
        caller.board[FIRST].isolate()
        caller.create()
        assert (fake_claude.count(), backup.count()) == (1, 1)

    def test_nothing_does_while_the_own_client_answers(self, lab, fake_claude, backup):
        caller = lab.caller()
        with failover.recording() as routes:
            caller.create()
        assert attempts(routes[0]) == [("default", FIRST, 200, None)]
        assert backup.requests == []

    @pytest.mark.parametrize("fault", [{"status": 400}, {"status": 404}, {"status": 413}])
    def test_a_wrong_request_does_not(self, lab, fake_claude, backup, fault):
        fake_claude.fail("*", **fault)
        error = lab.caller().error()
        assert isinstance(error, anthropic.APIStatusError)
        assert backup.requests == []


class TestEveryWayToCall:
    def test_create(self, down, backup):
        message = down.create()
        assert type(message) is Message
        assert message.content[0].text == f"Hello from {FIRST}."
        assert backup.requests[0].body["messages"] == HELLO

    def test_beta_create(self, down, fake_claude, backup):
        message = down.call("beta.messages.create", **CALL, betas=["some-beta-2026-01-01"])
        assert type(message) is BetaMessage
        assert [upstream.requests[0].betas for upstream in (fake_claude, backup)] == [("some-beta-2026-01-01",)] * 2

    @pytest.mark.parametrize("path", ["messages.parse", "beta.messages.parse"])
    def test_parse(self, down, path):
        message = down.call(path, **CALL, output_format=City)
        assert message.parsed_output == City(name="text", people=1)
        assert isinstance(message, ParsedMessage if path == "messages.parse" else BetaMessage)

    @pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
    def test_create_with_stream(self, down, backup, path):
        events = down.events(path)
        assert (events[0], events[-1]) == ("message_start", "message_stop")
        assert backup.requests[0].stream

    @pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
    def test_stream(self, down, backup, path):
        text, route = down.stream(path)
        assert text == f"Hello from {FIRST}."
        assert attempts(route) == [("default", FIRST, 529, "overloaded_error"), (BACKUP, FIRST, 200, None)]

    @pytest.mark.parametrize("path", ["messages", "beta.messages"])
    def test_with_raw_response(self, down, fake_claude, backup, path):
        response = down.call(f"{path}.with_raw_response.create", **CALL)
        assert isinstance(response, anthropic.APIResponse | anthropic.AsyncAPIResponse)
        assert response.request_id == backup.requests[0].request_id
        assert down.parsed(response).model == FIRST
        own, other = fake_claude.requests[0].request_id, backup.requests[0].request_id
        assert failover.route(response).request_ids == (own, other)

    def test_with_streaming_response(self, down):
        message, route = down.streaming_response()
        assert message.model == FIRST
        assert route.attempts[-1].client == BACKUP

    def test_a_collected_stream(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        message = lab.caller(to_backup(stream={"collect_over": 10})).create(max_tokens=100)
        assert (type(message), message.content[0].text) == (Message, f"Hello from {FIRST}.")
        assert backup.requests[0].stream

    @pytest.mark.parametrize("thread", [{}, {"thread": False}], ids=["threads", "no threads"])
    def test_the_tool_runner(self, down, asynchronous, backup, thread):
        with failover.recording() as routes:
            first, last = down.run_tools(weather_tool(asynchronous=asynchronous), **thread)
        assert (first.stop_reason, last.content[0].text) == ("tool_use", f"Hello from {FIRST}.")
        served = [route.attempts[-1].client for route in routes if route.outcome == "fallback"]
        assert served == [BACKUP, BACKUP]
        assert all("thread" not in request.body for request in backup.requests)
        assert len(backup.requests[-1].body["messages"]) == 3


class TestWhatIsWrittenDown:
    def test_the_route_names_the_client_of_each_attempt(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        caller = lab.caller(to_backup(SECOND, rung()))
        with failover.recording() as routes:
            caller.create()
        (route,) = routes
        assert attempts(route) == [
            ("default", FIRST, 529, "overloaded_error"),
            ("default", SECOND, 529, "overloaded_error"),
            (BACKUP, FIRST, 200, None),
        ]
        assert route.request_ids == (
            *(request.request_id for request in fake_claude.requests),
            backup.requests[0].request_id,
        )
        assert (route.outcome, route.served_model) == ("fallback", FIRST)

    def test_each_client_has_its_own_circuit_for_a_model(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        caller = lab.caller(to_backup(breaker=trip(consecutive_failures=1)))
        caller.create()
        assert {breaker.name: breaker.state for breaker in caller.board.breakers()} == {
            FIRST: "open",
            f"{BACKUP}/{FIRST}": "closed",
        }
        backup.fail("*", 529)
        caller.error()
        assert caller.board[f"{BACKUP}/{FIRST}"].state == "open"
        assert fake_claude.count() == 1

    def test_a_span_names_a_client_that_is_not_the_callers_own(self, lab, fake_claude, backup):
        fake_claude.fail("*", 529)
        record = Trace()
        otel = {"open_telemetry": {"tracer_provider": record.provider}}
        caller = lab.caller(clients={BACKUP: lab.client(**otel)}, own=otel, tracer_provider=record.provider)
        caller.create()
        own, other = record.named(f"try {FIRST}")
        assert "failover.client" not in own.attributes
        assert other.attributes["failover.client"] == BACKUP
        assert other.attributes["failover.breaker.name"] == f"{BACKUP}/{FIRST}"
        assert other.attributes["anthropic.request.id"] == backup.requests[0].request_id

    def test_a_call_has_one_span_of_the_sdk_whoever_answers(self, lab, fake_claude):
        fake_claude.fail("*", 529)
        record = Trace()
        otel = {"open_telemetry": {"tracer_provider": record.provider}}
        caller = lab.caller(clients={BACKUP: lab.client(**otel)}, own=otel, tracer_provider=record.provider)
        caller.create()
        assert record.tree() == [
            (0, "anthropic.messages.create", "OK"),
            (1, "failover test", "UNSET"),
            (2, f"try {FIRST}", "ERROR"),
            (2, f"try {FIRST}", "UNSET"),
        ]


class TestOtherCalls:
    def test_of_other_endpoints_stay_with_the_own_client(self, lab, fake_claude, backup):
        fake_claude.fail("*", 404, path="/v1/messages/count_tokens")
        error = lab.caller().error("messages.count_tokens", model=FIRST, messages=HELLO)
        assert isinstance(error, anthropic.NotFoundError)
        assert backup.requests == []

    def test_of_the_other_client_itself_are_not_guarded(self, lab, fake_claude, backup):
        theirs = lab.client(max_retries=0)
        caller = lab.caller(clients={BACKUP: theirs})
        backup.fail("*", 529)
        ours, caller.client = caller.client, theirs
        assert failover.route(caller.error()) is None
        assert fake_claude.count() == 0
        caller.client = ours


def test_tokens_are_counted_by_the_client_that_is_to_be_sent_to(lab, fake_claude, backup):
    fake_claude.fail("*", 529, path="/v1/messages")
    seen = Watcher()
    clients = {BACKUP: lab.client(middleware=[seen])}
    caller = lab.caller(to_backup(rung(SECOND), fit={"mode": "strict", "count_tokens": True}), clients)
    caller.attempt(messages=[{"role": "user", "content": "word " * 150_000}])
    assert [request.url for request in seen.requests] == ["/v1/messages/count_tokens", "/v1/messages"]
    counted = [request for request in backup.requests if request.path == "/v1/messages/count_tokens"]
    sent = [request for request in backup.requests if request.path == "/v1/messages"]
    assert len(counted) == len(sent) == 1
    assert fake_claude.count(path="/v1/messages/count_tokens") == 0


def test_a_policy_may_have_rungs_on_many_clients(lab, fake_claude, backup):
    fake_claude.fail("*", 529)
    backup.fail("*", 529)
    with FakeClaude() as third:
        clients = {BACKUP: lab.client(), "third.key_1": lab.client(third.url)}
        rungs = [rung(), rung(SECOND), rung(FIRST, "third.key_1")]
        caller = lab.caller(to_backup(*rungs), clients)
        message = caller.create()
        assert message._request_id == third.requests[0].request_id
        assert [breaker.name for breaker in caller.board.breakers()] == [
            FIRST,
            f"{BACKUP}/{FIRST}",
            f"{BACKUP}/{SECOND}",
            f"third.key_1/{FIRST}",
        ]


def test_a_rungs_patch_reaches_the_other_client(lab, fake_claude, backup):
    fake_claude.fail("*", 529)
    lab.caller(to_backup(rung(set={"max_tokens": 7, "metadata": {"user_id": "u"}}))).create()
    assert (backup.requests[0].body["max_tokens"], backup.requests[0].body["metadata"]) == (7, {"user_id": "u"})


def test_calls_at_the_same_time_do_not_mix(lab, fake_claude, backup):
    fake_claude.fail("*", 529)
    messages = lab.caller(to_backup(breaker=trip(consecutive_failures=100))).together(20)
    assert {message._request_id for message in messages} == {request.request_id for request in backup.requests}
    assert len(backup.requests) == 20


def test_a_guard_installed_by_hand_hops_too(lab, asynchronous, connect, fake_claude, backup):
    fake_claude.fail("*", 529)
    guard = lab.guard()
    caller = connect(wrapped=False, middleware=[guard], max_retries=0)
    assert caller.create()._request_id == backup.requests[0].request_id
    assert isinstance(guard, Failover)


@pytest.mark.parametrize("method", ["with_options", "copy"])
def test_a_client_made_from_the_wrapped_one_hops_too(down, fake_claude, backup, method):
    down.client = getattr(down.client, method)(timeout=5, max_retries=3, default_headers={"x-mine": "1"})
    assert down.create()._request_id == backup.requests[0].request_id
    assert (fake_claude.count(), backup.count()) == (1, 1)


def test_one_rung_may_be_down_and_up_again(lab, fake_claude, backup):
    fake_claude.script(FIRST, [Fault(status=529), None])
    caller = lab.caller()
    assert [caller.create()._request_id for _ in range(2)] == [
        backup.requests[0].request_id,
        fake_claude.requests[1].request_id,
    ]


def test_a_policy_without_named_rungs_needs_no_clients(connect, fake_claude):
    fake_claude.fail(FIRST, 529)
    assert connect(policy()).create().model == SECOND
