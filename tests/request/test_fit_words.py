"""What a hop does with a beginning of the answer, a tool that must be called, and what a model may not read or write."""

from __future__ import annotations

import pytest
from conversing import DOCUMENT, IMAGE, TOOLS, text, tool_result, tool_use
from fit_lab import ASK, fit, known, sent

from failover.testing.model_rules import violations

NO_PREFILL = "claude-opus-5"
NO_FORCE = "claude-opus-5-5"
BEGUN = {"role": "assistant", "content": "The answer is ("}
LOOKED_UP = [
    ASK,
    {"role": "assistant", "content": [tool_use("toolu_1", query="it")]},
    {"role": "user", "content": [tool_result("toolu_1")]},
]
PAUSED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "it"}}


def begun(*messages, **fields):
    return sent("claude-haiku-4-5", messages, **fields)


@pytest.mark.parametrize("content", ["The answer is (", [text("The "), text("answer is (")], "ends in white space \n"])
def test_a_beginning_goes_nowhere_in_strict_and_becomes_an_instruction_in_adapt(content):
    body = begun(ASK, {"role": "assistant", "content": content})
    assert fit(body, NO_PREFILL).why == "prefill: a beginning of the answer is not taken"
    done = fit(body, NO_PREFILL, adapt=True)
    words = content if isinstance(content, str) else "The answer is ("
    (message,) = done.body["messages"]
    assert message["role"] == "user"
    assert message["content"][0] == text("What is new?")
    assert message["content"][1]["text"].endswith(f"\n\n{words}")
    assert done.changes == ("prefill: the beginning of the answer -> an instruction",)
    assert violations(done.body) == ()


def test_an_instruction_stands_behind_the_results_of_tools():
    done = fit(begun(*LOOKED_UP, BEGUN, tools=TOOLS), NO_PREFILL, adapt=True)
    assert [block["type"] for block in done.body["messages"][-1]["content"]] == ["tool_result", "text"]
    assert violations(done.body) == ()


def test_a_system_message_behind_the_beginning_stays():
    late = {"role": "system", "content": "It is late."}
    body = begun(ASK, BEGUN, late)
    assert fit(body, NO_PREFILL).why is not None
    done = fit(body, NO_PREFILL, adapt=True)
    assert [message["role"] for message in done.body["messages"]] == ["user", "system"]
    assert violations(done.body) == ()


@pytest.mark.parametrize("content", ["", " \n", [], [text(" ")]])
@pytest.mark.parametrize("adapt", [False, True])
def test_a_beginning_that_says_nothing_is_left_out(content, adapt):
    done = fit(begun(ASK, {"role": "assistant", "content": content}), NO_PREFILL, adapt=adapt)
    assert done.body["messages"] == [ASK]
    assert done.changes == ("prefill: dropped, it says nothing",)


@pytest.mark.parametrize(
    "messages",
    [
        [
            ASK,
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "So", "signature": "c2ln"}, text("A")]},
        ],
        [ASK, {"role": "assistant", "content": [{"type": "thinking", "thinking": "So", "signature": "c2ln"}]}],
        [ASK, {"role": "assistant", "content": [PAUSED, text("Then")]}],
        [ASK, {"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}],
        [{"role": "user", "content": 5}, BEGUN],
    ],
)
def test_what_cannot_be_put_in_words_goes_nowhere_in_adapt_either(messages):
    done = fit(begun(*messages), NO_PREFILL, adapt=True)
    assert done.why == "prefill: a beginning of the answer is not taken"
    assert done.body["messages"] == messages


@pytest.mark.parametrize("adapt", [False, True])
@pytest.mark.parametrize(
    "last",
    [
        {"role": "assistant", "content": [text("I search."), PAUSED]},
        {"role": "user", "content": "The answer is ("},
        {"role": "assistant", "content": 5},
        {"role": "assistant"},
        "assistant",
    ],
)
def test_a_paused_turn_and_what_is_no_beginning_stay(last, adapt):
    body = begun(ASK, last)
    done = fit(body, NO_PREFILL, adapt=adapt)
    assert (done.misfit, done.changes) == (None, ())
    assert done.body["messages"] is body["messages"]


@pytest.mark.parametrize("to", ["claude-sonnet-4-5", "claude-fable-5-2", "claude-unheard-of"])
def test_a_beginning_is_sent_where_it_is_taken_or_not_known(to):
    assert fit(begun(ASK, BEGUN), to).changes == ()


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "search"}])
def test_a_forced_tool_goes_nowhere_in_strict_and_becomes_an_instruction_in_adapt(choice):
    choice = {**choice, "disable_parallel_tool_use": True}
    body = sent("claude-opus-5", tools=TOOLS, tool_choice=choice, output_config={"effort": "low"})
    assert fit(body, NO_FORCE).why == f"tool_choice: {choice['type']} is not taken"
    done = fit(body, NO_FORCE, adapt=True)
    assert done.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    said = done.body["messages"][-1]["content"][-1]["text"]
    assert ("`search`" in said) == (choice["type"] == "tool")
    assert done.changes == (f"tool_choice: {choice['type']} -> auto and an instruction",)
    assert violations(done.body) == ()


def test_a_tool_is_asked_for_behind_the_results_of_others():
    body = sent("claude-opus-5", LOOKED_UP, tools=TOOLS, tool_choice={"type": "any"})
    done = fit(body, NO_FORCE, adapt=True)
    assert [block["type"] for block in done.body["messages"][-1]["content"]] == ["tool_result", "text"]
    assert violations(done.body) == ()


def test_an_instruction_is_all_there_is_where_nothing_was_said():
    body = sent("claude-opus-5", [{"role": "user", "content": ""}], tools=TOOLS, tool_choice={"type": "any"})
    (message,) = fit(body, NO_FORCE, adapt=True).body["messages"]
    assert [block["type"] for block in message["content"]] == ["text"]
    assert message["content"][0]["text"]


@pytest.mark.parametrize("last", [{"role": "assistant", "content": [PAUSED]}, {"role": "user", "content": 5}, "user"])
def test_a_tool_is_not_asked_for_where_the_user_does_not_speak_last(last):
    body = sent("claude-opus-5", [ASK, last], tools=TOOLS, tool_choice={"type": "any"})
    assert fit(body, NO_FORCE, adapt=True).why == "tool_choice: any is not taken"


@pytest.mark.parametrize("kind", ["auto", "none", "another", None, 5])
def test_a_tool_that_is_not_forced_is_no_matter(kind):
    choice = {"type": kind}
    body = sent("claude-opus-5", tools=TOOLS, tool_choice=choice, output_config={"effort": "low"})
    assert fit(body, NO_FORCE).changes == ()
    assert fit(body, NO_FORCE).body["tool_choice"] is choice


@pytest.mark.parametrize("to", ["claude-opus-5", "claude-haiku-5-5", "claude-unheard-of"])
def test_a_tool_is_forced_where_that_is_taken_or_not_known(to):
    body = sent("claude-opus-4-8", tools=TOOLS, tool_choice={"type": "any"}, output_config={"effort": "low"})
    assert fit(body, to).body["tool_choice"] == {"type": "any"}


def test_a_tool_choice_that_the_rung_demands_is_sent():
    done = fit(sent("claude-opus-5", tools=TOOLS), NO_FORCE, patch={"tool_choice": {"type": "any"}})
    assert (done.misfit, done.body["tool_choice"]) == (None, {"type": "any"})


SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}
UNABLE = {"structured_outputs": False, "images": False, "pdfs": False, "citations": False}
IN_A_RESULT = [*LOOKED_UP[:-1], {"role": "user", "content": [tool_result("toolu_1", [IMAGE])]}]
IN_A_DOCUMENT = {"type": "document", "source": {"type": "content", "content": [IMAGE]}}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"output_config": {"format": SCHEMA}}, "structured_output: not taken"),
        ({"output_format": SCHEMA}, "structured_output: not taken"),
        ({"tools": [{**TOOLS[0], "strict": True}]}, "structured_output: not taken"),
        ({"tools": [{**TOOLS[0], "strict": False}]}, None),
        ({"output_config": {"format": None}}, None),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "image: not taken"),
        ({"messages": IN_A_RESULT}, "image: not taken"),
        ({"messages": [{"role": "user", "content": [IN_A_DOCUMENT]}]}, "image: not taken"),
        ({"messages": [{"role": "user", "content": [DOCUMENT]}]}, "pdf: not taken"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url"}}]}]}, "pdf: not taken"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text"}}]}]}, None),
        ({"messages": [{"role": "user", "content": [{"type": "document", "citations": {"enabled": True}}]}]},
         "citations: not taken"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "citations": {"enabled": False}}]}]}, None),
        ({"messages": [{"role": "user", "content": "image"}]}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("adapt", [False, True])
def test_what_a_model_is_known_not_to_read_or_write_goes_nowhere(fields, why, adapt):
    body = sent("claude-opus-4-6", **{"messages": [ASK], **fields})
    assert fit(body, known("claude-opus-4-8", **UNABLE), adapt=adapt).why == why
    unknown = known("claude-opus-4-8", **dict.fromkeys(UNABLE))
    assert (fit(body, unknown).misfit, fit(body, unknown).changes) == (None, ())


def test_an_image_is_no_pdf():
    body = sent("claude-opus-4-6", [{"role": "user", "content": [IMAGE]}])
    assert fit(body, known("claude-opus-4-8", pdfs=False)).misfit is None


def test_a_form_that_the_rung_demands_is_sent():
    done = fit(sent("claude-opus-4-6"), known("claude-opus-4-8", **UNABLE), patch={"output_config": {"format": SCHEMA}})
    assert done.body["output_config"] == {"format": SCHEMA}
    assert done.misfit is None


def test_sampling_goes_where_it_is_refused_and_null_stays():
    body = sent("claude-haiku-4-5", temperature=0.5, top_p=None, top_k=3)
    done = fit(body, "claude-opus-4-8")
    assert {name: done.body[name] for name in ("temperature", "top_p", "top_k") if name in done.body} == {"top_p": None}
    assert done.changes == ("temperature: dropped, not taken", "top_k: dropped, not taken")
    assert fit(body, "claude-opus-4-6").changes == ()
    assert fit(body, "claude-mythos-preview").changes == ()
    assert "temperature" in fit(body, "claude-opus-4-8", patch={"temperature": 0.1}).body
