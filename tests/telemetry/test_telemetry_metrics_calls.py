"""What real calls leave in the metrics, sync and async alike."""

from __future__ import annotations

import contextlib
import itertools

import anthropic
import pytest
from anyio.from_thread import start_blocking_portal
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from telemetry_meters import ATTEMPTS, CALLS, SKIPS, STATE, TRANSITIONS, Meters

from failover import Failover, Policy, wrap
from failover.testing import FakeClaude, Fault

FIRST, SECOND = "claude-haiku-5-5", "claude-haiku-4-5"
LADDER = [{"match": FIRST, "rungs": [SECOND]}]
ONCE = {"tries": 1, "passes": 1}
CALL = {"model": FIRST, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
FOR_EVER = 10_000


class Caller:
    """A client of either kind; the async one has an event loop in a thread of its own."""

    def __init__(self, url, portal):
        self.asynchronous = portal is not None
        self._portal = portal
        self._clients = []
        self.client = self.client_of(url)

    def client_of(self, url):
        """One more client of the same kind."""
        kind = anthropic.AsyncAnthropic if self.asynchronous else anthropic.Anthropic
        self._clients.append(kind(base_url=url, api_key="test"))
        return self._clients[-1]

    def create(self, guard):
        """A call whose answer comes as one piece."""
        create = wrap(self.client, guard).messages.create
        if self.asynchronous:
            self._portal.call(lambda: create(**CALL))
        else:
            create(**CALL)

    def stream(self, guard, events=FOR_EVER):
        """A call whose answer is streamed, and left after so many events."""
        create = wrap(self.client, guard).messages.create

        async def read():
            async with await create(**CALL, stream=True) as stream:
                left = events
                async for _ in stream:
                    left -= 1
                    if left == 0:
                        break

        if self.asynchronous:
            self._portal.call(read)
            return
        with create(**CALL, stream=True) as stream:
            for _ in itertools.islice(stream, events):
                pass

    def close(self):
        for client in self._clients:
            if self.asynchronous:
                self._portal.call(client.close)
            else:
                client.close()


@pytest.fixture(params=["sync", "async"])
def caller(request, fake_claude):
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal()) if request.param == "async" else None
        caller = Caller(fake_claude.url, portal)
        stack.callback(caller.close)
        yield caller


@pytest.fixture
def meters():
    return Meters()


@pytest.fixture
def guarded(meters, fake_clock):
    def guarded(name="test", **parts):
        policy = Policy(version=1, name=name, **{"ladders": LADDER, "retry": ONCE, **parts})
        return Failover(policy, meter_provider=meters.provider, clock=fake_clock, random=lambda: 0.5)

    return guarded


def is_down(fake_claude, model=FIRST, status=529):
    fake_claude.fail(model, status)


def breaks_off(fake_claude):
    fake_claude.script(FIRST, [Fault(error_event="overloaded_error", after_events=4)])


OUTCOMES = {
    "primary": (lambda fake: None, Caller.create, [(FIRST, "primary", None)], None),
    "fallback": (
        is_down,
        Caller.create,
        [(FIRST, "primary", "overloaded_error"), (SECOND, "fallback", None)],
        None,
    ),
    "exhausted": (
        lambda fake: is_down(fake, "*"),
        Caller.create,
        [(FIRST, "primary", "overloaded_error"), (SECOND, "fallback", "overloaded_error")],
        "overloaded_error",
    ),
    "failed": (
        lambda fake: is_down(fake, "*", 400),
        Caller.create,
        [(FIRST, "primary", "invalid_request_error")],
        "invalid_request_error",
    ),
    "interrupted": (breaks_off, Caller.stream, [(FIRST, "primary", "overloaded_error")], "overloaded_error"),
    "cancelled": (
        lambda fake: None,
        lambda caller, guard: caller.stream(guard, events=3),
        [(FIRST, "primary", None)],
        None,
    ),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_call_is_counted_by_its_outcome_and_so_is_each_of_its_attempts(meters, guarded, caller, fake_claude, outcome):
    happens, way, attempts, error_type = OUTCOMES[outcome]
    happens(fake_claude)
    with contextlib.suppress(anthropic.APIError):
        way(caller, guarded())
    assert meters.by(CALLS, "policy.name", "outcome", "error.type") == {("test", outcome, error_type): 1}
    assert meters.by(ATTEMPTS, "model", "attempt.reason", "error.type") == dict.fromkeys(attempts, 1)


def test_a_call_that_nothing_was_sent_for_is_counted_with_what_it_passed_over(meters, guarded, caller):
    guard = guarded(breaker={"last_resort": "off"})
    for model in (FIRST, SECOND):
        guard.board.breaker(model).isolate()
    with pytest.raises(anthropic.APIError):
        caller.create(guard)
    assert meters.by(CALLS, "outcome", "error.type") == {("refused", "circuit_open"): 1}
    assert meters.by(SKIPS, "model", "skip.reason") == {(FIRST, "open"): 1, (SECOND, "open"): 1}
    assert meters.points(ATTEMPTS) == []


def test_an_outage_and_its_end_are_seen_in_the_states_and_transitions_of_the_circuit(
    meters, guarded, caller, fake_claude, fake_clock
):
    trip = {"consecutive_failures": 2, "failure_rate": "off"}
    guard = guarded(breaker={"trip": trip, "open_for": {"first": "15s", "jitter": 0}, "probe": {"successes": 1}})
    is_down(fake_claude)
    for _ in range(4):
        caller.create(guard)
    assert meters.standing("breaker.name") == {(FIRST, "open"), (SECOND, "closed")}
    fake_claude.heal()
    fake_clock.advance(16)
    caller.create(guard)
    assert meters.standing("breaker.name") == {(FIRST, "closed"), (SECOND, "closed")}
    assert meters.by(TRANSITIONS, "breaker.name", "breaker.from", "breaker.to") == {
        (FIRST, "closed", "open"): 1,
        (FIRST, "open", "half_open"): 1,
        (FIRST, "half_open", "closed"): 1,
    }
    assert meters.by(CALLS, "outcome") == {("fallback",): 4, ("primary",): 1}
    assert meters.by(ATTEMPTS, "model", "attempt.reason", "error.type")[FIRST, "probe", None] == 1
    assert meters.by(SKIPS, "model", "skip.reason") == {(FIRST, "open"): 2}


def test_waits_are_part_of_a_calls_duration_and_of_no_attempts(meters, guarded, caller, fake_claude, fake_clock):
    fake_claude.script(FIRST, [Fault(status=500)])
    caller.create(guarded(retry={"tries": 2, "passes": 1, "wait": {"first": "8s", "max": "8s", "jitter": "none"}}))
    assert fake_clock.slept == [8]
    assert [point.sum for point in meters.points(CALLS)] == [8]
    assert [point.sum for point in meters.points(ATTEMPTS)] == [0, 0]


def test_attempts_of_a_named_client_say_which(meters, caller, fake_claude):
    is_down(fake_claude)
    ladder = [{"match": FIRST, "rungs": [{"model": FIRST, "client": "backup"}]}]
    policy = Policy(version=1, name="test", ladders=ladder, retry=ONCE)
    with FakeClaude() as backup:
        guard = Failover(policy, clients={"backup": caller.client_of(backup.url)}, meter_provider=meters.provider)
        caller.create(guard)
    assert meters.by(ATTEMPTS, "model", "client", "attempt.reason") == {
        (FIRST, None, "primary"): 1,
        (FIRST, "backup", "fallback"): 1,
    }
    assert {name for name, _ in meters.standing("breaker.name")} == {FIRST, f"backup/{FIRST}"}


def test_two_policies_at_one_provider_are_told_apart(meters, guarded, caller, fake_claude):
    guards = [guarded("interactive"), guarded("batch")]
    is_down(fake_claude)
    caller.create(guards[0])
    fake_claude.heal()
    caller.create(guards[1])
    guards[0].board.breaker(FIRST).isolate()
    assert meters.by(CALLS, "policy.name", "outcome") == {("interactive", "fallback"): 1, ("batch", "primary"): 1}
    assert meters.standing("policy.name", "breaker.name") == {
        ("interactive", FIRST, "open"),
        ("interactive", SECOND, "closed"),
        ("batch", FIRST, "closed"),
        ("batch", SECOND, "closed"),
    }


def test_calls_of_traces_that_are_not_sampled_are_measured_all_the_same(meters, caller):
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    caller.create(Failover(tracer_provider=unsampled, meter_provider=meters.provider))
    assert meters.by(CALLS, "outcome") == {("primary",): 1}


def test_a_call_tells_its_routine_where_somebody_measures_and_not_where_nobody_does(meters):
    assert not Failover()._services.verbose()
    assert Failover(meter_provider=meters.provider)._services.verbose()


def test_a_wrapped_client_measures_at_the_provider_that_wrap_was_given(meters, fake_claude):
    with anthropic.Anthropic(base_url=fake_claude.url, api_key="test") as client:
        wrapped = wrap(client, meter_provider=meters.provider)
        wrapped.messages.create(**CALL)
        assert meters.by(CALLS, "policy.name", "outcome") == {("default", "primary"): 1}
        assert meters.by(STATE, "breaker.name", "breaker.state")[FIRST, "closed"] == 1
