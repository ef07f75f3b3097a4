"""Each client's keys are its own: none of the caller's reaches another client, and none is written down."""

from __future__ import annotations

import json
import logging

import anthropic
import httpx2
import pytest
from named_lab import BACKUP, BACKUP_KEY, OWN_KEY, Lab, rung, to_backup
from sdk_callers import CALL, FIRST, SECOND, Watcher, refuse, reply, trip
from test_traces import Trace

import failover

PER_CALL = "canary-per-call"
SECRET_HEADERS = (
    "authorization",
    "Authorization",
    "X-API-Key",
    "api-key",
    "anthropic-workspace-id",
    "anthropic-organization-id",
    "anthropic-user-profile-id",
    "Cookie",
    "Proxy-Authorization",
    "Helicone-Auth",
    "cf-aig-authorization",
    "x-portkey-api-key",
    "X-Amz-Security-Token",
    "x-goog-api-key",
    "Ocp-Apim-Subscription-Key",
    "CF-Access-Client-Secret",
    "x-signature",
    "x-proxy-password",
    "X-JWT-Assertion",
    "X-Bearer",
    "X-Session",
    "X-Sig",
    "X-Api-Pass",
    "CF-Access-Client-Id",
    "x-request-id",
    "baggage",
    "x",
)


class Wire:
    """An upstream in memory that keeps what it was sent."""

    def __init__(self, *, status=200):
        self.status = status
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if self.status == 200:
            return httpx2.Response(200, json=reply(json.loads(request.content)["model"]))
        return refuse(self.status)

    @property
    def headers(self):
        """Of the last request."""
        return self.requests[-1].headers

    def holds(self, text):
        """Whether a text is anywhere in what was sent."""
        return any(
            text in part
            for request in self.requests
            for part in (str(request.url), repr(request.headers.raw), request.content.decode())
        )


@pytest.fixture
def own():
    return Wire(status=529)


@pytest.fixture
def other():
    return Wire()


@pytest.fixture
def lab(connect, asynchronous, fake_clock):
    lab = Lab(connect, fake_clock, "http://backup.test", asynchronous=asynchronous)
    yield lab
    lab.close()


@pytest.fixture
def make(lab, own, other):
    """Makes a caller between the two wires; `theirs`: options of the named client."""

    def make(a_policy=None, theirs=None, **options):
        clients = {BACKUP: lab.client(**{"answer": other, **(theirs or {})})}
        options["own"] = {"answer": own, **options.get("own", {})}
        return lab.caller(a_policy, clients, **options)

    return make


def test_each_client_sends_its_own_key(make, own, other):
    make().create()
    assert own.headers["authorization"] == f"Bearer {OWN_KEY}"
    assert other.headers["authorization"] == f"Bearer {BACKUP_KEY}"
    assert not other.holds(OWN_KEY)
    assert not own.holds(BACKUP_KEY)


def test_a_token_takes_the_place_of_a_key(make, other):
    make(theirs={"api_key": None, "auth_token": "their-token"}).create()
    assert other.headers["authorization"] == "Bearer their-token"
    assert not other.holds(OWN_KEY)


@pytest.mark.parametrize("name", SECRET_HEADERS)
def test_a_key_in_a_calls_headers_is_for_the_own_client_alone(make, own, other, name):
    make().create(extra_headers={name: PER_CALL, "anthropic-dangerous-direct-browser-access": "kept"})
    assert own.headers[name] == PER_CALL
    assert not other.holds(PER_CALL)
    assert other.headers["authorization"] == f"Bearer {BACKUP_KEY}"
    assert other.headers["anthropic-dangerous-direct-browser-access"] == "kept"


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "sig", "code", "mine"])
def test_a_key_in_a_calls_query_is_for_the_own_client_alone(make, own, other, name):
    make().create(extra_query={name: PER_CALL, "beta": "true"})
    assert own.holds(PER_CALL)
    assert not other.holds(PER_CALL)
    assert dict(other.requests[0].url.params.items()) == {"beta": "true"}


@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
@pytest.mark.parametrize(
    "name", ["traceparent", "tracestate", "anthropic-beta", "anthropic-version", "x-stainless-helper", "Accept"]
)
def test_what_a_header_says_of_the_request_is_sent_along(make, own, other, name, path):
    make().call(path, **CALL, extra_headers={name: "said-of-it"})
    assert own.headers[name] == other.headers[name] == "said-of-it"


KEY = f"api_key={PER_CALL}"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (f"?beta=true&{KEY}", "?beta=true"),
        (f"?{KEY}&beta=true", "?beta=true"),
        (f"?{KEY}", ""),
        (f"?beta=true&beta={PER_CALL}", "?beta=true"),
        (f"?betas={PER_CALL}", ""),
        (f"?{PER_CALL}", ""),
        (f"?beta=true&sig=a?{KEY}", "?beta=true"),
        ("?beta=true", "?beta=true"),
        ("", ""),
    ],
)
def test_a_key_in_a_calls_path_is_for_the_own_client_alone(make, own, other, query, kept):
    message = make().call("post", path=f"/v1/messages{query}", cast_to=anthropic.types.Message, body=CALL)
    assert message.content[0].text == "Hello."
    assert own.holds(PER_CALL) == (PER_CALL in query)
    assert not other.holds(PER_CALL)
    assert str(other.requests[0].url) == f"http://backup.test/v1/messages{kept}"


def test_a_key_that_a_call_leaves_out_is_sent_by_the_other_client_all_the_same(make, own, other):
    make().create(extra_headers={"Authorization": anthropic.Omit(), "X-Api-Key": PER_CALL})
    assert "authorization" not in own.headers
    assert other.headers["authorization"] == f"Bearer {BACKUP_KEY}"
    assert not other.holds(PER_CALL)


def test_the_caller_may_send_keys_as_headers_of_its_client(make, own, other):
    make(own={"default_headers": {"x-gateway-key": PER_CALL, "x-mine": "1"}}).create()
    assert own.headers["x-gateway-key"] == PER_CALL
    assert not other.holds(PER_CALL)
    assert "x-mine" not in other.headers


def test_the_other_clients_own_headers_and_query_are_used(make, own, other):
    theirs = {
        "default_headers": {"x-gateway-key": "theirs", "anthropic-workspace-id": "wrkspc_theirs"},
        "default_query": {"tenant": "theirs"},
    }
    make(theirs=theirs).create()
    assert other.headers["x-gateway-key"] == "theirs"
    assert other.headers["anthropic-workspace-id"] == "wrkspc_theirs"
    assert other.requests[0].url.params["tenant"] == "theirs"
    assert "x-gateway-key" not in own.headers


@pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
def test_betas_are_sent_along(make, own, other, path):
    make().call(
        path,
        model=FIRST,
        max_tokens=5,
        messages=[{"role": "user", "content": "hi"}],
        extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    assert own.headers["anthropic-beta"] == other.headers["anthropic-beta"] == "some-beta-2026-01-01"


def lose(_):
    raise httpx2.ConnectError(PER_CALL)


def be_broken(_):
    raise LookupError(BACKUP_KEY)


ENDS = {
    "the backup answers": (529, {}),
    "the account refuses": (401, {}),
    "nobody answers": (529, {"answer": Wire(status=529)}),
    "all accounts refuse": (401, {"answer": Wire(status=401)}),
    "the backup is out of reach": (529, {"answer": lose}),
    "the backup is broken": (529, {"middleware": [Watcher(be_broken)]}),
}
"""What the own client is answered, and what the backup is like."""


@pytest.mark.parametrize("ends", ENDS)
def test_no_key_is_written_down(make, own, caplog, ends):
    caplog.set_level(logging.DEBUG, logger="failover")
    heard, record, pieces = [], Trace(), []
    own.status, theirs = ENDS[ends]
    breaker = {**trip(consecutive_failures=2), "last_resort": "off"}
    caller = make(
        to_backup(rung(), rung(SECOND), breaker=breaker),
        theirs,
        listeners=[heard.append],
        tracer_provider=record.provider,
    )
    for _ in range(4):
        with failover.recording() as routes:
            result = caller.attempt(extra_headers={"x-api-key": PER_CALL})
        pieces.extend((repr(failover.route(result)), *getattr(result, "__notes__", []), *map(str, routes)))
    pieces.extend(map(repr, heard))
    pieces.extend(span.to_json() for span in record.spans)
    pieces.extend(f"{line.getMessage()} {vars(line)!r}" for line in caplog.records if line.name == "failover")
    pieces.extend((repr(caller.guard), repr(caller.board.breakers())))
    assert len(pieces) > 20
    assert [piece for piece in pieces if "canary" in piece] == []
