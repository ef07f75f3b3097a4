"""Where calls are made through the real SDK whose traces are looked at: clients, an upstream, and a place for the spans."""

from __future__ import annotations

import contextlib
import itertools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from anthropic import APITimeoutError, Middleware
from anyio.from_thread import start_blocking_portal
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sdk_callers import AsyncCaller, SyncCaller, make_client
from seen_spans import SeenSpan, in_protobuf, traces_of, tree
from typing_extensions import Self

from failover import Failover, wrap
from failover.testing import FakeClaude, FakeClock, Scenario

__all__ = ["SERVICE", "FailsOnce", "Played", "Stage", "Story", "play", "story"]

SERVICE = "the program"

_seeds = itertools.count(1)  # no two requests of a test run have one id


class Story(NamedTuple):
    """Some calls, and the trace of one of them."""

    name: str
    tell: Callable[[Stage], object]
    trace: str
    shows: int
    """Which of the traces it is, in the order in which they began."""


def story(trace: str, *, shows: int = -1) -> Callable[[Callable[[Stage], object]], Story]:
    """Makes a function a story whose last trace, unless it is said which, is this tree."""
    return lambda tell: Story(tell.__name__, tell, textwrap.dedent(trace).strip(), shows)


class Stage:
    """An upstream that fails as told, a clock that waits for nobody, and callers whose spans all go to one provider."""

    def __init__(self, provider: TracerProvider, *, asynchronous: bool) -> None:
        self.clock = FakeClock()
        self._provider = provider
        self._closing = contextlib.ExitStack()
        self._portal = self._closing.enter_context(start_blocking_portal()) if asynchronous else None
        self._upstreams: list[FakeClaude] = []
        self.fake = self.upstream()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def upstream(self) -> FakeClaude:
        """One more upstream."""
        scenario = Scenario(name="stage", seed=next(_seeds))
        self._upstreams.append(self._closing.enter_context(FakeClaude(scenario)))
        return self._upstreams[-1]

    def requests(self) -> list[str]:
        """The ids of all requests, in the order of the upstreams and of their arrival there."""
        return [request.request_id for upstream in self._upstreams for request in upstream.requests]

    def client(self, upstream: FakeClaude, **options: Any) -> Any:
        """A client of this stage's kind."""
        client = make_client(upstream.url, asynchronous=self._portal is not None, **options)
        self._closing.callback(self._close, client)
        return client

    def caller(self, a_policy: Any, *, clock: Any = None, clients: Any = None, before: Sequence[Any] = ()) -> Any:
        """A wrapped client; or one into which its user put our middleware by hand, and these `before` it."""
        guard = Failover(
            a_policy, clients=clients, clock=clock or self.clock, random=lambda: 0.5, tracer_provider=self._provider
        )
        by_hand: dict[str, Any] = {"middleware": [*before, guard], "max_retries": 2} if before else {}
        client = self.client(self.fake, open_telemetry={"tracer_provider": self._provider}, **by_hand)
        client = client if before else wrap(client, guard)
        return AsyncCaller(client, guard, self._portal) if self._portal else SyncCaller(client, guard)

    def _close(self, client: Any) -> None:
        if self._portal is None:
            client.close()
        else:
            self._portal.call(client.close)


class FailsOnce(Middleware):
    """A user's own middleware that raises once, after the answer came, what the SDK repeats a call for."""

    def __init__(self) -> None:
        self._left = 1

    def handle(self, request: Any, call_next: Any) -> Any:
        response = call_next(request)
        self._fail()
        return response

    async def handle_async(self, request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        self._fail()
        return response

    def _fail(self) -> None:
        if self._left:
            self._left = 0
            raise APITimeoutError(request=None)


class Played(NamedTuple):
    """What a story left behind in the program itself."""

    traces: list[list[SeenSpan]]
    requests: list[str]

    @property
    def ids(self) -> list[str]:
        """The id of each trace, in the order in which the traces began."""
        return [trace[0].trace for trace in self.traces]

    def tree(self, trace: Sequence[SeenSpan]) -> str:
        """A trace of this story as a text, wherever it comes from."""
        return tree(trace, [span for other in self.traces for span in other], self.requests)


def play(story: Story, *processors: SpanProcessor, asynchronous: bool) -> Played:
    """Tell a story with real clients; its spans go to these processors, too."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: SERVICE}), shutdown_on_exit=False)
    for processor in (SimpleSpanProcessor(memory), *processors):
        provider.add_span_processor(processor)
    with Stage(provider, asynchronous=asynchronous) as stage:
        story.tell(stage)
        requests = stage.requests()
    return Played(traces_of(in_protobuf(encode_spans(memory.get_finished_spans()))), requests)
