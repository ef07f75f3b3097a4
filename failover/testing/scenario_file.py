"""From bytes to plain values, and from pydantic's errors to sentences: the dull half of reading a scenario.

A scenario is small and written by hand, so whatever a hand does not write (aliases, tags, a key twice, megabytes) is
refused rather than understood.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from failover.errors import FailoverError
from failover.policy.words import did_you_mean, path_text

__all__ = ["ScenarioError", "lines_of", "read_text", "read_yaml"]

_MAX_BYTES = 1_000_000
_PLAIN_WORDS = {
    "missing": "is missing",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
}


class ScenarioError(FailoverError, ValueError):
    """A scenario cannot be used. The message has one line for each problem: `file: path: what is wrong`."""

    problems: tuple[str, ...]
    """One line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _Loader(yaml.SafeLoader):
    """YAML without aliases (a few of which expand to gigabytes) and without keys that silently win over others."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # its stub leaves this one out
            raise yaml.MarkedYAMLError(
                problem="aliases (`*name`) are not part of a scenario", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem="merges (`<<`) are not part of a scenario", problem_mark=key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"`{key.value}` stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """The text of a scenario file.

    Raises:
        ScenarioError: it is missing, a directory, not readable, too large, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ScenarioError([f"{path}: larger than {_MAX_BYTES:,} bytes, so hardly a scenario"])
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, ScenarioError):
            raise
        what = (
            error.strerror
            if isinstance(error, OSError)
            else "not UTF-8 text"
            if isinstance(error, UnicodeError)
            else error
        )
        raise ScenarioError([f"{path}: cannot be read: {what}"]) from None


def read_yaml(text: str, name: str) -> dict[Any, Any]:
    """The mapping that a YAML text holds.

    Raises:
        ScenarioError: it is not YAML, holds what a scenario cannot, or is not a mapping.
    """
    if len(text) > _MAX_BYTES:
        raise ScenarioError([f"{name}: larger than {_MAX_BYTES:,} characters, so hardly a scenario"])
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that refuses more
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ScenarioError([f"{name}: {where}{_one_line(error.problem or 'not YAML')}"]) from None
    except RecursionError:
        raise ScenarioError([f"{name}: nested too deeply"]) from None
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        raise ScenarioError([f"{name}: not YAML: {_one_line(str(error))}"]) from None
    if not isinstance(content, dict):
        what = "empty" if content is None else f"a {type(content).__name__}"
        raise ScenarioError([f"{name}: {what}, not a mapping: begin with `name:` and `faults:`"])
    return content


def lines_of(error: ValidationError, name: str, words: Sequence[str]) -> list[str]:
    """One line for each of pydantic's errors; `words` are the keys to suggest for an unknown one."""
    return [f"{name}: {_path(item['loc'])}{_sentence(item, words)}" for item in error.errors(include_url=False)]


def _path(location: tuple[int | str, ...]) -> str:
    steps = tuple(step for step in location if step != "[key]")  # pydantic's way to say that a key itself is wrong
    return f"{path_text(steps)}: " if steps else ""


def _sentence(item: Any, words: Sequence[str]) -> str:
    if item["type"] == "extra_forbidden":
        return f"unknown key{did_you_mean(str(item['loc'][-1]), words)}"
    if item["type"] in _PLAIN_WORDS:
        return _PLAIN_WORDS[item["type"]]
    message = _one_line(str(item["msg"]).removeprefix("Value error, "))
    return message.replace("Input should", "must", 1)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."  # noqa: PLR2004 - a screen's worth
