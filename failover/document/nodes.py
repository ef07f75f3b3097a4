"""Values that know where they stand in the file, and what was found wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from .words import Path

__all__ = ["Entry", "Node", "Place", "Problem", "Scalar"]

Scalar: TypeAlias = str | int | float | bool | None


class Place(NamedTuple):
    """A line and a column, both from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    place: Place
    path: Path
    message: str | Callable[[], str]
    """A sentence, or what puts it into words: of very many problems only the first are shown."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it begins."""

    place: Place
    value: Scalar | list[Node] | dict[str, Entry]
    broken: bool = False
    """A problem was reported in its stead: whatever else seems wrong with it follows from that."""

    def child(self, step: object) -> Node | None:
        """The value under a key or an index, if there is one."""
        if isinstance(self.value, dict) and isinstance(step, str) and step in self.value:
            return self.value[step].value
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            return self.value[step]
        return None

    def plain(self) -> Any:
        """The value alone; where it is broken, one that fits nowhere, so that no check takes it for what is written."""
        if self.broken:
            return object()
        if isinstance(self.value, dict):
            return {key: entry.value.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class Entry(NamedTuple):
    """What stands under a key, and where the key stands."""

    key: Place
    value: Node
