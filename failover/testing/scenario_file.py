"""Reading a scenario, or one rule of it said in Python: what `failover.document` needs to know of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from failover.document import Kind, check_value, load_document, parse_document
from failover.errors import FailoverError

from .scenario import Rule, Scenario

__all__ = ["ScenarioError", "check_rule", "load_scenario", "parse_scenario"]


class ScenarioError(FailoverError, ValueError):
    """A scenario cannot be used.

    The message has one line for each problem: `file:line:column: path: what is wrong`.
    """

    problems: tuple[str, ...]
    """One line for each problem, in the order of the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


_SCENARIO = Kind(
    "scenario", example="`name: my-scenario` and `faults: [{status: 529}]`", model=Scenario, error=ScenarioError
)
_RULE = Kind("rule", example="`status: 529`", model=Rule, error=ScenarioError)


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """Read a scenario from a YAML file in UTF-8 of at most 1 MiB.

    Raises:
        ScenarioError: the file cannot be read, or says something that is not allowed; with every problem of it, each
            as `file:line:column: path: what is wrong, and what is allowed`.
    """
    return load_document(path, _SCENARIO)


def parse_scenario(text: str, name: str = "<scenario>") -> Scenario:
    """Read a scenario from YAML text; `name` stands in the errors for the file.

    Raises:
        ScenarioError: as `load_scenario`.
    """
    return parse_document(text, name, _SCENARIO)


def check_rule(said: dict[str, object], name: str) -> Rule:
    """A rule from what a file could say of it; `name` stands in the errors for the file.

    Raises:
        ScenarioError: it makes no sense; with every problem of it, each as `name: key: what is wrong`.
    """
    return check_value(said, name, _RULE)
