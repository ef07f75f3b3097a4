"""What each step takes from a prompt, what it leaves, and how it says so."""

from __future__ import annotations

import copy

import pytest
from conversing import DOCUMENT, IMAGE, text, tool_result, tool_use
from shrinkable import CLEARED, LONG, NO_DOCUMENT, NO_IMAGE, assistant, body, loop, results, step, user

from failover.policy.shrinking import Step
from failover.request.shrink import optional, shrunk
from failover.request.size import tokens_of

# Results of tools


def test_all_but_the_last_results_are_replaced_by_a_note():
    done = shrunk(loop(5), [step("clear_tool_results", keep=2)], to_tokens=0)
    assert results(done) == [CLEARED] * 3 + [LONG] * 2
    saved = done.tokens_before - done.tokens_after
    assert (done.tokens_before, done.tokens_after) == (tokens_of(loop(5)), tokens_of(done.body))
    assert done.done == (f"clear_tool_results: 3 results, about {saved:,} tokens",)


def test_no_more_results_are_cleared_than_are_needed():
    before = loop(5)
    one = tokens_of(loop(5)) - tokens_of(loop(4))
    done = shrunk(before, [step("clear_tool_results", keep=0)], to_tokens=tokens_of(before) - one)
    assert results(done) == [CLEARED] * 2 + [LONG] * 3  # the notes have a few tokens too
    assert done.tokens_after <= tokens_of(before) - one


def test_a_cleared_result_is_still_the_answer_to_its_call():
    result = tool_result("t0", LONG, is_error=True, cache_control={"type": "ephemeral"})
    before = body(user("Go."), assistant(tool_use("t0")), user(result))
    done = shrunk(before, [step("clear_tool_results", keep=0)], to_tokens=0)
    assert done.body["messages"][2]["content"] == [{**result, "content": CLEARED}]


@pytest.mark.parametrize(
    "content", ["", "short", [text("short")], [{"type": "tool_reference", "tool_name": "search"}, text(LONG)]]
)
def test_a_result_that_is_small_or_by_which_tools_became_callable_is_not_cleared(content):
    assert shrunk(loop(3, result=content), [step("clear_tool_results", keep=0)], to_tokens=0) is None


def test_a_result_without_content_is_none_to_clear():
    empty = {"type": "tool_result", "tool_use_id": "t0"}
    before = body(user("Go."), assistant(tool_use("t0")), user(empty))
    assert shrunk(before, [step("clear_tool_results", keep=0)], to_tokens=0) is None


# Images and documents


def test_old_images_and_documents_are_replaced_by_notes_wherever_they_are():
    before = body(
        user(IMAGE, text("What is this?")),
        assistant(tool_use("t0")),
        user(tool_result("t0", [text("A page:"), {**DOCUMENT, "source": {"type": "file", "file_id": "f"}}, IMAGE])),
    )
    done = shrunk(before, [step("drop_images", keep=1)], to_tokens=0)
    first, _, last = done.body["messages"]
    assert first["content"] == [NO_IMAGE, text("What is this?")]
    assert last["content"][0]["content"] == [text("A page:"), NO_DOCUMENT, IMAGE]
    assert done.done[0].startswith("drop_images: 2 images or documents, about ")


def test_no_more_images_go_than_are_needed_and_the_oldest_go_first():
    before = body(user(IMAGE), assistant("Nice."), user(IMAGE, IMAGE))
    done = shrunk(before, [step("drop_images", keep=0)], to_tokens=tokens_of(before) - 1)
    assert [message["content"] for message in done.body["messages"]] == [[NO_IMAGE], "Nice.", [IMAGE, IMAGE]]
    assert done.done[0].startswith("drop_images: 1 image or document, ")


def test_the_breakpoint_of_an_image_goes_with_it():
    before = body(user({**IMAGE, "cache_control": {"type": "ephemeral"}}))
    assert shrunk(before, [step("drop_images", keep=0)], to_tokens=0).body["messages"] == [user(NO_IMAGE)]


def test_a_document_that_is_smaller_than_the_note_stays():
    tiny = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi."}}
    assert shrunk(body(user(tiny)), [step("drop_images", keep=0)], to_tokens=0) is None


def test_text_does_not_cite_documents_that_are_gone():
    place = {"type": "page_location", "cited_text": "x", "document_index": 0, "document_title": None}
    web = {"type": "web_search_result_location", "cited_text": "x", "url": "u", "title": "t", "encrypted_index": "e"}
    long_document = {"type": "document", "source": {"type": "file", "file_id": "f"}, "citations": {"enabled": True}}
    before = body(
        user(long_document),
        assistant({**text("As it says."), "citations": [place]}, {**text("And they say."), "citations": [place, web]}),
        user("Thanks."),
    )
    done = shrunk(before, [step("drop_images", keep=0)], to_tokens=0)
    assert done.body["messages"][1]["content"] == [text("As it says."), {**text("And they say."), "citations": [web]}]
    kept = shrunk(body(user(IMAGE), *before["messages"][1:]), [step("drop_images", keep=0)], to_tokens=0)
    assert kept.body["messages"][1:] == before["messages"][1:]


# The system prompt


def test_texts_that_the_caller_marked_go_the_last_first():
    system = [text("Be kind."), text(optional(LONG)), text("Be brief."), text(optional(LONG))]
    before = body(user("Go."), system=system)
    few = shrunk(before, [step("drop_optional_system")], to_tokens=tokens_of(before) - 1)
    assert few.body["system"] == system[:3]
    assert few.done[0].startswith("drop_optional_system: 1 text, about ")
    assert shrunk(before, [step("drop_optional_system")], to_tokens=0).body["system"] == [system[0], system[2]]


@pytest.mark.parametrize("system", [optional(LONG), [text(optional(LONG))]])
def test_a_system_prompt_of_which_nothing_is_left_goes_altogether(system):
    assert "system" not in shrunk(body(user("Go."), system=system), [step("drop_optional_system")], to_tokens=0).body


@pytest.mark.parametrize("system", [LONG, [text(LONG)], optional(LONG) + "", None])
def test_what_is_not_marked_stays(system):
    assert shrunk(body(user("Go."), system=system), [step("drop_optional_system")], to_tokens=0) is None


# The answer


@pytest.mark.parametrize(
    ("asked", "budget", "cap", "left", "left_budget"),
    [
        (32_000, None, 4_096, 4_096, None),
        (32_000, 2_000, 4_096, 4_096, 2_000),
        (32_000, 16_000, 4_096, 4_096, 2_048),
        (32_000, 4_096, 4_096, 4_096, 1_024),
        (32_000, 31_999, 2_000, 2_000, 1_999),
        (8_000, 20_000, 4_096, 4_096, 4_095),
        (32_000, 16_000, 1_025, 1_025, 1_024),
    ],
)
def test_fewer_tokens_are_asked_for_and_the_budget_stays_below_them(asked, budget, cap, left, left_budget):
    thinking = {} if budget is None else {"thinking": {"type": "enabled", "budget_tokens": budget}}
    done = shrunk(loop(1, max_tokens=asked) | thinking, [Step(cap_max_tokens=cap)], to_tokens=10**9)
    assert done.body["max_tokens"] == left
    assert done.body.get("thinking", {}).get("budget_tokens") == left_budget
    budgets = f", budget_tokens: {budget:,} to {left_budget:,}" if left_budget != budget else ""
    assert done.done == (f"cap_max_tokens: {asked:,} to {left:,}{budgets}",)
    assert done.tokens_before == done.tokens_after


@pytest.mark.parametrize(
    ("fields", "cap"),
    [
        ({"max_tokens": 100}, 4_096),
        ({"max_tokens": 4_096}, 4_096),
        ({"max_tokens": 0}, 4_096),
        ({"max_tokens": None}, 4_096),
        ({"max_tokens": 8_000, "thinking": {"type": "enabled", "budget_tokens": 2_000}}, 1_024),
        ({"max_tokens": 8_000, "thinking": {"type": "enabled", "budget_tokens": 2_000}}, 500),
    ],
)
def test_nothing_is_capped_that_is_low_enough_or_would_leave_no_room_for_a_budget(fields, cap):
    assert shrunk(loop(1, **fields), [Step(cap_max_tokens=cap)], to_tokens=0) is None


# All of them


def test_steps_are_taken_in_their_order_and_only_until_it_is_small_enough():
    before = body(*loop(4)["messages"], user(IMAGE), max_tokens=9_000, system=[text("A."), text(optional(LONG))])
    steps = [step("drop_images", keep=0), step("clear_tool_results", keep=2), step("drop_optional_system")]
    done = shrunk(before, [*steps, Step(cap_max_tokens=5_000)], to_tokens=tokens_of(before) - 2_000)
    assert [line.partition(":")[0] for line in done.done] == ["drop_images", "clear_tool_results", "cap_max_tokens"]
    assert results(done) == [CLEARED, LONG, LONG, LONG]
    assert done.body["system"] is before["system"]


def test_a_prompt_that_is_small_enough_is_left_alone():
    before = loop(9)
    assert shrunk(before, [step("clear_tool_results", keep=0)], to_tokens=tokens_of(before)) is None


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_of_a_thread_only_the_answer_is_made_shorter(thread):
    before = loop(9, thread=thread, max_tokens=9_000, system=optional(LONG))
    steps = [step("clear_tool_results"), step("drop_optional_system"), step("drop_turns", keep_last=1)]
    assert shrunk(before, steps, to_tokens=0) is None
    assert shrunk(before, [*steps, Step(cap_max_tokens=100)], to_tokens=0).body == {**before, "max_tokens": 100}


@pytest.mark.parametrize(
    "messages",
    [None, "x", [], [None], ["x"], [{"role": "user"}], [{"content": 5}], [{"role": "assistant", "content": [None, 5]}]],
)
def test_what_no_api_would_take_is_left_alone(messages):
    steps = [step("clear_tool_results"), step("drop_images"), step("drop_optional_system"), step("drop_turns")]
    assert shrunk({"model": "x", "messages": messages, "system": 5}, steps, to_tokens=0) is None


def test_the_callers_body_is_not_changed_and_what_stays_is_shared():
    before = body(*loop(4)["messages"], system=[text("A."), text(optional(LONG))])
    copied = copy.deepcopy(before)
    done = shrunk(before, [step("drop_optional_system"), step("clear_tool_results", keep=3)], to_tokens=0)
    assert before == copied
    assert done.body["system"][0] is before["system"][0]
    assert [after is one for after, one in zip(done.body["messages"], before["messages"], strict=True)] == [
        index != 2 for index in range(9)
    ]
