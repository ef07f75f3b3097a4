"""Calls that open circuits, and calls that find them open: traces that are linked to an earlier one."""

from __future__ import annotations

from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, trip
from trace_stage import story

from failover.testing import Fault

__all__ = ["CIRCUITS"]

AT_ONCE = trip(consecutive_failures=1)
"""A `breaker` whose circuits open at the first failure."""
REFUSING = {**AT_ONCE, "last_resort": "off"}
INCIDENT = {"models": 2, "calls": "fail_fast", "probe": {"every": "30s", "successes": 1}}


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
          * breaker.transition: circuit claude-haiku-5-5, from closed, to open, for 15 s, failures 1, reason consecutive_failures, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 2
    """)
def opened(stage):
    stage.fake.fail(FIRST, 529)
    stage.caller(policy(retry=NO_REPEAT, breaker=AT_ONCE)).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, retry_after 60 s, verdict neutral, status 429, error rate_limit_error, request 1
          * breaker.transition: circuit claude-haiku-5-5, from closed, to open, for 60 s, failures 0, reason retry_after, error rate_limit_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 2
    """)
def rate_limited(stage):
    stage.fake.fail(FIRST, 429, retry_after=60)
    stage.caller(policy(retry=NO_REPEAT)).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, wait.total 5.25 s
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, retry_after 5 s, verdict neutral, status 429, error rate_limit_error, request 1
        * wait: wait.cause retry_after, wait.delay 5.25 s
        try claude-haiku-5-5 [CLIENT] attempt 2, as retry, verdict success, status 200, request 2
    """)
def rate_limited_for_a_moment(stage):
    stage.fake.script(FIRST, [Fault(status=429, retry_after=5)])
    stage.caller(policy()).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict open, status 404, error not_found_error, request 1
          * breaker.transition: circuit claude-haiku-5-5, from closed, to open, for 15 s, failures 0, reason unavailable, error not_found_error, request 1
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 2
    """)
def gone(stage):
    stage.fake.fail(FIRST, 404, message=f"model: {FIRST}")
    stage.caller(policy(retry=NO_REPEAT)).create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5, skipped claude-haiku-5-5
        -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
        * model.skipped: circuit claude-haiku-5-5, state open, model claude-haiku-5-5, retry_in 15 s, because open
        try claude-haiku-4-5 [CLIENT] attempt 1, as fallback, verdict success, status 200, request 3
    """)
def passed_over(stage):
    stage.fake.fail(FIRST, 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=AT_ONCE))
    caller.create()
    caller.create()


@story("""
    anthropic.messages.create [CLIENT ERROR] error 503
      failover test [INTERNAL ERROR] outcome refused, asked for claude-haiku-5-5, skipped claude-haiku-5-5 + claude-haiku-4-5, error circuit_open
        -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
        -> try claude-haiku-4-5, request 2: circuit claude-haiku-4-5, link opened_by
        * model.skipped: circuit claude-haiku-5-5, state open, model claude-haiku-5-5, retry_in 15 s, because open
        * model.skipped: circuit claude-haiku-4-5, state open, model claude-haiku-4-5, retry_in 15 s, because open
    """)
def refused(stage):
    stage.fake.fail("*", 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=REFUSING))
    caller.error()
    caller.error()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, skipped claude-haiku-5-5 + claude-haiku-4-5
        -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
        -> try claude-haiku-4-5, request 2: circuit claude-haiku-4-5, link opened_by
        * model.skipped: circuit claude-haiku-5-5, state open, model claude-haiku-5-5, retry_in 15 s, because open
        * model.skipped: circuit claude-haiku-4-5, state open, model claude-haiku-4-5, retry_in 15 s, because open
        try claude-haiku-5-5 [CLIENT] attempt 1, as last_resort, state open, verdict success, status 200, request 3
          -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
          * breaker.transition: circuit claude-haiku-5-5, from open, to half_open, failures 1, reason last_resort_succeeded
    """)
def last_resort(stage):
    stage.fake.fail("*", 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=AT_ONCE))
    caller.error()
    stage.fake.heal()
    caller.create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
        * breaker.transition: circuit claude-haiku-5-5, from open, to half_open, failures 1, reason open_time_over
        try claude-haiku-5-5 [CLIENT] attempt 1, as probe, state half_open, verdict success, status 200, request 3
          -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
          * breaker.transition: circuit claude-haiku-5-5, from half_open, to closed, failures 1, reason probe_succeeded
    """)
def probed(stage):
    stage.fake.script(FIRST, [Fault(status=529)])
    caller = stage.caller(policy(retry=NO_REPEAT, breaker={**AT_ONCE, "probe": {"successes": 1}}))
    caller.create()
    stage.clock.advance(15)
    caller.create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome fallback, asked for claude-haiku-5-5, served by claude-haiku-4-5
        * breaker.transition: circuit claude-haiku-5-5, from open, to half_open, failures 1, reason open_time_over
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as probe, state half_open, verdict failure, status 529, error overloaded_error, request 3
          -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
          * breaker.transition: circuit claude-haiku-5-5, from half_open, to open, for 30 s, failures 2, reason probe_failed, error overloaded_error, request 3
        try claude-haiku-4-5 [CLIENT] attempt 2, as fallback, verdict success, status 200, request 4
    """)
def probed_in_vain(stage):
    stage.fake.fail(FIRST, 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=AT_ONCE))
    caller.create()
    stage.clock.advance(15)
    caller.create()


@story("""
    anthropic.messages.create [CLIENT ERROR] error overloaded_error
      failover test [INTERNAL ERROR] outcome exhausted, asked for claude-haiku-5-5, error overloaded_error
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
          * breaker.transition: circuit claude-haiku-5-5, from closed, to open, for 15 s, failures 1, reason consecutive_failures, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT ERROR] attempt 2, as fallback, verdict failure, status 529, error overloaded_error, request 2
          * breaker.transition: circuit claude-haiku-4-5, from closed, to open, for 15 s, failures 1, reason consecutive_failures, error overloaded_error, request 2
        * incident.started: client default, incident.cause models, incident.error_types overloaded_error, incident.failing_for 0 s, incident.failures 2, incident.models claude-haiku-5-5 + claude-haiku-4-5, incident.request_ids request 1 + request 2
    """)
def incident_begins(stage):
    stage.fake.fail("*", 529)
    stage.caller(policy(retry=NO_REPEAT, breaker=REFUSING, incident=INCIDENT)).error()


@story("""
    anthropic.messages.create [CLIENT ERROR] error 503
      failover test [INTERNAL ERROR] outcome refused, asked for claude-haiku-5-5, skipped claude-haiku-5-5 + claude-haiku-4-5, error platform_incident
        -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
        -> try claude-haiku-4-5, request 2: circuit claude-haiku-4-5, link opened_by
        * model.skipped: circuit claude-haiku-5-5, state open, model claude-haiku-5-5, retry_in 30 s, because incident
        * model.skipped: circuit claude-haiku-4-5, state open, model claude-haiku-4-5, retry_in 30 s, because incident
    """)
def incident_lasts(stage):
    stage.fake.fail("*", 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=REFUSING, incident=INCIDENT))
    caller.error()
    caller.error()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5
        * incident.probed: client default, incident.answered True, incident.probe.seconds 0 s, model claude-haiku-5-5, status 200, request 3
        * incident.ended: client default, incident.calls_kept_back 0, incident.models claude-haiku-5-5 + claude-haiku-4-5, incident.probes 1, incident.seconds 30 s
        * breaker.transition: circuit claude-haiku-5-5, from open, to half_open, failures 1, reason open_time_over
        try claude-haiku-5-5 [CLIENT] attempt 1, as probe, state half_open, verdict success, status 200, request 4
          -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
    """)
def incident_ends(stage):
    stage.fake.fail("*", 529)
    caller = stage.caller(policy(retry=NO_REPEAT, breaker=REFUSING, incident=INCIDENT))
    caller.error()
    stage.fake.heal()
    stage.clock.advance(30)
    caller.create()


@story("""
    anthropic.messages.create [CLIENT OK]
      failover test [INTERNAL] outcome primary, asked for claude-haiku-5-5, served by claude-haiku-5-5, skipped claude-haiku-5-5 + claude-haiku-4-5, wait.total 30.6 s
        -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
        -> try claude-haiku-4-5, request 2: circuit claude-haiku-4-5, link opened_by
        try claude-haiku-5-5 [CLIENT ERROR] attempt 1, as primary, verdict failure, status 529, error overloaded_error, request 1
          * breaker.transition: circuit claude-haiku-5-5, from closed, to open, for 15 s, failures 1, reason consecutive_failures, error overloaded_error, request 1
        try claude-haiku-4-5 [CLIENT ERROR] attempt 2, as fallback, verdict failure, status 529, error overloaded_error, request 2
          * breaker.transition: circuit claude-haiku-4-5, from closed, to open, for 15 s, failures 1, reason consecutive_failures, error overloaded_error, request 2
        * incident.started: client default, incident.cause models, incident.error_types overloaded_error, incident.failing_for 0 s, incident.failures 2, incident.models claude-haiku-5-5 + claude-haiku-4-5, incident.request_ids request 1 + request 2
        * model.skipped: circuit claude-haiku-5-5, state open, model claude-haiku-5-5, retry_in 26.2 s, because incident
        * model.skipped: circuit claude-haiku-4-5, state open, model claude-haiku-4-5, retry_in 26.2 s, because incident
        * incident.probed: client default, incident.answered True, incident.probe.seconds 0 s, model claude-haiku-5-5, status 200, request 3
        * incident.ended: client default, incident.calls_kept_back 1, incident.models claude-haiku-5-5 + claude-haiku-4-5, incident.probes 1, incident.seconds 30.6 s
        * breaker.transition: circuit claude-haiku-5-5, from open, to half_open, failures 1, reason open_time_over
        * wait: wait.cause incident, wait.delay 30.6 s
        try claude-haiku-5-5 [CLIENT] attempt 3, as probe, state half_open, verdict success, status 200, request 4
          -> try claude-haiku-5-5, request 1: circuit claude-haiku-5-5, link opened_by
    """)
def incident_waited_out(stage):
    stage.fake.script(FIRST, [Fault(status=529)])
    stage.fake.script(SECOND, [Fault(status=529)])
    patient = policy(retry=NO_REPEAT, breaker=REFUSING, incident={**INCIDENT, "calls": "wait"})
    stage.caller(patient).create()


CIRCUITS = (
    opened,
    rate_limited,
    rate_limited_for_a_moment,
    gone,
    passed_over,
    refused,
    last_resort,
    probed,
    probed_in_vain,
    incident_begins,
    incident_lasts,
    incident_ends,
    incident_waited_out,
)
