"""Reading a policy: the text, its values, and every mistake at once, each at its line and column."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from failover.errors import PolicyError

from .checks import Contradictions
from .compose import read_nodes
from .files import MAX_BYTES, printable, read_text
from .messages import sentence
from .model import Policy, Retry
from .nodes import Node, Place, Problem
from .words import Path, path_text

__all__ = ["default_policy", "load_policy", "parse_policy"]

_MOST_SHOWN = 100


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy from a YAML file in UTF-8 of at most 1 MiB.

    Raises:
        PolicyError: the file cannot be read, or says something that is not allowed; with every problem of it, each as
            `file:line:column: path: what is wrong, and what is allowed`.
    """
    name = os.fsdecode(path)
    return parse_policy(read_text(name), name)


def parse_policy(text: str, name: str = "<policy>") -> Policy:
    """Read a policy from YAML text; `name` stands in the errors for the file.

    Raises:
        PolicyError: as `load_policy`.
    """
    if len(text) > MAX_BYTES:
        raise PolicyError((f"{printable(name)}: longer than {MAX_BYTES:,} characters, and no policy is",))
    reading = read_nodes(text.removeprefix("\ufeff"))  # the mark that some editors put first
    problems = reading.problems
    if reading.root is not None:
        try:
            policy = Policy.model_validate(reading.root.plain(), by_alias=True, by_name=False)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                problems.extend(_problems_of(one, reading.root))
        else:
            if not problems:
                return policy
    raise PolicyError(tuple(_lines(problems, printable(name)))) from None


@functools.cache
def default_policy() -> Policy:
    """The built-in policy, which `policies/default.yaml` spells out."""
    return Policy(version=1, name="default", retry=Retry(long_answers="stretch"))


def _problems_of(error: ErrorDetails, root: Node) -> Iterator[Problem]:
    """Where in the file one of pydantic's errors belongs: none if its cause is reported already."""
    raised = error.get("ctx", {}).get("error")
    found: Sequence[tuple[Path, str | Callable[[], str]]]
    found = raised.found if isinstance(raised, Contradictions) else (((), functools.partial(sentence, error)),)
    for path, message in found:
        at_key = error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",)
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
        where = f"{path_text(path)}: " if path else ""
        yield f"{name}:{place.line}:{place.column}: {where}{message if isinstance(message, str) else message()}"
    if len(ordered) > _MOST_SHOWN:
        yield f"{name}: {len(ordered) - _MOST_SHOWN:,} more problems"
