"""What every telemetry test records with."""

from __future__ import annotations

import pytest
from telemetry_recorder import Telemetry


@pytest.fixture
def recorder():
    return Telemetry


@pytest.fixture
def telemetry():
    return Telemetry()
