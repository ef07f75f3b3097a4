"""A prompt goes where it has room, and its answer is cut a little for it."""

from __future__ import annotations

import pytest
from fit_lab import fit, known, sent

from failover.engine.plan import Unmeasured

TO = "claude-haiku-4-5"
"""200,000 tokens, 64,000 of them for the answer."""


def room(tokens, max_tokens=10_000, to=TO, **more):
    return fit(sent("claude-opus-4-6", max_tokens=max_tokens), to, tokens=tokens, **more)


@pytest.mark.parametrize(
    ("tokens", "max_tokens", "got"),
    [
        (1, 10_000, 10_000),
        (190_000, 10_000, 5_000),
        (190_001, 10_000, 4_999),
        (198_976, 10_000, 1_024),
        (198_977, 10_000, None),
        (199_500, 500, 500),
        (199_501, 500, None),
        (150_000, 128_000, 25_000),
        (300_000, 10, None),
    ],
)
def test_an_answer_is_cut_to_the_room_there_is_or_nothing_is_sent(tokens, max_tokens, got):
    done = room(tokens, max_tokens)
    if got is None:
        assert done.why == f"context_window: the prompt has about {tokens} tokens, and the window is 200000"
    else:
        assert (done.misfit, done.body["max_tokens"]) == (None, got)


@pytest.mark.parametrize(
    ("tokens", "max_tokens", "got"),
    [
        (1, 10_000, 10_000),
        (190_000, 10_000, 10_000),
        (190_001, 10_000, 9_999),
        (150_000, 64_000, 50_000),
        (198_976, 10_000, 1_024),
        (198_977, 10_000, None),
        (199_500, 500, 500),
        (199_501, 500, None),
        (300_000, 10, None),
    ],
)
def test_a_prompt_that_was_counted_gets_all_the_room_there_is(tokens, max_tokens, got):
    done = room(tokens, max_tokens, counted=True)
    if got is None:
        assert done.why == f"context_window: the prompt has about {tokens} tokens, and the window is 200000"
    else:
        assert (done.misfit, done.body["max_tokens"]) == (None, got)


@pytest.mark.parametrize("tokens", range(60_000, 199_000, 7_001))
def test_beside_an_estimate_some_of_it_stays_free(tokens):
    """The next larger prompt would otherwise be refused for a single token that the estimate is too low."""
    estimated, counted = (room(tokens, 64_000, counted=known).body["max_tokens"] for known in (False, True))
    left = 200_000 - tokens - estimated
    assert estimated <= counted
    assert left >= min(tokens * 0.2, (200_000 - tokens) / 2) - 1 or estimated == 1_024


def test_a_length_that_the_rung_demands_is_not_cut():
    assert room(195_000, patch={"max_tokens": 9_000}).why is not None
    assert room(190_000, patch={"max_tokens": 9_000}).body["max_tokens"] == 9_000


@pytest.mark.parametrize("to", [known(TO, context_window=None), "claude-unheard-of"])
def test_a_window_that_is_not_known_holds_all(to):
    assert room(10**9, to=to).misfit is None


@pytest.mark.parametrize(
    ("tokens", "counted"), [(90_000, False), (121_000, True), (200_000, True), (279_000, True), (281_000, False)]
)
def test_a_close_call_is_counted_if_that_is_allowed(tokens, counted):
    assert isinstance(room(tokens, counts=True).misfit, Unmeasured) == counted
    assert not isinstance(room(tokens).misfit, Unmeasured)


@pytest.mark.parametrize("max_tokens", [None, "many", True, 1.5, []])
def test_a_length_of_a_strange_form_stays(max_tokens):
    done = room(300_000, max_tokens)
    assert (done.misfit, done.body["max_tokens"], done.changes) == (None, max_tokens, ())


def test_a_budget_stays_below_an_answer_that_was_cut_for_room():
    thinking = {"type": "enabled", "budget_tokens": 30_000}
    done = fit(sent("claude-opus-4-6", max_tokens=40_000, thinking=thinking), TO, tokens=180_000)
    assert (done.body["max_tokens"], done.body["thinking"]["budget_tokens"]) == (10_000, 9_999)
    done = fit(sent("claude-opus-4-6", max_tokens=40_000, thinking=thinking), TO, tokens=198_976)
    assert (done.body["max_tokens"], "thinking" in done.body) == (1_024, False)
