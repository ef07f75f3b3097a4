"""What a rule does to one answer: a fault, slowness, a way of answering; as an immutable value read from YAML.

Each key is in one of four groups. A fault ends or spoils the answer, and an answer has at most one. Slowness makes
it late. A way of answering changes how a good answer looks, and goes with all that still gives one. A detail says
more about one of the others, and is refused without it.
"""

from __future__ import annotations

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
from failover.document.units import Seconds, SecondsOrNone, format_duration
from failover.document.words import listed, shown

__all__ = ["Fault", "Part"]

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_FRAMING = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "request-id",
        "retry-after",
        "transfer-encoding",
    }
)

_FAULTS = ("status", "hang", "drop", "cut", "error_event", "end_without_stop", "malformed", "stall")
_SLOWNESS = ("delay", "first_token", "token_every")
_WAYS = ("say", "encoding", "buffered")
_ANSWERED = frozenset({"cut", "error_event", "end_without_stop", "malformed", "stall"})
_NO_BODY = frozenset({"hang", "drop"})
_OF_AN_ANSWER = {
    "first_token": "slows an answer",
    "token_every": "slows an answer",
    "say": "is part of an answer",
    "buffered": "holds an answer back",
}
_DETAILS = {
    "error_type": ("status",),
    "error_code": ("status",),
    "retry_after": ("status",),
    "headers": ("status",),
    "message": ("status", "error_event"),
    "after_events": ("cut", "error_event", "end_without_stop", "malformed", "stall"),
    "ping_every": ("first_token", "token_every", "stall"),
}


def _header_text(value: Any) -> Any:
    """YAML reads `false` and `5` as what they look like; a header is text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


HeaderValue = Annotated[str, BeforeValidator(_header_text)]


def _unsendable(name: str, value: str) -> Found:
    """Why a response cannot have such a header, if it cannot."""
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        why = f"header {shown(name)} cannot be sent: a name is letters, digits and `-`; a value is printable ASCII"
        yield ("headers", name), why
    elif name.lower() in _FRAMING:
        why = f"header `{name}` is not for `headers`: the server or another key of the rule sets it"
        yield ("headers", name), why


class Part(BaseModel):
    """What every part of a scenario is: immutable, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fault(Part):
    """What happens to one answer: at most one fault, slowness, ways of answering. All times are scenario seconds."""

    status: Annotated[StrictInt, Ge(400), Le(599)] | None = None
    """Answer with this error status; the five keys below say more about it."""
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
    """After how many `content_block_delta` events of a stream the fault strikes; left out: 1. At most all of them.

    They are counted over all blocks of the reply, thinking and its signature included."""

    delay: Seconds | None = None
    """The wait before the first byte of any answer, errors included."""
    first_token: Seconds | None = None
    """The wait before the first content; a stream sends its headers and `message_start` at once."""
    token_every: Seconds | None = None
    """The wait between content deltas; an answer that is not streamed takes as long in all."""
    ping_every: Seconds | None = None
    """`ping` events at this interval in the silences of a stream: `first_token`, `token_every` and `stall`.

    An answer that is not streamed is as slow, and has no pings."""

    say: Annotated[str, Field(min_length=1)] | None = None
    """A text block with these words, before the text or the tool call that would be the answer; thinking is first."""
    encoding: Literal["gzip", "deflate"] | None = None
    """Compress the body, of errors too, if the request's `accept-encoding` names the coding; otherwise send it plain.

    Every event of a stream can be decoded as soon as it arrives."""
    buffered: StrictBool = False
    """As behind a proxy that buffers: a stream's headers come at once, its body in one piece when all of it is there.

    A `cut` sends that piece and then closes the connection; an `error_event` is in it. Only requests that stream."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        refuse(self._contradictions())
        return self

    def _contradictions(self) -> Found:
        for header, value in self.headers.items():
            yield from _unsendable(header, value)
        struck = [name for name in _FAULTS if self._has(name)]
        slow = [name for name in _SLOWNESS if self._has(name)]
        ways = [name for name in _WAYS if self._has(name)]
        if len(struck) > 1:
            yield (struck[1],), f"`{struck[0]}` and `{struck[1]}` cannot strike the same answer: write two rules"
            return
        if not struck and not slow and not ways:
            groups = ", or ".join(", ".join(group) for group in (_FAULTS, _SLOWNESS, _WAYS))
            yield (), f"nothing goes wrong: set one of {groups}"
            return
        for detail, owners in _DETAILS.items():
            if self._has(detail) and not set(owners) & {*struck, *slow}:
                wanted = listed(f"`{owner}`" for owner in owners)
                yield (detail,), f"`{detail}` goes with {wanted}: add it, or remove `{detail}`"
        if struck:
            yield from self._without_an_answer(struck[0])
        if self._has("delay") and self._has("hang"):
            yield ("delay",), "`delay` and `hang` are both waits before the first byte: keep one"
        if self._has("after_events") and self.malformed == "html":
            yield ("after_events",), "`after_events` counts events, and `malformed: html` sends none: remove it"
        silence = max(self.first_token or 0, (self.token_every or 0) + (self.stall or 0))
        if self.ping_every is not None and silence and self.ping_every >= silence:
            every = format_duration(self.ping_every)
            yield ("ping_every",), f"`ping_every` ({every}) is as long as every silence: no ping comes; make it shorter"

    def _without_an_answer(self, fault: str) -> Found:
        """What belongs to an answer, and cannot be had with a fault that leaves none."""
        if fault not in _ANSWERED or self.malformed == "html":
            said = "malformed: html" if self.malformed else fault
            for name, does in _OF_AN_ANSWER.items():
                if self._has(name):
                    instead = " (`delay` slows errors)" if name in _SLOWNESS else ""
                    yield (name,), f"`{name}` {does}, and `{said}` gives none: remove one{instead}"
        if fault in _NO_BODY and self._has("encoding"):
            yield ("encoding",), f"`encoding` packs a body, and `{fault}` sends none: remove one"

    def _has(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)
