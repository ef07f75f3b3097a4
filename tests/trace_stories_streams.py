"""Streamed answers, whole and broken, and the trace that each leaves."""

from __future__ import annotations

from sdk_callers import FIRST, NO_REPEAT, policy
from stream_reading import read
from trace_stage import story
from trace_stories_calls import TOOL

__all__ = ["STREAMS"]


def broken(stage, mode, fault, **fields):
    """A stream of the first model breaks; the policy says what then."""
    stage.fake.fail(FIRST, **fault)
    read(stage.caller(policy(retry=NO_REPEAT, stream={"on_interrupt": mode})), **fields)


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, stream.end complete, verdict success, status 200, request 1
    """)
def streamed(stage):
    read(stage.caller(policy()))


@story("""
    anthropic.messages.create [CLIENT]
      failover test [INTERNAL] outcome cancelled, asked for claude-haiku-5-5
        try claude-haiku-5-5 [CLIENT] attempt 1, as primary, stream.end closed, verdict neutral, status 200, request 1
    """)
def left_early(stage):
    stage.caller(policy()).first_text()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, discarded in 25, out 1, stream.end error, verdict failure, status 200, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, stream.end complete, verdict success, status 200, request 2
    """)
def failed_before_its_first_content(stage):
    broken(stage, "raise", {"error_event": "overloaded_error", "after_events": 0})


@story("""
    anthropic.messages.create [CLIENT ERROR] error connection_error
      failover test [INTERNAL ERROR] outcome interrupted, asked for claude-haiku-5-5, error connection_error
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, discarded in 25, out 2, stream.end cut, verdict failure, status 200, error connection_error, request 1
        * stream.interrupted: model claude-haiku-5-5, stream.then raise, error connection_error, request 1
    """)
def interrupted(stage):
    broken(stage, "raise", {"cut": True})


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, discarded in 25, out 2, stream.end error, verdict failure, status 200, error overloaded_error, request 1
        * stream.interrupted: model claude-haiku-5-5, stream.then restart, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, stream.end complete, verdict success, status 200, request 2
    """)
def restarted(stage):
    broken(stage, "restart", {"error_event": "overloaded_error"})


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, discarded in 25, out 2, stream.end cut, verdict failure, status 200, error connection_error, request 1
        * stream.interrupted: model claude-haiku-5-5, stream.then continue, error connection_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, stream.end complete, verdict success, status 200, request 2
    """)
def continued(stage):
    broken(stage, "continue", {"cut": True})


@story("""
    anthropic.messages.create [CLIENT ERROR] error connection_error
      failover test [INTERNAL ERROR] outcome interrupted, asked for claude-haiku-5-5, error connection_error
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, discarded in 44, out 1, stream.end cut, verdict failure, status 200, error connection_error, request 1
        * stream.interrupted: model claude-haiku-5-5, stream.then raise, stream.why tool_use, error connection_error, request 1
    """)
def not_continued(stage):
    """A tool was called already."""
    broken(stage, "continue", {"cut": True}, tools=[TOOL])


STREAMS = (
    streamed,
    left_early,
    failed_before_its_first_content,
    interrupted,
    restarted,
    continued,
    not_continued,
)
