"""What an outage costs a threaded conversation: an answer of another model says so, and the SDK begins a new thread.

The SDK reads that from `usage.iterations`, where the API itself says that a fallback model answered
(https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback).
"""

from __future__ import annotations

import json

import httpx2
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, ladder, policy, refuse, reply
from thread_lab import BETA, KINDS, run_loop, wire

from failover.request.threads import Mark
from failover.stream.message import parsed
from failover.testing.payloads import sse

LIMIT = 16
MARK = "fallback_message"
HANG = 30

streamed = pytest.mark.parametrize("streamed", KINDS.values(), ids=KINDS)


def kinds(upstream):
    return [(model, kind) for model, kind, *_ in wire(upstream)]


class TestAnAnswerOfAnotherModel:
    @pytest.mark.parametrize("how", [{}, {"streamed": True}, {"max_tokens": LIMIT + 1}])
    def test_is_marked(self, connect, fake_claude, how):
        """However it comes: whole, as a stream, or as a stream that was collected."""
        caller = connect(policy(retry=NO_REPEAT, stream={"collect_over": LIMIT}))
        how = {"max_tokens": LIMIT, **how}
        loop = run_loop(caller, **how, before={2: lambda: fake_claude.fail(FIRST, 529)})
        own, others = loop.messages
        assert own.usage.iterations is None
        (mark,) = others.usage.iterations
        assert (mark.type, mark.model) == (MARK, SECOND)
        assert (mark.input_tokens, mark.output_tokens) == (others.usage.input_tokens, others.usage.output_tokens)

    @pytest.mark.parametrize("fields", [{}, {"thread": {"type": "create"}, "betas": [BETA]}])
    def test_is_left_as_it_came_where_no_helper_of_the_sdk_keeps_a_thread(self, caller, fake_claude, fields):
        fake_claude.fail(FIRST, 529)
        message = caller.attempt("beta.messages.create", **fields)
        assert (message.model, message.usage.iterations) == (SECOND, None)

    def test_is_marked_where_it_says_how_it_came_about(self, connect):
        """The entry of the iteration that completed it gives way to one of another type."""
        one = {"type": "message", "input_tokens": 1, "output_tokens": 2}
        one.update(cache_creation_input_tokens=0, cache_read_input_tokens=0)

        def api(request):
            body = json.loads(request.content)
            usage = {"input_tokens": 2, "output_tokens": 4, "iterations": [one, one]}
            return refuse(529) if body["model"] == FIRST else httpx2.Response(200, json=reply(SECOND, usage=usage))

        caller = connect(policy(retry=NO_REPEAT), answer=api)
        (message,) = run_loop(caller).messages
        assert [(each.type, each.model) for each in message.usage.iterations] == [
            ("message", None),
            (MARK, SECOND),
        ]


class TestTheEventsOfAStream:
    """The mark stands where the API says it itself: in the last word about usage."""

    START = sse({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}})

    def test_are_the_same_but_for_that_word(self):
        before = [self.START, sse({"type": "ping"}), sse({"type": "message_stop"})]
        mark = Mark(SECOND, elsewhere=False)
        assert [mark.rewrite(event) for event in before] == before

    @pytest.mark.parametrize(
        ("usage", "tokens"),
        [({"output_tokens": 5}, (7, 5)), ({"input_tokens": 9, "output_tokens": 5}, (9, 5)), (None, (7, 1))],
    )
    def test_say_what_the_whole_answer_took(self, usage, tokens):
        end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
        told = Mark(SECOND, elsewhere=False).rewrite(self.START + sse(end))
        _, said = parsed(told)
        (mark,) = said["usage"].pop("iterations")
        assert (said["delta"], said["usage"]) == (end["delta"], usage or {})
        assert (mark["type"], mark["model"], mark["input_tokens"], mark["output_tokens"]) == (MARK, SECOND, *tokens)

    @pytest.mark.parametrize(
        "odd",
        [
            b"event: message_delta\ndata: {\n\n",
            b"event: message_delta\ndata: []\n\n",
            b'event: message_delta\ndata: {"type": "message_delta", "usage": [1]}\n\n',
            b'event: message_start\ndata: {"type": "message_start", "message": null}\n\n',
            b": message_delta\n\n",
        ],
    )
    def test_pass_as_they_came_where_they_make_no_sense(self, odd):
        assert Mark(SECOND, elsewhere=False).rewrite(odd) == odd


class TestALongOutage:
    @streamed
    @pytest.mark.parametrize("turn", [1, 2])
    def test_asks_for_no_thread_that_is_not_there(self, caller, fake_claude, streamed, turn):
        loop = run_loop(caller, calls=8, streamed=streamed, before={turn: lambda: fake_claude.fail(FIRST, 529)})
        assert loop.error is None
        assert [status for *_, status in wire(fake_claude) if status == 404] == []
        assert loop.outcomes == (["primary", "rethreaded"] if turn == 2 else []) + ["fallback"] * (10 - turn)
        assert loop.models == [FIRST] * (turn - 1) + [SECOND] * (10 - turn)

    @streamed
    def test_with_an_open_circuit_costs_no_request_at_all(self, caller, fake_claude, streamed):
        loop = run_loop(caller, calls=5, streamed=streamed, before={2: lambda: caller.board.breaker(FIRST).open()})
        assert kinds(fake_claude) == [(FIRST, "create")] + [(SECOND, "-")] * 5
        assert loop.outcomes == ["primary", "rethreaded"] + ["fallback"] * 5

    @streamed
    def test_is_over_when_the_first_model_is_back_and_threads_go_on(self, caller, fake_claude, streamed):
        before = {2: lambda: fake_claude.fail(FIRST, 529), 4: fake_claude.heal}
        loop = run_loop(caller, calls=5, streamed=streamed, before=before)
        assert loop.models == [FIRST, SECOND, SECOND, FIRST, FIRST, FIRST]
        assert kinds(fake_claude)[-3:] == [(FIRST, "create"), (FIRST, "continue"), (FIRST, "continue")]


class TestTheTimeOfATurn:
    @streamed
    def test_is_spent_once(self, connect, fake_claude, streamed):
        """To the one who waits, a turn and its repetition are one call: the silent model is not given its time again."""
        caller = connect(policy(retry={**NO_REPEAT, "deadline": "2s", "reserve": "1s"}), clock=None)
        loop = run_loop(caller, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, hang=HANG)})
        assert loop.models == [FIRST, SECOND]
        assert kinds(fake_claude) == [(FIRST, "create"), (FIRST, "continue"), (SECOND, "-")]
        assert loop.routes[-1].skipped == (FIRST,)

    def test_is_given_anew_to_the_next_turn(self, connect, fake_claude, fake_clock):
        caller = connect(policy(retry={**NO_REPEAT, "deadline": "60s", "reserve": "20s"}))
        before = {2: lambda: fake_claude.fail(FIRST, 529), 3: lambda: (fake_clock.advance(50), fake_claude.heal())}
        loop = run_loop(caller, calls=2, before=before)
        assert loop.models == [FIRST, SECOND, FIRST]

    def test_is_not_taken_from_another_call(self, connect, fake_claude, fake_clock):
        caller = connect(policy(retry={**NO_REPEAT, "deadline": "60s", "reserve": "20s"}))
        fake_claude.script(FIRST, [None])
        loop = run_loop(caller, before={2: lambda: fake_claude.fail("*", 529)})
        assert loop.error is not None
        fake_claude.heal()
        fake_clock.advance(300)
        assert caller.create().model == FIRST


class TestWhoeverCouldNotTakeTheConversationEither:
    def test_is_no_reason_to_ask_for_it(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder("claude-opus-5-5")))
        loop = run_loop(caller, tool_choice={"type": "any"}, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert loop.outcomes == ["primary", "exhausted"]


@streamed
def test_requests_that_are_sent_as_they_are_are_sent_whole_too(connect, fake_claude, streamed):
    loop = run_loop(
        connect(policy(fit="off")), calls=3, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, 529)}
    )
    assert loop.error is None
    assert (SECOND, "continue") not in kinds(fake_claude)
    assert CALL["max_tokens"] == fake_claude.requests[-1].body["max_tokens"]
