"""The tokens of a broken stream, counted from its events: roughly right, quickly, and whatever the events hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.discarded import Discarded, discarded
from failover.testing.payloads import sse

START = sse({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}})
PROSE = "The quick brown fox jumps over the lazy dog. "


def block(**fields):
    return sse({"type": "content_block_start", "index": 0, "content_block": fields})


def delta(kind, **fields):
    return sse({"type": "content_block_delta", "index": 0, "delta": {"type": kind, **fields}})


STOP = sse({"type": "content_block_stop", "index": 0})
TEXT = block(type="text", text="")
TOOL = block(type="tool_use", id="t", name="write", input={})
THINKING = block(type="thinking", thinking="", signature="")


@pytest.mark.parametrize(
    ("events", "least", "most"),
    [
        ((), 1, 1),
        ((TEXT,), 1, 2),
        ((TEXT, delta("text_delta", text=PROSE * 20)), 180, 320),
        ((TEXT, *[delta("text_delta", text=PROSE)] * 20), 180, 320),
        ((TEXT, *[delta("text_delta", text=PROSE)] * 20, STOP), 180, 320),
        ((THINKING, *[delta("thinking_delta", thinking=PROSE)] * 20), 180, 320),
        ((TOOL, delta("input_json_delta", partial_json='{"text": "' + PROSE * 20 + '"}'), STOP), 180, 340),
        ((TOOL, delta("input_json_delta", partial_json='{"text": "' + PROSE * 20)), 180, 340),
        ((TOOL, *[delta("input_json_delta", partial_json=part) for part in ('{"text": "', *[PROSE] * 20)]), 180, 340),
    ],
)
def test_what_it_had_written_is_estimated_from_what_came(events, least, most):
    found = discarded(START, b"".join((START, *events)))
    assert found.input_tokens == 7
    assert least <= found.output_tokens <= most


def test_a_count_of_the_upstreams_own_stands_if_it_is_larger():
    start = START.replace(b'"output_tokens": 1', b'"output_tokens": 500')
    assert discarded(start, start + TEXT + delta("text_delta", text=PROSE)) == Discarded(7, 500)


def test_without_a_beginning_nothing_is_known():
    assert discarded(b"", b"") == discarded(b"", TEXT) == Discarded(None, None)


def test_events_of_other_line_ends_are_counted_too():
    events = (START + TEXT + delta("text_delta", text=PROSE) * 10_000).replace(b"\n", b"\r\n")
    assert len(events) > 1_000_000
    found = discarded(START.replace(b"\n", b"\r\n"), events)
    assert 90_000 < found.output_tokens < 160_000


@pytest.mark.parametrize("pieces", [1_000, 20_000, 200_000])
def test_of_a_long_answer_a_sample_is_read(pieces):
    events = bytearray(START + TEXT + delta("text_delta", text=PROSE) * pieces)
    started = time.perf_counter()
    found = discarded(START, events)
    assert time.perf_counter() - started < 0.5
    assert 0.8 < found.output_tokens / (pieces * len(PROSE) / 3.5) < 1.3


def test_one_event_that_is_longer_than_the_sample_is_no_trouble():
    found = discarded(START, START + TEXT + delta("text_delta", text=PROSE * 20_000))
    assert found.input_tokens == 7
    assert found.output_tokens >= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "index", "text", "a"]), inner),
    max_leaves=6,
)
KINDS = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "ping", "x"]
)
FIELDS = st.dictionaries(st.sampled_from(["message", "index", "content_block", "delta", "usage"]), JSON, max_size=4)
EVENTS = st.lists(
    st.builds(lambda kind, fields: sse({**fields, "type": kind}), KINDS, FIELDS)
    | st.binary(max_size=20)
    | st.sampled_from(
        [START, TEXT, TOOL, STOP, delta("text_delta", text="hi"), b"event: x\ndata: " + b"[" * 5000 + b"\n\n"]
    ),
    max_size=8,
)
USAGES = JSON | st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "cache_read_input_tokens"]), JSON)


@settings(max_examples=150, deadline=None)
@given(USAGES, EVENTS)
def test_no_events_make_it_raise_or_say_what_no_count_can_be(usage, events):
    start = sse({"type": "message_start", "message": {"usage": usage}})
    for beginning in (start, *events[:1]):
        found = discarded(beginning, beginning + b"".join(events))
        for count in found:
            assert count is None or 0 <= count < 2**53


@pytest.mark.parametrize(
    "start",
    [
        b"event: message_start\n\n",
        b"data: [1]\n\n",
        b"\xff\xfe\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: 5\n\n",
    ],
)
def test_a_beginning_that_is_none_leaves_the_prompt_unknown(start):
    assert discarded(start, start).input_tokens is None
