"""Reading a file of some kind: the text, its values, and every mistake at once, each at its line and column."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .compose import read_nodes
from .contradictions import Contradictions
from .files import MAX_BYTES, printable, read_text
from .kind import Kind, ModelT
from .messages import sentence
from .nodes import Node, Place, Problem
from .words import Path, path_text

__all__ = ["Placed", "check_value", "load_document", "load_placed", "parse_document"]

_MOST_SHOWN = 100

_Message: TypeAlias = str | Callable[[], str]


class Placed(NamedTuple):
    """A file that says nothing wrong, with what it says and where."""

    name: str
    value: Any
    root: Node

    def line(self, path: Path, message: str) -> str:
        """A remark on a value, as a problem with it would be shown; the path may have steps that the file leaves out."""
        place, walked = _locate(self.root, path, at_key=False)
        place = place or self.root.place
        return _line(f"{printable(self.name)}:{place.line}:{place.column}", walked, message)


def load_placed(path: str | os.PathLike[str], kind: Kind[Any]) -> Placed:
    """A YAML file as `load_document` reads it, with the places of its values.

    Raises:
        Exception: `kind.error`, as `load_document`.
    """
    name = os.fsdecode(path)
    return Placed(name, *_parsed(read_text(name, kind), name, kind))


def load_document(path: str | os.PathLike[str], kind: Kind[ModelT]) -> ModelT:
    """Read a YAML file in UTF-8 of at most 1 MiB.

    Raises:
        Exception: `kind.error`: the file cannot be read, or says something that is not allowed; with every problem of
            it, each as `file:line:column: path: what is wrong, and what is allowed`.
    """
    name = os.fsdecode(path)
    return parse_document(read_text(name, kind), name, kind)


def parse_document(text: str, name: str, kind: Kind[ModelT]) -> ModelT:
    """Read YAML text; `name` stands in the errors for the file.

    Raises:
        Exception: `kind.error`, as `load_document`.
    """
    return _parsed(text, name, kind)[0]


def _parsed(text: str, name: str, kind: Kind[ModelT]) -> tuple[ModelT, Node]:
    if len(text) > MAX_BYTES:
        raise kind.error((f"{printable(name)}: longer than {MAX_BYTES:,} characters, and no {kind.noun} is",))
    reading = read_nodes(text.removeprefix("\ufeff"), kind)  # the mark that some editors put first
    problems = reading.problems
    if reading.root is not None and not reading.root.broken:
        try:
            value = kind.model.model_validate(reading.root.plain(), by_alias=True, by_name=False)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                problems.extend(_problems_of(one, kind.model, reading.root))
        else:
            if not problems:
                return value, reading.root
    raise kind.error(tuple(_lines(problems, printable(name)))) from None


def check_value(value: object, name: str, kind: Kind[ModelT]) -> ModelT:
    """What a file could have said, said in Python; `name` stands in the errors for the file, and there are no lines.

    Raises:
        Exception: `kind.error`, with every problem as `name: path: what is wrong, and what is allowed`.
    """
    try:
        return kind.model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        lines = tuple(
            _line(name, tuple(step for step in (*one["loc"], *path) if step != _KEY), message)
            for one in error.errors(include_url=False)
            for path, message in _found(one, kind.model)
        )
    raise kind.error(lines)


_KEY = "[key]"
"""Pydantic's way to say that it is a key of a mapping that is wrong."""


def _found(error: ErrorDetails, model: type[BaseModel]) -> Iterator[tuple[Path, _Message]]:
    """What one of pydantic's errors says, with the path from its own place."""
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, Contradictions):
        yield from raised.found
    else:
        yield (), functools.partial(sentence, error, model)


def _problems_of(error: ErrorDetails, model: type[BaseModel], root: Node) -> Iterator[Problem]:
    """Where in the file one of pydantic's errors belongs: none if its cause is reported already."""
    for path, message in _found(error, model):
        at_key = error["type"] == "extra_forbidden" or error["loc"][-1:] == (_KEY,)
        place, walked = _locate(root, (*error["loc"], *path), at_key=at_key)
        if error["type"] == "missing":
            walked = (*walked, error["loc"][-1])
        if place is not None:
            yield Problem(place, walked, message)


def _locate(root: Node, loc: Path, *, at_key: bool) -> tuple[Place | None, Path]:
    """The place of a value, or of its key, and the path to it as the file has it.

    A step that is not in the file is passed over: the `model` of a rung that is only a name, or a label of pydantic's.
    """
    node, key, path = root, root.place, Path()
    for step in loc:
        child = node.child(step)
        if child is None:
            continue
        key = node.value[step].key if isinstance(node.value, dict) and isinstance(step, str) else child.place
        node, path = child, (*path, step)
        if node.broken:
            return None, path
    return (key if at_key else node.place), path


def _lines(problems: list[Problem], name: str) -> Iterator[str]:
    """The problems in the order of the file."""
    ordered = sorted(problems, key=lambda problem: problem.place)
    for place, path, message in ordered[:_MOST_SHOWN]:
        yield _line(f"{name}:{place.line}:{place.column}", path, message)
    if len(ordered) > _MOST_SHOWN:
        yield f"{name}: {len(ordered) - _MOST_SHOWN:,} more problems"


def _line(where: str, path: Path, message: _Message) -> str:
    steps = f"{path_text(path)}: " if path else ""
    return f"{where}: {steps}{message if isinstance(message, str) else message()}"
