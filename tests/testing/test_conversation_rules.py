"""What holds for the messages of every request, whoever is asked: a conversation that was edited badly is refused."""

from __future__ import annotations

import pytest

from failover.testing.model_rules import violations

MODELS = ("claude-next", "claude-haiku-4-5", "claude-opus-5-5")


def user(*content):
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content):
    return {**user(*content), "role": "assistant"}


def text(words="hi", **more):
    return {"type": "text", "text": words, **more}


def call(name):
    return {"type": "tool_use", "id": name, "name": "search", "input": {}}


def result(name, content="found"):
    return {"type": "tool_result", "tool_use_id": name, "content": content}


def search(name):
    return {"type": "server_tool_use", "id": name, "name": "web_search", "input": {}}


def found(name):
    return {"type": "web_search_tool_result", "tool_use_id": name, "content": []}


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A page."}}
SYSTEM = {"role": "system", "content": "It is late."}

GOOD = {
    "words": [user("hi")],
    "blocks": [user(text(), DOCUMENT)],
    "several turns": [user("hi"), assistant("hello"), user("bye")],
    "two of one role in a row": [user("hi"), user("there"), assistant("hello"), assistant("there"), user("bye")],
    "a call and its result": [user("hi"), assistant(THOUGHT, text(), call("a")), user(result("a"))],
    "results in another order, then words": [
        user("hi"),
        assistant(call("a"), call("b")),
        user(result("b"), result("a"), text()),
    ],
    "results in two messages": [user("hi"), assistant(call("a"), call("b")), user(result("a")), user(result("b"))],
    "a result of nothing": [user("hi"), assistant(call("a")), user(result("a", ""))],
    "a result of blocks": [user("hi"), assistant(call("a")), user(result("a", [text(), DOCUMENT]))],
    "a loop of calls": [user("hi"), assistant(call("a")), user(result("a")), assistant(call("b")), user(result("b"))],
    "a search of the server": [user("hi"), assistant(search("s"), found("s"), text()), user("bye")],
    "a paused turn": [user("hi"), assistant(text(), search("s"))],
    "a turn that was paused": [user("hi"), assistant(text(), search("s")), assistant(found("s"), text()), user("bye")],
    "code that calls a tool": [
        user("hi"),
        assistant(search("s"), call("a")),
        user(result("a")),
        assistant(found("s"), text()),
        user("bye"),
    ],
    "a compaction instead of what was before": [
        assistant({"type": "compaction", "content": "They greeted."}),
        user("bye"),
    ],
    "a system message between a call and its result": [user("hi"), assistant(call("a")), SYSTEM, user(result("a"))],
    "a system message at the end": [user("hi"), SYSTEM],
}
BAD = {
    "the assistant first": ([assistant("hello"), user("hi")], 'messages: first message must use the "user" role'),
    "an unknown role": ([user("hi"), {"role": "tool", "content": "x"}], "messages.1.role: Input should be"),
    "no content": ([user("hi"), assistant("hello"), {"role": "user", "content": []}], "messages.2: all messages must"),
    "empty words": ([user("")], "messages.0: all messages must have non-empty content"),
    "an empty text": ([user(text("hi"), text(""))], "messages: text content blocks must be non-empty"),
    "a blank text": ([user(text(" \n"))], "messages: text content blocks must contain non-whitespace text"),
    "an empty text in a result": (
        [user("hi"), assistant(call("a")), user(result("a", [text("")]))],
        "messages.2.content.0.tool_result.content: text content blocks must be non-empty",
    ),
    "an empty message of the assistant in the middle": (
        [user("hi"), {"role": "assistant", "content": []}, user("bye")],
        "messages.1: all messages must have non-empty content",
    ),
    "a call without a result": (
        [user("hi"), assistant(call("a")), user("bye")],
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a.",
    ),
    "a call at the end": ([user("hi"), assistant(call("a"))], "messages.1: `tool_use` ids were found without"),
    "one of two results": (
        [user("hi"), assistant(call("a"), call("b")), user(result("a"))],
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b.",
    ),
    "a result without its call": (
        [user("hi"), assistant("hello"), user(result("a"))],
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a.",
    ),
    "a result at the start": ([user(result("a"))], "messages.0.content.0: unexpected `tool_use_id`"),
    "a result twice": (
        [user("hi"), assistant(call("a")), user(result("a"), result("a"))],
        "messages.2.content.1: each tool_use must have a single result. Found multiple for id: a",
    ),
    "words before a result": (
        [user("hi"), assistant(call("a")), user(text(), result("a"))],
        "messages.2.content.1: `tool_result` blocks must come first",
    ),
    "an id twice": (
        [user("hi"), assistant(call("a")), user(result("a")), assistant(call("a")), user(result("a"))],
        "messages: `tool_use` ids must be unique",
    ),
    "a result of the server without its call": (
        [user("hi"), assistant(found("s"), text()), user("bye")],
        "messages.1.content.0: unexpected `tool_use_id` found in `web_search_tool_result` blocks: s",
    ),
    "a call of the server without a result": (
        [user("hi"), assistant(search("s"), text()), user("more"), assistant("no"), user("bye")],
        "messages.1.content.0: `s` was found without its result block",
    ),
    "a call in a user's message": ([user(call("a"))], "messages.0.content.0: `tool_use` blocks can only be in"),
    "thinking in a user's message": ([user(THOUGHT)], "messages.0.content.0: `thinking` blocks can only be in"),
    "a document of the assistant": (
        [user("hi"), assistant(DOCUMENT), user("bye")],
        "messages.1.content.0: `document` blocks can only be in `user` messages",
    ),
    "citations of the user": (
        [user(text(citations=[{"type": "char_location"}]))],
        "messages.0.content.0.text.citations: Extra inputs are not permitted",
    ),
}


def words(model, messages, **more):
    return [item.message for item in violations({"model": model, "max_tokens": 2048, "messages": messages, **more})]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("messages", GOOD.values(), ids=GOOD)
def test_a_conversation_in_order_is_taken(messages, model):
    refused = ["role 'system' is not supported"] if SYSTEM in messages and model == "claude-haiku-4-5" else []
    assert [said.partition(": ")[2].partition(" on")[0] for said in words(model, messages)] == refused


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("messages", "said"), BAD.values(), ids=BAD)
def test_a_conversation_out_of_order_is_refused(messages, said, model):
    assert [each for each in words(model, messages) if each.startswith(said)]


def test_a_last_message_of_the_assistant_may_be_empty_where_it_may_be_at_all():
    messages = [user("hi"), {"role": "assistant", "content": []}]
    assert words("claude-haiku-4-5", messages) == []


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("Be brief.", []),
        ("", []),
        ([], []),
        ([text("Be brief.")], []),
        ([text("Be brief."), text("")], ["system: text content blocks must be non-empty"]),
    ],
)
def test_a_system_prompt_has_no_empty_block(system, said):
    assert words("claude-opus-5", [user("hi")], system=system) == said


@pytest.mark.parametrize("name", ["a document of the assistant", "citations of the user"])
def test_an_older_version_takes_what_the_newest_does_not(name):
    body = {"model": "claude-next", "max_tokens": 100, "messages": BAD[name][0]}
    assert violations(body, version="2023-06-01") == ()


ENABLED = {"type": "enabled", "budget_tokens": 1024}
LOOP = [user(result("a")), assistant(call("b")), user(result("b"))]


@pytest.mark.parametrize(
    ("messages", "thinking", "taken"),
    [
        ([user("hi"), assistant(THOUGHT, call("a")), user(result("a"))], ENABLED, True),
        ([user("hi"), assistant(THOUGHT, call("a")), *LOOP], ENABLED, True),
        ([user("hi"), assistant("hello"), user("bye")], ENABLED, True),
        ([user("hi"), assistant(call("a")), user(result("a")), assistant("done"), user("bye")], ENABLED, True),
        ([user("hi"), assistant(call("a")), user(result("a"))], ENABLED, False),
        ([user("hi"), assistant(text(), THOUGHT, call("a")), user(result("a"))], ENABLED, False),
        ([user("hi"), assistant(call("a")), *LOOP], ENABLED, False),
        ([user("hi"), assistant("I")], ENABLED, False),
        ([user("hi"), assistant(call("a")), user(result("a"))], {"type": "disabled"}, True),
        ([user("hi"), assistant(call("a")), user(result("a"))], None, True),
    ],
)
def test_with_manual_thinking_a_running_turn_begins_with_a_thought(messages, thinking, taken):
    said = words("claude-haiku-4-5", messages, thinking=thinking)
    assert [each.split(" ")[0] for each in said] == ([] if taken else ["messages.1.content.0.type:"])


def test_with_adaptive_thinking_it_need_not():
    messages = [user("hi"), assistant(call("a")), user(result("a"))]
    assert words("claude-opus-5", messages, thinking={"type": "adaptive"}) == []
