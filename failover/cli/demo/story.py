"""What happens, in sentences: one for each thing that a reader would want to be told, and no more.

The same sentences scroll by in a log and under the live view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from failover.events import AttemptFinished, AttemptStarted, BreakerTransition, Event

from .script import Phase
from .tally import CallSeen

__all__ = ["Line", "Story", "clock_text"]


class Line(NamedTuple):
    """One sentence, and the scenario second it is about."""

    at: float
    words: str

    def __str__(self) -> str:
        return f"{clock_text(self.at)}  {self.words}"


class Story:
    """Listens to everything, and tells each new thing once.

    Args:
        tell: Is given every line.
    """

    def __init__(self, tell: Callable[[Line], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._probes: set[int] = set()

    def phase(self, phase: Phase) -> None:
        """The scenario changed."""
        if phase.outage:
            self._told.clear()
        self._tell(Line(phase.at, phase.words))

    def event(self, at: float, event: Event) -> None:
        """The middleware told something."""
        if isinstance(event, BreakerTransition):
            self._probes.clear()  # the transition says how they went
            if event.from_state == "closed":
                self._told.discard("straight")
            self._tell(Line(at, _transition(event)))
        elif isinstance(event, AttemptStarted) and event.reason == "probe":
            self._probes.add(event.call)
            self._tell(Line(at, f"probe: one request goes to {event.model}"))
        elif isinstance(event, AttemptFinished) and event.call in self._probes:
            self._probes.discard(event.call)
            answer = "answered" if event.verdict == "success" else f"failed ({event.error_type})"
            self._tell(Line(at, f"probe: {event.model} {answer}{_ids(event.request_id)}"))

    def guarded_call(self, call: CallSeen) -> None:
        """A call of the client with failover ended."""
        route, at = call.route, call.started + call.seconds
        if route is None or route.outcome == "primary":
            return
        if call.served is None:
            self._once("failed", at, f"call FAILED: {call.error}{_ids(*route.request_ids)}")
        elif len(route.attempts) > 1:
            tried = "; ".join(str(attempt) for attempt in route.attempts[:-1])
            self._once("switch", at, f"call saved by {call.served}{_ids(call.request_id)}, after {tried}")
        else:
            skipped = ", ".join(route.skipped)
            self._once("straight", at, f"calls go straight to {call.served} now; nothing is sent to {skipped}")

    def bare_call(self, call: CallSeen) -> None:
        """A call of the client without failover ended."""
        if call.served is None:
            words = f"SDK alone: call FAILED after {call.seconds:.1f} s: {call.error}{_ids(call.request_id)}"
            self._once("bare failed", call.started + call.seconds, words)

    def _once(self, kind: str, at: float, words: str) -> None:
        """Tell the first of its kind in each outage."""
        if kind not in self._told:
            self._told.add(kind)
            self._tell(Line(at, words))


def clock_text(seconds: float) -> str:
    """Scenario time as minutes and seconds."""
    tenths = int(seconds * 10)
    return f"{tenths // 600:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def _transition(event: BreakerTransition) -> str:
    moved = f"circuit {event.breaker}: {event.from_state} -> {event.to_state}"
    if event.to_state == "open":
        how_long = "" if event.open_for is None else f" for {event.open_for:.1f} s"
        in_a_row = f", {event.failures} in a row" if event.reason == "consecutive_failures" else ""
        return f"{moved}{how_long}: {event.reason}{in_a_row}, last {event.error_type}{_ids(event.request_id)}"
    return f"{moved}: {event.reason}"


def _ids(*request_ids: str | None) -> str:
    present = [request_id for request_id in request_ids if request_id]
    return f" ({', '.join(present)})" if present else ""
