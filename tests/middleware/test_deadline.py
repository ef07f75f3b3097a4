"""No call outlives its deadline by hanging, and a model that is left to serve it still has its share of the time.

These tests run in real time: the clock that ends a hung request is the HTTP client's own.
"""

from __future__ import annotations

import time

import anthropic
import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from sdk_callers import FIRST, SECOND, Watcher, policy

import failover
from failover.clock import SystemClock

# Two seconds in all, of which a later model is promised all but 0.3.
QUICK = {"tries": 1, "passes": 1, "deadline": "2s", "reserve": "1700ms"}


class Stopwatch:
    def __enter__(self):
        self._start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self._start


def ask(caller, *, stream):
    """The model that answered, and the route."""
    if stream:
        text, route = caller.stream()
        return text.removeprefix("Hello from ").removesuffix("."), route
    with failover.recording() as routes:
        return caller.create().model, routes[0]


STREAMED_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@STREAMED_OR_NOT
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"timeout": anthropic.not_given}, id="with the time-out of the SDK"),
        pytest.param({"timeout": 600}, id="with a number of seconds"),
        pytest.param({"timeout": httpx2.Timeout(600, connect=5)}, id="with a time-out for each phase"),
        pytest.param({"timeout": None}, id="without a time-out"),
    ],
)
def test_a_hung_model_is_left_in_time_for_the_next_one(connect, fake_claude, stream, options):
    fake_claude.fail(FIRST, hang=30)
    caller = connect(policy(retry=QUICK), clock=SystemClock(), **options)
    with Stopwatch() as watch:
        served, route = ask(caller, stream=stream)
    assert served == SECOND
    assert watch.seconds < 2
    assert [attempt.error_type for attempt in route.attempts] == ["client_timeout_error", None]
    assert 0.2 < route.attempts[0].seconds < 1.9


@STREAMED_OR_NOT
def test_that_the_call_is_traced_and_has_other_middleware_makes_no_difference(connect, fake_claude, stream):
    fake_claude.fail(FIRST, hang=30)
    provider = TracerProvider()
    caller = connect(
        policy(retry=QUICK),
        clock=SystemClock(),
        timeout=600,
        middleware=[Watcher()],
        open_telemetry={"tracer_provider": provider},
        tracer_provider=provider,
    )
    caller.client = caller.client.with_middleware(Watcher())
    with Stopwatch() as watch:
        served, _ = ask(caller, stream=stream)
    assert (served, watch.seconds < 2) == (SECOND, True)


@STREAMED_OR_NOT
def test_when_all_models_hang_the_call_ends_at_its_deadline(connect, fake_claude, stream):
    fake_claude.fail("*", hang=30)
    retry = {"tries": 1, "passes": 1, "deadline": "1500ms", "reserve": "1s"}
    caller = connect(policy(retry=retry), clock=SystemClock(), timeout=600)
    with Stopwatch() as watch:
        error = caller.error(stream=stream)
    assert type(error) is anthropic.APITimeoutError
    assert [attempt.model for attempt in failover.route(error).attempts] == [FIRST, SECOND]
    assert 1.4 < watch.seconds < 4


@STREAMED_OR_NOT
def test_a_shorter_time_out_of_the_callers_own_is_kept(connect, fake_claude, stream):
    fake_claude.fail(FIRST, hang=30)
    caller = connect(policy(), clock=SystemClock(), timeout=600)
    caller.client = caller.client.with_options(timeout=0.3)
    with Stopwatch() as watch:
        served, _ = ask(caller, stream=stream)
    assert (served, watch.seconds < 2) == (SECOND, True)


def test_a_time_out_of_one_call_is_kept(connect, fake_claude):
    fake_claude.fail(FIRST, hang=30)
    caller = connect(policy(), clock=SystemClock(), timeout=600)
    with Stopwatch() as watch:
        assert caller.create(timeout=0.3).model == SECOND
    assert watch.seconds < 2


def test_a_hung_probe_is_left_after_the_probes_own_time_out(connect, fake_claude):
    breaker = {"trip": {"consecutive_failures": 1}, "probe": {"timeout": "300ms"}}
    caller = connect(policy(retry={"tries": 1, "passes": 1}, breaker=breaker), clock=SystemClock(), timeout=600)
    fake_claude.fail(FIRST, 529, times=1)
    caller.create()
    caller.board[FIRST].pybreaker.half_open()
    fake_claude.fail(FIRST, hang=30)
    with Stopwatch() as watch:
        assert caller.create().model == SECOND
    assert watch.seconds < 2
    assert caller.board[FIRST].state == "open"


def test_the_first_request_that_needs_no_shorter_time_out_goes_as_it_is(connect, fake_clock):
    """And the one that does need it is otherwise the very same."""
    watcher = Watcher()
    caller = connect(policy(retry={"deadline": "off", "reserve": 0}), middleware=[outer := Watcher()])
    caller.client = caller.client.with_middleware(watcher)
    caller.create()
    assert watcher.requests[0] is outer.requests[0]


@STREAMED_OR_NOT
def test_no_call_is_cut_short_when_the_policy_has_no_deadline(connect, fake_claude, stream):
    caller = connect(policy(retry={"deadline": "off", "reserve": 0}), middleware=[outer := Watcher()])
    caller.client = caller.client.with_middleware(inner := Watcher())
    ask(caller, stream=stream)
    assert inner.requests[0].timeout == outer.requests[0].timeout


def test_a_long_answer_may_stretch_the_deadline_if_the_policy_says_so(connect):
    """20,000 tokens may take 562.5 seconds; a stream's first byte comes at once whatever its length."""
    caller = connect(policy(retry={"long_answers": "stretch"}), timeout=3000)
    caller.client = caller.client.with_middleware(inner := Watcher())
    caller.create(max_tokens=20_000)
    caller.create(max_tokens=1000)
    caller.stream(max_tokens=20_000)
    assert [request.timeout.read for request in inner.requests] == pytest.approx([562.5, 100, 100])
