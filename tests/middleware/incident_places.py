"""A caller whose policy looks for incidents, before an API all of whose models are down."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from elsewhere import LONG
from sdk_callers import FIRST, SECOND, ladder, policy, trip

from failover.events import IncidentProbed

__all__ = ["FAILING", "Listening", "begin", "due", "incident_policy", "pings", "probed", "tiny", "until"]

FAILING = {"tries": 1, "passes": 1, "deadline": "1h", "reserve": 0, "budget": "off"}
"""A `retry` that asks every rung once, and may wait for long."""


def tiny(model: str) -> dict[str, Any]:
    """The whole body of a probe."""
    return {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}


def incident_policy(calls: str = "fail_fast", **parts: Any) -> Any:
    """One failure opens a circuit, and two open circuits are an incident; `probe` says more of how it is asked."""
    probe = parts.pop("probe", {})
    brittle = {**trip(consecutive_failures=1), "last_resort": "off"}
    whole = {"retry": FAILING, "breaker": brittle, "ladders": ladder(SECOND), **parts}
    return policy(incident={"calls": calls, "probe": probe}, **whole)


def begin(caller: Any, fake_claude: Any, *models: str) -> None:
    """All models (or these) fail, a call finds nobody, and nothing of it is remembered but the incident."""
    for model in models or ("*",):
        fake_claude.fail(model, 529)
    caller.attempt()
    assert [found.models for found in caller.guard.incidents] == [(FIRST, SECOND)]


def due(caller: Any, fake_claude: Any, clock: Any) -> int:
    """As `begin`; then all is well again, and the next call is to find that out. How many requests there were."""
    begin(caller, fake_claude)
    fake_claude.heal()
    clock.advance(30)
    return len(fake_claude.requests)


def pings(requests: Any) -> list[Any]:
    """Those requests that are probes, whatever else they say."""
    return [request for request in requests if request.body["messages"] == [{"role": "user", "content": "ping"}]]


def probed(events: list[Any]) -> list[tuple[str, bool, int | None, str | None]]:
    """What every probe brought."""
    told = [event for event in events if isinstance(event, IncidentProbed)]
    return [(event.model, event.answered, event.status, event.error_type) for event in told]


class Listening(list[Any]):
    """A listener that keeps what it hears."""

    __call__ = list.append


def until(true: Callable[[], object]) -> None:
    """Wait for it, for as long as a busy machine may need."""
    end = time.monotonic() + 3 * LONG
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)
