"""What of an answer that was taken over goes into the history: our seams never reach the API."""

from __future__ import annotations

import copy
import warnings

import anthropic
import httpx2
import pytest
from anthropic._models import construct_type
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from event_lab import FINISH, THEIRS, block, seam, start, text_block, wire

from failover.stream.message import collect
from failover.stream.resume import without_seams

QUESTION = {"role": "user", "content": "Why is the sky blue?"}


def text(words):
    return {"type": "text", "text": words}


def history(*content):
    return [QUESTION, {"role": "assistant", "content": list(content)}, QUESTION]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        (QUESTION,),
        [None, "x", {}, {"content": None}, {"content": "x"}, {"content": [None, "x", {}]}],
        history(),
        history(text("x")),
        history(text("x"), THEIRS, text("y")),
        history({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}),
        history({"type": "fallback", "trigger": None}),
        history({"type": "fallback", "trigger": "interruption"}),
        history({"type": "text", "text": "x", "trigger": seam()["trigger"]}),
        history(text(""), text("x")),
        history(text("")),
    ],
)
def test_a_history_without_our_seams_is_the_same_object(messages):
    assert without_seams(messages) is messages


TAKEN_OUT = [
    ([text("x"), seam(), text("y")], [text("x"), text("y")]),
    ([text("x"), seam("restart"), text("y")], [text("y")]),
    ([text("x"), seam(), text("y"), seam("restart"), text("z")], [text("z")]),
    ([text("x"), seam("restart"), text("y"), seam(), text("z")], [text("y"), text("z")]),
    ([text("x"), THEIRS, text("y"), seam(), text("z")], [text("x"), THEIRS, text("y"), text("z")]),
    ([text("x"), seam("restart"), THEIRS, text("y")], [THEIRS, text("y")]),
    ([{"type": "thinking", "thinking": "half", "signature": ""}, seam("restart"), text("y")], [text("y")]),
    # the API takes no text without words, such as a block that broke before its first one
    ([text("x"), text(""), seam(), text("y")], [text("x"), text("y")]),
    ([text("x"), seam(), text(""), text("y")], [text("x"), text("y")]),
    ([text(""), seam("restart"), text(""), text("y"), text("")], [text("y")]),
    ([text("x"), seam(), text("")], [text("x")]),
    ([text(" "), seam(), text("y")], [text(" "), text("y")]),
    (
        [{"type": "thinking", "thinking": "", "signature": "s"}, seam(), text("y")],
        [{"type": "thinking", "thinking": "", "signature": "s"}, text("y")],
    ),
]


@pytest.mark.parametrize(("content", "kept"), TAKEN_OUT)
def test_our_seams_are_taken_out_of_a_history(content, kept):
    messages = history(*content)
    before = copy.deepcopy(messages)
    cleaned = without_seams(messages)
    assert cleaned == history(*kept)
    assert cleaned[0] is QUESTION
    assert messages == before


@pytest.mark.parametrize(("content", "kept"), TAKEN_OUT)
@pytest.mark.parametrize("cls", [Message, BetaMessage])
def test_the_blocks_may_be_the_sdks_own(content, kept, cls):
    blocks = construct_type(type_=cls, value={"type": "message", "role": "assistant", "content": content}).content
    assistant = without_seams(history(*blocks))[1]
    assert [block.to_dict(warnings=False) for block in assistant["content"]] == kept


@pytest.mark.parametrize(
    "content", [[seam()], [text("x"), seam("restart")], [text(""), seam()], [text("x"), seam("restart"), text("")]]
)
def test_an_answer_of_which_nothing_is_left_goes_too(content):
    assert without_seams(history(*content)) == [QUESTION, QUESTION]


def test_only_answers_with_a_seam_are_changed():
    messages = [*history(text("x"), text("")), *history(text("x"), seam(), text(""))]
    cleaned = without_seams(messages)
    assert cleaned == [*history(text("x"), text("")), *history(text("x"))]
    assert cleaned[1] is messages[1]


def test_seams_of_every_answer_are_taken_out():
    assert without_seams(history(text("x"), seam(), text("y")) * 2) == history(text("x"), text("y")) * 2


@pytest.mark.parametrize(("cls", "beta"), [(Message, False), (BetaMessage, True)])
@pytest.mark.parametrize("form", ["blocks", "dictionaries"])
def test_an_answer_with_a_seam_may_be_sent_back_as_it_came(cls, beta, form):
    bodies = []
    answer = collect(wire(start(), *text_block(0, "x"), *block(1, seam()), *text_block(2, "y"), *FINISH)).so_far()
    message = construct_type(type_=cls, value=answer)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=answer))

    def note(request, call_next):
        bodies.append(request.json)
        return call_next(request)

    with (
        warnings.catch_warnings(),
        anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport), middleware=[note]) as client,
    ):
        warnings.simplefilter("error")
        content = message.content if form == "blocks" else message.to_dict(warnings=False)["content"]
        messages = [QUESTION, {"role": "assistant", "content": content}, QUESTION]
        (client.beta.messages if beta else client.messages).create(model="m", max_tokens=1, messages=messages)
    assert bodies[0]["messages"][1]["content"] == [text("x"), seam(), text("y")]
    assert without_seams(bodies[0]["messages"]) == history(text("x"), text("y"))
