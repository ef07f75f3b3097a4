"""What a scenario is: which requests fail, when, and how, as immutable values read from YAML.

    name: opus-outage
    seed: 7
    duration: 60s
    faults:                              # the first that matches a request strikes
      - {model: claude-opus-*, from: 10s, until: 40s, status: 529, probability: 80%}
      - {model: claude-opus-*, from: 10s, until: 40s, stream: true, cut: true, after_events: 2}
      - {model: claude-haiku-*, stream: true, buffered: true, encoding: gzip}
      - {first_token: 20s, token_every: 50ms, ping_every: 5s}

What goes wrong is the business of `Fault`, to whom and when that of `Rule`. Reading the file is that of
`scenario_file`.
"""

from __future__ import annotations

import fnmatch
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, model_validator
from typing_extensions import Self

from failover.document import Found, refuse
from failover.document.units import Count, Off, Seconds, SecondsOrNone, Share, format_duration

from .fault import Fault, Part

__all__ = ["Rule", "Scenario"]

_STREAMS_ONLY = ("error_event", "end_without_stop", "after_events", "ping_every", "buffered")


def _covers(wide: str, narrow: str) -> bool:
    """Whether all that the pattern `narrow` matches is sure to match `wide`; when in doubt, no."""
    if not any(wild in narrow for wild in "*?["):
        return fnmatch.fnmatchcase(narrow, wide)
    prefix = wide.removesuffix("*")
    return wide == narrow or (prefix != wide and not any(w in prefix for w in "*?[") and narrow.startswith(prefix))


Glob = Annotated[str, Field(min_length=1, max_length=200)]


class Rule(Fault):
    """A fault, and the requests that it strikes: all conditions must hold."""

    model: Glob = "*"
    """Requested models; `*` and `?` as in file names, case included."""
    path: Glob = "/v1/messages"
    """Request paths, likewise; `*` is the whole API."""
    from_: SecondsOrNone = Field(default=0.0, alias="from")
    """Scenario seconds from which the rule holds, itself included."""
    until: Off[Seconds] = None
    """Scenario seconds from which it holds no more; `None`: it never ends."""
    stream: StrictBool | None = None
    """Only requests that stream, or only those that do not; left out: both."""
    probability: Off[Share] = None
    """The share of those requests that are struck, drawn with the scenario's seed; `None`: all."""
    times: Off[Count] = None
    """At most so many requests; `None`: no limit."""

    @model_validator(mode="after")
    def _can_strike(self) -> Self:
        refuse(self._never_holds())
        return self

    def _never_holds(self) -> Found:
        if self.until is not None and self.until <= self.from_:
            until, start = format_duration(self.until), format_duration(self.from_)
            yield ("until",), f"`until` ({until}) is not after `from` ({start}): the rule never holds; make it later"
        for name in _STREAMS_ONLY:
            if self.stream is False and self._has(name):
                yield (name,), f"`{name}` is for streams, and `stream: false` leaves them out: remove one"

    def matches(self, model: str, path: str, *, stream: bool, now: float) -> bool:
        """Whether the rule is for such a request at `now` scenario seconds, its dice and `times` aside."""
        return (
            self.from_ <= now
            and (self.until is None or now < self.until)
            and (not stream if self.stream is False else stream or not self._only_streams)
            and fnmatch.fnmatchcase(model, self.model)
            and fnmatch.fnmatchcase(path, self.path)
        )

    def hides(self, later: Rule) -> bool:
        """Whether every request that `later` could strike is struck by this rule first."""
        if self.times is not None or self.probability is not None or self.from_ > later.from_:
            return False
        if self.until is not None and (later.until is None or later.until > self.until):
            return False
        if self._only_streams and not later._only_streams:
            return False
        if self.stream is False and later.stream is not False:
            return False
        return _covers(self.model, later.model) and _covers(self.path, later.path)

    @property
    def _only_streams(self) -> bool:
        """Whether it is for streams alone, because it says so or because only a stream can have what it does."""
        return self.stream is True or bool(self.error_event) or self.end_without_stop or self.buffered


class Scenario(Part):
    """What one scenario file says."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["my-scenario"])]
    description: str = ""
    seed: StrictInt = 0
    """Makes probabilities and ids the same in every run that sends the same requests in the same order."""
    duration: Off[Seconds] = None
    """How long it takes to see all of it; `None`: it has no end."""
    faults: Annotated[tuple[Rule, ...], Field(max_length=500)] = ()
    """The first rule that matches a request strikes it; a request that none matches is answered well."""

    @model_validator(mode="after")
    def _every_rule_can_strike(self) -> Self:
        refuse(self._idle_rules())
        return self

    def _idle_rules(self) -> Found:
        for index, rule in enumerate(self.faults):
            if self.duration is not None and rule.from_ >= self.duration:
                start, end = format_duration(rule.from_), format_duration(self.duration)
                why = f"the rule never strikes: it begins at {start}, and `duration` is {end}; let it begin earlier"
                yield ("faults", index, "from"), why
            for earlier, before in enumerate(self.faults[:index]):
                if before.hides(rule):
                    why = f"the rule never strikes: faults[{earlier}] stands before it and takes all its requests"
                    yield ("faults", index), f"{why}; move it up or remove it"
                    break
