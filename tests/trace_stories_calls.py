"""Calls of every kind that are answered at once or not at all, and the trace that each leaves."""

from __future__ import annotations

import pytest
from bulkhead_places import ClockThatFrees, limited, occupy
from sdk_callers import FIRST, NO_REPEAT, SECOND, Watcher, ladder, policy
from thread_lab import run_loop
from trace_stage import FailsOnce, story

from failover.testing import Fault

__all__ = ["CALLS"]

TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, verdict success, status 200, request 1
    """)
def answered(stage):
    stage.caller(policy()).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, wait.total 0.25 s
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 500, error api_error, request 1
        * wait: wait.cause backoff, wait.delay 0.25 s
        try claude-haiku-5-5 [CLIENT] attempt 2, as retry, verdict success, status 200, request 2
    """)
def repeated(stage):
    stage.fake.script(FIRST, [Fault(status=500)])
    stage.caller(policy(retry={"tries": 2})).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 2
    """)
def saved(stage):
    stage.fake.fail(FIRST, 529)
    stage.caller(policy(retry=NO_REPEAT)).create()


@story("""
    anthropic.messages.create [CLIENT ERROR] error api_error
      failover test [INTERNAL ERROR] outcome exhausted, asked for claude-haiku-5-5, wait.total 3.75 s, error api_error
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 500, error api_error, request 1
        try claude-haiku-4-5 [CLIENT ERROR] attempt 2, as fallback, verdict failure, error connection_error
        * wait: wait.cause between_passes, wait.delay 3.75 s
        try claude-haiku-5-5 [CLIENT ERROR] attempt 3, as retry, verdict failure, status 500, error api_error, request 3
        try claude-haiku-4-5 [CLIENT ERROR] attempt 4, as retry, verdict failure, error connection_error
    """)
def exhausted(stage):
    stage.fake.fail(FIRST, 500)
    stage.fake.fail(SECOND, drop=True)
    stage.caller(policy(retry={"tries": 1, "passes": 2})).error()


@story("""
    anthropic.messages.create [CLIENT ERROR] error invalid_request_error
      failover test [INTERNAL ERROR] outcome failed, asked for claude-haiku-5-5, error invalid_request_error
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict neutral, status 400, error invalid_request_error, request 1
    """)
def wrong_request(stage):
    stage.fake.fail(FIRST, 400)
    stage.caller(policy()).error()


@story("""
    anthropic.messages.create [CLIENT]
      failover test [INTERNAL] outcome cancelled, asked for claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary
    """)
def cancelled(stage):
    def interrupt(_request):
        raise KeyboardInterrupt

    caller = stage.caller(policy())
    caller.client = caller.client.with_middleware(Watcher(interrupt))
    caller.error()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5, skipped claude-opus-5-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
        * model.skipped: circuit claude-opus-5-5, model claude-opus-5-5, because unfit, skip.why tool_choice: tool is not taken
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 2
    """)
def unfit(stage):
    stage.fake.fail(FIRST, 529)
    caller = stage.caller(policy(ladders=ladder("claude-opus-5-5", SECOND), retry=NO_REPEAT))
    caller.create(tools=[TOOL], tool_choice={"type": "tool", "name": TOOL["name"]})


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 504, error timeout_error, request 1
        * prompt.shrunk: model claude-haiku-5-5, prompt.dropped drop_turns: 6 turns, about 7,909 tokens, prompt.tokens.after 5752, prompt.tokens.before 13661
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, changes shrunk: drop_turns: 6 turns, about 7,909 tokens, verdict success, status 200, request 2
    """)
def shrunk(stage):
    stage.fake.script(FIRST, [Fault(status=504)])
    rules = {"when": ["timeout_error"], "to": "50%", "steps": [{"drop_turns": {"keep_last": 2}}]}
    talk = [{"role": role, "content": "word " * 500} for role in [*["user", "assistant"] * 9, "user"]]
    stage.caller(policy(retry=NO_REPEAT, shrink=rules)).create(messages=talk)


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, wait.total 2 s
        * wait: wait.cause queue, wait.delay 2 s
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, queue.wait 2 s, verdict success, status 200, request 2
    """)
def stood_in_line(stage):
    clock = ClockThatFrees()
    caller = stage.caller(limited(1, 30, SECOND), clock=clock)
    caller.create()
    clock.after(40, occupy(caller.guard).release)
    caller.create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5, skipped claude-haiku-5-5
        * model.skipped: circuit claude-haiku-5-5, model claude-haiku-5-5, retry_in 0 s, because full, skip.why rung claude-haiku-5-5
        try claude-haiku-4-5 [CLIENT] attempt 1, as fallback, verdict success, status 200, request 2
    """)
def full(stage):
    caller = stage.caller(limited(1, 0, SECOND))
    caller.create()
    ticket = occupy(caller.guard)
    caller.create()
    ticket.release()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
        try claude-haiku-5-5 [CLIENT] attempt 2, as fallback, client backup, verdict success, status 200, request 2
    """)
def on_another_client(stage):
    stage.fake.fail("*", 529)
    rungs = ladder({"model": FIRST, "client": "backup"})
    backup = stage.client(stage.upstream())
    stage.caller(policy(ladders=rungs, retry=NO_REPEAT), clients={"backup": backup}).create()


@story("""
    anthropic.messages.tool_runner [INTERNAL OK]
      anthropic.messages.create [CLIENT OK]
        failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
          try claude-haiku-5-5 [CLIENT] attempt 1, as primary, verdict success, status 200, request 1
      anthropic.custom_tool_use weather [INTERNAL OK]
      anthropic.messages.create [CLIENT ERROR] error not_found_error
        failover test [INTERNAL] outcome rethreaded, asked for claude-haiku-5-5
          try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 2
      anthropic.messages.create [CLIENT OK]
        failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
          try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 3
          try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, changes thread: dropped, only the requested model keeps one, verdict success, status 200, request 4
    """)
def rethreaded(stage):
    run_loop(stage.caller(policy(retry=NO_REPEAT)), before={2: lambda: stage.fake.fail(FIRST, 529)})


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, verdict success, status 200, request 1
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, sdk_retries_taken 1
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, verdict success, status 200, request 2
    """)
def repeated_by_the_sdk(stage):
    """Somebody else's middleware raised, outside of ours and after us, what the SDK retries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.0)
        stage.caller(policy(), before=[FailsOnce()]).create()


CALLS = (
    answered,
    repeated,
    saved,
    exhausted,
    wrong_request,
    cancelled,
    unfit,
    shrunk,
    stood_in_line,
    full,
    on_another_client,
    rethreaded,
    repeated_by_the_sdk,
)
