"""What a scenario is: which requests fail, when, and how, as immutable values read from YAML.

    name: opus-outage
    seed: 7
    duration: 60s
    faults:                              # the first that matches a request strikes
      - {model: claude-opus-*, from: 10s, until: 40s, status: 529, probability: 80%}
      - {model: claude-opus-*, from: 10s, until: 40s, stream: true, cut: true, after_events: 2}
      - {first_token: 2s, token_every: 50ms}

What goes wrong is the business of `Fault`, to whom and when that of `Rule`. Reading the file is that of
`scenario_file`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)
from typing_extensions import Self

from failover.document import Found, refuse
from failover.document.units import Count, Off, Seconds, SecondsOrNone, Share, format_duration
from failover.document.words import listed, shown

__all__ = ["Fault", "Rule", "Scenario"]

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_FRAMING = frozenset({"connection", "content-length", "content-type", "request-id", "retry-after", "transfer-encoding"})

_FAULTS = ("status", "hang", "drop", "cut", "error_event", "end_without_stop", "malformed", "stall")
_SLOWNESS = ("delay", "first_token", "token_every")
_ANSWERED = frozenset({"cut", "error_event", "end_without_stop", "malformed", "stall"})
_STREAMS_ONLY = ("error_event", "end_without_stop", "after_events")
_DETAILS = {
    "error_type": ("status",),
    "error_code": ("status",),
    "retry_after": ("status",),
    "headers": ("status",),
    "message": ("status", "error_event"),
    "after_events": ("cut", "error_event", "end_without_stop", "malformed", "stall"),
}


def _header_text(value: Any) -> Any:
    """YAML reads `false` and `5` as what they look like; a header is text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _covers(wide: str, narrow: str) -> bool:
    """Whether all that the pattern `narrow` matches is sure to match `wide`; when in doubt, no."""
    if not any(wild in narrow for wild in "*?["):
        return fnmatch.fnmatchcase(narrow, wide)
    prefix = wide.removesuffix("*")
    return wide == narrow or (prefix != wide and not any(w in prefix for w in "*?[") and narrow.startswith(prefix))


Glob = Annotated[str, Field(min_length=1, max_length=200)]
HeaderValue = Annotated[str, BeforeValidator(_header_text)]


def _unsendable(name: str, value: str) -> Found:
    """Why a response cannot have such a header, if it cannot."""
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        why = f"header {shown(name)} cannot be sent: a name is letters, digits and `-`; a value is printable ASCII"
        yield ("headers", name), why
    elif name.lower() in _FRAMING:
        why = f"header `{name}` is not for `headers`: the server or another key of the rule sets it"
        yield ("headers", name), why


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fault(_Part):
    """What goes wrong with one answer: exactly one fault, or only slowness. All times are scenario seconds."""

    status: Annotated[StrictInt, Ge(400), Le(599)] | None = None
    """Answer with this error status; the four keys below say more about it."""
    error_type: Annotated[str, Field(min_length=1)] | None = None
    """The error's `type`; left out: the API's own for that status."""
    message: str | None = None
    """The error's message; left out: one that fits. Also for `error_event`."""
    error_code: Annotated[str, Field(min_length=1)] | None = None
    """The error's `details.error_code`, such as `enforced_spend_limit_reached`."""
    retry_after: SecondsOrNone | None = None
    """The `retry-after` header, a time of the scenario like any other (a faster server sends a smaller number)."""
    headers: Mapping[str, HeaderValue] = {}
    """More response headers, such as `x-should-retry`."""

    hang: Seconds | None = None
    """Accept the request, send nothing for so long, then close the connection."""
    drop: StrictBool = False
    """Close the connection before the first byte of an answer."""
    cut: StrictBool = False
    """Close the connection in the middle of the answer."""
    error_event: Annotated[str, Field(min_length=1)] | None = None
    """An `error` event of this type in a stream that began well."""
    end_without_stop: StrictBool = False
    """End a stream in good order, but without `message_stop`."""
    malformed: Literal["html", "json", "truncated"] | None = None
    """Status 200 and then a proxy's `html` page, something that is not `json`, or a body that stops too early."""
    stall: Seconds | None = None
    """Pause in the middle of the answer, then go on."""
    after_events: Annotated[StrictInt, Ge(0)] | None = None
    """After how many content deltas of a stream the fault strikes; left out: 1. At most all of them."""

    delay: Seconds | None = None
    """The wait before the first byte of any answer, errors included."""
    first_token: Seconds | None = None
    """The wait before the first content; a stream sends its headers and `message_start` at once."""
    token_every: Seconds | None = None
    """The wait between content deltas; an answer that is not streamed takes as long in all."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        refuse(self._contradictions())
        return self

    def _contradictions(self) -> Found:
        for header, value in self.headers.items():
            yield from _unsendable(header, value)
        struck = [name for name in _FAULTS if self._has(name)]
        slow = [name for name in _SLOWNESS if self._has(name)]
        if len(struck) > 1:
            yield (struck[1],), f"`{struck[0]}` and `{struck[1]}` cannot strike the same answer: write two rules"
            return
        if not struck and not slow:
            yield (), f"nothing goes wrong: set one of {', '.join(_FAULTS)}, or {', '.join(_SLOWNESS)}"
            return
        for detail, owners in _DETAILS.items():
            if self._has(detail) and not set(owners) & set(struck):
                wanted = listed(f"`{owner}`" for owner in owners)
                yield (detail,), f"`{detail}` goes with {wanted}: add it, or remove `{detail}`"
        for name in slow:
            if name != "delay" and struck and struck[0] not in _ANSWERED:
                why = f"`{name}` slows an answer, and `{struck[0]}` gives none: remove one (`delay` slows errors)"
                yield (name,), why
        if self._has("delay") and self._has("hang"):
            yield ("delay",), "`delay` and `hang` are both waits before the first byte: keep one"
        if self._has("after_events") and self.malformed == "html":
            yield ("after_events",), "`after_events` counts events, and `malformed: html` sends none: remove it"

    def _has(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)


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
            and (self.stream is None or self.stream is stream)
            and (stream or not (self.error_event or self.end_without_stop))
            and fnmatch.fnmatchcase(model, self.model)
            and fnmatch.fnmatchcase(path, self.path)
        )

    def hides(self, later: Rule) -> bool:
        """Whether every request that `later` could strike is struck by this rule first."""
        if self.times is not None or self.probability is not None or self.from_ > later.from_:
            return False
        if self.until is not None and (later.until is None or later.until > self.until):
            return False
        only_streams = self.stream is True or bool(self.error_event) or self.end_without_stop
        later_only_streams = later.stream is True or bool(later.error_event) or later.end_without_stop
        if (only_streams and not later_only_streams) or (self.stream is False and later.stream is not False):
            return False
        return _covers(self.model, later.model) and _covers(self.path, later.path)


class Scenario(_Part):
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
