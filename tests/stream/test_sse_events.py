"""However a network splits a stream, the events in it are the same, and the SDK sees what it would have seen."""

from __future__ import annotations

import pytest
from event_lab import (
    FINISH,
    PING,
    block,
    cut_at,
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

from failover.stream import sse
from failover.stream.sse import EventReader, data_of, event, holds_an_object, name_of

BOM = b"\xef\xbb\xbf"
MB = 1024 * 1024
THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    ("thinking_delta", {"thinking": "Hm, \u2028 \x85 "}),
    ("signature_delta", {"signature": "c2ln"}),
)
ODD = (
    b": a comment\n\n"
    b": a comment\nid: 7\nretry: 10\nevent: message_start\nunknown: field\nnonsense\ndata: {\ndata:  1}\n\n"
    b"data: without a name\n\n"
    b"event: ping\n\n"
    b"event\ndata\n\n"
    b"event: first\nevent:last\ndata:x\ndata\ndata: y\n\n\n"
    b"\n\nevent: caf\xc3\xa9\ndata: \xe2\x80\xa8\x0b\x0c\x1c\n\n"
)
STREAMS = {
    "text": wire(start(), *text_block(0, "Hello", " world"), *FINISH),
    "thinking": wire(start(), PING, *THINKING, PING, *text_block(1, "é"), *FINISH),
    "tool": wire(start(), *tool_block(0, "", '{"a": "', 'b\\n"}'), *FINISH),
    "odd": ODD,
    "odd, without its end": ODD + b"event: x\ndata: y\n",
}
LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r", "mixed": "mixed"}
every_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
every_line_end = pytest.mark.parametrize("end", LINE_ENDS.values(), ids=LINE_ENDS)


def read(pieces):
    """What a reader passes piece by piece, the events, and what is left. Line ends around an event are nobody's."""
    reader = EventReader()
    passed, events = [], []
    for piece in pieces:
        whole, found = reader.feed(piece)
        assert whole == b"".join(found)
        passed.append(whole)
        events += [event.strip(b"\r\n") for event in found]
    return passed, [event for event in events if event], reader.rest()


def meaning(events):
    named = [(name_of(event).decode(), data_of(event).decode()) for event in events]
    return [event for event in named if any(event)]


@every_stream
@every_line_end
def test_all_ways_to_split_give_the_same_events(stream, end):
    stream = lines_end_with(stream, end)
    _, expected, _ = read([stream])
    for pieces in splits(stream):
        passed, events, rest = read(pieces)
        assert events == expected
        assert b"".join(passed) + rest == stream


@every_stream
@every_line_end
def test_the_sdk_sees_in_what_is_passed_what_it_sees_in_the_original(stream, end):
    stream = lines_end_with(stream, end)
    expected = sdk_decodes([stream])
    assert expected
    for pieces in splits(stream):
        passed, events, rest = read(pieces)
        assert sdk_decodes([*passed, rest]) == expected
        assert meaning(events) == expected


WORDS = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=5)
NAMES = st.sampled_from(["event", "data", "id", "retry", "unknown", "", " data", "data "])
LINES = st.just("") | st.builds("{}{}{}".format, NAMES, st.sampled_from([":", ": ", ":  ", ""]), WORDS)


@given(
    lines=st.lists(st.tuples(LINES, st.sampled_from(["\n", "\n", "\r\n", "\r"])), max_size=25),
    places=st.lists(st.integers(0, 10_000), max_size=20),
)
@settings(deadline=None, max_examples=500)
def test_events_are_the_sdks_whatever_the_lines_and_however_they_are_split(lines, places):
    stream = "".join(line + end for line, end in lines).encode()
    if stream.startswith(BOM):
        return
    passed, events, rest = read(cut_at(stream, places))
    assert b"".join(passed) + rest == stream
    assert meaning(events) == meaning(read([stream])[1]) == sdk_decodes([stream]) == sdk_decodes([*passed, rest])


@given(
    name=st.sampled_from(sorted(STREAMS)),
    end=st.sampled_from(list(LINE_ENDS.values())),
    places=st.lists(st.integers(0, 10_000), max_size=60),
)
@settings(deadline=None, max_examples=300)
def test_many_pieces_give_the_same_events(name, end, places):
    stream = lines_end_with(STREAMS[name], end)
    assert read(cut_at(stream, places))[1] == read([stream])[1]


@every_line_end
def test_an_event_passes_in_the_read_that_brings_its_last_line_end(end):
    stream = lines_end_with(b"event: a\ndata: 1\n\n", end)
    whole = len(stream) - (stream.endswith(b"\r\n"))  # of `\r\n`, the first byte ends the line
    passed, events, rest = read([stream[: whole - 1], stream[whole - 1 : whole]])
    assert passed == [b"", stream[:whole]]
    assert (len(events), rest) == (1, b"")


@every_line_end
def test_a_byte_order_mark_is_taken_away_however_it_is_split(end):
    stream = lines_end_with(STREAMS["text"], end)
    for pieces in splits(BOM + stream):
        passed, events, rest = read(pieces)
        assert b"".join(passed) + rest == stream
        assert meaning(events) == sdk_decodes([stream])


@pytest.mark.parametrize("begin", [BOM[:1], BOM[:2], BOM[:2] + b"x", b"", BOM[1:]])
def test_what_only_begins_like_a_byte_order_mark_is_data(begin):
    stream = begin + b": comment\n\ndata: x\n\n"
    for pieces in splits(stream):
        passed, _, rest = read(pieces)
        assert b"".join(passed) + rest == stream


def test_a_byte_order_mark_in_the_middle_is_data():
    stream = b"data: x\n\n" + BOM + b"data: y\n\n"
    assert b"".join(read([stream])[0]) == stream


def test_empty_pieces_change_nothing():
    stream = STREAMS["text"]
    pieces = [b"", *(stream[index : index + 7] for index in range(0, len(stream), 7)), b""]
    with_empty = [part for piece in pieces for part in (piece, b"")]
    assert read(with_empty)[1] == read([stream])[1]


@pytest.fixture
def looked_at(monkeypatch):
    """The number of bytes that were searched, cut or joined."""
    counts = []

    def counted(function, size):
        def wrapped(given):
            result = function(given)
            counts.append(size(given, result))
            return result

        return wrapped

    monkeypatch.setattr(sse, "_holds_an_end", counted(sse._holds_an_end, lambda data, _: len(data)))
    monkeypatch.setattr(sse, "_cut", counted(sse._cut, lambda data, _: len(data)))
    monkeypatch.setattr(EventReader, "rest", counted(EventReader.rest, lambda _, rest: len(rest)))
    return lambda: sum(counts)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(("size", "step"), [(10 * MB, 16 * 1024), (20_000, 1), (20_000, 2)])
def test_the_cost_of_one_long_event_grows_with_its_length_only(looked_at, size, step, end):
    stream = lines_end_with(wire(*text_block(0, "x" * size)), end)
    pieces = [stream[index : index + step] for index in range(0, len(stream), step)]
    passed, events, _ = read(pieces)
    assert b"".join(passed).rstrip(b"\r\n") == stream.rstrip(b"\r\n")
    assert len(events) == 3
    per_piece = 8  # the few bytes of earlier pieces that are looked at again
    assert len(stream) <= looked_at() < 4 * len(stream) + per_piece * len(pieces)


@pytest.mark.parametrize(
    ("data", "is_object"),
    [(b"{}", True), (b"  {", True), (b"", False), (b"[]", False), (b'"{"', False), (b"Bad gateway", False)],
)
def test_data_looks_like_an_object_by_its_first_character(data, is_object):
    assert holds_an_object(b"event: x\ndata: " + data + b"\n\n") is is_object


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none(), max_size=4))
def test_an_event_that_is_written_here_is_read_by_the_sdk(data):
    data = {**data, "type": "message_delta"}
    written = event(data)
    ((name, text),) = sdk_decodes([written])
    assert (name, sse.json.loads(text)) == ("message_delta", data)
    assert read([written])[1] == [written.strip()]
