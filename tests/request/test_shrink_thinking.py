"""Thinking is bound to what stood before it: what goes when an earlier part of a prompt is made smaller."""

from __future__ import annotations

import pytest
from conversing import redacted, signed, text, tool_result, tool_use

from failover.policy.shrinking import Step
from failover.request.shrink import optional, shrunk

LONG = "word " * 2_000
CLEAR = Step(clear_tool_results={"keep": 0})
DROP = Step(drop_turns={"keep_last": 1})
ADAPTIVE = {"thinking": {"type": "adaptive"}}
MANUAL = {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "max_tokens": 4_000}


def agent(*sizes, **fields):
    """Rounds of a call, with thinking before it, and a result of a size each."""
    messages = [{"role": "user", "content": "The task."}]
    for number, size in enumerate(sizes):
        thoughts = [redacted(f"d{number}"), signed(f"Thought {number}.")]
        messages += [
            {"role": "assistant", "content": [*thoughts, tool_use(f"t{number}")]},
            {"role": "user", "content": [tool_result(f"t{number}", "word " * size)]},
        ]
    return {"model": "claude-opus-5-5", "max_tokens": 1024, "messages": messages, **fields}


def thoughtful(body):
    """Which of the assistant's messages still have thinking: all of it, or none."""
    said = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
    found = [[block["type"] for block in blocks if "thinking" in block["type"]] for blocks in said]
    assert all(kinds in ([], ["redacted_thinking", "thinking"]) for kinds in found)
    return [bool(kinds) for kinds in found]


@pytest.mark.parametrize("fields", [{}, ADAPTIVE, {"thinking": {"type": "disabled"}}])
@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ((2_000, 1, 1), [True, False, False]),
        ((1, 2_000, 1), [True, True, False]),
        ((1, 1, 2_000), [True, True, True]),
        ((2_000, 2_000, 2_000), [True, False, False]),
    ],
)
def test_after_a_change_all_thinking_goes_and_before_it_none(sizes, left, fields):
    assert thoughtful(shrunk(agent(*sizes, **fields), [CLEAR], to_tokens=0).body) == left


def test_it_is_said_how_much_thinking_went():
    done = shrunk(agent(2_000, 1, 1), [CLEAR], to_tokens=0)
    assert done.done[0].startswith("clear_tool_results: 1 result with 4 thinking blocks made after them, about ")


def test_without_its_oldest_turns_a_conversation_keeps_no_thinking():
    assert thoughtful(shrunk(agent(9, 9, 9), [DROP], to_tokens=0).body) == [False]


def test_behind_another_system_prompt_no_thinking_is_valid():
    body = agent(1, 1, system=optional(LONG))
    assert thoughtful(shrunk(body, [Step(drop_optional_system={})], to_tokens=0).body) == [False, False]


def test_manual_thinking_stays_in_the_open_turn_that_must_begin_with_it():
    assert thoughtful(shrunk(agent(2_000, 2_000, 1, **MANUAL), [CLEAR], to_tokens=0).body) == [True, True, True]
    body = agent(2_000, 1, **MANUAL)
    body["messages"] += [{"role": "assistant", "content": [redacted(), signed(), text("Done.")]}]
    body["messages"] += [{"role": "user", "content": "And now?"}]
    assert thoughtful(shrunk(body, [CLEAR], to_tokens=0).body) == [True, False, False]


def test_a_message_of_nothing_but_thinking_gets_a_note():
    body = agent(2_000)
    body["messages"] += [
        {"role": "assistant", "content": [redacted(), signed()]},
        {"role": "user", "content": "Go on."},
    ]
    left = shrunk(body, [CLEAR], to_tokens=0).body["messages"]
    assert left[-2]["content"] == [text("[Thinking removed to make the prompt smaller]")]


SUMMARY = {"type": "compaction", "content": "So far: much."}


def test_thinking_after_a_summary_does_not_depend_on_what_stands_before_it():
    body = agent(2_000, 1, 1)
    body["messages"][3]["content"].insert(0, SUMMARY)
    assert thoughtful(shrunk(body, [CLEAR], to_tokens=0).body) == [False, True, True]
    assert thoughtful(shrunk(body, [Step(drop_turns={"keep_last": 9})], to_tokens=0).body) == [True, True]


def test_thinking_before_a_summary_in_the_same_message_goes_with_what_it_was_bound_to():
    body = agent(2_000, 1)
    body["messages"][3]["content"][:0] = [signed("Before."), SUMMARY]
    left = shrunk(body, [CLEAR], to_tokens=0).body["messages"][3]["content"]
    assert [block["type"] for block in left] == ["compaction", "redacted_thinking", "thinking", "tool_use"]


def test_a_change_after_a_summary_takes_the_thinking_after_it():
    body = agent(1, 2_000, 1)
    body["messages"][1]["content"].insert(0, SUMMARY)
    assert thoughtful(shrunk(body, [CLEAR], to_tokens=0).body) == [True, True, False]


def test_changes_on_both_sides_of_a_summary_take_the_thinking_on_both():
    body = agent(2_000, 1, 2_000, 1)
    body["messages"][3]["content"].insert(0, SUMMARY)
    assert thoughtful(shrunk(body, [CLEAR], to_tokens=0).body) == [True, False, False, False]


def test_behind_another_system_prompt_no_thinking_after_a_summary_is_valid_either():
    body = agent(1, 1, system=optional(LONG))
    body["messages"][3]["content"].insert(0, SUMMARY)
    body["messages"].pop()
    assert thoughtful(shrunk(body, [Step(drop_optional_system={})], to_tokens=0).body) == [False, False]


def test_a_summary_that_failed_is_none():
    body = agent(2_000, 1, 1)
    body["messages"][3]["content"].insert(0, {**SUMMARY, "content": None})
    assert thoughtful(shrunk(body, [CLEAR], to_tokens=0).body) == [True, False, False]
