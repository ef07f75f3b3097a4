"""A program without a tracer learns from the route alone why nobody else took its request, and no word of the request."""

from __future__ import annotations

import pickle

import anthropic
import pytest
from bulkhead_places import limited, occupy
from sdk_callers import FIRST, HELLO, NO_REPEAT, SECOND, ladder, policy

import failover

DEAR = "claude-fable-5"
SCREENSHOT = {"type": "tool", "name": "canary"}
TOOLS = [{"name": "canary", "input_schema": {"type": "object", "properties": {}}}]


@pytest.fixture
def why(connect, fake_claude):
    """Lets a call of the first model fail, and tells why each other rung was skipped."""

    def why(*rungs, before=lambda _: None, parts=None, **fields):
        caller = connect(policy(ladders=ladder(*rungs), retry=NO_REPEAT, **(parts or {})))
        caller.create()
        before(caller)
        fake_claude.fail(FIRST, 529)
        error = caller.error(**fields)
        assert type(error) is anthropic.OverloadedError
        route = failover.route(error)
        assert [str(route)] == [note.partition("failover: ")[2] or note for note in error.__notes__]
        assert pickle.loads(pickle.dumps(route)) == route
        return dict(zip(route.skipped, route.why_skipped, strict=True)), str(route)

    return why


def test_a_request_that_a_model_does_not_take(why):
    told, text = why("claude-opus-5-5", tools=TOOLS, tool_choice=SCREENSHOT)
    assert told == {"claude-opus-5-5": "unfit: tool_choice: tool is not taken"}
    assert "claude-opus-5-5: skipped (unfit: tool_choice: tool is not taken)" in text
    assert "canary" not in text


def test_a_price_that_is_too_high(why):
    told, text = why(DEAR, parts={"cost_at_most": 1})
    assert told[DEAR].startswith("cost: input costs ")
    assert f"{DEAR}: skipped (cost: input costs " in text


def test_an_open_circuit(why):
    told, text = why(SECOND, before=lambda caller: caller.board.breaker(SECOND).open())
    assert told == {SECOND: "open"}
    assert text.endswith(f"{SECOND}: skipped (open)")


def test_a_limit_that_is_full(connect):
    caller = connect(limited(1, 0))
    caller.create()
    ticket = occupy(caller.guard)
    route = failover.route(caller.error())
    assert str(route) == f"refused: {FIRST}: skipped (full: rung {FIRST})"
    ticket.release()


def test_each_rung_has_its_own_reason(connect, fake_claude):
    a_policy = policy(ladders=ladder(DEAR, "of-no-price"), retry={"tries": 1, "passes": 2}, cost_at_most=1)
    caller = connect(a_policy)
    caller.board.breaker("of-no-price").isolate()
    fake_claude.fail(FIRST, 529)
    route = failover.route(caller.error(messages=HELLO))
    told = dict(zip(route.skipped, route.why_skipped, strict=True))
    assert {name: reason.partition(":")[0] for name, reason in told.items()} == {DEAR: "cost", "of-no-price": "open"}


def test_a_call_that_went_well_has_none(caller):
    with failover.recording() as routes:
        caller.create()
    assert (routes[-1].skipped, routes[-1].why_skipped) == ((), ())
