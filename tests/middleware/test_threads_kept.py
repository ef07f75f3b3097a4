"""What a threaded turn takes along to another model, what stays behind, and what can never go: turns of raw callers."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timezone

import anthropic
import httpx2
import pytest
from pydantic import BaseModel
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, refuse, reply
from stream_callers import streams_of
from stream_reading import Interruptions, read
from thread_lab import BETA, KINDS, run_loop, wire

import failover

OTHER_BETA = "interleaved-thinking-2025-05-14"
SYSTEM = [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}]
BROKEN = {"cut": True, "after_events": 1}

streamed = pytest.mark.parametrize("streamed", KINDS.values(), ids=KINDS)


class TestTheWholeConversation:
    @streamed
    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_has_what_only_the_first_turn_of_a_thread_had(self, caller, fake_claude, turn, streamed):
        """A turn that continues a thread leaves out its tools and its system prompt."""
        loop = run_loop(
            caller, calls=2, streamed=streamed, system=SYSTEM, before={turn: lambda: fake_claude.fail(FIRST, 529)}
        )
        assert loop.error is None
        for request in fake_claude.requests:
            continues = (request.body.get("thread") or {}).get("type") == "continue"
            assert ("system" in request.body, "tools" in request.body) == (not continues, not continues)

    def test_goes_without_its_thread_and_with_every_other_beta(self, caller, fake_claude):
        run_loop(caller, betas=[OTHER_BETA], before={1: lambda: fake_claude.fail(FIRST, 529)})
        first, second, *_ = fake_claude.requests
        assert (first.model, first.body["thread"], first.betas) == (FIRST, {"type": "create"}, (OTHER_BETA, BETA))
        assert (second.model, "thread" in second.body, OTHER_BETA in second.betas) == (SECOND, False, True)

    def test_is_said_to_have_lost_its_thread(self, caller, fake_claude):
        loop = run_loop(caller, before={1: lambda: fake_claude.fail(FIRST, 529)})
        changes = loop.routes[0].attempts[-1].changes
        assert "thread: dropped, only the requested model keeps one" in changes

    def test_keeps_the_shape_that_was_asked_for(self, caller, fake_claude):
        class Forecast(BaseModel):
            summary: str

        loop = run_loop(caller, output_format=Forecast, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert loop.error is None
        assert (loop.models[-1], type(loop.messages[-1].parsed_output)) == (SECOND, Forecast)

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_keeps_its_container(self, connect, turn):
        """The SDK goes on in the container of the last answer; it is the workspace's, so a model of it may use it too."""
        api = _Containers(turn)
        loop = run_loop(connect(policy(retry=NO_REPEAT), answer=api), calls=2)
        assert loop.error is None
        assert loop.models == [FIRST] * (turn - 1) + [SECOND] * (4 - turn)
        used = [body.get("container") for body in api.answered]
        assert used == [None, "container_1", "container_1"]

    def test_is_compacted_by_whoever_answers(self, caller, fake_claude):
        """A field that the fallback takes as it is stays where it is."""
        edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
        betas = ["context-management-2025-06-27"]
        loop = run_loop(caller, context_management=edits, betas=betas, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert loop.error is None
        last = fake_claude.requests[-1]
        assert (last.model, last.body["context_management"], betas[0] in last.betas) == (SECOND, edits, True)


class _Containers:
    """An API whose tool runs in a container, and whose first model is down from some turn on."""

    def __init__(self, down_from):
        self.answered = []
        self._down_from = down_from
        self._ids = itertools.count(1)

    def __call__(self, request):
        body = json.loads(request.content)
        turn = len(self.answered) + 1
        if body["model"] == FIRST and turn >= self._down_from:
            return refuse(529)
        thread = body.get("thread") or {}
        if thread.get("type") == "continue" and body["model"] not in thread["previous_message_id"]:
            details = {"error_code": "thread_not_found"}
            error = {"type": "not_found_error", "message": "no", "details": details}
            return httpx2.Response(404, json={"type": "error", "error": error})
        self.answered.append(body)
        last = turn == 3
        tool_use = {"type": "tool_use", "id": f"toolu_{turn}", "name": "weather", "input": {"city": "Rome"}}
        content = [{"type": "text", "text": "Sunny."}] if last else [tool_use]
        ends = datetime(2030, 1, 1, tzinfo=timezone.utc).isoformat()
        container = {"id": "container_1", "expires_at": ends, "skills": None}
        message = reply(body["model"], id=f"msg_{body['model']}_{next(self._ids)}", content=content)
        stop_reason = "end_turn" if last else "tool_use"
        return httpx2.Response(200, json={**message, "container": container, "stop_reason": stop_reason})


class TestAStreamThatBreaks:
    """Whoever reads it has some of the answer, whose rest only its own model's thread has."""

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    @pytest.mark.parametrize("turn", [1, 2])
    def test_is_taken_over_by_nobody(self, connect, fake_claude, mode, turn):
        told = Interruptions()
        caller = connect(policy(stream={"on_interrupt": mode}), listeners=[told])
        loop = run_loop(caller, streamed=True, before={turn: lambda: fake_claude.fail(FIRST, **BROKEN)})
        assert type(loop.error) is anthropic.APIConnectionError
        assert [event.why for event in told] == ["thread"]
        assert loop.outcomes == ["primary"] * (turn - 1) + ["interrupted"]
        assert {request.model for request in fake_claude.requests} == {FIRST}

    @pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
    def test_can_be_asked_for_again_as_without_failover(self, connect, fake_claude, mode):
        """The SDK sends the turn again with all that was before it, in a new thread."""
        caller = connect(policy(stream={"on_interrupt": mode}))
        thread = caller.client.beta.messages.thread(model=FIRST, max_tokens=64)
        streams = streams_of(caller)
        hello = {"role": "user", "content": "hi"}
        assert _final(streams, thread, hello).model == FIRST
        fake_claude.fail(FIRST, **BROKEN, times=1)
        with pytest.raises(anthropic.APIConnectionError):
            _final(streams, thread, hello)
        fake_claude.fail(FIRST, 529)
        message = _final(streams, thread)
        assert (message.model, message.content[0].text) == (SECOND, f"Hello from {SECOND}.")
        assert len(fake_claude.requests[-1].body["messages"]) == 3
        assert [message["role"] for message in thread.messages] == ["user", "assistant"] * 2


def _final(streams, thread, *messages):
    manager = thread.stream(*messages)
    if hasattr(manager, "__aenter__"):
        return streams._run(_final_async(manager))
    with manager as stream:
        return stream.get_final_message()


async def _final_async(manager):
    async with manager as stream:
        return await stream.get_final_message()


class TestACallerThatKeepsItsThreadItself:
    """Nothing says that it could send its whole conversation: its turns stay with their model."""

    @pytest.fixture
    def turn(self, caller):
        begun = caller.call(
            "beta.messages.create",
            model=FIRST,
            max_tokens=64,
            messages=[{"role": "user", "content": "hi"}],
            thread={"type": "create"},
            betas=[BETA],
        )
        return {"thread": {"type": "continue", "previous_message_id": begun.id}, "betas": [BETA]}

    @pytest.mark.parametrize(
        "trouble",
        [
            ({"status": 529}, anthropic.OverloadedError),
            ({"status": 500}, anthropic.InternalServerError),
            ({"drop": True}, anthropic.APIConnectionError),
        ],
    )
    @pytest.mark.parametrize("path", ["beta.messages.create", "beta.messages.stream"])
    def test_gets_the_real_error(self, caller, fake_claude, turn, trouble, path):
        fault, shown = trouble
        fake_claude.fail(FIRST, **fault)
        error = read(caller, path, **turn).error if path.endswith("stream") else caller.error(path, **turn)
        assert type(error) is shown
        assert failover.route(error).outcome == "exhausted"
        assert {request.model for request in fake_claude.requests} == {FIRST}
        assert fake_claude.count() > 2

    def test_is_answered_by_its_model_in_the_end(self, caller, fake_claude, turn):
        fake_claude.fail(FIRST, 529, times=3)
        assert caller.attempt("beta.messages.create", **turn).model == FIRST
        assert [kind for _, kind, *_ in wire(fake_claude)] == ["create"] + ["continue"] * 4

    def test_may_begin_a_thread_that_another_model_answers_without_one(self, caller, fake_claude):
        fake_claude.fail(FIRST, 529)
        message = caller.attempt("beta.messages.create", thread={"type": "create"}, betas=[BETA])
        assert message.model == SECOND
        assert message.usage.iterations is None
        assert [kind for _, kind, *_ in wire(fake_claude)] == ["create", "-"]

    def test_gets_the_apis_own_word_of_a_thread_that_is_lost(self, caller, fake_claude):
        thread = {"type": "continue", "previous_message_id": "msg_of_nobody"}
        error = caller.error("beta.messages.create", thread=thread, betas=[BETA])
        assert isinstance(error, anthropic.NotFoundError)
        assert error.request_id == fake_claude.requests[0].request_id
        assert fake_claude.count() == 1
