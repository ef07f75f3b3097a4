"""What all requests to one fake API share: which fault is next, what time it is, who asked, and the ids.

It knows nothing of HTTP; the server asks it for a decision and plays it. Threads may share it: the server decides
in its own thread while a test scripts and reads from another.
"""

from __future__ import annotations

import fnmatch
import random
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from failover.clock import Clock

from .fault import Fault
from .model_list import described
from .rules import known_model
from .scenario import Rule, Scenario
from .threads import Threads

__all__ = ["ReceivedRequest", "Upstream"]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request that reached the fake API."""

    model: str
    """The model it asked for; empty where the endpoint has none."""
    stream: bool
    path: str
    time: float
    """Scenario seconds at which it was read."""
    status: int | None
    """The status that it was answered with; `None` when the connection was closed without an answer."""
    request_id: str
    betas: tuple[str, ...]
    """What the `anthropic-beta` header named, in order."""
    body: Mapping[str, Any]
    """The parsed JSON body; empty when there was none."""


class _LiveRule:
    """A rule with its own dice and the strikes that it has left."""

    def __init__(self, rule: Rule, seed: str) -> None:
        self.rule = rule
        self.fault: Fault | None = rule
        self._left = rule.times
        self._random = random.Random(seed)  # noqa: S311 - repeatable, nothing secret

    def takes(self, model: str, path: str, *, stream: bool, now: float) -> bool:
        if self._left == 0 or not self.rule.matches(model, path, stream=stream, now=now):
            return False
        if self.rule.probability is not None and self._random.random() >= self.rule.probability:
            return False
        if self._left is not None:
            self._left -= 1
        return True


class _Healed:
    """Takes a model's requests before older rules can, and does nothing to them."""

    fault: Fault | None = None

    def __init__(self, model: str) -> None:
        self._model = model

    def takes(self, model: str, _path: str, *, stream: bool, now: float) -> bool:  # noqa: ARG002 - as a rule's
        return fnmatch.fnmatchcase(model, self._model)


class Upstream:
    """The fake API's memory and its decisions.

    Args:
        scenario: what goes wrong; `None`: nothing until it is told.
        clock: what scenario time is read from.
        speed: scenario seconds in a second of that clock.
        validate: whether what a model cannot take is refused.
    """

    def __init__(self, scenario: Scenario | None, clock: Clock, speed: float, *, validate: bool = True) -> None:
        self.speed = speed
        self.clock = clock
        self.validate = validate
        self._scenario = scenario or Scenario(name="healthy")
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Begin the scenario anew: its time, dice and counts; forget requests, threads, and all that was said by hand."""
        with self._lock:
            seed = self._scenario.seed
            self._zero = self.clock.now()
            self._ids = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
            self._rules: list[_LiveRule | _Healed] = [
                _LiveRule(rule, f"{seed}/{index}") for index, rule in enumerate(self._scenario.faults)
            ]
            self._by_hand = 0
            self._scripts: dict[str, deque[Fault | None]] = {}
            self._received: list[ReceivedRequest] = []
            self._described: dict[str, dict[str, Any]] = {}
            self.threads = Threads()

    def now(self) -> float:
        """Scenario seconds since it began."""
        return (self.clock.now() - self._zero) * self.speed

    def new_id(self, prefix: str) -> str:
        """A new id such as `req_0a1b...`; the same sequence for the same seed."""
        with self._lock:
            return f"{prefix}_{self._ids.getrandbits(96):024x}"

    def choose(self, model: str, path: str, *, stream: bool) -> Fault | None:
        """What goes wrong with this request: its model's script first, then the newest rule that matches."""
        now = self.now()
        with self._lock:
            script = self._scripts.get(model)
            if script and path == "/v1/messages":
                return script.popleft()
            for rule in self._rules:
                if rule.takes(model, path, stream=stream, now=now):
                    return rule.fault
            return None

    def fail(self, rule: Rule) -> None:
        """Add a rule before all others."""
        with self._lock:
            self._by_hand += 1
            self._rules.insert(0, _LiveRule(rule, f"{self._scenario.seed}/by-hand/{self._by_hand}"))

    def heal(self, model: str | None) -> None:
        """From now on answer well: one model (or pattern of models), or everything."""
        with self._lock:
            if model is None:
                self._rules.clear()
            else:
                self._rules.insert(0, _Healed(model))
            for scripted in list(self._scripts):
                if model is None or fnmatch.fnmatchcase(scripted, model):
                    del self._scripts[scripted]

    def script(self, model: str, faults: Iterable[Fault | None]) -> None:
        """Say what the next requests to a model get, one each; this goes after what is already scripted."""
        with self._lock:
            self._scripts.setdefault(model, deque()).extend(faults)

    def describe(self, model: str, fields: Mapping[str, Any]) -> None:
        """Say of a model what the models endpoint is to say of it, over what was said before."""
        known = known_model(model)
        name = model if known is None else known.id
        with self._lock:
            self._described[name] = described(self._described.get(name, {}), fields)

    def described(self) -> dict[str, dict[str, Any]]:
        """What was said of models, by their ids; a copy."""
        with self._lock:
            return dict(self._described)

    def record(self, request: ReceivedRequest) -> None:
        """Remember a request."""
        with self._lock:
            self._received.append(request)

    def received(self) -> list[ReceivedRequest]:
        """All requests so far, in the order in which they were read; a copy."""
        with self._lock:
            return list(self._received)
