"""Who may take over an answer that broke, and what they are asked."""

from __future__ import annotations

import copy

import pytest
from event_lab import THEIRS, block, final, seam, start, text_block, tool_block, wire

from failover.stream.message import collect
from failover.stream.resume import continuation, obstacle, without_seams

QUESTION = {"role": "user", "content": "Why is the sky blue?"}
BODY = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": [QUESTION]}
THINKING = block(0, {"type": "thinking", "thinking": "Hm", "signature": "c2ln"})
REDACTED = block(0, {"type": "redacted_thinking", "data": "eA=="})
SCHEMA = {"type": "json_schema", "schema": {}}


def given(*events):
    return collect(wire(start(), *events))


def said(*texts):
    """An answer of these texts, of which the last is open; what is no text is a whole block."""
    events = []
    for index, text in enumerate(texts):
        events += text_block(index, text, ends=index < len(texts) - 1) if isinstance(text, str) else block(index, text)
    return given(*events)


@pytest.mark.parametrize(
    ("events", "restart", "go_on"),
    [
        (text_block(0, "Hello", ends=False), None, None),
        (text_block(0, "Hello"), None, None),
        ([*THINKING, *text_block(1, "Hello")], None, None),
        ([*REDACTED, *text_block(1, "Hello", ends=False)], None, None),
        ([*text_block(0, "Hello"), *text_block(1, ends=False)], None, None),
        # nothing to go on from
        ([], None, "no_text"),
        (text_block(0, ends=False), None, "no_text"),
        (text_block(0, " \n\t"), None, "no_text"),
        (THINKING, None, "thinking"),
        (THINKING[:-1], None, "thinking"),
        (REDACTED, None, "thinking"),
        ([*text_block(0, "Hello"), *block(1, {"type": "thinking", "thinking": "", "signature": ""})], None, "thinking"),
        # what must not be done twice
        (tool_block(0, ends=False), "tool_use", "tool_use"),
        ([*text_block(0, "Hello"), *tool_block(1, "{}")], "tool_use", "tool_use"),
        ([*tool_block(0, "{}", kind="server_tool_use"), *text_block(1, "x")], "server_tool_use", "server_tool_use"),
        (tool_block(0, kind="mcp_tool_use"), "mcp_tool_use", "mcp_tool_use"),
        (block(0, {"type": "compaction", "content": "x"}), "compaction", "compaction"),
        ([*text_block(0, "x"), *block(1, {"type": "news"})], "news", "news"),
        # it is all there
        ([*text_block(0, "Hello"), final()], "stop_reason", "stop_reason"),
        ([*tool_block(0, "{}"), final("tool_use")], "stop_reason", "stop_reason"),
        # it broke before
        ([*text_block(0, "Hello"), *block(1, seam()), *text_block(2, " you", ends=False)], None, None),
        ([*text_block(0, "Hello"), *block(1, seam())], None, None),
        ([*text_block(0, "Hello"), *block(1, THEIRS), *text_block(2, " you", ends=False)], None, None),
        ([*THINKING, *block(1, seam())], None, "thinking"),
        ([*text_block(0, "Hello"), *block(1, seam("restart"))], None, "no_text"),
        ([*text_block(0, "Hello"), *block(1, seam("restart")), *text_block(2, "Good day")], None, None),
    ],
)
def test_what_was_said_tells_whether_somebody_can_take_over(events, restart, go_on):
    assert obstacle("restart", BODY, given(*events)) == restart
    assert obstacle("continue", BODY, given(*events)) == go_on


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, None),
        ({"thread": {"type": "continue", "id": "t"}}, "thread"),
        ({"thread": {"type": "start"}}, "thread"),
        ({"thread": None}, None),
        ({"output_config": {"format": SCHEMA}}, "structured_output"),
        ({"output_config": {"effort": "low"}}, None),
        ({"output_config": {"format": None}}, None),
        ({"output_config": None}, None),
        ({"tools": [{"name": "weather"}], "thinking": {"type": "adaptive"}}, None),
    ],
)
@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_what_was_asked_tells_whether_somebody_can_take_over(mode, extra, expected):
    assert obstacle(mode, {**BODY, **extra}, said("Hello")) == expected


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_nobody_can_take_over_what_was_not_kept(mode):
    assert obstacle(mode, BODY, None) == "not_kept"


THINKS = pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 2000}, {"type": "adaptive"}])
TOLD = "Your previous response was interrupted and ended with:\n\nBlue is \n\nContinue from where you left off."


@pytest.mark.parametrize("extra", [{}, {"thinking": {"type": "disabled"}}, {"thinking": None}])
def test_an_older_model_goes_on_from_the_beginning_of_an_answer(extra):
    body = continuation({**BODY, **extra}, said("Blue is "), takes_a_beginning=True)
    assert body == {**BODY, **extra, "messages": [QUESTION, {"role": "assistant", "content": "Blue is"}]}


def test_a_newer_or_unknown_model_is_told():
    body = continuation(BODY, said("Blue is "), takes_a_beginning=False)
    assert body == {**BODY, "messages": [QUESTION, {"role": "user", "content": TOLD}]}


@THINKS
@pytest.mark.parametrize("takes_a_beginning", [True, False])
def test_a_model_that_thinks_is_told(takes_a_beginning, thinking):
    body = continuation({**BODY, "thinking": thinking}, said("Blue is "), takes_a_beginning=takes_a_beginning)
    assert body["messages"] == [QUESTION, {"role": "user", "content": TOLD}]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["Blue", " is", " it."], "Blue is it."),
        (["Blue\n\n"], "Blue"),
        (["\n Blue \t\n"], "\n Blue"),
        ([{"type": "thinking", "thinking": "Hm", "signature": "x"}, "Blue"], "Blue"),
        (["Blue", seam(), " is"], "Blue is"),
        (["Blue", THEIRS, " is"], "Blue is"),
        (["Green", seam("restart"), "Blue"], "Blue"),
        (["Green", seam("restart"), "Blue", seam(), " is"], "Blue is"),
    ],
)
def test_the_beginning_is_all_that_was_said_since_the_last_restart(answer, expected):
    assert continuation(BODY, said(*answer), takes_a_beginning=True)["messages"][-1]["content"] == expected


@pytest.mark.parametrize(
    ("prefill", "expected"),
    [
        ("The sky", "The sky is blue"),
        (
            [{"type": "text", "text": "The sky"}],
            [{"type": "text", "text": "The sky"}, {"type": "text", "text": " is blue"}],
        ),
        ([], [{"type": "text", "text": " is blue"}]),
    ],
)
def test_a_beginning_follows_the_callers_own(prefill, expected):
    messages = [QUESTION, {"role": "assistant", "content": prefill}]
    body = continuation({**BODY, "messages": messages}, said(" is blue\n"), takes_a_beginning=True)
    assert body["messages"] == [QUESTION, {"role": "assistant", "content": expected}]


def test_who_is_told_sees_the_callers_own_beginning_before():
    messages = [QUESTION, {"role": "assistant", "content": "The sky"}]
    body = continuation({**BODY, "messages": messages}, said("Blue is "), takes_a_beginning=False)
    assert body["messages"] == [*messages, {"role": "user", "content": TOLD}]


@pytest.mark.parametrize("takes_a_beginning", [True, False])
@pytest.mark.parametrize("prefill", [None, "The sky", [{"type": "text", "text": "The sky"}]])
def test_the_callers_body_stays_as_it_is(takes_a_beginning, prefill):
    messages = [QUESTION] if prefill is None else [QUESTION, {"role": "assistant", "content": prefill}]
    body = {**BODY, "messages": messages}
    before = copy.deepcopy(body)
    continued = continuation(body, said(" is blue"), takes_a_beginning=takes_a_beginning)
    assert body == before
    assert continued["messages"] is not messages
    assert without_seams(continued["messages"]) is continued["messages"]
