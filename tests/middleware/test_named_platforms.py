"""Clients of other platforms under a name: what reaches their wires of a call that another client was asked for."""

from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from named_lab import OWN_KEY, Lab, attempts, rung, to_backup
from sdk_callers import CALL, FIRST, HELLO, SECOND, refuse, reply
from stream_lab import frames
from stream_reading import assert_one_stream, read
from test_clients import PLATFORMS, class_named
from test_stream_bedrock import ANSWER, GOOD

import failover

THERE = "there"
BEDROCK_ID = "anthropic.claude-haiku-4-5-20251001-v1:0"
VERTEX_ID = "claude-haiku-4-5@20251001"
VERTEX = "https://us-east5-aiplatform.googleapis.com/v1"

WIRES = {
    "Bedrock": (
        BEDROCK_ID,
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
        {"authorization": "AWS4-HMAC-SHA256 Credential=fake/"},
    ),
    "BedrockMantle": (
        "anthropic.claude-haiku-5-5",
        "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages",
        {"authorization": "AWS4-HMAC-SHA256 Credential=fake/"},
    ),
    "Vertex": (
        VERTEX_ID,
        f"{VERTEX}/projects/fake/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict",
        {"authorization": "Bearer fake"},
    ),
    "Foundry": (
        "my-haiku",
        "https://fake.services.ai.azure.com/anthropic/v1/messages",
        {"x-api-key": "fake-key", "api-key": "fake-key"},
    ),
    "AWS": (
        SECOND,
        "https://aws-external-anthropic.us-east-1.api.aws/v1/messages",
        {"authorization": "AWS4-HMAC-SHA256 Credential=fake/", "anthropic-workspace-id": "wrkspc_1"},
    ),
    "GoogleCloud": (
        SECOND,
        "https://claude.googleapis.com/v1/projects/fake/locations/global/workspaces/wrkspc_1/invoke/v1/messages",
        {"authorization": "Bearer fake"},
    ),
}
"""For each platform a model as it is called there, the address that it is asked at, and what the request is signed with."""

WITHOUT_MODEL = {"Bedrock", "Vertex"}
"""Platforms that have the model in the address."""


class Wire:
    """A platform in memory; it writes down what reached it."""

    def __init__(self, answer):
        self.requests = []
        self._answer = answer

    def __call__(self, request):
        self.requests.append(request)
        return self._answer(request)

    @property
    def sent(self):
        """The body of the last request."""
        return json.loads(self.requests[-1].content)


def answer_well(request):
    streamed = "stream" in str(request.url).lower() or json.loads(request.content).get("stream")
    if not streamed:
        return httpx2.Response(200, json=reply("theirs"), headers={"request-id": "req_there"})
    if "bedrock-runtime" in request.url.host:
        kind, body = "application/vnd.amazon.eventstream", ANSWER
    else:
        kind, body = "text/event-stream", frames(GOOD).whole
    return httpx2.Response(200, content=b"".join(body), headers={"content-type": kind, "x-amzn-requestid": "aws_1"})


@pytest.fixture
def wire():
    return Wire(answer_well)


@pytest.fixture
def lab(connect, asynchronous, fake_clock):
    lab = Lab(connect, fake_clock, "http://backup.test", asynchronous=asynchronous)
    yield lab
    lab.close()


@pytest.fixture
def theirs(lab, asynchronous, wire):
    """Makes a client of a platform that talks to the wire."""

    def theirs(name, **more):
        options = {**PLATFORMS[name], **more}
        if asynchronous and "token_provider" in options:

            async def provide():
                return "fake"

            options["token_provider"] = provide
        http_kind = httpx2.AsyncClient if asynchronous else httpx2.Client
        http_client = http_kind(transport=httpx2.MockTransport(wire), verify=False)
        made = class_named(f"{'Async' if asynchronous else ''}Anthropic{name}")(http_client=http_client, **options)
        lab.keep(made)
        return made

    return theirs


@pytest.fixture
def hop(lab, theirs):
    """Makes a caller whose own client is overloaded, and whose only other rung is on a platform."""

    def hop(name, model=None, a_policy=None, **more):
        a_policy = a_policy or to_backup(rung(model or WIRES[name][0], THERE))
        own = {"answer": lambda _: refuse(529), "base_url": "https://api.anthropic.com"}
        return lab.caller(a_policy, {THERE: theirs(name, **more)}, own=own)

    return hop


@pytest.mark.parametrize("name", WIRES)
class TestOnEveryPlatform:
    def test_the_request_is_the_platforms_own(self, hop, wire, name):
        model, url, signed = WIRES[name]
        message = hop(name).create()
        assert message.content[0].text == "Hello."
        (request,) = wire.requests
        assert str(request.url) == url
        for header, value in signed.items():
            assert request.headers[header].startswith(value)
        assert wire.sent["messages"] == HELLO
        assert wire.sent.get("model") == (None if name in WITHOUT_MODEL else model)

    def test_nothing_of_the_callers_key_is_in_it(self, hop, wire, name):
        hop(name).create(extra_headers={"x-api-key": OWN_KEY, "Authorization": f"Bearer {OWN_KEY}"})
        (request,) = wire.requests
        assert OWN_KEY not in f"{request.url} {request.headers.raw} {request.content}"
        for header, value in WIRES[name][2].items():
            assert request.headers[header].startswith(value)

    def test_the_route_names_it(self, hop, name):
        with failover.recording() as routes:
            hop(name).create()
        assert attempts(routes[0]) == [
            ("default", FIRST, 529, "overloaded_error"),
            (THERE, WIRES[name][0], 200, None),
        ]
        assert routes[0].request_ids == ("req_refused", "req_there")

    @pytest.mark.parametrize("path", ["messages.create", "messages.stream", "beta.messages.stream"])
    def test_a_stream_is_read_as_the_caller_reads_its_own(self, hop, wire, name, path):
        reading = read(hop(name), path)
        assert reading.error is None
        assert_one_stream(reading)
        assert reading.blocks == [("text", f"Hello from {GOOD}.")]
        assert reading.route.attempts[-1].client == THERE
        (request,) = wire.requests
        if name == "Bedrock":
            assert str(request.url).endswith("/invoke-with-response-stream")
        elif name == "Vertex":
            assert str(request.url).endswith(":streamRawPredict")

    def test_its_failure_is_judged(self, hop, wire, name):
        wire._answer = lambda _: refuse(503, "api_error")
        error = hop(name).error()
        assert type(error) is anthropic.OverloadedError
        assert attempts(failover.route(error))[1][2:] == (503, "api_error")
        assert len(wire.requests) == 1

    def test_what_belongs_to_the_callers_workspace_does_not_go_there(self, hop, wire, name):
        document = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
        caller = hop(name)
        for fields in (
            {"container": "container_1"},
            {"messages": [{"role": "user", "content": [document, {"type": "text", "text": "sum up"}]}]},
        ):
            error = caller.error("beta.messages.create", **fields)
            assert type(error) is anthropic.OverloadedError
        assert wire.requests == []

    def test_a_thread_that_is_begun_is_begun_without(self, hop, wire, name):
        hop(name).call("beta.messages.create", **CALL, thread={"type": "create"}, betas=["message-threads-2026-08-12"])
        assert "thread" not in wire.sent

    def test_a_thread_that_is_continued_does_not_go_there(self, hop, wire, name):
        thread = {"type": "continue", "previous_message_id": "msg_1"}
        assert type(hop(name).error("beta.messages.create", thread=thread)) is anthropic.OverloadedError
        assert wire.requests == []


BETAS = ("context-management-2025-06-27", "fast-mode-2026-02-01", "interleaved-thinking-2025-05-14")
LEFT = ["context-management-2025-06-27", "interleaved-thinking-2025-05-14"]


@pytest.mark.parametrize("name", ["Bedrock", "BedrockMantle", "Vertex", "Foundry", "GoogleCloud"])
def test_betas_that_are_only_of_the_api_are_left_out(hop, wire, name):
    hop(name).call("beta.messages.create", **CALL, betas=BETAS)
    header = wire.requests[0].headers.get("anthropic-beta", "")
    sent = wire.sent.get("anthropic_beta") if name == "Bedrock" else header.split(",")
    assert sent == LEFT


@pytest.mark.parametrize("beta", BETAS)
def test_the_whole_api_on_aws_takes_all_betas(hop, wire, beta):
    hop("AWS").call("beta.messages.create", **CALL, betas=[beta])
    assert wire.requests[0].headers["anthropic-beta"] == beta


def test_a_policy_that_fits_nothing_sends_all_betas(hop, wire):
    a_policy = to_backup(rung(BEDROCK_ID, THERE), fit="off")
    hop("Bedrock", a_policy=a_policy).call("beta.messages.create", **CALL, betas=BETAS)
    assert wire.sent["anthropic_beta"] == list(BETAS)


def test_what_bedrock_is_sent_is_what_its_own_client_sends(hop, wire, theirs, lab):
    hop("Bedrock").create(system="Be brief.")
    by_hop, body = wire.requests[-1], wire.sent
    direct = lab.beside(theirs("Bedrock"))
    direct.create(model=BEDROCK_ID, system="Be brief.")
    assert wire.requests[-1].url == by_hop.url
    assert wire.sent == body
    assert "anthropic_version" in body
    internal = {"x-stainless-raw-response"}  # which the SDK sends where there is any middleware
    names = [set(request.headers) - internal for request in (by_hop, wire.requests[-1])]
    assert names[0] == names[1]


def test_a_session_token_of_aws_is_its_own(hop, wire):
    hop("Bedrock", aws_session_token="their-session").create(extra_headers={"x-amz-security-token": "canary"})
    assert wire.requests[0].headers["x-amz-security-token"] == "their-session"


def test_credentials_that_are_not_to_be_had_do_not_hide_the_outage(hop, wire, monkeypatch):
    def nothing(**_):
        raise RuntimeError("Could not resolve AWS credentials from session")

    monkeypatch.setattr("anthropic.lib.bedrock._client.get_auth_headers", nothing)
    error = hop("Bedrock").error()
    assert type(error) is anthropic.OverloadedError
    assert attempts(failover.route(error))[1] == (THERE, BEDROCK_ID, None, "connection_error")
    assert wire.requests == []


def test_the_token_of_vertex_is_asked_for_at_each_request(lab, theirs, wire):
    credentials = _Credentials()
    client = theirs("Vertex", access_token=None, credentials=credentials)
    own = {"answer": lambda _: refuse(529)}
    caller = lab.caller(to_backup(rung(VERTEX_ID, THERE)), {THERE: client}, own=own)
    caller.create()
    credentials.token = "token-2"
    caller.create()
    assert [request.headers["authorization"] for request in wire.requests] == ["Bearer token-1", "Bearer token-2"]


class _Credentials:
    """Those of Google, with a token that changes."""

    expired = False
    token = "token-1"


class TestFromBedrock:
    """The caller's own client is Bedrock's."""

    @pytest.fixture
    def api(self):
        return Wire(answer_well)

    @pytest.fixture
    def caller(self, lab, theirs, wire, api):
        wire._answer = lambda _: refuse(529)
        guard = lab.guard(to_backup(rung(SECOND, "api")), {"api": lab.client("https://api.anthropic.com", answer=api)})
        caller = lab.beside(failover.wrap(theirs("Bedrock"), guard))
        caller.guard = guard
        return caller

    def test_a_call_goes_to_the_api(self, caller, wire, api):
        with failover.recording() as routes:
            message = caller.create(model=BEDROCK_ID)
        assert message.content[0].text == "Hello."
        assert str(api.requests[0].url) == "https://api.anthropic.com/v1/messages"
        assert api.sent["model"] == SECOND
        assert "anthropic_version" not in api.sent
        assert "authorization" in api.requests[0].headers
        assert "x-amz-date" not in api.requests[0].headers
        assert [attempt.client for attempt in routes[0].attempts] == ["default", "api"]

    @pytest.mark.parametrize("path", ["messages.create", "messages.stream"])
    def test_a_stream_does_too_and_is_read(self, caller, path):
        reading = read(caller, path, model=BEDROCK_ID)
        assert reading.error is None
        assert_one_stream(reading)
        assert reading.blocks == [("text", f"Hello from {GOOD}.")]

    def test_a_stream_of_the_api_that_breaks_is_seen(self, caller, api):
        broken = b"".join(frames(GOOD).whole[:3])
        api._answer = lambda _: httpx2.Response(200, content=broken, headers={"content-type": "text/event-stream"})
        reading = read(caller, model=BEDROCK_ID)
        assert type(reading.error) is failover.StreamTruncated

    def test_a_binary_stream_takes_over_nothing(self, lab, theirs, wire):
        broken = b"".join(frames(FIRST).whole[:3])
        own = {"answer": lambda _: httpx2.Response(200, content=broken, headers={"content-type": "text/event-stream"})}
        a_policy = to_backup(rung(BEDROCK_ID, THERE), stream={"on_interrupt": "restart"})
        reading = read(lab.caller(a_policy, {THERE: theirs("Bedrock")}, own=own))
        assert type(reading.error) is failover.StreamTruncated
        assert wire.requests == []


def test_a_call_to_be_collected_is_plain_where_streams_are_binary(hop, wire):
    a_policy = to_backup(rung(BEDROCK_ID, THERE), stream={"collect_over": 10})
    assert hop("Bedrock", a_policy=a_policy).create(max_tokens=100).content[0].text == "Hello."
    assert str(wire.requests[0].url).endswith("/invoke")
