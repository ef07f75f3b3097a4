"""Which turns of a conversation go when its prompt is made smaller, and which stay whatever happens."""

from __future__ import annotations

import pytest
from conversing import text, tool_result, tool_use
from shrinkable import LONG, assistant, body, chat, loop, spoken, step, user

from failover.request.shrink import shrunk
from failover.request.size import tokens_of


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({}, ["Words 0.", "Words 4.", "Words 5.", "Words 6.", "Words 7."]),
        ({"keep_last": 1}, ["Words 0.", "Words 7."]),
        ({"keep_last": 2, "keep_first": False}, ["Words 6.", "Words 7."]),
    ],
)
def test_the_oldest_turns_go_with_their_answers(rule, left):
    done = shrunk(chat(8), [step("drop_turns", **rule)], to_tokens=0)
    assert [words for words in spoken(done) if words != LONG] == left
    assert len(spoken(done)) - len(left) == len(left) - 1 - rule.get("keep_first", True)


def test_no_more_turns_go_than_are_needed():
    before = chat(8)
    done = shrunk(before, [step("drop_turns", keep_last=1)], to_tokens=tokens_of(before) - 1)
    assert done.body["messages"] == [before["messages"][0], *before["messages"][2:]]
    assert done.done == (f"drop_turns: 1 turn, about {done.tokens_before - done.tokens_after:,} tokens",)


def test_of_the_last_turn_the_oldest_rounds_go_and_its_words_stay():
    before = body(*chat(3)["messages"], *loop(5)["messages"][1:])
    done = shrunk(before, [step("drop_turns", keep_first=False, keep_last=2)], to_tokens=0)
    assert done.body["messages"] == [user("Words 2."), *before["messages"][-4:]]


def test_a_round_is_never_split_nor_is_a_call_of_the_server_from_its_result():
    searching = {"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {}}
    found = {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {"type": "x", "stdout": LONG}}
    before = body(
        user("Go."),
        assistant(searching, tool_use("a")),
        user(tool_result("a", LONG)),
        assistant(found, tool_use("b")),
        user(tool_result("b", LONG)),
        assistant(tool_use("c")),
        user(tool_result("c", LONG)),
    )
    done = shrunk(before, [step("drop_turns", keep_last=1)], to_tokens=0)
    assert done.body["messages"] == [before["messages"][0], *before["messages"][5:]]
    assert shrunk(before, [step("drop_turns", keep_last=2)], to_tokens=0) is None


@pytest.mark.parametrize(
    "of_use",
    [
        {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "x"}}]},
        {"role": "system", "content": [text("Think.")], "output_config": {"effort": "low"}},
    ],
)
def test_a_turn_by_which_tools_or_the_effort_were_changed_stays(of_use):
    before = chat(4)
    before["messages"].insert(3, of_use)
    done = shrunk(before, [step("drop_turns", keep_last=1)], to_tokens=0)
    assert of_use in done.body["messages"]
    assert spoken(done) == ["Words 0.", "Words 1.", LONG, "Words 3."]


def test_a_message_of_the_system_goes_with_the_answer_before_which_it_stands():
    before = chat(3)
    before["messages"].insert(1, {"role": "system", "content": "Be brief."})
    done = shrunk(before, [step("drop_turns", keep_last=1)], to_tokens=0)
    assert done.body["messages"] == [user("Words 0."), user("Words 2.")]


def test_what_stands_before_a_summary_goes_first_and_the_summary_stays():
    summary = assistant({"type": "compaction", "content": "So far: much."}, text(LONG))
    before = body(*chat(3)["messages"], summary, *chat(3)["messages"])
    few = shrunk(before, [step("drop_turns", keep_last=100)], to_tokens=0)
    assert few.body["messages"] == [before["messages"][0], *before["messages"][4:]]
    assert summary in shrunk(before, [step("drop_turns", keep_last=1)], to_tokens=0).body["messages"]


@pytest.mark.parametrize(
    "messages", [[user("Go.")], [user(LONG), user(LONG)], [user(LONG), assistant("I")], chat(2)["messages"]]
)
def test_the_last_words_of_a_user_stay(messages):
    assert shrunk(body(*messages), [step("drop_turns", keep_last=2, keep_first=False)], to_tokens=0) is None
