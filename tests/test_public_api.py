"""The names that programs may rely on. Taking one away, or adding one, is a decision, and is made here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import failover
import failover.testing

PUBLIC = [
    "Attempt",
    "AttemptFailed",
    "Board",
    "Breaker",
    "BulkheadFull",
    "CatalogueError",
    "CircuitOpen",
    "Clock",
    "Failover",
    "FailoverError",
    "Incident",
    "Journal",
    "JournalError",
    "MissingExtra",
    "PlatformIncident",
    "Policy",
    "PolicyError",
    "Route",
    "StreamTruncated",
    "default_policy",
    "events",
    "load_policy",
    "optional",
    "parse_policy",
    "partial_message",
    "recording",
    "route",
    "tracing",
    "without_seams",
    "wrap",
]
FOR_TESTS = [
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
EVENTS = [
    "AttemptFinished",
    "AttemptStarted",
    "BreakerTransition",
    "CallFinished",
    "CallStarted",
    "ContentStarted",
    "Event",
    "IncidentEnded",
    "IncidentProbed",
    "IncidentStarted",
    "ModelSkipped",
    "PromptShrunk",
    "StatusSeen",
    "StreamInterrupted",
    "Waiting",
]


@pytest.mark.parametrize(
    ("module", "names"), [(failover, PUBLIC), (failover.testing, FOR_TESTS), (failover.events, EVENTS)]
)
def test_a_module_offers_these_names_and_no_others(module, names):
    assert sorted(module.__all__) == names
    for name in names:
        assert getattr(module, name).__doc__


def test_a_name_that_is_not_offered_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        failover.testing.Nothing  # noqa: B018 - asking for it is the test


@pytest.mark.parametrize(
    ("statement", "left_out"),
    [
        ("import failover", ["starlette", "uvicorn", "typer", "rich", "pytest", "botocore", "opentelemetry.exporter"]),
        ("import failover.testing", ["starlette", "uvicorn", "pytest"]),
        ("from failover.testing import FakeClock", ["starlette", "uvicorn", "pytest"]),
    ],
)
def test_an_import_brings_no_library_that_it_does_not_need(statement, left_out):
    program = f"{statement}\nimport sys\nprint([name for name in {left_out!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_package_says_that_it_is_typed():
    assert (Path(failover.__file__).parent / "py.typed").is_file()
