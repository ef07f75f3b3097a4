"""What an outage does to streams, which the calls of the scenario do not show: a few real ones, and what each gave.

A model that is overloaded in the middle of a stream has answered with status 200 before. The SDK alone then raises an
error that says 200; what a wrapped client gives depends on whether the program has seen anything yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anthropic
from anthropic.types import MessageParam
from rich.console import Console
from rich.table import Table
from rich.text import Text

import failover
from failover import Failover, Policy, Route
from failover.telemetry.setup import SpanRecord, Tracing
from failover.testing import FakeClaude, Fault, Scenario

from .compression import CompressedClock, bare_client, client_for_failover
from .spantree import span_tree

__all__ = ["OverloadedStreams", "StreamSeen", "print_streams"]

_PROMPT: list[MessageParam] = [{"role": "user", "content": "Say hello."}]
_SPEED = 20.0  # scenario seconds in a real one, whatever the rest of the demo has: this part is over in half a second
_FIRST_TOKEN = 0.4  # scenario seconds
_ERROR = "overloaded_error"
_WORDS = "Once upon a time there was an answer."
_SEEN = 5  # deltas of six letters: "Once upon a time there was an "
_ALWAYS = 10_000  # more requests than any policy makes
_SEED = 529  # not the scenario's, whose request ids would come again here
_LABEL = 22  # columns for "on_interrupt: continue"
_BEFORE, _AFTER = "before its first content", "after some words"


class _WithoutWaiting(CompressedClock):
    """Waits take no time, though they count: a policy that is patient must not hold up the demo."""

    _skipped = 0.0

    def now(self) -> float:
        return super().now() + self._skipped

    def sleep(self, seconds: float) -> None:
        self._skipped += seconds

    async def sleep_async(self, seconds: float) -> None:
        self._skipped += seconds


class StreamSeen(NamedTuple):
    """One stream, as the program that read it saw it."""

    moment: str
    """When its first model was overloaded."""
    client: str
    """Who asked, and with what `on_interrupt` where that matters."""
    read: str = ""
    """All text that the program was given."""
    content: tuple[Any, ...] = ()
    """The blocks of the answer; of a broken one those that its error keeps."""
    error: str | None = None
    """The class of the error that it ended with."""
    status: int | None = None
    """Of that error."""
    request_id: str | None = None
    """Of that error."""
    route: Route | None = None
    """What was tried; `None` without failover."""


@dataclass(slots=True)
class OverloadedStreams:
    """A few streams whose first model is overloaded, and afterwards what came of them."""

    policy: Policy
    model: str
    tracing: Tracing
    seen: list[StreamSeen] = field(default_factory=list)
    spans: Sequence[SpanRecord] = ()
    """Those of the last one."""

    @property
    def has_fallback(self) -> bool:
        """Whether the policy names another model that can take over."""
        return any(rung.model != self.model for rung in self.policy.rungs_for(self.model))

    async def run(self) -> None:
        """Read them one after the other."""
        own = self.policy.stream.on_interrupt
        modes = dict.fromkeys((own, "continue") if self.has_fallback else (own,))
        with FakeClaude(Scenario(name="overloaded-streams", seed=_SEED), speed=_SPEED) as upstream:
            unwrapped = client_for_failover(upstream.url, _SPEED, self.tracing.provider)
            async with unwrapped, bare_client(upstream.url, _SPEED) as alone:
                self._overload(upstream, after_events=0)
                await self._read(_BEFORE, "SDK alone", alone)
                await self._read(_BEFORE, "with failover", self._guard(unwrapped, own))
                self._overload(upstream, after_events=_SEEN)
                await self._read(_AFTER, "SDK alone", alone)
                for mode in modes:
                    await self._read(_AFTER, f"on_interrupt: {mode}", self._guard(unwrapped, mode))

    def _overload(self, upstream: FakeClaude, after_events: int) -> None:
        """From now on overload the first model there, and let all others answer."""
        broken = Fault(error_event=_ERROR, after_events=after_events, say=_WORDS, first_token=_FIRST_TOKEN)
        upstream.heal()
        upstream.fail(first_token=_FIRST_TOKEN)
        upstream.script(self.model, [broken] * _ALWAYS)  # by its name; in a rule it would be a pattern

    def _guard(self, client: anthropic.AsyncAnthropic, on_interrupt: str) -> anthropic.AsyncAnthropic:
        """A client with circuits of its own, so that no stream is answered for by the one before."""
        policy = self.policy
        if on_interrupt != policy.stream.on_interrupt:
            said = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            said["stream"] = {**said.get("stream", {}), "on_interrupt": on_interrupt}
            policy = Policy.model_validate(said)  # not a copy, which would keep the digest
        guard = Failover(policy, clock=_WithoutWaiting(_SPEED), tracer_provider=self.tracing.provider, journal=False)
        return failover.wrap(client, guard)

    async def _read(self, moment: str, who: str, client: anthropic.AsyncAnthropic) -> None:
        earlier = len(self.tracing.spans())
        seen, read = StreamSeen(moment, who), ""
        try:
            async with client.messages.stream(model=self.model, max_tokens=64, messages=_PROMPT) as stream:
                async for piece in stream.text_stream:
                    read += piece
                message = await stream.get_final_message()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a stream that failed
            kept = failover.partial_message(error)
            seen = seen._replace(
                content=tuple(kept.content) if kept else (),
                error=type(error).__name__,
                status=getattr(error, "status_code", None),
                request_id=getattr(error, "request_id", None),
                route=failover.route(error),
            )
        else:
            seen = seen._replace(content=tuple(message.content), route=failover.route(stream))
        self.seen.append(seen._replace(read=read))
        self.spans = self.tracing.spans()[earlier:]


def print_streams(console: Console, streams: OverloadedStreams) -> None:
    """Print what each of them gave, and the last one as a trace."""
    console.print(Text("\nA stream that is overloaded in the middle, after its status 200:", "bold"))
    for moment in dict.fromkeys(seen.moment for seen in streams.seen):
        console.print(f"{moment}:")
        console.print(_table([seen for seen in streams.seen if seen.moment == moment]))
    policy = streams.policy
    if not streams.has_fallback:
        console.print(Text(f"Policy {policy.name} has no other model for {streams.model} that could take over."))
    measured = (
        f"Seen in this run: {len(streams.seen)} streams from one more fake API, which reads no prompt, so a model that takes"
        f" over says words of its own. Policy {policy.name} has on_interrupt: {policy.stream.on_interrupt}."
    )
    console.print(Text(measured, "dim"))
    if streams.spans:
        title = f"\nThe last of these streams as a trace (seconds of its own scenario, {_SPEED:g} to a real one):"
        console.print(Text(title, "bold"))
        console.print(span_tree(streams.spans, _SPEED))


def _table(seen: Sequence[StreamSeen]) -> Table:
    table = Table.grid(padding=(0, 0, 0, 2), pad_edge=True)
    table.add_column(min_width=_LABEL)
    table.add_column(overflow="fold")
    for stream in seen:
        table.add_row(stream.client, Text(", ".join(_outcome(stream)), "red" if stream.error else "green"))
    return table


def _outcome(seen: StreamSeen) -> Iterator[str]:
    route = seen.route
    if seen.error is None:
        yield _words(seen.content)
        if route is not None:
            yield f"whole, served by {route.served_model}"
        return
    yield f"{seen.error}, {'no status' if seen.status is None else f'status {seen.status}'}"
    if seen.request_id is not None:
        yield seen.request_id
    if route is not None and len(route.attempts) > 1:
        yield f"after {len(route.attempts)} tries"
    if seen.content:
        yield f"with the text so far: {_words(seen.content)}"
    elif seen.read:
        yield "without the text so far"


def _words(content: Sequence[Any]) -> str:
    return " ".join(map(_shown, content))


def _shown(block: Any) -> str:
    """What a block says; a seam says who goes on for whom."""
    if block.type != "fallback":
        return f'"{block.text}"' if block.type == "text" else f"[{block.type}]"
    seam = block.to_dict()
    return f"[{seam['trigger']['mode']}: {seam['from']['model']} -> {seam['to']['model']}]"
