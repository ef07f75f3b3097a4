"""Clients made from a wrapped one, with other options."""

from __future__ import annotations

import pytest
from sdk_callers import FIRST, SECOND

import failover


class TestOptionsOfTheWrappedClient:
    @pytest.fixture
    def derived(self, caller):
        """A client derived from the wrapped one."""

        def derive(method, **options):
            caller.client = getattr(caller.client, method)(**options)
            return caller

        return derive

    @pytest.mark.parametrize("method", ["with_options", "copy"])
    @pytest.mark.parametrize(
        "options", [{}, {"max_retries": 5}, {"max_retries": 0}, {"timeout": 5}, {"default_headers": {"x-mine": "1"}}]
    )
    def test_stay_guarded(self, derived, fake_claude, method, options):
        caller = derived(method, **options)
        fake_claude.fail("*", 500)
        error = caller.error()
        # The policy's own bound, whatever the SDK was told: two sends for each rung and pass.
        assert [attempt.status for attempt in failover.route(error).attempts] == [500] * fake_claude.count()
        assert fake_claude.count() <= 12
        fake_claude.heal()
        caller.board[FIRST].close()
        assert caller.create().model == FIRST

    def test_share_the_circuits_of_the_client_that_they_come_from(self, derived, fake_claude):
        caller = derived("with_options", timeout=5)
        caller.create()
        caller.board[FIRST].isolate()
        assert caller.create().model == SECOND

    def test_without_any_middleware_are_not_guarded(self, derived, fake_claude):
        caller = derived("with_options", middleware=None, max_retries=0)
        fake_claude.fail(FIRST, 529)
        assert failover.route(caller.error()) is None
        assert fake_claude.count() == 1
