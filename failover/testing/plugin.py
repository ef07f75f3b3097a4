"""Pytest fixtures, found by pytest itself once the package is installed.

Every pytest run of every project that has this package installed imports this module, so it imports nothing until
a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .clock import FakeClock
    from .fake_claude import FakeClaude

__all__ = ["fake_claude", "fake_clock"]


@pytest.fixture
def fake_clock() -> FakeClock:
    """A `failover.testing.FakeClock`, new for each test: waits pass at once and are written down."""
    from .clock import FakeClock  # noqa: PLC0415 - only a test that asks for it pays for it

    return FakeClock()


@pytest.fixture
def fake_claude() -> Iterator[FakeClaude]:
    """A running `failover.testing.FakeClaude`, new for each test: `Anthropic(base_url=fake_claude.url)`.

    Raises:
        failover.errors.MissingExtra: the extra `testing` is not installed.
    """
    from .fake_claude import FakeClaude  # noqa: PLC0415 - only a test that asks for it pays for it

    with FakeClaude() as server:
        yield server
