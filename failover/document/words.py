"""How mistakes are put into words: one way to show a value, a place in the file, and a near miss."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Path", "did_you_mean", "listed", "path_text", "shown"]

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands in a file: keys of mappings and indexes of lists."""

_LONGEST = 40
_BARE_KEY = re.compile(r"[\w*-]+", re.ASCII)


def shown(value: object) -> str:
    """A value as YAML would spell it, cut to one short line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return _cut(text)


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """``; did you mean `x`?`` for the nearest of the allowed words, or nothing when none is near."""
    near = difflib.get_close_matches(word[:100].lower(), list(allowed), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def path_text(path: Path) -> str:
    """`breaker.trip.failure_rate`, `ladders[1].rungs[0]`; a key that is no plain word stands in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _BARE_KEY.fullmatch(step) and len(step) <= _LONGEST:
            text += f".{step}" if text else step
        else:
            text += f"[{_cut(json.dumps(step))}]"
    return text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
