"""How a model's own checks point at what they found: each with the path to where it stands.

Pydantic knows a place for every error of a single value, but for a check across values only the part that was checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from .words import Path

__all__ = ["Contradictions", "Found", "refuse"]

Found: TypeAlias = Iterator[tuple[Path, str]]
"""What is wrong, each with the path to where it stands, from the part that is checked, in the words of the YAML."""


class Contradictions(ValueError):
    """Rules that cannot hold together."""

    found: tuple[tuple[Path, str], ...]
    """Each with its path, as in `Found`."""

    def __init__(self, found: Sequence[tuple[Path, str]]) -> None:
        super().__init__("; ".join(message for _, message in found))
        self.found = tuple(found)


def refuse(found: Iterable[tuple[Path, str]]) -> None:
    """Raise all that was found, if anything was.

    Raises:
        Contradictions: with all of it.
    """
    if everything := tuple(found):
        raise Contradictions(everything)
