"""A fake API on a clock that waits for nobody."""

from __future__ import annotations

import pytest

from failover.testing import FakeClaude


@pytest.fixture
def fake_claude_on_fake_clock(fake_clock):
    with FakeClaude(clock=fake_clock) as fake:
        yield fake
