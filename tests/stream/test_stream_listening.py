"""What of a stream is passed on, and what its end meant: wherever it breaks, and however it was split."""

from __future__ import annotations

import pytest
from event_lab import (
    FINISH,
    PING,
    STOP,
    block,
    cut_at,
    delta,
    final,
    lines_end_with,
    sdk_decodes,
    splits,
    start,
    text_block,
    tool_block,
    wire,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.policy.stream import StreamRules
from failover.stream.listening import Listening, Patience
from failover.stream.sse import EventReader, name_of
from failover.testing.clock import FakeClock

ERROR_DATA = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
ERROR = b"event: error\ndata: " + ERROR_DATA + b"\n\n"
OPEN_TEXT = text_block(0, ends=False)
HELLO = text_block(0, "Hello", ends=False)
HALF_AN_OBJECT = b'event: content_block_delta\ndata: {"oops\n\n'
MALFORMED = b"event: content_block_delta\ndata: upstream request failed\n\n"
LINE_ENDS = [b"\n", b"\r\n", b"\r", "mixed"]


def listening():
    clock = FakeClock()
    return Listening(Patience(StreamRules(), clock.now, sent_at=clock.now(), until=float("inf"), longest_read=None))


def hear(pieces, *, over=True):
    """Read as a reader of a body does: until the stream's end is known, and `over`: until the body's."""
    ear = listening()
    passed = []
    for piece in pieces:
        if ear.end is not None:
            break
        ear.patience.next_read()
        passed.append(ear.feed(piece))
    if over and ear.end is None:
        passed.append(ear.finish())
    return ear, passed


def told(ear):
    return (ear.begun, ear.stopped, ear.end, ear.error)


NOTHING = (False, False)
SOME = (True, False)
ALL = (True, True)

# what came | what of it is passed | begun and stopped | the end
BROKEN = {
    "nothing": ([], [], NOTHING, "truncated"),
    "no event at all": ([b"<html>Bad gateway</html>"], [], NOTHING, "truncated"),
    "before content": ([start(), PING, *OPEN_TEXT], [], NOTHING, "truncated"),
    "pings only": ([PING, PING], [], NOTHING, "truncated"),
    "after content": ([start(), *HELLO], [start(), *HELLO], SOME, "truncated"),
    "in an event": ([start(), *HELLO, b"event: content_block_stop\ndata: {"], [start(), *HELLO], SOME, "truncated"),
    "in the first content": (
        [start(), *OPEN_TEXT, wire(delta(0, "text_delta", text="x"))[:-1]],
        [],
        NOTHING,
        "truncated",
    ),
    "before the last event": ([start(), *HELLO, final()], [start(), *HELLO, final()], SOME, "truncated"),
    "error first": ([ERROR], [], NOTHING, "error"),
    "error before content": ([start(), PING, *OPEN_TEXT, ERROR], [], NOTHING, "error"),
    "error after content": ([start(), *HELLO, ERROR], [start(), *HELLO], SOME, "error"),
    "error and more": ([start(), *HELLO, ERROR, *FINISH], [start(), *HELLO], SOME, "error"),
    "error without an empty line": ([start(), *HELLO, ERROR[:-1]], [start(), *HELLO], SOME, "error"),
    "error without a line end": ([start(), *HELLO, ERROR[:-2]], [start(), *HELLO], SOME, "error"),
    "half an error": ([start(), *HELLO, ERROR[:-9]], [start(), *HELLO], SOME, "truncated"),
    "malformed first": ([start(), *OPEN_TEXT, MALFORMED], [], NOTHING, "malformed"),
    "half an object first": ([start(), *OPEN_TEXT, HALF_AN_OBJECT], [], NOTHING, "malformed"),
    "malformed later": ([start(), *HELLO, MALFORMED, *FINISH], [start(), *HELLO], SOME, "malformed"),
}
WHOLE = {
    "text": [start(), *text_block(0, "Hello", " world"), *FINISH],
    "tool": [start(), *tool_block(0, "", '{"a":1}'), *FINISH],
    "empty answer": [start(), *FINISH],
    "empty block": [start(), *text_block(0), *FINISH],
    "unknown events": [{"type": "news"}, start(), {"type": "news"}, *text_block(0, "x"), {"type": "news"}, *FINISH],
    "comments": [b": hi\n\n", start(), b": hi\n\n", *text_block(0, "x"), b": hi\nevent: x\n\n", *FINISH],
    "half an object later": [start(), *HELLO, HALF_AN_OBJECT, *FINISH],
    "events after the last": [start(), *text_block(0, "x"), *FINISH, PING, {"type": "news"}],
}
# the message is complete, and nobody needs what comes then
AFTER_THE_LAST = {
    "an error": [ERROR],
    "an error and more": [ERROR, PING],
    "half an event": [b"event: error\nda"],
    "nonsense": [MALFORMED],
    "an empty end": [b"event: message_stop\n\n"],
    "words of a gateway": [b"event: message_delta\ndata: [DONE]\n\n"],
}
COMPLETE = {name: [start(), *text_block(0, "x"), *FINISH, *more] for name, more in AFTER_THE_LAST.items()}
ALL_STREAMS = {**{name: row[0] for name, row in BROKEN.items()}, **WHOLE, **COMPLETE}


@pytest.mark.parametrize(("came", "expected", "flags", "end"), BROKEN.values(), ids=BROKEN)
def test_a_broken_stream_passes_whole_events_from_its_first_content_on(came, expected, flags, end):
    ear, passed = hear([wire(*came)])
    assert b"".join(passed) == wire(*expected)
    assert told(ear) == (*flags, end, ERROR_DATA if end == "error" else b"")


@pytest.mark.parametrize("events", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("end", LINE_ENDS)
def test_a_complete_stream_passes_to_the_last_byte(events, end):
    stream = lines_end_with(wire(*events), end)
    ear, passed = hear([stream])
    assert b"".join(passed) == stream
    assert told(ear) == (*ALL, "complete", b"")


@pytest.mark.parametrize("events", COMPLETE.values(), ids=COMPLETE)
def test_a_complete_stream_is_complete_whatever_comes_then(events):
    stream = wire(*events)
    for pieces in splits(stream):
        ear, passed = hear(pieces)
        assert told(ear) == (*ALL, "complete", b"")
        assert b"".join(passed) == wire(start(), *text_block(0, "x"), *FINISH)


@pytest.mark.parametrize("events", ALL_STREAMS.values(), ids=ALL_STREAMS)
@pytest.mark.parametrize("end", LINE_ENDS)
def test_all_ways_to_split_tell_the_same(events, end):
    stream = lines_end_with(wire(*events), end)
    ear, passed = hear([stream])
    for pieces in splits(stream):
        other, others = hear(pieces)
        assert told(other) == told(ear)
        assert sdk_decodes(others) == sdk_decodes(passed)
        assert b"".join(others).rstrip(b"\r\n") == b"".join(passed).rstrip(b"\r\n")


@given(
    events=st.sampled_from(list(ALL_STREAMS.values())),
    end=st.sampled_from(LINE_ENDS),
    places=st.lists(st.integers(0, 10_000), max_size=40),
)
@settings(deadline=None, max_examples=300)
def test_many_pieces_tell_the_same(events, end, places):
    stream = lines_end_with(wire(*events), end)
    ear, passed = hear([stream])
    other, others = hear(cut_at(stream, places))
    assert told(other) == told(ear)
    assert b"".join(others).rstrip(b"\r\n") == b"".join(passed).rstrip(b"\r\n")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_wherever_a_stream_ends_only_whole_events_have_passed(end):
    stream = lines_end_with(wire(start(), PING, *text_block(0, "Hello", " world"), *FINISH), end)
    _, events = EventReader().feed(stream)
    borders = [len(b"".join(events[:index])) for index in range(len(events) + 1)]
    ends = [border - stream[:border].endswith(b"\r\n") for border in borders]  # of `\r\n`, the first byte ends the line
    first_content = ends[4]  # after message_start, ping, content_block_start and a delta
    for length in range(len(stream)):
        ear, passed = hear([stream[:length]], over=False)
        passed = b"".join(passed)
        assert stream.startswith(passed)
        assert len(passed) in {0, *borders, *ends}
        assert ear.begun == (length >= first_content) == (passed != b"")
        if length in ends and ear.begun:
            assert len(passed) == length


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    "content",
    [
        delta(0, "text_delta", text="x"),
        {"type": "content_block_stop", "index": 0},
        final("refusal"),
        STOP,
        b'event: content_block_delta\ndata:{"type":"content_block_delta"}\n\n',
        b': comment\ndata: {"type":\nevent: content_block_delta\ndata: 1}\n\n',
    ],
)
def test_first_content_passes_in_the_read_that_completes_it(content, end):
    before = lines_end_with(wire(start(), PING, *OPEN_TEXT), end)
    content = lines_end_with(wire(content), end)
    whole = len(content) - (end == b"\r\n")  # of `\r\n`, the first byte ends the line
    ear, passed = hear([before, content[: whole - 1], content[whole - 1 : whole]], over=False)
    assert passed == [b"", b"", before + content[:whole]]
    assert ear.begun


@pytest.mark.parametrize(
    "event",
    [
        start(),
        PING,
        *OPEN_TEXT,
        {"type": "news"},
        b": comment\n\n",
        b"event: ping\n\n",
        b'data: {"type":"message_stop"}\n\n',
    ],
)
def test_what_is_no_content_is_held_and_passes_with_it(event):
    held = wire(event)
    ear, passed = hear([held, held], over=False)
    assert (passed, ear.begun) == ([b"", b""], False)
    content = wire(delta(0, "text_delta", text="x"))
    ear.patience.next_read()
    assert ear.feed(content) == held + held + content


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("events", [[start(), *text_block(0, "x"), *FINISH], [start(), STOP], [STOP]])
def test_the_last_event_needs_no_empty_line(events, missing):
    stream = wire(*events)[:-missing]
    for pieces in splits(stream):
        ear, passed = hear(pieces)
        assert told(ear) == (*ALL, "complete", b"")
        assert b"".join(passed).startswith(stream)


def test_after_the_last_event_whole_events_pass_until_the_body_is_over():
    ear, _ = hear([wire(start(), STOP)], over=False)
    assert [ear.feed(piece) for piece in (b"e", b"vent: news", b"\n\n", b"")] == [b"", b"", b"event: news\n\n", b""]
    assert (ear.end, ear.finish(), ear.end) == (None, b"", "complete")


@pytest.mark.parametrize("data", [b"", b"oops", b"{", b"[" * 100_000, b"\xff"])
def test_an_error_event_is_an_error_whatever_its_data(data):
    ear, passed = hear([wire(start(), *HELLO), b"event: error\ndata: " + data + b"\n\n"])
    assert (ear.end, ear.error, passed) == ("error", data, [wire(start(), *HELLO), b""])


@pytest.mark.parametrize("data", [b"", b"oops", b"[1, 2]", b'"{"', b"[" * 100_000, b"\xff"])
def test_a_delta_without_an_object_is_malformed(data):
    ear, passed = hear([wire(start(), *HELLO), b"event: content_block_delta\ndata: " + data + b"\n\n"])
    assert (ear.end, passed) == ("malformed", [wire(start(), *HELLO), b""])


@pytest.mark.parametrize("data", [b"", b"oops", b"[]", b"{}", b'{"content_block": 5}', b"[" * 100_000, b"\xff"])
def test_a_block_that_begins_with_nonsense_is_left_to_the_sdk(data):
    stream = wire(start(), b"event: content_block_start\ndata: " + data + b"\n\n", *HELLO)
    ear, passed = hear([stream], over=False)
    assert (ear.end, passed) == (None, [stream])


@pytest.mark.parametrize(
    "half",
    [
        b"event: error\ndata: " + b"[" * 100_000,
        b"event: error\ndata",
        b"event: message_sto",
        b"event: message_stop\n",
        b'event: message_stop\ndata: {"ty',
    ],
)
def test_half_of_a_last_event_is_no_end(half):
    ear, passed = hear([wire(start(), *HELLO), half])
    assert (ear.end, passed) == ("truncated", [wire(start(), *HELLO), b"", b""])


CUT = OSError("cut")


@pytest.mark.parametrize(
    ("events", "how", "end"),
    [
        ([], "cut", "cut"),
        ([start(), *HELLO], "cut", "cut"),
        ([start(), *HELLO], "stall", "stall"),
        ([start(), *HELLO], "closed", "closed"),
        ([start(), *HELLO, ERROR], "cut", "error"),
        ([start(), *HELLO, MALFORMED], "closed", "malformed"),
        ([start(), STOP], "cut", "complete"),
        ([start(), STOP], "stall", "complete"),
        ([start(), STOP], "closed", "complete"),
    ],
)
def test_what_breaks_a_stream_tells_its_end_unless_that_was_known(events, how, end):
    ear, _ = hear([wire(*events)], over=False)
    known = ear.end is not None
    ear.broke(how, CUT)
    assert (ear.end, ear.cause) == (end, None if known else CUT)
    ear.broke("closed")
    assert (ear.end, ear.finish()) == (end, b"")


def test_the_end_of_the_body_comes_once():
    ear, _ = hear([wire(start(), *HELLO)])
    assert (ear.finish(), ear.end) == (b"", "truncated")


def test_a_stream_of_a_hundred_blocks_is_heard_to_its_end():
    events = [
        start(),
        *(event for index in range(100) for event in block(index, {"type": "text", "text": "x"})),
        *FINISH,
    ]
    stream = lines_end_with(wire(*events), b"\r\n")
    ear, passed = hear([stream[index : index + 100] for index in range(0, len(stream), 100)])
    assert (b"".join(passed), ear.end) == (stream, "complete")
    assert [name_of(event) for event in EventReader().feed(stream)[1]].count(b"content_block_stop") == 100
