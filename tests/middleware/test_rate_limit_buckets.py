"""A rate limit that models share, before a real client: the siblings of a limited model are not asked."""

from __future__ import annotations

import httpx2
import pytest
from sdk_callers import FIRST, NO_REPEAT, ladder, make_client, policy, refuse, reply
from test_clients import PLATFORMS, class_named

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


PLACES = {
    "": ("claude-opus-4-8", "claude-opus-4-7"),
    "AWS": ("claude-opus-4-8", "claude-opus-4-7"),
    "Bedrock": ("anthropic.claude-opus-4-8", "anthropic.claude-opus-4-7"),
    "BedrockMantle": ("anthropic.claude-opus-4-8", "anthropic.claude-opus-4-7"),
    "Foundry": ("claude-opus-4-8", "claude-opus-4-7"),
    "GoogleCloud": ("claude-opus-4-8", "claude-opus-4-7"),
    "Vertex": ("claude-opus-4-8", "claude-opus-4-7"),
}
"""For each platform the names of two models that share a limit on the Claude API, and there alone."""


@pytest.mark.parametrize("platform", PLACES)
class TestModelsThatShareALimitOnTheApi:
    """The first of two is limited for a minute; on a platform of its own the other has a quota of its own."""

    @pytest.fixture
    def wire(self, platform):
        """What the platform is asked, and its answers."""
        limited, asked = PLACES[platform][0], []

        def wire(request):
            asked.append(limited if limited in f"{request.url} {request.content.decode()}" else "its sibling")
            if asked[-1] == limited:
                return refuse(429, "rate_limit_error", **{"retry-after": "60"})
            return httpx2.Response(200, json=reply("theirs"))

        wire.asked = asked
        return wire

    @pytest.fixture
    def theirs(self, lab, platform, wire, asynchronous):
        """A client of the platform."""
        options = {**PLATFORMS[platform]}
        if asynchronous and "token_provider" in options:

            async def provide():
                return "fake"

            options["token_provider"] = provide
        http_kind = httpx2.AsyncClient if asynchronous else httpx2.Client
        http_client = http_kind(transport=httpx2.MockTransport(wire), verify=False)
        kind = class_named(f"{'Async' if asynchronous else ''}Anthropic{platform}")
        return lab.keep(kind(http_client=http_client, **options))

    def test_share_it_on_a_named_client_of_the_api_alone(self, lab, platform, theirs, wire):
        limited, sibling = PLACES[platform]
        a_policy = shared(ladders=ladder(*({"model": model, "client": "there"} for model in PLACES[platform])))
        caller = lab.caller(a_policy, {"there": theirs}, own={"answer": lambda _: refuse(529)})
        self.assert_shared(caller, FIRST, wire, f"there/{sibling}", limited, on_the_api=not platform)

    def test_share_it_on_the_own_client_if_it_is_the_apis(self, lab, platform, theirs, wire):
        limited, sibling = PLACES[platform]
        guard = lab.guard(shared(ladders=ladder(sibling, match="*")), {})
        caller = lab.beside(failover.wrap(theirs, guard))
        caller.guard = guard
        self.assert_shared(caller, limited, wire, sibling, limited, on_the_api=not platform)

    def assert_shared(self, caller, model, wire, circuit, limited, *, on_the_api):
        answer = caller.attempt(model=model)
        assert isinstance(answer, Exception) == on_the_api
        assert wire.asked == [limited] if on_the_api else [limited, "its sibling"]
        assert caller.board[circuit].state == ("open" if on_the_api else "closed")


def close(client, caller):
    """Close a client that no caller of the test's own closes."""
    before, caller.client = caller.client, client
    caller.close()
    caller.client = before
