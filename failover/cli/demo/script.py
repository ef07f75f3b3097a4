"""What the demo is going to do: the scenario, how fast, how often and whom it asks, and what will be seen when."""

from __future__ import annotations

import fnmatch
import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from failover.errors import FailoverError
from failover.testing import Rule, Scenario, ScenarioError, load_scenario, parse_scenario
from failover.testing.payloads import error_type_of

__all__ = ["Phase", "Script", "Window", "write_script"]

_BUILT_IN = "outage.yaml"
_MESSAGES_PATH = "/v1/messages"
_MOST_CALLS_PER_SECOND = 200.0
"""Real ones, to each of the two fake APIs. Beyond, a machine would show its own limits and no outage."""
_STRIKES = ("hang", "drop", "cut", "malformed", "stall")
"""What can go wrong with an answer that is not streamed, besides a status."""


class Phase(NamedTuple):
    """A moment at which something changes, in words."""

    at: float
    words: str
    outage: bool
    """Whether something begins to fail."""


class Window(NamedTuple):
    """When the requested model fails."""

    start: float
    end: float

    def holds(self, at: float) -> bool:
        """Whether a moment lies in it."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that is decided before the demo starts."""

    scenario: Scenario
    duration: float
    model: str
    """The model that every call asks for."""
    speed: float
    """Scenario seconds in a real second."""
    rate: float
    """Calls in a scenario second, to each of the two clients."""
    built_in: bool
    """Whether the scenario is the one whose course the demo answers for."""

    @property
    def calls(self) -> int:
        """How many calls each client makes."""
        return max(1, round(self.duration * self.rate))

    @property
    def outage(self) -> Window | None:
        """From the first to the last moment at which the requested model may fail; `None`: never."""
        rules = [rule for rule in self.scenario.faults if _kind(rule) and fnmatch.fnmatchcase(self.model, rule.model)]
        if not rules:
            return None
        ends = [self.duration if rule.until is None else min(rule.until, self.duration) for rule in rules]
        return Window(min(rule.from_ for rule in rules), max(ends))

    def phases(self) -> tuple[Phase, ...]:
        """What the scenario does, in order."""
        return tuple(sorted(phase for phase in _phases(self.scenario) if phase.at < self.duration))


def write_script(scenario: Path | None, *, model: str, speed: float, rate: float, seed: int | None) -> Script:
    """Read the scenario, or the built-in one, and check that it can be played.

    Raises:
        ScenarioError: it cannot be used, or has no end.
        FailoverError: it would need more calls in a real second than a machine can make.
    """
    if scenario is None:
        text = (importlib.resources.files(__package__) / _BUILT_IN).read_text(encoding="utf-8")
        played = parse_scenario(text, _BUILT_IN)
    else:
        played = load_scenario(scenario)
    duration = played.duration
    if duration is None:
        raise ScenarioError([f"{scenario}: the demo needs an end: add `duration: 5m` or as long as it should take"])
    if rate * speed > _MOST_CALLS_PER_SECOND:
        raise FailoverError(
            f"--rate {rate:g} at --speed {speed:g} would be {rate * speed:,.0f} calls in a real second to each client,"
            f" and {_MOST_CALLS_PER_SECOND:.0f} is the most: lower one of them"
        )
    if seed is not None:
        played = played.model_copy(update={"seed": seed})
    return Script(played, duration, model, speed, rate, built_in=scenario is None)


def _phases(scenario: Scenario) -> Iterator[Phase]:
    groups: dict[tuple[str, float, float | None], list[str]] = {}
    for rule in scenario.faults:
        kind = _kind(rule)
        if kind is not None:
            groups.setdefault((rule.model, rule.from_, rule.until), []).append(kind)
    if all(start > 0 for _, start, _ in groups):
        yield Phase(0.0, "every model answers", outage=False)
    for (model, start, end), kinds in groups.items():
        yield Phase(start, f"OUTAGE: {model} fails ({', '.join(kinds)})", outage=True)
        if end is not None:
            yield Phase(end, f"RECOVERY: {model} answers again", outage=False)


def _kind(rule: Rule) -> str | None:
    """What a rule does to an answer that is not streamed, in two or three words; `None` if it is at most slow."""
    if rule.stream or rule.buffered or not fnmatch.fnmatchcase(_MESSAGES_PATH, rule.path):
        return None
    share = "" if rule.probability is None else f" {rule.probability:.0%}"
    if rule.status is not None:
        return f"{rule.status} {rule.error_type or error_type_of(rule.status)}{share}"
    kind = next((strike for strike in _STRIKES if getattr(rule, strike)), None)
    return None if kind is None else f"{kind}{share}"
