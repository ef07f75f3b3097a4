"""What the type of a single value cannot tell: names that mean nothing, and rules that contradict one another.

Each check yields what it found with the path to where it stands, so that whoever read the policy from a file can
point at the line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from failover.document import Found
from failover.document.units import format_duration
from failover.document.words import Path, did_you_mean, listed, shown

__all__ = [
    "ERROR_TYPES",
    "body_field",
    "client_name",
    "contradicting_limits",
    "covers",
    "error_name",
    "longer",
    "one_line",
    "past_deadline",
    "pattern",
    "queue_before_nothing",
    "raised_all_the_same",
    "repeated",
    "reserve",
    "too_many_calls",
    "unreachable",
    "unsound_patch",
    "useless_override",
    "version",
]

ERROR_TYPES = (
    "api_error",
    "overloaded_error",
    "timeout_error",
    "rate_limit_error",
    "not_found_error",
    "model_unavailable",
    "permission_error",
    "authentication_error",
    "billing_error",
    "invalid_request_error",
    "request_too_large",
    "conflict_error",
    "connection_error",
    "client_timeout_error",
    "malformed_response",
    "stream_truncated",
    "prompt_too_long",
    "spend_limit",
)
"""What an `errors` key may name: the API's error types, and what only this side of the wire can tell."""

_VERSIONS = (1,)
_MOST_STARS = 5
_ONE_LINE = re.compile(r"\S(.*\S)?")
_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BODY_FIELD = re.compile(r"[a-z][a-z0-9_]*")
_STATUSES = range(400, 600)
_LASTING = {
    **dict.fromkeys(
        ("invalid_request_error", "request_too_large", "conflict_error", "prompt_too_long", "400", "409", "413", "422"),
        "the request is wrong",
    ),
    **dict.fromkeys(
        ("authentication_error", "billing_error", "spend_limit", "401", "402"),
        "the account is refused",
    ),
    **dict.fromkeys(("permission_error", "403"), "the account may not do what was asked for"),
    **dict.fromkeys(("not_found_error", "model_unavailable", "404"), "what was asked for is not there"),
}
"""Errors that the same request would meet again, and what each means."""
_MAY_BE_OF_THE_MODEL = {"permission_error", "403", "not_found_error", "model_unavailable", "404"}
_MOST_CALLS_PER_SECOND = 10_000


def longer(**pair: float) -> Found:
    """The first of two durations must fit in the second."""
    (name, seconds), (limit_name, limit) = pair.items()
    if seconds > limit:
        why = (
            f"`{name}` ({format_duration(seconds)}) is longer than `{limit_name}` ({format_duration(limit)}): "
            f"shorten `{name}` or lengthen `{limit_name}`"
        )
        yield (name,), why


def reserve(seconds: float, deadline: float | None) -> Found:
    """The last rung's share of the deadline must leave something for the others."""
    if deadline is not None and seconds >= deadline:
        why = (
            f"`reserve` ({format_duration(seconds)}) leaves nothing of `deadline` ({format_duration(deadline)}) "
            "for the first rungs: make it shorter"
        )
        yield ("reserve",), why


def too_many_calls(of_at_least: int, within: float) -> Found:
    """A rule that waits for more calls than one process can make never fires."""
    if of_at_least > _MOST_CALLS_PER_SECOND * within:
        why = (
            f"{of_at_least} calls within {format_duration(within)} never happen, so this rule can never fire: "
            "lower `of_at_least` or lengthen `within`"
        )
        yield ("of_at_least",), why


def past_deadline(rule: Path, seconds: float, deadline: float | None) -> Found:
    """No call lives past the deadline, so a rule that waits longer never fires."""
    if deadline is not None and seconds >= deadline:
        why = (
            f"no call is ever {format_duration(seconds)} old, because `retry.deadline` is {format_duration(deadline)}, "
            "so this rule can never fire: make it shorter than the deadline"
        )
        yield ("breaker", "trip", *rule), why


def version(number: int) -> int:
    """The grammar's version as given.

    Raises:
        ValueError: this release does not read it.
    """
    if number not in _VERSIONS:
        reads = listed(str(known) for known in _VERSIONS)
        raise ValueError(f"this release reads version {reads} of the grammar, not {number}: write `version: {reads}`")
    return number


def one_line(text: str) -> str:
    """A name as given.

    Raises:
        ValueError: it has several lines, or space around it.
    """
    if not _ONE_LINE.fullmatch(text):
        raise ValueError("must be one line that neither begins nor ends with a space")
    return text


def client_name(name: str) -> str:
    """The name of a client or a bulkhead as given.

    Raises:
        ValueError: it could not stand in the name of a circuit, `client/model`, or among other names.
    """
    if not _CLIENT_NAME.fullmatch(name):
        raise ValueError(f"{shown(name)} is no name: write letters, digits, `-`, `_` and `.`, as in `backup-key`")
    return name


def queue_before_nothing(at_once: int | None, *, written: bool) -> Found:
    """A line that nobody stands in."""
    if written and at_once is None:
        yield ("queue",), "without `at_once` nobody waits, so `queue` says nothing: set `at_once`, or remove it"


def raised_all_the_same(shrunk_for: Sequence[str], raised: Collection[str]) -> Found:
    """A smaller prompt is of no use to a call that ends with the error."""
    for name in shrunk_for:
        if name in raised and name not in _LASTING:  # what is wrong with a request is mended by sending less of it
            why = f"`{name}` ends the call, and `shrink` names it for a smaller prompt: remove it here or there"
            yield ("errors", name, "do"), why


def contradicting_limits(ladders: Sequence[Sequence[Any]]) -> Found:
    """A model on a client has one limit, whichever rungs lead there."""
    said: dict[tuple[str, str], tuple[Any, str]] = {}
    for number, rungs in enumerate(ladders):
        for index, rung in enumerate(rungs):
            if rung.at_once is None:
                continue
            here = f"ladders[{number}].rungs[{index}]"
            limit, where = said.setdefault((rung.client, rung.model), ((rung.at_once, rung.queue), here))
            if limit != (rung.at_once, rung.queue):
                why = f"says another `at_once` or `queue` for {rung.model} than {where}: both share one limit, so write the same"
                yield ("ladders", number, "rungs", index), why


def body_field(name: str) -> str:
    """The name of a field of a request's body as given.

    Raises:
        ValueError: no such field could exist.
    """
    if not _BODY_FIELD.fullmatch(name):
        raise ValueError(f"{shown(name)} is no field of a request's body: those are lower-case words like `max_tokens`")
    return name


def pattern(text: str) -> str:
    """A pattern of model names as given.

    Raises:
        ValueError: it has a wildcard that is not supported, or more of them than would be quick to match.
    """
    if "[" in text or "]" in text:
        raise ValueError(f"{shown(text)} has a bracket: the wildcards are `*` (any text) and `?` (one character)")
    if text.count("*") > _MOST_STARS:
        raise ValueError(f"{shown(text)} has more than {_MOST_STARS} `*`: no model's name needs that")
    return text


def unreachable(patterns: Sequence[str]) -> Found:
    """A ladder whose models all match an earlier one's pattern is never used."""
    for index, later in enumerate(patterns):
        for earlier in patterns[:index]:
            if covers(earlier, later):
                why = f"ladder `{later}` is never reached: `{earlier}` stands before it and matches all of it"
                yield (index, "match"), f"{why}; move it up or remove it"
                break


def covers(wide: str, narrow: str) -> bool:
    """Whether every text that matches the pattern `narrow` matches `wide`; `*` is any text and `?` any character.

    It may miss an overlap that is spelled oddly (`*?` covers `?*`); it never claims one that is not there.
    """
    reached = _past_stars(wide, {0})
    for char in narrow:
        reached = _past_stars(wide, {after for at in reached for after in _step(wide, at, char)})
    return len(wide) in reached


def _step(wide: str, at: int, char: str) -> tuple[int, ...]:
    if at == len(wide):
        return ()
    if wide[at] == "*":
        return (at,)
    return (at + 1,) if wide[at] == char or (wide[at] == "?" and char != "*") else ()


def _past_stars(wide: str, reached: set[int]) -> set[int]:
    """Where one may also stand, for a star may match nothing."""
    for at in tuple(reached):
        end = at
        while end < len(wide) and wide[end] == "*":
            end += 1
            reached.add(end)
    return reached


def repeated(rungs: Sequence[Any]) -> Found:
    """A rung that stands twice would be asked twice in one pass."""
    places = [(rung.model, rung.client, rung.set) for rung in rungs]
    for index, place in enumerate(places):
        if place in places[:index]:
            yield (index,), f"rung `{place[0]}` stands twice, and the second is never reached: remove one"


def unsound_patch(patch: Mapping[str, Any], *, written: bool) -> Found:
    """A rung's patch must change something, and nothing that is not the rung's to change."""
    if written and not patch:
        yield ("set",), "an empty `set` changes nothing: remove it, or say which body fields it sets"
    for key, why in (
        ("model", "write it as the rung's own `model`"),
        ("messages", "it belongs to the call"),
        ("stream", "it belongs to the call"),
        ("thread", "it belongs to the call"),
    ):
        if key in patch:
            yield ("set", key), f"`set` cannot change `{key}`: {why}"
    if "max_tokens" in patch and patch["max_tokens"] is None:
        yield ("set", "max_tokens"), "`set` cannot unset `max_tokens`: the API needs it"


def error_name(key: object) -> object:
    """An `errors` key as text: an error type, or a status.

    Raises:
        ValueError: it is neither.
    """
    name = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    if not isinstance(name, str) or name in ERROR_TYPES:
        return name
    if name.isascii() and name.isdigit():
        if len(name) == len("529") and int(name) in _STATUSES:
            return name
        raise ValueError(f"{shown(key)} is not the HTTP status of an error: write one from 400 to 599")
    known = f"{listed(ERROR_TYPES, 'and')}, and statuses from 400 to 599"
    raise ValueError(f"no error is called {shown(name)}{did_you_mean(name, ERROR_TYPES) or '.'} Known are {known}")


def useless_override(name: str, do: str | None, counts: str | None) -> Found:
    """An error that lasts is not repeated, and is no failure that counting could make anything of."""
    why = _LASTING.get(name)
    if why is None:
        return
    if do == "repeat":
        again = "and the same request would meet that again: write `next` or `raise`"
        yield (name, "do"), f"`{name}` means that {why}, {again}"
    if name in _MAY_BE_OF_THE_MODEL:
        if counts == "failure":
            nothing = "which counting does not change: write `open` or `neutral`"
            yield (name, "counts"), f"`{name}` means that {why}, {nothing}"
    elif counts in ("failure", "open"):
        nothing = "which says nothing about the model: write `neutral`"
        yield (name, "counts"), f"`{name}` means that {why}, {nothing}"
