"""For tests of programs that call Claude: an upstream that fails as told, and a clock that waits for nobody.

Each name is loaded when it is first asked for, so that a test that only wants a `FakeClock` needs no web server,
and a pytest run that uses neither pays for neither. `FakeClaude` needs the extra `testing`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import FakeClock
    from .fake_claude import FakeClaude
    from .fault import Fault
    from .scenario import Rule, Scenario
    from .scenario_file import ScenarioError, load_scenario, parse_scenario
    from .upstream import ReceivedRequest

__all__ = [
    "FakeClaude",
    "FakeClock",
    "Fault",
    "ReceivedRequest",
    "Rule",
    "Scenario",
    "ScenarioError",
    "load_scenario",
    "parse_scenario",
]

_HOMES = {
    "FakeClaude": "fake_claude",
    "FakeClock": "clock",
    "Fault": "fault",
    "ReceivedRequest": "upstream",
    "Rule": "scenario",
    "Scenario": "scenario",
    "ScenarioError": "scenario_file",
    "load_scenario": "scenario_file",
    "parse_scenario": "scenario_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
