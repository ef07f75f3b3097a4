"""One entry of a journal as one line for people: what `failover tail` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from failover.document.files import printable
from failover.journal.entry import Entry

from .sorted_entries import amount, count_of, place_of, texts
from .words import CAUSES, REASONS, count, duration, iso, named

__all__ = ["Line", "line"]

_OUTSIDE_OF_TIME = "????-??-??T??:??:??Z"
_KIND_WIDTH = 10
_SAVED = frozenset({"primary", "fallback"})
_STYLES = {
    ("transition", "open"): "bold red",
    ("transition", "half_open"): "yellow",
    ("transition", "closed"): "green",
    ("incident", "started"): "bold magenta",
    ("incident", "ended"): "bold green",
    ("call", "fallback"): "cyan",
    ("call", "primary"): "",
}
_KIND_STYLES = {"attempt": "red", "call": "red", "served": "dim", "status": "magenta", "lost": "bold red"}


class Line(NamedTuple):
    """The parts of a line, and how it may be coloured."""

    time: str
    kind: str
    text: str
    process: str
    style: str
    """As Rich spells it; empty for none."""

    def __str__(self) -> str:
        return f"{self.time}  {self.kind:<{_KIND_WIDTH}}  {self.text}  [{self.process}]"


def line(entry: Entry) -> Line:
    """The line of an entry, of whichever kind. It holds no line break, whatever the entry's names are."""
    try:
        time = iso(entry.at)
    except (ValueError, OverflowError, OSError):
        time = _OUTSIDE_OF_TIME
    text = _TEXTS.get(entry.kind, _unknown)(entry)
    style = _STYLES.get((entry.kind, entry.outcome or ""), _KIND_STYLES.get(entry.kind, ""))
    return Line(time, printable(entry.kind), printable(text), printable(entry.process), style)


def _attempt(entry: Entry) -> str:
    number = f"attempt {entry.number}" if entry.number else "an attempt"
    return f"{_call_of(entry)}: {number} at {place_of(entry)} failed: {_error(entry)}{_took(entry)}"


def _switch(entry: Entry) -> str:
    why = _error(entry) if entry.error_type or entry.status else _reason(entry.reason)
    before = entry.detail.get("from")
    left = f"from {before} " if isinstance(before, str) else ""
    return f"{_call_of(entry)} goes {left}to {place_of(entry)} ({why})"


def _transition(entry: Entry) -> str:
    state = (entry.outcome or "?").replace("_", " ")
    seconds = amount(entry.seconds)
    for_long = f" for {duration(seconds)}" if seconds else ""
    failures = count_of(entry.count)
    after = f", {count(failures, 'failure')} in a row" if failures and entry.reason != "consecutive_failures" else ""
    if failures and entry.reason == "consecutive_failures":
        why = f"{failures:,} failures in a row"
    else:
        why = f"{_reason(entry.reason)}{after}"
    last = f"; the last: {_error(entry)}" if entry.outcome == "open" and entry.error_type else ""
    return f"{place_of(entry)} is {state}{for_long} ({why}){last}"


def _call(entry: Entry) -> str:
    by = entry.detail.get("served")
    served = f", answered by {by}" if isinstance(by, str) and entry.outcome in _SAVED else ""
    error = f", {entry.error_type}" if entry.error_type else ""
    waited = entry.detail.get("waited")
    waits = f", of which {duration(amount(waited))} waiting" if isinstance(waited, (int, float)) and waited > 0 else ""
    attempts = count(count_of(entry.count), "attempt")
    skipped = texts(entry.detail.get("skipped"))
    over = f"; passed over {named(skipped)}" if skipped else ""
    model = entry.model or "unknown"
    return (
        f"{_call_of(entry)} for {model}: {entry.outcome}{served}{error}; {attempts}"
        f" in {duration(amount(entry.seconds))}{waits}{over}"
    )


def _served(entry: Entry) -> str:
    answers = count_of(entry.count)
    each = f", {duration(amount(entry.seconds) / answers)} each on average" if answers else ""
    return f"{place_of(entry)} gave {count(answers, 'answer')} in this minute{each}"


def _incident(entry: Entry) -> str:
    of = f"platform incident of client {entry.client or 'default'}"
    seconds, number = duration(amount(entry.seconds)), count_of(entry.count)
    models = named(texts(entry.detail.get("models")))
    if entry.outcome == "started":
        why = CAUSES.get(entry.reason or "", entry.reason or "unknown")
        return f"{of} begins ({why}): {count(number, 'failure')} in {seconds}; {models}"
    if entry.outcome == "ended":
        return f"{of} is over after {seconds}; {count(number, 'call')} kept back; {models}"
    return f"{of}: {entry.outcome}"


def _probe(entry: Entry) -> str:
    result = "answered" if entry.outcome == "answered" else f"failed: {_error(entry)}"
    return f"probe of {place_of(entry)} {result}{_took(entry)}"


def _status(entry: Entry) -> str:
    said = texts(entry.detail.get("incidents"))
    return f"the status page says {entry.outcome or 'nothing'}{f': {named(said)}' if said else ''}"


def _lost(entry: Entry) -> str:
    return f"{count(count_of(entry.count), 'entry', 'entries')} could not be written ({_reason(entry.reason)})"


def _unknown(entry: Entry) -> str:
    known = (entry.circuit or entry.model, entry.reason, entry.outcome, entry.error_type, entry.request_id)
    return ", ".join(part for part in known if part) or "of a newer version"


_TEXTS: Mapping[str, Callable[[Entry], str]] = {
    "attempt": _attempt,
    "switch": _switch,
    "transition": _transition,
    "call": _call,
    "served": _served,
    "incident": _incident,
    "probe": _probe,
    "status": _status,
    "lost": _lost,
}


def _call_of(entry: Entry) -> str:
    return f"call {entry.call}" if entry.call is not None else "a call"


def _reason(reason: str | None) -> str:
    return REASONS.get(reason or "", reason or "unknown")


def _error(entry: Entry) -> str:
    status = str(entry.status) if entry.status is not None else ""
    kind = entry.error_type if entry.error_type and entry.error_type != status else ""
    return " ".join(part for part in (status, kind, entry.request_id) if part) or "unknown error"


def _took(entry: Entry) -> str:
    seconds = amount(entry.seconds)
    return f" after {duration(seconds)}" if seconds else ""
