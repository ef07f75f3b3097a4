"""What happens to a good answer on its way: pings in its silences, compression, a proxy that buffers."""

from __future__ import annotations

import itertools
import zlib

import httpx2
import pytest
from fake_lab import CALL, IMPATIENT, ask, events_in, exchange, post, shown

from failover.testing import FakeClaude, Fault

WELL = "Hello from claude-opus-5-5. (end_turn)"
CUT_OFF = "Hello  (None)"
CONNECTION = "anthropic.APIConnectionError"
BROKEN = "httpx2.RemoteProtocolError"
NOT_JSON = "json.decoder.JSONDecodeError"

both_clients = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])

LETTERS = {
    "message_start": "m",
    "content_block_start": "[",
    "content_block_delta": "d",
    "content_block_stop": "]",
    "ping": "p",
    "message_delta": "e",
    "message_stop": ".",
    "error": "!",
}


def letters(text):
    """A stream as one letter for each event."""
    return "".join(LETTERS[event["type"]] for event in events_in(text))


@pytest.mark.parametrize(
    ("rule", "stream", "slept"),
    [
        ({"first_token": 10}, "m[pddddd]e.", [10]),
        ({"first_token": 10, "ping_every": 4}, "mpp[pddddd]e.", [4, 4, 2]),
        ({"first_token": 10, "ping_every": 5}, "mp[pddddd]e.", [5, 5]),
        ({"first_token": 0.3, "ping_every": 0.1}, "mpp[pddddd]e.", [0.1, 0.1, 0.1]),
        ({"first_token": 10, "ping_every": 4, "delay": 60}, "mpp[pddddd]e.", [60, 4, 4, 2]),
        ({"stall": 5, "ping_every": 2}, "m[pdppdddd]e.", [2, 2, 1]),
        ({"stall": 5, "ping_every": 2, "after_events": 0}, "m[pppddddd]e.", [2, 2, 1]),
        ({"token_every": 3, "ping_every": 2}, "m[pdpdpdpdpdp]e.", [2, 1] * 5),
        ({"token_every": 1, "stall": 4, "after_events": 2, "ping_every": 2}, "m[pddppddd]e.", [1, 1, 1, 2, 1, 1, 1, 1]),
        ({"token_every": 1, "stall": 1, "ping_every": 1}, "m[pdpdddd]e.", [1, 0, 1, 1, 1, 1, 1]),
        ({"first_token": 10, "token_every": 1, "ping_every": 6}, "mp[pddddd]e.", [6, 4, 1, 1, 1, 1, 1]),
        ({"first_token": 5, "ping_every": 2, "error_event": "overloaded_error"}, "mpp[pd!", [2, 2, 1]),
    ],
    ids=str,
)  # fmt: skip
def test_pings_fill_the_silences_of_a_stream(fake_claude_on_fake_clock, fake_clock, rule, stream, slept):
    fake_claude_on_fake_clock.fail(**rule)
    assert letters(post(fake_claude_on_fake_clock, stream=True).text) == stream
    assert [seconds for seconds in fake_clock.slept if seconds] == pytest.approx([s for s in slept if s])


def test_an_answer_that_is_not_streamed_is_as_slow_and_has_no_pings(fake_claude_on_fake_clock, fake_clock):
    fake_claude_on_fake_clock.fail(first_token=10, stall=5, ping_every=1)
    assert post(fake_claude_on_fake_clock).json()["stop_reason"] == "end_turn"
    assert fake_clock.slept == [10, 5]


def test_speed_shortens_the_time_between_pings(fake_clock):
    with FakeClaude(clock=fake_clock, speed=20) as fake:
        fake.fail(first_token=10, ping_every=4)
        assert letters(post(fake, stream=True).text) == "mpp[pddddd]e."
        assert fake_clock.slept == pytest.approx([0.2, 0.2, 0.1])


def test_pings_come_while_the_rest_is_still_to_come(fake_claude):
    fake_claude.fail(first_token=60, ping_every=0.001)
    request = {"json": {**CALL, "stream": True}, "headers": {"x-api-key": "k"}}
    with httpx2.stream("POST", f"{fake_claude.url}/v1/messages", **request) as answer:
        text = ""
        for piece in answer.iter_text():
            text += piece
            if text.count("event: ping\n") > 3:
                break
    assert letters(text[: text.rindex("\n\n")]).startswith("mppp")


@both_clients
def test_the_sdk_reads_over_pings_and_they_keep_its_time_out_away(fake_claude, asynchronous):
    patience = 0.5  # more than a busy machine takes from one ping to the next
    fake_claude.fail(stall=0.75, ping_every=0.01)
    assert shown(fake_claude.url, stream=True, asynchronous=asynchronous, patience=patience) == WELL
    fake_claude.fail(stall=60)
    assert shown(fake_claude.url, stream=True, asynchronous=asynchronous, patience=patience) == "httpx2.ReadTimeout"


@pytest.mark.parametrize(
    ("accepted", "encoding", "sent"),
    [
        ("gzip, deflate", "gzip", "gzip"),
        ("gzip, deflate", "deflate", "deflate"),
        ("GZIP;q=0.5", "gzip", "gzip"),
        ("*", "deflate", "deflate"),
        ("br, *;q=0.1", "gzip", "gzip"),
        ("", "gzip", None),
        ("identity", "gzip", None),
        ("deflate", "gzip", None),
        ("gzip;q=0, deflate", "gzip", None),
        ("gzip; q=0.000, *", "gzip", None),
        ("*;q=0", "gzip", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_body_is_compressed_if_the_request_accepts_it(fake_claude, accepted, encoding, sent, stream):
    fake_claude.fail(encoding=encoding)
    answer = exchange(fake_claude, accepted, stream=stream)
    assert answer.headers.get("content-encoding") == sent
    assert answer.complete
    body = b"".join(answer.chunks)
    text = decoder(sent).decompress(body).decode() if sent else body.decode()
    assert text.startswith("event: message_start" if stream else '{"id": ')


def decoder(encoding):
    return zlib.decompressobj(zlib.MAX_WBITS + (16 if encoding == "gzip" else 0))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_each_event_can_be_decoded_as_soon_as_it_arrives(fake_claude, encoding):
    fake_claude.fail(encoding=encoding)
    decode = decoder(encoding)
    *events, end = exchange(fake_claude, encoding, stream=True).chunks
    texts = [decode.decompress(event).decode() for event in events]
    assert "".join(letters(text) for text in texts) == "m[pddddd]e."
    assert {len(letters(text)) for text in texts} == {1}
    assert decode.decompress(end) == b""
    assert decode.eof


@both_clients
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    ("fault", "plain", "streamed"),
    [
        ({}, WELL, WELL),
        ({"status": 529}, "anthropic.OverloadedError 529 overloaded_error", "anthropic.OverloadedError 529 overloaded_error"),
        ({"cut": True}, CONNECTION, BROKEN),
        ({"error_event": "overloaded_error"}, WELL, "anthropic.APIStatusError 200 overloaded_error"),
        ({"end_without_stop": True}, WELL, CUT_OFF),
        ({"malformed": "json"}, NOT_JSON, NOT_JSON),
        ({"malformed": "truncated"}, NOT_JSON, CUT_OFF),
        ({"malformed": "html"}, "text: <html>", "builtins.AssertionError"),
        ({"stall": 0.01}, WELL, WELL),
        ({"first_token": 0.01, "token_every": 0.001, "ping_every": 0.002}, WELL, WELL),
    ],
    ids=str,
)  # fmt: skip
def test_a_fault_is_the_same_in_a_compressed_body(fake_claude, fault, plain, streamed, encoding, asynchronous):  # noqa: PLR0917 - a row
    fake_claude.fail(encoding=encoding, **fault)
    assert exchange(fake_claude, "gzip, deflate", stream=True).headers["content-encoding"] == encoding
    assert shown(fake_claude.url, stream=False, asynchronous=asynchronous) == plain
    assert shown(fake_claude.url, stream=True, asynchronous=asynchronous) == streamed


def test_without_buffering_each_event_is_written_by_itself(fake_claude):
    assert len(exchange(fake_claude, stream=True).chunks) == len("m[pddddd]e.")


@pytest.mark.parametrize(
    ("rule", "stream", "complete"),
    [
        ({}, "m[pddddd]e.", True),
        ({"say": "Yes."}, "m[pd][ddddd]e.", True),
        ({"cut": True, "after_events": 3}, "m[pddd", False),
        ({"error_event": "api_error", "after_events": 2}, "m[pdd!", True),
        ({"end_without_stop": True}, "m[pd", True),
        ({"stall": 5, "ping_every": 2}, "m[pdppdddd]e.", True),
        ({"first_token": 5, "token_every": 1}, "m[pddddd]e.", True),
    ],
    ids=str,
)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_buffered_stream_comes_in_one_piece(fake_claude_on_fake_clock, rule, stream, complete, encoding):
    fake_claude_on_fake_clock.fail(buffered=True, **rule, **({"encoding": encoding} if encoding else {}))
    answer = exchange(fake_claude_on_fake_clock, "gzip", stream=True)
    (piece,) = answer.chunks
    assert letters((decoder(encoding).decompress(piece) if encoding else piece).decode()) == stream
    assert answer.complete == complete


@both_clients
@pytest.mark.parametrize(
    ("fault", "streamed"),
    [
        ({}, WELL),
        ({"encoding": "deflate"}, WELL),
        ({"cut": True}, BROKEN),
        ({"error_event": "overloaded_error"}, "anthropic.APIStatusError 200 overloaded_error"),
        ({"end_without_stop": True}, CUT_OFF),
        ({"malformed": "json"}, NOT_JSON),
        ({"malformed": "truncated"}, CUT_OFF),
        ({"stall": 0.01}, WELL),
    ],
    ids=str,
)
def test_the_sdk_shows_for_a_buffered_stream(fake_claude, fault, streamed, asynchronous):
    fake_claude.fail(buffered=True, **fault)
    assert shown(fake_claude.url, stream=True, asynchronous=asynchronous) == streamed


def test_the_headers_of_a_buffered_stream_come_at_once_and_nothing_else(fake_claude):
    fake_claude.fail(buffered=True, stall=60)
    request = {"json": {**CALL, "stream": True}, "headers": {"x-api-key": "k"}, "timeout": IMPATIENT}
    received = []
    with httpx2.stream("POST", f"{fake_claude.url}/v1/messages", **request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        with pytest.raises(httpx2.ReadTimeout):
            received.extend(answer.iter_raw())
    assert received == []


def test_a_rule_that_buffers_leaves_plain_requests_to_the_next_rule(fake_claude):
    fake_claude.fail(status=500)
    fake_claude.fail(buffered=True)
    assert [post(fake_claude).status_code, post(fake_claude, stream=True).status_code] == [500, 200]
    fake_claude.script("claude-opus-5-5", [Fault(buffered=True)])
    assert ask(fake_claude.url, stream=False).stop_reason == "end_turn"


def test_what_was_written_before_a_cut_arrives_however_much_it_is(fake_claude):
    fake_claude.fail(buffered=True, cut=True, say="word, " * 40_000, after_events=40_000)
    answer = exchange(fake_claude, stream=True, receive_buffer=4096)
    assert not answer.complete
    (piece,) = answer.chunks
    assert piece.count(b"event: content_block_delta\n") == 40_000


def test_ways_of_answering_go_together(fake_claude):
    fake_claude.fail(say="Let me look.", encoding="gzip", buffered=True)
    for asynchronous, more in itertools.product([False, True], [{}, {"thinking": {"type": "adaptive"}}]):
        message = ask(fake_claude.url, stream=True, asynchronous=asynchronous, **more)
        assert [block.text for block in message.content if block.type == "text"] == [
            "Let me look.",
            "Hello from claude-opus-5-5.",
        ]
