"""A stream that is collected makes the message that the SDK makes of it, wherever it ends."""

from __future__ import annotations

import json

import pytest
from event_lab import FINISH, PING, STOP, block, delta, final, plain, read_by_sdk, start, text_block, tool_block, wire
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.stream.message import collect, merged_usage, parsed

CITATION = {
    "type": "char_location",
    "cited_text": "Sky is blue.",
    "document_index": 0,
    "document_title": "Sky",
    "start_char_index": 0,
    "end_char_index": 12,
    "file_id": None,
}
CONTAINER = {"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"}
SEARCH_RESULT = {
    "type": "web_search_tool_result",
    "tool_use_id": "toolu_0",
    "content": [
        {"type": "web_search_result", "title": "T", "url": "https://a.b", "encrypted_content": "x", "page_age": None}
    ],
}
THINKING = (
    ("thinking_delta", {"thinking": "Hm, "}),
    ("thinking_delta", {"thinking": "so."}),
    ("signature_delta", {"signature": "b2xk"}),
    ("signature_delta", {"signature": "c2ln"}),
)
STREAMS = {
    "text": [start(), PING, *text_block(0, "Hello", ",", " world \u2028é"), *FINISH],
    "text that begins in its block": [
        start(),
        *block(0, {"type": "text", "text": "He"}, ("text_delta", {"text": "llo"})),
        *FINISH,
    ],
    "empty": [start(), *FINISH],
    "with words of a gateway": [start(), b"data: 7\n\n", *text_block(0, "x"), b"data: [DONE]\n\n", *FINISH],
    "thinking": [
        start(),
        *block(0, {"type": "thinking", "thinking": "", "signature": ""}, *THINKING),
        *block(1, {"type": "redacted_thinking", "data": "ZGF0YQ=="}),
        *text_block(2, "So."),
        *FINISH,
    ],
    "tools": [
        start(),
        *text_block(0, "Let me see."),
        *tool_block(1, "", '{"city": "Pa', 'ris", "when": [1.5, tr', 'ue, null], "x": {"y": "\\u00e9\\n"}}'),
        *tool_block(2, "", "{}"),
        final("tool_use"),
        STOP,
    ],
    "a tool without arguments": [start(), *tool_block(0, ""), *tool_block(1), final("tool_use"), STOP],
    "a tool that max_tokens cut": [start(), *tool_block(0, "", '{"city": "Par'), final("max_tokens"), STOP],
    "citations": [
        start(),
        *text_block(0, "plain"),
        *block(
            1,
            {"type": "text", "text": "", "citations": []},
            ("citations_delta", {"citation": CITATION}),
            ("text_delta", {"text": "The sky"}),
            ("citations_delta", {"citation": {**CITATION, "document_index": 1}}),
        ),
        *FINISH,
    ],
    "a server's tool": [
        start(),
        *tool_block(0, "", '{"query": "x"}', kind="server_tool_use"),
        *block(1, SEARCH_RESULT),
        *text_block(2, "Found."),
        final(usage={"output_tokens": 5, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}}),
        STOP,
    ],
    "usage overwritten": [
        start(),
        *text_block(0, "x"),
        final(
            usage={
                "output_tokens": 5,
                "input_tokens": 40,
                "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": None,
            }
        ),
        final(
            usage={
                "output_tokens": 9,
                "cache_creation_input_tokens": 3,
                "input_tokens": None,
                "output_tokens_details": {"thinking_tokens": 2},
            }
        ),
        STOP,
    ],
    "a refusal": [start(), final("refusal", delta={"stop_details": {"type": "refusal", "category": "cyber"}}), STOP],
    "a stop that is told anew": [start(), final("stop_sequence", delta={"stop_sequence": "#"}), final(None), STOP],
    "a stop sequence": [start(), *text_block(0, "x"), final("stop_sequence", delta={"stop_sequence": "##"}), STOP],
    "a container": [start(), *text_block(0, "x"), final(delta={"container": CONTAINER}), STOP],
    "a container that stays": [start(container=CONTAINER), *text_block(0, "x"), final(delta={"container": None}), STOP],
}
EDITS = {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_input_tokens": 5, "cleared_tool_uses": 1}]}
DROPPED = [{"type": "thinking_dropped", "message_index": 1, "content_index": 0, "reason": "model_binding_mismatch"}]
HOP = {
    "type": "fallback",
    "from": {"model": "a"},
    "to": {"model": "b"},
    "trigger": {"type": "refusal", "category": None},
}
COMPACTION = {"type": "compaction", "content": None}
BETA_STREAMS = {
    **STREAMS,
    "edits of the context": [start(), *text_block(0, "x"), final(context_management=EDITS), STOP],
    "edits that stay": [start(context_management=EDITS), *text_block(0, "x"), final(context_management=None), STOP],
    "transformed input": [
        start(input_transformations=[]),
        *text_block(0, "x"),
        final(input_transformations=DROPPED),
        STOP,
    ],
    "transformations that stay": [
        start(input_transformations=DROPPED),
        *text_block(0, "x"),
        final(input_transformations=None),
        STOP,
    ],
    "iterations": [
        start(),
        *text_block(0, "x"),
        final(usage={"output_tokens": 5, "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 2}]}),
        STOP,
    ],
    "another model goes on": [start(), *text_block(0, "x"), *block(1, HOP), *text_block(2, "y"), *FINISH],
    "a compaction": [
        start(),
        *block(
            0,
            COMPACTION,
            ("compaction_delta", {"content": "A"}),
            ("compaction_delta", {"content": "A summary.", "encrypted_content": "ZQ=="}),
        ),
        *text_block(1, "x"),
        *FINISH,
    ],
    "an MCP tool": [start(), *tool_block(0, '{"a":', "1}", kind="mcp_tool_use", server_name="s"), *FINISH],
}
every_stream = pytest.mark.parametrize(
    ("events", "beta"),
    [*((events, False) for events in STREAMS.values()), *((events, True) for events in BETA_STREAMS.values())],
    ids=[*STREAMS, *(f"beta: {name}" for name in BETA_STREAMS)],
)


@every_stream
def test_the_message_is_the_one_that_the_sdk_makes(events, beta):
    ours = collect(wire(*events)).so_far()
    theirs, _ = read_by_sdk(wire(*events), beta=beta)
    assert plain(ours, beta=beta) == plain(theirs)


@every_stream
def test_so_it_is_wherever_the_stream_ends(events, beta):
    for length in range(1, len(events)):
        ours = collect(wire(*events[:length])).so_far()
        theirs, _ = read_by_sdk(wire(*events[:length]), beta=beta)
        assert plain(ours, beta=beta) == plain(theirs)


@pytest.mark.parametrize("length", range(31))
def test_a_tools_input_is_read_as_far_as_it_came(length):
    written = '{"city": "Paris", "days": [1, 2'
    assert len(written) == 31
    for ends in (False, True):
        came = wire(start(), *tool_block(0, *written[:length], ends=ends))
        assert plain(collect(came).so_far()) == plain(read_by_sdk(came)[0])


def test_it_can_be_looked_at_more_than_once():
    collected = collect(wire(start(), *text_block(0, "x"), *tool_block(1, '{"a": 1, "b', ends=False)))
    for _ in range(2):
        assert [collected.so_far()["content"][0]["text"], collected.so_far()["content"][1]["input"]] == ["x", {"a": 1}]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([start()], None),
        ([start(), *text_block(0, "x", ends=False)], 0),
        ([start(), *text_block(0, "x")], None),
        ([start(), *text_block(0, "x"), *tool_block(1, ends=False)], 1),
        ([start(), *text_block(0, "x"), *FINISH], None),
    ],
)
def test_it_knows_which_block_is_open(events, expected):
    assert collect(wire(*events)).open == expected


def test_an_event_needs_no_empty_line_and_those_without_data_are_left_out():
    events = [start(), *text_block(0, "x"), *FINISH]
    data = [json.loads(json.dumps(event)) for event in events]
    assert list(parsed(b": comment\n\nevent: ping\n\n" + wire(*events)[:-1])) == data


NONSENSE = {
    "no JSON": [start(), b"event: news\ndata: {\n\n"],
    "no text": [start(), b"event: news\ndata: \xff\n\n"],
    "nested without end": [start(), b"event: news\ndata: " + b"[" * 100_000 + b"\n\n"],
    "no object": [start(), b"event: news\ndata: []\n\n"],
    "a number": [start(), b"event: news\ndata: 7\n\n"],
    "no message in its start": [{"type": "message_start"}],
    "a message that is none": [{"type": "message_start", "message": 7}],
    "a block before the start": text_block(0, "x"),
    "a block that is none": [start(), {"type": "content_block_start", "index": 0, "content_block": 7}],
    "a block without an index": [
        start(),
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
    ],
    "a delta without a block": [start(), delta(0, "text_delta", text="x")],
    "a delta of another block": [start(), *text_block(0, ends=False), delta(1, "text_delta", text="x")],
    "a delta that is none": [
        start(),
        *text_block(0, ends=False),
        {"type": "content_block_delta", "index": 0, "delta": 7},
    ],
    "an end without a block": [start(), {"type": "content_block_stop", "index": 3}],
    "an input that is no JSON": [start(), *tool_block(0, "oops")],
    "no delta in the last": [start(), {"type": "message_delta", "usage": {}}],
    "usage that is none": [start(), final(usage=[1])],
}
WITHOUT_A_MESSAGE = {
    "nothing": [],
    "no start": [STOP],
    "the end of a block only": [{"type": "content_block_stop", "index": 0}],
    "the last delta only": [final()],
}


@pytest.mark.parametrize(
    "events", [*NONSENSE.values(), *WITHOUT_A_MESSAGE.values()], ids=[*NONSENSE, *WITHOUT_A_MESSAGE]
)
def test_nonsense_is_a_value_error(events):
    with pytest.raises(ValueError, match=r"."):
        collect(wire(*events))


VALUES = st.none() | st.integers(-2, 3) | st.text('{}[]"x:', max_size=6) | st.just({}) | st.just([])
FIELDS = st.sampled_from(
    ["type", "text", "partial_json", "input", "citation", "signature", "thinking", "usage", "content"]
)
OBJECTS = st.dictionaries(FIELDS, VALUES | st.dictionaries(FIELDS, VALUES, max_size=2), max_size=3)
DELTAS = st.sampled_from(["text_delta", "input_json_delta", "citations_delta", "signature_delta", "news"])
EVENTS = st.one_of(
    st.builds(
        lambda index, given: {"type": "content_block_start", "index": index, "content_block": given}, VALUES, OBJECTS
    ),
    st.builds(lambda index, kind, given: delta(index, kind, **{**given, "type": kind}), st.just(0), DELTAS, OBJECTS),
    st.builds(lambda index: {"type": "content_block_stop", "index": index}, st.just(0) | VALUES),
    st.builds(
        lambda given, usage: {"type": "message_delta", "delta": given, "usage": usage},
        OBJECTS | VALUES,
        OBJECTS | VALUES,
    ),
    st.builds(lambda given: start(**given), OBJECTS),
    st.builds(lambda given: {**given, "type": "news"}, OBJECTS),
)


@given(st.lists(EVENTS, max_size=8))
@settings(deadline=None, max_examples=500)
def test_no_events_raise_anything_else(events):
    came = wire(start(), *text_block(0, "x", ends=False), *events)
    try:
        message = collect(came).so_far()
    except ValueError:
        return
    assert isinstance(message["content"], (list, dict, str, int, type(None)))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, {}),
        ({"input_tokens": 5}, {}, {"input_tokens": 5}),
        ({}, {"input_tokens": 5}, {"input_tokens": 5}),
        ({"input_tokens": 5}, {"input_tokens": 7}, {"input_tokens": 12}),
        ({"input_tokens": 5}, {"input_tokens": None}, {"input_tokens": 5}),
        ({"input_tokens": None}, {"input_tokens": 7}, {"input_tokens": 7}),
        ({"service_tier": "standard"}, {"service_tier": "priority"}, {"service_tier": "priority"}),
        (
            {"server_tool_use": {"web_search_requests": 1}},
            {"server_tool_use": {"web_search_requests": 2}},
            {"server_tool_use": {"web_search_requests": 2}},
        ),
        ({"flag": True}, {"flag": True}, {"flag": True}),
    ],
)
def test_usage_is_added_where_it_is_a_count(before, after, expected):
    given = (dict(before), dict(after))
    assert merged_usage(before, after) == expected
    assert (before, after) == given
