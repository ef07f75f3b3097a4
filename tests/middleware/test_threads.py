"""A tool loop over a message thread goes on when its model dies: each tool runs once, and nothing of it is lost.

A turn that continues a thread holds only what is new, so no other model can answer it. The SDK's helper is told that
its thread is lost, and sends the whole conversation, which another model can take
(https://platform.claude.com/docs/en/build-with-claude/message-threads).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import anthropic
import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy, weather_tool
from stream_callers import streams_of
from thread_lab import KINDS, run_loop, wire

import failover
from failover import Failover

CALLS = 3
TURNS = range(1, CALLS + 2)
HANG = 30
SOON = 0.15
"""Seconds after which the client gives a silent model up."""

FAULTS = {
    "overloaded": {"status": 529},
    "error": {"status": 500},
    "rate limit": {"status": 429, "retry_after": 60},
    "no connection": {"drop": True},
    "half an answer": {"cut": True, "after_events": 0},
    "time-out": {"hang": HANG},
}

streamed = pytest.mark.parametrize("streamed", KINDS.values(), ids=KINDS)


def assert_went_well(loop, calls=CALLS):
    """Every tool that was called ran once, and its result is where it belongs."""
    assert loop.error is None
    assert [message.stop_reason for message in loop.messages] == ["tool_use"] * calls + ["end_turn"]
    assert len(loop.ran) == calls
    called = [block.id for message in loop.messages for block in called_in(message)]
    asked = [block["tool_use_id"] for message in loop.history for block in results_of(message)]
    assert called == asked
    assert len(set(called)) == calls
    answers = [message["content"] for message in loop.history if message["role"] == "assistant"]
    assert [len(content) for content in answers] == [1] * len(loop.messages)


def called_in(message):
    return [block for block in message.content if block.type == "tool_use"]


def results_of(message):
    content = message["content"] if message["role"] == "user" else ""
    return [] if isinstance(content, str) else [block for block in content if block["type"] == "tool_result"]


def assert_whole(loop, upstream):
    """No model but the first was ever given a part of the conversation, or a thread."""
    requests = [request for request in upstream.requests if request.model != FIRST]
    assert all("thread" not in request.body for request in requests)
    assert all(request.body["tools"] and request.status != 400 for request in requests)
    if loop.models[-1] != FIRST:
        assert len(requests[-1].body["messages"]) == len(loop.history) - 1


class TestWhileAllIsWell:
    @streamed
    def test_the_requests_are_those_of_the_bare_sdk(self, connect, fake_claude, streamed):
        def sent(**options):
            fake_claude.clear()
            assert_went_well(run_loop(connect(**options), calls=CALLS, streamed=streamed, system="Be short."))
            return [(request.body, request.betas, request.status) for request in fake_claude.requests]

        assert sent() == sent(wrapped=False)

    def test_its_answers_are_threaded(self, caller, fake_claude):
        loop = run_loop(caller, calls=CALLS)
        assert [(model, kind) for model, kind, *_ in wire(fake_claude)] == [(FIRST, "create")] + [
            (FIRST, "continue")
        ] * CALLS
        assert loop.outcomes == ["primary"] * (CALLS + 1)


class TestTheFirstModelDies:
    @streamed
    @pytest.mark.parametrize("turn", TURNS)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_in_any_way_at_any_turn(self, connect, fake_claude, fault, turn, streamed):
        options = {"timeout": SOON} if fault == "time-out" else {}
        caller = connect(policy(retry=NO_REPEAT), **options)
        loop = run_loop(
            caller,
            calls=CALLS,
            streamed=streamed,
            before={turn: lambda: fake_claude.fail(FIRST, **FAULTS[fault])},
        )
        assert_went_well(loop)
        assert_whole(loop, fake_claude)
        assert loop.models == [FIRST] * (turn - 1) + [SECOND] * (CALLS + 2 - turn)

    @streamed
    @pytest.mark.parametrize("turn", TURNS)
    def test_and_nothing_is_sent_to_it_once_its_circuit_is_open(self, caller, fake_claude, turn, streamed):
        loop = run_loop(
            caller, calls=CALLS, streamed=streamed, before={turn: lambda: caller.board.breaker(FIRST).open()}
        )
        assert_went_well(loop)
        assert_whole(loop, fake_claude)
        assert [model for model, *_ in wire(fake_claude)] == [FIRST] * (turn - 1) + [SECOND] * (CALLS + 2 - turn)

    @pytest.mark.parametrize("status", [500, 529])
    @streamed
    def test_with_the_default_policy(self, caller, fake_claude, status, streamed):
        loop = run_loop(
            caller, calls=CALLS, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, status=status)}
        )
        assert_went_well(loop)
        assert_whole(loop, fake_claude)
        assert loop.outcomes[:3] == ["primary", "rethreaded", "fallback"]

    def test_after_an_answer_that_got_lost_on_its_way(self, caller, fake_claude):
        """The API has continued the thread and does not do so again, which the SDK knows how to mend."""
        loop = run_loop(caller, calls=CALLS, before={2: lambda: fake_claude.fail(FIRST, cut=True, times=1)})
        assert_went_well(loop)
        assert set(loop.models) == {FIRST}
        assert [status for *_, status in wire(fake_claude)].count(400) == 1

    def test_for_one_request_only_and_keeps_the_conversation(self, caller, fake_claude):
        loop = run_loop(caller, calls=CALLS, before={2: lambda: fake_claude.fail(FIRST, 529, times=1)})
        assert_went_well(loop)
        assert set(loop.models) == {FIRST}
        assert [kind for _, kind, *_ in wire(fake_claude)] == ["create", "continue", "create", "continue", "continue"]

    @streamed
    @pytest.mark.parametrize("turn", TURNS[:-1])
    def test_and_comes_back_in_the_next_turn(self, connect, fake_claude, turn, streamed):
        before = {turn: lambda: fake_claude.fail(FIRST, 529), turn + 1: fake_claude.heal}
        loop = run_loop(connect(), calls=CALLS, streamed=streamed, before=before)
        assert_went_well(loop)
        assert_whole(loop, fake_claude)
        assert [number for number, model in enumerate(loop.models, 1) if model == SECOND] == [turn]

    def test_and_two_more_after_it(self, connect, fake_claude):
        third = "claude-sonnet-5"
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder(SECOND, third)))
        before = {2: lambda: fake_claude.fail(FIRST, 529), 3: lambda: fake_claude.fail(SECOND, 529)}
        loop = run_loop(caller, calls=CALLS, before=before)
        assert_went_well(loop)
        assert loop.models == [FIRST, SECOND, third, third]

    def test_in_many_loops_at_once(self, caller, fake_claude):
        fake_claude.script(FIRST, [None] * 16)
        fake_claude.fail(FIRST, 529)
        with ThreadPoolExecutor(8) as pool:
            loops = list(pool.map(lambda _: run_loop(caller, calls=CALLS), range(16)))
        for loop in loops:
            assert_went_well(loop)
        assert SECOND in {loop.models[-1] for loop in loops}
        assert len({block.id for loop in loops for message in loop.messages for block in called_in(message)}) == 48

    @streamed
    def test_under_the_clients_own_tool_runner(self, caller, fake_claude, asynchronous, streamed):
        """It makes its thread by itself, as it does by default."""
        fake_claude.script(FIRST, [None])
        fake_claude.fail(FIRST, 529)
        ran = []
        tool = weather_tool(ran, asynchronous=asynchronous)
        messages = (streams_of(caller) if streamed else caller).run_tools(tool)
        assert [message.model for message in messages] == [FIRST, SECOND]
        assert (len(ran), messages[-1].content[0].text) == (1, f"Hello from {SECOND}.")
        assert [kind for _, kind, *_ in wire(fake_claude)] == ["create", "continue", "create", "-"]


class TestALongOutage:
    @streamed
    def test_costs_few_requests(self, caller, fake_claude, streamed):
        """Until its circuit is open the first model is asked in vain, and never for a thread that it does not have."""
        loop = run_loop(caller, calls=20, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert_went_well(loop, 20)
        assert_whole(loop, fake_claude)
        assert loop.models == [FIRST] + [SECOND] * 20
        assert [status for model, _, _, status in wire(fake_claude) if model == FIRST] == [200] + [529] * 5
        assert loop.outcomes == ["primary", "rethreaded"] + ["fallback"] * 20


class TestHowItIsInstalled:
    def test_by_hand_beside_the_sdks_own_retries(self, connect, fake_claude, fake_clock):
        guard = Failover(policy(retry=NO_REPEAT), clock=fake_clock)
        caller = connect(wrapped=False, middleware=[guard], max_retries=2)
        loop = run_loop(caller, calls=CALLS, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert_went_well(loop)
        assert_whole(loop, fake_claude)
        assert [kind for _, kind, *_ in wire(fake_claude)][:4] == ["create", "continue", "create", "-"]

    @pytest.mark.parametrize("retries", [0, 2])
    def test_below_a_middleware_of_the_program(self, connect, fake_claude, retries):
        watcher = Watcher()
        caller = connect(policy(retry=NO_REPEAT), middleware=[watcher], max_retries=retries)
        loop = run_loop(caller, calls=1, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert_went_well(loop, 1)
        assert watcher.seen[0] == watcher.seen[2] == 200
        assert watcher.seen[1] == 404 or issubclass(watcher.seen[1], anthropic.NotFoundError)


class TestNobodyAnswers:
    """The caller gets the real error, and never the one that is meant for the SDK."""

    @streamed
    @pytest.mark.parametrize(
        ("fault", "shown"),
        [
            ({"status": 529}, anthropic.OverloadedError),
            ({"status": 500}, anthropic.InternalServerError),
            ({"status": 429, "retry_after": 60}, anthropic.RateLimitError),
            ({"drop": True}, anthropic.APIConnectionError),
            ({"status": 401}, anthropic.AuthenticationError),
            ({"status": 400}, anthropic.BadRequestError),
        ],
    )
    def test_as_all_models_are_down(self, connect, fake_claude, fault, shown, streamed):
        loop = run_loop(connect(), calls=CALLS, streamed=streamed, before={2: lambda: fake_claude.fail("*", **fault)})
        assert type(loop.error) is shown
        assert failover.route(loop.error) is loop.routes[-1]
        assert (len(loop.messages), len(loop.ran)) == (1, 1)

    @streamed
    def test_as_no_other_model_is_cheap_enough(self, connect, fake_claude, streamed):
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder("claude-opus-5"), cost_at_most=1.0))
        loop = run_loop(caller, streamed=streamed, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert type(loop.error) is anthropic.OverloadedError
        assert [model for model, *_ in wire(fake_claude)] == [FIRST, FIRST]

    def test_as_no_other_model_takes_such_a_request(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder("claude-opus-5-5")))
        loop = run_loop(caller, tool_choice={"type": "any"}, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert type(loop.error) is anthropic.OverloadedError
        assert {model for model, *_ in wire(fake_claude)} == {FIRST}

    def test_as_there_is_no_other_model(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT, ladders=ladder()))
        loop = run_loop(caller, before={2: lambda: fake_claude.fail(FIRST, 529)})
        assert type(loop.error) is anthropic.OverloadedError
        assert loop.outcomes == ["primary", "exhausted"]

    def test_as_the_circuits_of_the_others_are_open(self, connect, fake_claude):
        caller = connect(policy(retry=NO_REPEAT))

        def trouble():
            caller.board.breaker(SECOND).open()
            fake_claude.fail(FIRST, 529)

        loop = run_loop(caller, before={2: trouble})
        assert type(loop.error) is anthropic.OverloadedError
        assert loop.outcomes == ["primary", "exhausted"]

    def test_as_all_circuits_are_held_open(self, caller, fake_claude):
        loop = run_loop(
            caller, before={2: lambda: [caller.board.breaker(model).isolate() for model in (FIRST, SECOND)]}
        )
        assert type(loop.error) is failover.CircuitOpen
        assert loop.outcomes == ["primary", "refused"]
        assert fake_claude.count() == 1

    def test_the_last_resort_is_the_model_that_has_the_thread(self, caller, fake_claude):
        loop = run_loop(caller, before={2: lambda: [caller.board.breaker(model).open() for model in (FIRST, SECOND)]})
        assert_went_well(loop, 1)
        assert [kind for _, kind, *_ in wire(fake_claude)] == ["create", "continue"]

    def test_and_the_conversation_can_go_on_later(self, caller, fake_claude, fake_clock):
        """The thread is lost, and all that was said is not."""
        fake_claude.script(FIRST, [None])
        loop = run_loop(caller, before={2: lambda: fake_claude.fail("*", 529)})
        assert len(loop.history) == 3
        fake_claude.heal()
        fake_clock.advance(300)
        again = run_loop(caller, messages=loop.history, tool_choice={"type": "none"})
        assert [message.stop_reason for message in again.messages] == ["end_turn"]
