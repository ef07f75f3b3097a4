"""What a type checker knows of the public names. Checked by `mypy --strict`, run by nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pybreaker
from anthropic import Anthropic, AsyncAnthropic, AsyncStream, Stream
from anthropic.lib.aws import AnthropicAWS
from anthropic.lib.bedrock import AnthropicBedrock, AsyncAnthropicBedrock
from anthropic.types import Message, RawMessageStreamEvent
from opentelemetry.trace import TracerProvider
from typing_extensions import assert_type

import failover
from failover import events
from failover.events import Event
from failover.testing import FakeClaude, FakeClock


def wrap_keeps_the_type(anthropic: Anthropic, asynchronous: AsyncAnthropic, provider: TracerProvider) -> None:
    assert_type(failover.wrap(anthropic), Anthropic)
    assert_type(failover.wrap(asynchronous), AsyncAnthropic)
    assert_type(failover.wrap(Anthropic(), "policies/default.yaml"), Anthropic)
    assert_type(failover.wrap(Anthropic(), Path("policies/default.yaml")), Anthropic)
    assert_type(failover.wrap(Anthropic(), failover.default_policy()), Anthropic)
    assert_type(failover.wrap(Anthropic(), failover.Failover()), Anthropic)
    assert_type(failover.wrap(Anthropic(), tracer_provider=provider), Anthropic)


def wrap_keeps_the_type_of_other_platforms(
    bedrock: AnthropicBedrock, bedrock_async: AsyncAnthropicBedrock, aws: AnthropicAWS
) -> None:
    assert_type(failover.wrap(bedrock), AnthropicBedrock)
    assert_type(failover.wrap(bedrock_async), AsyncAnthropicBedrock)
    assert_type(failover.wrap(aws), AnthropicAWS)


def answers_keep_their_types(client: Anthropic) -> None:
    wrapped = failover.wrap(client)
    whole = wrapped.messages.create(model="m", max_tokens=1, messages=[])
    assert_type(whole, Message)
    streamed = wrapped.messages.create(model="m", max_tokens=1, messages=[], stream=True)
    assert_type(streamed, Stream[RawMessageStreamEvent])


async def answers_keep_their_types_async(client: AsyncAnthropic) -> None:
    wrapped = failover.wrap(client)
    whole = await wrapped.messages.create(model="m", max_tokens=1, messages=[])
    assert_type(whole, Message)
    streamed = await wrapped.messages.create(model="m", max_tokens=1, messages=[], stream=True)
    assert_type(streamed, AsyncStream[RawMessageStreamEvent])


def a_guard_goes_among_middleware() -> None:
    guard = failover.Failover()
    Anthropic(middleware=[guard], max_retries=0)
    AsyncAnthropic(middleware=[guard], max_retries=0)
    assert_type(guard.board, failover.Board)
    assert_type(guard.policy, failover.Policy)


def routes(error: Exception) -> None:
    with failover.recording() as recorded:
        assert_type(recorded, list[failover.Route])
    found = failover.route(error)
    assert_type(found, failover.Route | None)
    if found is None:
        return
    assert_type(found.outcome, events.CallOutcome | Literal["streaming"])
    assert_type(found.requested_model, str)
    assert_type(found.served_model, str | None)
    assert_type(found.attempts, tuple[failover.Attempt, ...])
    assert_type(found.skipped, tuple[str, ...])
    assert_type(found.waited, float)
    assert_type(found.request_ids, tuple[str, ...])
    attempt = found.attempts[0]
    assert_type(attempt.model, str)
    assert_type(attempt.client, str)
    assert_type(attempt.status, int | None)
    assert_type(attempt.error_type, str | None)
    assert_type(attempt.request_id, str | None)
    assert_type(attempt.seconds, float)


def an_open_circuit(error: failover.CircuitOpen) -> None:
    assert_type(error.retry_in, float | None)
    assert_type(error.breakers, tuple[str, ...])
    assert_type(error.request_ids, tuple[str, ...])
    assert_type(error.route, failover.Route)


def a_circuit(board: failover.Board) -> None:
    assert_type(board.breakers(), tuple[failover.Breaker, ...])
    breaker = board["claude-opus-5-5"]
    assert_type(breaker.name, str)
    assert_type(breaker.state, events.BreakerState)
    assert_type(breaker.pybreaker, pybreaker.CircuitBreaker)
    breaker.open()
    breaker.close()
    breaker.isolate()


def listener(event: Event) -> None:
    if isinstance(event, events.BreakerTransition):
        assert_type(event.from_state, events.BreakerState)
        assert_type(event.open_for, float | None)
    elif isinstance(event, events.CallFinished):
        assert_type(event.outcome, events.CallOutcome)
        assert_type(event.request_ids, tuple[str, ...])


def only_transitions(event: events.BreakerTransition) -> None:
    """A listener is told of every event, so one that takes only some of them is an error."""


class Ear(pybreaker.CircuitBreakerListener):
    """As programs that use pybreaker have them."""


def a_storage(name: str) -> pybreaker.CircuitBreakerStorage:
    return pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)


def options(client: Anthropic, clock: failover.Clock) -> None:
    failover.wrap(client, listeners=[listener, print], breaker_listeners=[Ear()], breaker_storage=a_storage)
    failover.Failover(None, clock=clock, random=lambda: 0.5, listeners=(listener,))
    failover.wrap(client, listeners=[only_transitions])  # type: ignore[list-item]
    failover.wrap(client, 5)  # type: ignore[arg-type]


def policies() -> None:
    assert_type(failover.load_policy("policies/default.yaml"), failover.Policy)
    assert_type(failover.parse_policy("version: 1"), failover.Policy)
    assert_type(failover.default_policy(), failover.Policy)


def for_tests(claude: FakeClaude) -> None:
    a_clock: failover.Clock = FakeClock()
    a_clock.sleep(1)
    assert_type(claude.url, str)
    assert_type(claude.count("claude-opus-*"), int)
