"""How long a tiny request may take, and how it looks on other platforms than the Claude API itself."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from incident_places import Listening, begin, due, incident_policy, probed
from named_lab import rung
from sdk_callers import LADDER, Watcher, refuse
from test_clients import PLATFORMS, class_named
from test_named_platforms import THERE, WIRES, WITHOUT_MODEL, Wire, answer_well
from test_stream_bedrock import AWS, Bedrock

import failover
from failover.errors import PlatformIncident


class TestItsTime:
    """On the real clock."""

    @pytest.fixture
    def hanging(self, connect, fake_claude):
        def hanging(**options):
            probe = {"every": "200ms", "timeout": "200ms", "successes": 1}
            caller = connect(incident_policy(probe=probe), clock=None, **options)
            begin(caller, fake_claude)
            fake_claude.fail("*", hang=30)
            return caller

        return hanging

    def test_is_no_longer_than_the_policy_says(self, hanging, fake_claude):
        caller = hanging()
        clock = caller.guard._clock
        until = clock.now() + 0.2
        while clock.now() < until:
            clock.sleep(0.02)
        before = len(fake_claude.requests)
        started = clock.now()
        assert type(caller.error()) is PlatformIncident
        assert clock.now() - started < 2
        assert len(fake_claude.requests) == before + 1

    def test_is_not_made_longer_by_an_answer_that_drips(self, connect, raw):
        """A gateway may send blanks to keep a connection alive."""
        probe = {"every": "200ms", "timeout": "200ms", "successes": 1}
        caller = connect(incident_policy(probe=probe), clock=None, url=raw.url)
        for model in LADDER:
            raw.answers(model, b"{}", status=529, kind="application/json")
        caller.attempt()
        for model in LADDER:
            raw.answers(model, *[b" ", 0.05] * 60, kind="application/json")
        clock = caller.guard._clock
        clock.sleep(0.21)
        started = clock.now()
        assert type(caller.error()) is PlatformIncident
        assert clock.now() - started < 1.5

    @pytest.mark.parametrize(("own", "longest"), [(60, 10), (3, 3)])
    def test_is_no_longer_than_that_of_the_client(self, connect, fake_claude, fake_clock, own, longest):
        watcher = Watcher()
        caller = connect(incident_policy(), timeout=own)
        caller.client = caller.client.with_middleware(watcher)
        due(caller, fake_claude, fake_clock)
        del watcher.requests[:]
        caller.create()
        assert watcher.requests[0].options.timeout.read == longest
        assert watcher.requests[0].options.timeout.connect <= longest

    def test_is_what_is_left_of_a_short_deadline(self, connect, fake_claude, fake_clock):
        watcher = Watcher()
        caller = connect(incident_policy(retry={"tries": 1, "passes": 1, "deadline": "2s", "reserve": 0}))
        caller.client = caller.client.with_middleware(watcher)
        due(caller, fake_claude, fake_clock)
        del watcher.requests[:]
        caller.create()
        assert watcher.requests[0].options.timeout.read == pytest.approx(2)


class TestOnAnotherPlatform:
    """A named client whose every rung is there."""

    @pytest.fixture
    def there(self, lab, asynchronous):
        """Makes a client of a platform that talks to a wire, on which everything fails; the client and the wire."""

        async def provide():
            return "fake"

        def there(name):
            options = {**PLATFORMS[name]}
            if asynchronous and "token_provider" in options:
                options["token_provider"] = provide
            wire = Wire(lambda request: refuse(529))
            http_kind = httpx2.AsyncClient if asynchronous else httpx2.Client
            http_client = http_kind(transport=httpx2.MockTransport(wire), verify=False)
            kind = class_named(f"{'Async' if asynchronous else ''}Anthropic{name}")
            return lab.keep(kind(http_client=http_client, **options)), wire

        return there

    @pytest.mark.parametrize("name", WIRES)
    def test_it_is_the_platforms_own_request(self, lab, there, fake_clock, name):
        model, url, signed = WIRES[name]
        client, wire = there(name)
        told = Listening()
        other = "anthropic.claude-other-v1:0" if name == "Bedrock" else "claude-other"
        ladders = [{"match": "*", "rungs": [rung(model, THERE), rung(other, THERE)]}]
        own = {"answer": lambda _: refuse(401, "authentication_error"), "base_url": "https://api.anthropic.com"}
        caller = lab.caller(incident_policy(ladders=ladders), {THERE: client}, own=own, listeners=[told])
        caller.error()
        assert [found.client for found in caller.guard.incidents] == [THERE]
        fake_clock.advance(30)
        wire.requests.clear()
        assert type(caller.error(stream=True)) is anthropic.AuthenticationError
        (request,) = wire.requests
        assert str(request.url) == url
        for header, value in signed.items():
            assert request.headers[header].startswith(value)
        assert wire.sent["messages"] == [{"role": "user", "content": "ping"}]
        assert wire.sent["max_tokens"] == 1
        assert "stream" not in wire.sent
        assert wire.sent.get("model") == (None if name in WITHOUT_MODEL else model)
        assert probed(told) == [(model, False, 529, "overloaded_error")]
        wire._answer = answer_well
        fake_clock.advance(30)
        assert caller.create().content[0].text == "Hello."


class TestOnBedrockAsTheCallersOwnClient:
    """Its streams are asked for at another address than its messages."""

    @pytest.mark.parametrize("streamed", [False, True])
    def test_it_is_asked_for_a_message(self, connect, asynchronous, fake_clock, streamed):
        told = Listening()
        bedrock = Bedrock()
        try:
            bad, worse = "anthropic.claude-bad-v1:0", "anthropic.claude-bad-v2:0"
            kind = anthropic.AsyncAnthropicBedrock if asynchronous else anthropic.AnthropicBedrock
            plain = connect(wrapped=False)
            plain.client = kind(base_url=bedrock.url, max_retries=0, **AWS)
            a_policy = incident_policy(ladders=[{"match": "*", "rungs": [worse]}])
            guard = failover.Failover(a_policy, clock=fake_clock, random=lambda: 0.5, listeners=[told])
            unwrapped, plain.client = plain.client, failover.wrap(plain.client, guard)
            plain.error(model=bad)
            assert guard.incidents
            fake_clock.advance(30)
            del bedrock.paths[:]
            error = plain.error(model=bad, stream=streamed)
            assert type(error) is PlatformIncident
            assert bedrock.paths == [f"/model/{bad.replace(':', '%3A')}/invoke"] or bedrock.paths == [
                f"/model/{bad}/invoke"
            ]
            assert probed(told)[0][:3] == (bad, False, 529)
            plain.client = unwrapped
        finally:
            bedrock.stop()
