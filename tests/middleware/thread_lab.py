"""The SDK's tool loop over a message thread, as a program runs it: sync or async, streamed or not.

`FakeClaude` calls a tool unless a tool's result is the last thing it is brought. So a loop that is to call tools
several times has the user say something after each result but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from sdk_callers import CALL, weather_tool

import failover

BETA = "message-threads-2026-08-12"
GO_ON = {"role": "user", "content": "And the next one?"}
KINDS = {"one by one": False, "streamed": True}
"""Whether the answers of a loop are streamed."""


class Loop(NamedTuple):
    """What became of a tool loop."""

    messages: list[Any]
    """Every answer."""
    ran: list[str]
    """The argument of each time that the tool was run."""
    history: list[Any]
    """The conversation as the SDK holds it."""
    error: BaseException | None
    """What ended the loop, if it did not end well."""
    routes: list[failover.Route]

    @property
    def models(self) -> list[str]:
        """Who gave each answer."""
        return [message.model for message in self.messages]

    @property
    def outcomes(self) -> list[str]:
        """How each call went that the SDK made."""
        return [route.outcome for route in self.routes]


class _Story:
    """A loop of so many tool calls on its way, and what is done before each of its turns."""

    def __init__(self, calls: int, before: Mapping[int, Callable[[], object]]) -> None:
        self.messages: list[Any] = []
        self.ran: list[str] = []
        self._calls = calls
        self._before = before

    def next_turn(self) -> None:
        self._before.get(len(self.messages) + 1, lambda: None)()

    def answered(self, message: Any, thread: Any) -> None:
        self.messages.append(message)
        if len(self.messages) < self._calls:
            thread.append(GO_ON)
        if message.stop_reason == "tool_use":
            self.next_turn()

    def tool(self, *, asynchronous: bool) -> Any:
        return weather_tool(self.ran, asynchronous=asynchronous)


def run_loop(
    caller: Any,
    *,
    calls: int = 1,
    streamed: bool = False,
    before: Mapping[int, Callable[[], object]] | None = None,
    **fields: Any,
) -> Loop:
    """Run a tool loop over a thread, as `tool_runner` does it by itself.

    Args:
        caller: whose client runs it.
        calls: how often a tool is called; there is one turn more.
        streamed: whether its answers are streamed.
        before: what is done before a turn, by its number from 1.
        fields: what differs from `CALL`.
    """
    story = _Story(calls, before or {})
    tool = story.tool(asynchronous=caller.asynchronous)
    make = caller.client.beta.messages.thread
    thread = make(**{**CALL, **fields}, tools=[tool], unsupported_request_behavior="continue_unthreaded")
    runner = thread.tool_runner(stream=True) if streamed else thread.tool_runner()
    error = None
    with failover.recording() as routes:
        story.next_turn()
        try:
            if caller.asynchronous:
                caller._portal.call(partial(_run_async, runner, thread, story, streamed=streamed))
            else:
                _run(runner, thread, story, streamed=streamed)
        except Exception as raised:  # noqa: BLE001 - whatever it is
            error = raised
    return Loop(story.messages, story.ran, list(thread.messages), error, routes)


def _run(runner: Any, thread: Any, story: _Story, *, streamed: bool) -> None:
    for answer in runner:
        story.answered(answer.get_final_message() if streamed else answer, thread)


async def _run_async(runner: Any, thread: Any, story: _Story, *, streamed: bool) -> None:
    async for answer in runner:
        story.answered(await answer.get_final_message() if streamed else answer, thread)


def wire(upstream: Any) -> list[tuple[str, str, int, int | None]]:
    """Each request for a message that arrived: its model, what it says of a thread, its messages, its status."""
    return [
        (
            request.model,
            (request.body.get("thread") or {}).get("type", "-"),
            len(request.body["messages"]),
            request.status,
        )
        for request in upstream.requests
        if request.path == "/v1/messages"
    ]
