"""A conversation of the SDK's threads that another client answers for a while, and one whose turn was never sent again."""

from __future__ import annotations

import json

import httpx2
import pytest
from named_lab import BACKUP, to_backup
from sdk_callers import FIRST, NO_REPEAT, policy, refuse, reply
from stream_lab import frames
from thread_lab import KINDS, run_loop

from failover.request.threads import Mark, Replay
from failover.stream.message import parsed
from failover.testing.payloads import sse

CONTAINER = {"id": "container_theirs", "expires_at": "2026-12-01T00:00:00Z"}
START = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}, "container": CONTAINER}}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "container": CONTAINER},
    "usage": {"output_tokens": 5},
}

streamed = pytest.mark.parametrize("streamed", KINDS.values(), ids=KINDS)


def with_container(events):
    """A stream whose answer came out of a container."""
    for said in parsed(b"".join(events)):
        if said["type"] == "message_start":
            said["message"]["container"] = CONTAINER
        elif said["type"] == "message_delta":
            said["delta"]["container"] = CONTAINER
        yield sse(said)


def answer_from_a_container(request):
    body = json.loads(request.content)
    if not body.get("stream"):
        return httpx2.Response(200, json=reply(body["model"], container=CONTAINER))
    content = b"".join(with_container(frames(body["model"]).whole))
    return httpx2.Response(200, content=content, headers={"content-type": "text/event-stream"})


class TestTheContainerOfAnotherClient:
    """It is of that client's workspace: in a later turn of the own client it would be one that is not there."""

    @streamed
    def test_does_not_get_into_the_conversation(self, lab, streamed):
        clients = {BACKUP: lab.client(answer=answer_from_a_container)}
        caller = lab.caller(to_backup(), clients, own={"answer": lambda _: refuse(529)})
        loop = run_loop(caller, streamed=streamed)
        assert loop.error is None
        (message,) = loop.messages
        assert message.container is None
        assert message.content[0].text.startswith("Hello")

    def test_is_kept_where_the_own_client_answers(self, connect):
        def answer(request):
            body = json.loads(request.content)
            return refuse(529) if body["model"] == FIRST else answer_from_a_container(request)

        (message,) = run_loop(connect(policy(retry=NO_REPEAT), answer=answer)).messages
        assert message.container.id == CONTAINER["id"]

    @pytest.mark.parametrize("elsewhere", [True, False])
    def test_is_in_no_event_of_its_streams(self, elsewhere):
        mark = Mark("theirs", elsewhere=elsewhere)
        start, end = parsed(mark.rewrite(sse(START)) + mark.rewrite(sse(END)))
        kept = None if elsewhere else CONTAINER
        assert (start["message"]["container"], end["delta"]["container"]) == (kept, kept)
        assert end["usage"]["iterations"][0]["model"] == "theirs"
        assert start["message"]["usage"] == START["message"]["usage"]


class TestATurnThatWasToBeSentAgainAndNeverCame:
    """The helper was interrupted, or a middleware outwards of ours raised: the next thread is nobody's repetition."""

    @pytest.fixture(autouse=True)
    def forgotten(self):
        """No test leaves a deadline to the next."""
        yield
        Replay.expect("", 0)

    def test_leaves_the_next_thread_its_whole_time(self, caller, fake_clock, fake_claude):
        Replay.expect(FIRST, fake_clock.now() - 3600)
        loop = run_loop(caller)
        assert loop.error is None
        assert loop.models == [FIRST, FIRST]

    def test_is_over_with_its_deadline_to_the_second(self, caller, fake_clock, fake_claude):
        Replay.expect(FIRST, fake_clock.now())
        assert run_loop(caller).error is None
        assert fake_claude.count(FIRST) == 2

    @pytest.mark.parametrize("odd", ["x", 5, ["continue"], {"type": ["continue"]}, None])
    def test_does_not_stumble_over_a_thread_of_a_strange_form(self, connect, fake_clock, odd):
        caller = connect(answer=lambda _: httpx2.Response(200, json=reply(FIRST)))
        Replay.expect(FIRST, fake_clock.now() + 3600)
        assert caller.create(extra_body={"thread": odd}).model == FIRST
