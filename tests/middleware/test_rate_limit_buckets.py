"""A rate limit that models share, before a real client: the siblings of a limited model are not asked."""

from __future__ import annotations

import pytest
from sdk_callers import NO_REPEAT, ladder, make_client, policy

import failover
from failover import Failover
from failover.events import BreakerTransition, ModelSkipped

ASKED, SIBLING, OTHER = "claude-opus-4-8", "claude-opus-4-7", "claude-sonnet-4-6"
"""The first two share a limit (https://platform.claude.com/docs/en/api/rate-limits); the third has its own."""
RUNGS = ladder(SIBLING, OTHER)


def shared(**parts):
    return policy(**{"ladders": RUNGS, "retry": NO_REPEAT, **parts})


def test_a_long_limit_of_one_is_a_long_limit_of_both(connect, fake_claude):
    events = []
    caller = connect(shared(), listeners=[events.append])
    fake_claude.fail(ASKED, 429, retry_after=60, times=1)
    assert caller.create(model=ASKED).model == OTHER
    assert (fake_claude.count(ASKED), fake_claude.count(SIBLING), fake_claude.count(OTHER)) == (1, 0, 1)
    (skip,) = [event for event in events if isinstance(event, ModelSkipped)]
    assert (skip.model, skip.reason, skip.retry_in) == (SIBLING, "open", 60)
    moves = {event.breaker: event.reason for event in events if isinstance(event, BreakerTransition)}
    assert moves == {ASKED: "retry_after", SIBLING: "retry_after"}


def test_calls_go_to_the_other_until_it_is_over(connect, fake_claude, fake_clock):
    caller = connect(shared())
    fake_claude.fail(ASKED, 429, retry_after=60, times=1)
    assert [caller.create(model=ASKED).model for _ in range(5)] == [OTHER] * 5
    fake_clock.advance(59)
    assert caller.create(model=ASKED).model == OTHER
    fake_clock.advance(2)
    assert [caller.create(model=ASKED).model for _ in range(3)] == [ASKED] * 3
    assert fake_claude.count(SIBLING) == 0


def test_a_short_one_is_waited_out_and_moves_nothing(connect, fake_claude, fake_clock):
    caller = connect(shared(retry={"tries": 2, "passes": 1}))
    fake_claude.fail(ASKED, 429, retry_after=3, times=1)
    assert caller.create(model=ASKED).model == ASKED
    assert fake_clock.slept == [pytest.approx(3.15)]
    assert [breaker.state for breaker in caller.board.breakers()] == ["closed"] * 3


def test_it_counts_for_no_circuit(connect, fake_claude):
    caller = connect(shared(breaker={"trip": {"consecutive_failures": 1}}))
    fake_claude.fail(ASKED, 429, retry_after=60, times=1)
    caller.create(model=ASKED)
    assert ["0 consecutive failures" in repr(breaker) for breaker in caller.board.breakers()] == [True] * 3
    assert [breaker.pybreaker.fail_counter for breaker in caller.board.breakers()] == [0] * 3


@pytest.mark.parametrize("status", [500, 529, 504])
def test_what_else_goes_wrong_is_the_models_own(connect, fake_claude, status):
    caller = connect(shared())
    fake_claude.fail(ASKED, status, retry_after=60)
    assert caller.create(model=ASKED).model == SIBLING


def test_a_spend_limit_is_the_accounts_and_no_models(connect, fake_claude):
    caller = connect(shared())
    fake_claude.fail(ASKED, 429, error_code="enforced_spend_limit_reached", retry_after=60)
    assert caller.error(model=ASKED).status_code == 429
    assert [breaker.state for breaker in caller.board.breakers()] == ["closed"] * 3


def test_the_same_models_of_another_client_have_limits_of_their_own(connect, fake_claude, asynchronous, fake_clock):
    backup = make_client(fake_claude.url, asynchronous=asynchronous, api_key="of-another-organization")
    there = {"model": SIBLING, "client": "backup"}
    guard = Failover(shared(ladders=ladder(SIBLING, there, OTHER)), clients={"backup": backup}, clock=fake_clock)
    caller = connect(guard=guard)
    fake_claude.fail(ASKED, 429, retry_after=60, times=1)
    with failover.recording() as routes:
        assert caller.create(model=ASKED).model == SIBLING
    assert [(attempt.model, attempt.client) for attempt in routes[-1].attempts] == [
        (ASKED, "default"),
        (SIBLING, "backup"),
    ]
    close(backup, caller)


def test_a_catalogue_of_ones_own_says_which_limits_are_shared(connect, fake_clock, fake_claude, tmp_path):
    models = tmp_path / "models.yaml"
    models.write_text(
        f"models:\n  {OTHER}: {{bucket: ours}}\n  {SIBLING}: {{bucket: null}}\n  {ASKED}: {{bucket: ours}}\n"
    )
    guard = Failover(shared(ladders=ladder(OTHER, SIBLING)), models=models, clock=fake_clock, random=lambda: 0.5)
    caller = connect(guard=guard)
    fake_claude.fail(ASKED, 429, retry_after=60, times=1)
    assert caller.create(model=ASKED).model == SIBLING
    assert fake_claude.count(OTHER) == 0


def test_a_stream_that_is_limited_as_it_begins_is_no_different(connect, fake_claude):
    caller = connect(shared())
    fake_claude.fail(ASKED, error_event="rate_limit_error", after_events=0, times=1)
    text, route = caller.stream(model=ASKED)
    assert (text, route.served_model) == (f"Hello from {OTHER}.", OTHER)
    assert fake_claude.count(SIBLING) == 0


def close(client, caller):
    """Close a client that no caller of the test's own closes."""
    before, caller.client = caller.client, client
    caller.close()
    caller.client = before
