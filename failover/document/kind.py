"""What tells one of our files from another while it is read: its name in sentences, its values, and its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

__all__ = ["Kind", "ModelT"]

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Kind(Generic[ModelT]):
    """A kind of file.

    The first of a required field's `examples` is YAML: it is what a reader is told to write when the key is missing.
    """

    noun: str
    """What it is called, with `a` before it: `policy`; its text is read by `parse_policy`."""

    example: str
    """The least that can be written, for whoever wrote nothing."""

    model: type[ModelT]
    """What it may say."""

    error: Callable[[tuple[str, ...]], Exception]
    """Makes what is raised from the lines about its problems."""
