"""YAML text to nodes, with every problem on the way.

Our files are a small part of YAML: mappings with text as keys, lists and scalars. Anchors, aliases, merges and tags
are refused: such a file is read by people, and one that cannot refer to itself cannot grow while it is read. Reading stops
at a fixed depth, so no nesting exhausts the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from .kind import Kind
from .nodes import Entry, Node, Place, Problem
from .scalars import core_value
from .words import Path, shown

__all__ = ["Reading", "read_nodes"]

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Splits the text into events. The one in C is fast but not on every platform; their marks agree where they are used."""

_DEEPEST = 40

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, half surrogates, and the marks that end a line or turn its direction in some editors only."""

_LINE_END = re.compile(r"\r\n?|\n")

_HINTS = (
    ("alias", "text that begins with `*` needs quotes"),
    ("anchor", "text that begins with `&` needs quotes"),
    ("tag", "text that begins with `!` needs quotes"),
    ("mapping values are not", "a second `: ` on one line, or an indentation that does not fit the lines above"),
    ("cannot start any token", "text that begins with this character needs quotes"),
    ("expected ':'", "a key needs `: ` after it"),
    ("quoted scalar", "a quote is not closed, or a backslash stands before a character that it cannot escape"),
    ("flow", "a comma or a closing bracket is missing"),
    ("block", "an indentation that does not fit the lines above, or text after a closing quote or bracket"),
)


@dataclass(slots=True)
class Reading:
    """What was read: the root, or `None` when the text could not be read to its end; and every problem."""

    root: Node | None = None
    problems: list[Problem] = field(default_factory=list)


def read_nodes(text: str, kind: Kind[Any]) -> Reading:
    """Read one YAML document. Never raises for what the text says: see `problems`."""
    if bad := _UNPRINTABLE.search(text):
        before = _LINE_END.split(text[: bad.start()])
        place = Place(len(before), len(before[-1]) + 1)
        message = f"character U+{ord(bad[0]):04X} is invisible and not allowed in a {kind.noun}: remove it"
        return Reading(problems=[Problem(place, (), message)])
    composer = _Composer(text, kind)
    try:
        root = composer.document()
    except _TooDeepError as error:
        composer.report(error.event, (), f"nested deeper than {_DEEPEST} levels: no {kind.noun} needs that")
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, text))
    except (yaml.YAMLError, ValueError) as error:  # the loader in Python lets an escape beyond Unicode fail in `chr`
        composer.problems.append(Problem(Place(1, 1), (), f"not valid YAML: {error}"))
    else:
        return Reading(root, composer.problems)
    return Reading(None, composer.problems)


class _TooDeepError(Exception):
    def __init__(self, event: yaml.Event) -> None:
        super().__init__()
        self.event = event


class _Composer:
    def __init__(self, text: str, kind: Kind[Any]) -> None:
        self.problems: list[Problem] = []
        self._kind = kind
        self._events: Iterator[Any] = yaml.parse(text, Loader=LOADER)

    def report(self, event: Any, path: Path, message: str) -> None:
        self.problems.append(Problem(_place(event.start_mark), path, message))

    def document(self) -> Node | None:
        next(self._events)  # the start of the stream
        start = next(self._events)
        first = start if isinstance(start, yaml.StreamEndEvent) else next(self._events)
        if isinstance(first, yaml.StreamEndEvent) or _is_empty(first):
            message = f"the {self._kind.noun} is empty: write at least {self._kind.example}"
            self.problems.append(Problem(Place(1, 1), (), message))
            return None
        root = self._node(first, ())
        next(self._events)  # the end of the document
        if isinstance(another := next(self._events), yaml.DocumentStartEvent):
            self.report(
                another,
                (),
                f"a second document starts here: a {self._kind.noun} is one document; remove this line and what follows",
            )
        return root

    def _node(self, event: Any, path: Path) -> Node:
        if len(path) > _DEEPEST:
            raise _TooDeepError(event)
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            message = f"`*{event.anchor}` is an alias, and a {self._kind.noun} has none: write the value out, or put quotes around a pattern"
            self.report(event, path, message)
            return Node(place, None, broken=True)
        self._refuse_properties(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(place, self._items(path))
        if isinstance(event, yaml.MappingStartEvent):
            return Node(place, self._entries(path))
        return self._scalar(event, path)

    def _refuse_properties(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            self.report(
                event,
                path,
                f"`&{event.anchor}` is an anchor, and a {self._kind.noun} has none: remove it, and write the value out where it is needed",
            )
        if event.tag is not None:
            self.report(
                event,
                path,
                f"{shown(event.tag)} is a tag, and a {self._kind.noun} has none: remove it; quotes make text of anything",
            )

    def _scalar(self, event: Any, path: Path) -> Node:
        place = _place(event.start_mark)
        if _UNPRINTABLE.search(event.value):
            self.report(event, path, f"{shown(event.value)} holds an invisible character: remove the escape")
            return Node(place, None, broken=True)
        if not event.implicit[0]:
            return Node(place, event.value)
        try:
            return Node(place, core_value(event.value))
        except ValueError as error:
            self.report(event, path, str(error))
            return Node(place, None, broken=True)

    def _items(self, path: Path) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), event))
        return items

    def _entries(self, path: Path) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            if key is None:
                self._skip(next(self._events), path)
                continue
            value = self._value(next(self._events), (*path, key), event)
            if key in entries:
                first = entries[key].key
                self.report(
                    event,
                    (*path, key),
                    f"this key stands twice; the first is at line {first.line}, column {first.column}: remove one",
                )
            else:
                entries[key] = Entry(_place(event.start_mark), value)
        return entries

    def _key(self, event: Any, path: Path) -> str | None:
        """A key as text; `529` is text too, as in JSON. `None` once a problem was reported."""
        if not isinstance(event, yaml.ScalarEvent):
            kind = {yaml.SequenceStartEvent: "a list", yaml.MappingStartEvent: "a mapping"}.get(type(event), "an alias")
            self._skip(event, path)
            self.report(event, path, f"{kind} cannot be a key: write text")
            return None
        plain = event.implicit[0] and event.tag is None
        if plain and event.value == "<<":
            self.report(
                event, path, f"`<<` merges another mapping, and a {self._kind.noun} has no merges: write the keys out"
            )
            return None
        key = self._scalar(event, path)
        if not key.broken and event.anchor is None and event.tag is None:
            if isinstance(key.value, (str, int)) and not isinstance(key.value, bool):
                return str(key.value)
            self.report(event, path, f"{shown(key.value)} cannot be a key: write text, or put quotes around it")
        self._refuse_properties(event, path)
        return None

    def _value(self, event: Any, path: Path, owner: Any) -> Node:
        """The value of a key or the item of a list; where there is none, the problem stands at its owner."""
        if _is_empty(event):
            self.report(owner, path, "there is no value: write one, or remove this line")
            return Node(_place(owner.start_mark), None, broken=True)
        return self._node(event, path)

    def _skip(self, event: Any, path: Path) -> None:
        """Read past a value without a word about it, for its owner is refused already."""
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            if len(path) + depth > _DEEPEST:
                raise _TooDeepError(event)
            event = next(self._events)


def _is_empty(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "" and event.implicit[0] and event.anchor is None


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark: Any = error.problem_mark or error.context_mark
    line = [*_LINE_END.split(text), ""][mark.line]
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or line[mark.column : mark.column + 1] == "\t":
        place = Place(mark.line + 1, line.index("\t") + 1)
        return Problem(place, (), "a tab cannot indent YAML: use spaces")
    said = f"{error.problem} {error.context or ''}"
    hint = next((f": {hint}" for words, hint in _HINTS if words in said), "")
    began = ""
    if error.context_mark is not None and error.context_mark.line != mark.line:
        began = f"; what is read here began at line {error.context_mark.line + 1}"
    return Problem(_place(mark), (), f"not valid YAML ({error.problem}){hint}{began}")
