"""Thinking blocks that come back: they stand behind what they were made behind, or the request is refused."""

from __future__ import annotations

import copy

import pytest
from anthropic import BadRequestError
from fake_lab import TOOL, ask

BOUND = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1", "claude-mythos-5-1")
ADAPTIVE = {"type": "adaptive"}
DROP = {**ADAPTIVE, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
CONTROLS = {"anthropic-beta": "thinking-binding-controls-2026-08-01"}
ANOTHER_CONVERSATION = "The block is bound to a different conversation"
MODIFIED = "blocks in the latest assistant message cannot be modified"

both_clients = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def user(content):
    return {"role": "user", "content": content}


class Conversation:
    """A conversation of three questions, each with a tool call, as a program holds it that changes nothing."""

    def __init__(self, fake, model="claude-opus-5-5", rounds=3, **how):
        self.url, self.how = fake.url, how
        self.body = {"model": model, "max_tokens": 2048, "system": "Be brief.", "tools": [TOOL], "messages": []}
        for number in range(rounds):
            self.go_round(f"Question {number}")

    @property
    def messages(self):
        return self.body["messages"]

    def ask(self, **more):
        return ask(self.url, stream=False, **{"thinking": ADAPTIVE, **self.body, **self.how, **more})

    def go_round(self, question):
        """A question, a tool call, its result and an answer."""
        self.say(question)
        call = self.messages[-1]["content"][-1]
        self.say([{"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"}])

    def say(self, content):
        self.messages.append(user(content))
        answer = self.ask()
        self.messages.append({"role": "assistant", "content": [block.to_dict() for block in answer.content]})


def refusal(conversation, **more):
    """Why the next question is refused; nothing if it is not."""
    conversation.messages.append(user("And now?"))
    try:
        conversation.ask(**more)
    except BadRequestError as error:
        return str(error)
    return ""


def thinking_in(body):
    return [message["content"][0] for message in body["messages"] if message["role"] == "assistant"]


def edit_system(body):
    body["system"] = "Be long."


def edit_tools(body):
    body["tools"] = [*body["tools"], {**TOOL, "name": "another"}]


def edit_the_first_question(body):
    body["messages"][0]["content"] = "Question zero"


def clear_a_tool_result(body):
    body["messages"][2]["content"][0]["content"] = "[cleared]"


def drop_the_first_messages(body):
    del body["messages"][:4]


def drop_the_second_thought(body):
    del body["messages"][3]["content"][0]


def move_a_thought_behind_its_answer(body):
    body["messages"][3]["content"].reverse()


def swap_two_thoughts(body):
    one, other = body["messages"][1]["content"], body["messages"][3]["content"]
    one[0], other[0] = other[0], one[0]


def change_nothing(body):
    pass


def add_to_the_end(body):
    body["messages"] += [user("More."), {"role": "system", "content": "It is late."}]


def set_breakpoints(body):
    body["system"] = [{"type": "text", "text": body["system"], "cache_control": {"type": "ephemeral"}}]
    body["messages"][2]["content"][0]["cache_control"] = {"type": "ephemeral"}


def change_effort_and_length(body):
    body.update(max_tokens=100, output_config={"effort": "low"})


def drop_all_thoughts(body):
    for message in body["messages"]:
        if message["role"] == "assistant":
            del message["content"][0]


def drop_the_first_thought(body):
    del body["messages"][1]["content"][0]


def drop_the_last_thought(body):
    del body["messages"][11]["content"][0]


def drop_all_thoughts_and_edit(body):
    drop_all_thoughts(body)
    edit_system(body)
    clear_a_tool_result(body)


MISMATCHES = (
    edit_system,
    edit_tools,
    edit_the_first_question,
    clear_a_tool_result,
    drop_the_first_messages,
    drop_the_second_thought,
    move_a_thought_behind_its_answer,
    swap_two_thoughts,
)
MATCHES = (
    change_nothing,
    add_to_the_end,
    set_breakpoints,
    change_effort_and_length,
    drop_all_thoughts,
    drop_the_first_thought,
    drop_the_last_thought,
    drop_all_thoughts_and_edit,
)


@both_clients
@pytest.mark.parametrize("edit", MISMATCHES)
def test_an_edit_before_a_bound_block_is_refused(fake_claude, edit, asynchronous):
    conversation = Conversation(fake_claude, asynchronous=asynchronous)
    edit(conversation.body)
    assert ANOTHER_CONVERSATION in refusal(conversation)


@both_clients
@pytest.mark.parametrize("edit", MATCHES)
def test_what_is_no_edit_before_a_bound_block_is_taken(fake_claude, edit, asynchronous):
    conversation = Conversation(fake_claude, asynchronous=asynchronous)
    edit(conversation.body)
    assert refusal(conversation) == ""


@pytest.mark.parametrize("edit", MISMATCHES)
def test_the_blocks_can_be_dropped_instead(fake_claude, edit):
    conversation = Conversation(fake_claude)
    edit(conversation.body)
    assert refusal(conversation, thinking=DROP, extra_headers=CONTROLS) == ""


def test_the_refusal_names_the_first_block_that_is_unbound(fake_claude):
    conversation = Conversation(fake_claude)
    clear_a_tool_result(conversation.body)
    assert f"messages.3.content.0: Invalid `signature` in `thinking` block. {ANOTHER_CONVERSATION}" in refusal(
        conversation
    )


@pytest.mark.parametrize("model", BOUND)
def test_newer_models_bind_their_blocks(fake_claude, model):
    conversation = Conversation(fake_claude, model)
    edit_system(conversation.body)
    assert ANOTHER_CONVERSATION in refusal(conversation)


@pytest.mark.parametrize(
    "model", ["claude-opus-5", "claude-sonnet-5", "claude-fable-5", "claude-opus-4-8", "claude-next"]
)
def test_older_and_unknown_models_bind_nothing(fake_claude, model):
    conversation = Conversation(fake_claude, model)
    edit_system(conversation.body)
    assert refusal(conversation) == ""


@pytest.mark.parametrize(
    ("maker", "asked", "refused"),
    [
        ("claude-opus-5-5", "claude-opus-5-5", True),
        ("claude-opus-5-5", "claude-fable-5-1", True),
        ("claude-fable-5-1", "claude-mythos-5-1", True),
        ("claude-sonnet-5-5", "claude-opus-5-5", True),
        ("claude-fable-5-1", "claude-opus-5-5", False),
        ("claude-opus-5-5", "claude-sonnet-5-5", False),
        ("claude-sonnet-5-5", "claude-fable-5-1", False),
        ("claude-opus-5-5", "claude-opus-5", False),
        ("claude-opus-5-5", "claude-next", False),
        ("claude-opus-5", "claude-opus-5-5", False),
    ],
)  # fmt: skip
def test_a_model_checks_the_blocks_that_it_reads_and_drops_the_others(fake_claude, maker, asked, refused):
    conversation = Conversation(fake_claude, maker)
    edit_system(conversation.body)
    conversation.body["model"] = asked
    assert (ANOTHER_CONVERSATION in refusal(conversation)) is refused


@both_clients
def test_another_model_may_go_on_and_the_first_come_back(fake_claude, asynchronous):
    conversation = Conversation(fake_claude, asynchronous=asynchronous)
    for model in ("claude-opus-5", "claude-fable-5-1", "claude-opus-5-5"):
        conversation.body["model"] = model
        conversation.go_round(f"And {model}?")
    assert refusal(conversation) == ""


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-5", "claude-next"])
def test_the_thinking_of_the_latest_answer_may_not_be_changed(fake_claude, model):
    conversation = Conversation(fake_claude, model, rounds=1)
    earlier = copy.deepcopy(conversation.body)
    thinking_in(conversation.body)[-1]["thinking"] = "Something else."
    assert f"messages.3.content.0: `thinking` or `redacted_thinking` {MODIFIED}" in refusal(conversation)
    conversation.body.update(earlier)
    thinking_in(conversation.body)[0]["thinking"] = "Something else."
    assert refusal(conversation) == ""


def test_thinking_that_was_not_shown_comes_back_as_it_was(fake_claude):
    omitted = {**ADAPTIVE, "display": "omitted"}
    conversation = Conversation(fake_claude, thinking=omitted)
    assert {block["thinking"] for block in thinking_in(conversation.body)} == {""}
    assert refusal(conversation) == ""


@pytest.mark.parametrize("signature", ["c2lnbmF0dXJl", "not base64!", "WzEsIDJd", ""])
def test_a_signature_of_somebody_else_is_not_checked(fake_claude, signature):
    conversation = Conversation(fake_claude)
    for block in thinking_in(conversation.body):
        block.update(signature=signature, thinking="Of a real model.")
    edit_system(conversation.body)
    assert refusal(conversation) == ""


def test_what_a_stream_signs_is_bound_as_well(fake_claude):
    body = {"model": "claude-opus-5-5", "thinking": ADAPTIVE, "messages": [user("hi")]}
    answer = ask(fake_claude.url, stream=True, **body)
    messages = [
        user("hi"),
        {"role": "assistant", "content": [block.to_dict() for block in answer.content]},
        user("bye"),
    ]
    assert ask(fake_claude.url, stream=True, **{**body, "messages": messages}).stop_reason == "end_turn"
    messages[0] = user("hello")
    with pytest.raises(BadRequestError, match=ANOTHER_CONVERSATION):
        ask(fake_claude.url, stream=True, **{**body, "messages": messages})
