"""How long a stream may be silent: counted while somebody waits, and not while the program is busy with what it got."""

from __future__ import annotations

import pytest
from event_lab import FINISH, PING, block, delta, final, start, text_block, tool_block, wire

from failover.policy.stream import StreamRules
from failover.stream.listening import Listening, Patience
from failover.testing.clock import FakeClock

FOREVER = float("inf")
TEXT = text_block(0, "x", ends=False)
MORE = delta(0, "text_delta", text="x")
THINK = block(0, {"type": "thinking", "thinking": "", "signature": ""}, ends=False)
REDACTED = block(0, {"type": "redacted_thinking", "data": "x"}, ends=False)
SEARCH = tool_block(0, ends=False, kind="server_tool_use")
BLOCK_END = {"type": "content_block_stop", "index": 0}


class Reader:
    """Reads a stream on a clock that is moved by hand."""

    def __init__(self, *, sent_ago=0.0, until=None, longest_read=None, to_the_end=False, **rules):
        self.clock = FakeClock()
        now = self.clock.now()
        rules = StreamRules(**{"first_event": 100.0, "idle": 10.0, **rules})
        self.patience = Patience(
            rules,
            self.clock.now,
            sent_at=now - sent_ago,
            until=FOREVER if until is None else now + until,
            longest_read=longest_read,
            to_the_end=to_the_end,
        )
        self.ear = Listening(self.patience)

    def reads(self, *events, after=0.0):
        """A read that brings these events after a while."""
        self.patience.next_read()
        self.clock.advance(after)
        self.ear.feed(wire(*events))
        return self

    def is_busy(self, seconds):
        self.clock.advance(seconds)
        return self

    @property
    def may_wait(self):
        return self.patience.next_read()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 100),
        ({"sent_ago": 30}, 70),
        ({"sent_ago": 100}, 0),
        ({"sent_ago": 130}, -30),
        ({"first_event": None}, None),
        ({"first_event": None, "sent_ago": 30}, None),
        ({"first_event": None, "idle": None}, None),
        # the client's own limit for one read
        ({"longest_read": 60}, 60),
        ({"longest_read": 600}, 100),
        ({"first_event": None, "longest_read": 60}, 60),
        ({"sent_ago": 70, "longest_read": 60}, 30),
        # the call's own deadline
        ({"until": 40}, 40),
        ({"until": 400}, 100),
        ({"until": -1}, -1),
        ({"until": 40, "longest_read": 20}, 20),
        ({"until": 40, "first_event": None}, 40),
    ],
)
def test_the_first_content_is_awaited_from_sending(options, expected):
    assert Reader(**options).may_wait == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], 60),
        ([start()], 60),
        ([start(), *text_block(0, ends=False)], 60),
        ([start(), PING], 60),
        ([start(), *tool_block(0, ends=False)], 60),
        ([b": comment\n\n"], 60),
        ([start(), *TEXT], 10),
        ([start(), final()], 10),
        ([start(), *text_block(0)], 10),
        ([start(), *THINK], 10),
        ([start(), *REDACTED], 10),
    ],
)
def test_only_content_or_the_beginning_of_thought_ends_the_wait_for_the_first(events, expected):
    assert Reader().reads(*events, after=40).may_wait == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], 6),
        ([PING], 6),
        ([b": comment\n\n"], 6),
        ([{"type": "news"}], 6),
        ([MORE], 10),
        ([b'event: content_block_delta\r\ndata: {"x": 1}\r\n\r\n'], 10),
        ([BLOCK_END], 10),
        (text_block(1, ends=False), 10),
        ([final()], 10),
    ],
)
def test_after_content_each_piece_of_it_starts_the_wait_anew(events, expected):
    assert Reader().reads(start(), *TEXT, after=40).reads(*events, after=4).may_wait == expected


@pytest.mark.parametrize("part", [b"event: content_block_delta\ndata: {", b"", b"\n"])
def test_bytes_that_complete_no_event_are_no_sign_of_life(part):
    reader = Reader().reads(start(), *TEXT)
    assert reader.reads(part, after=4).reads(part, after=5).may_wait == 1


def test_a_slow_reader_is_no_stall():
    reader = Reader().reads(start(), *TEXT).is_busy(1000)
    assert reader.may_wait == 10
    reader.reads(PING, after=4).is_busy(1000)
    assert reader.may_wait == 6
    assert reader.is_busy(1000).reads(MORE, after=5).is_busy(1000).may_wait == 10


def test_silence_is_summed_over_reads():
    reader = Reader().reads(start(), *TEXT)
    waits = [reader.reads(PING, after=3).may_wait for _ in range(4)]
    assert waits == [7, 4, 1, -2]


@pytest.mark.parametrize("option", [{"idle": None}, {"idle": None, "longest_read": None, "first_event": None}])
def test_off_means_no_limit(option):
    assert Reader(**option).reads(start(), *TEXT).reads(PING, after=10_000).may_wait is None


def test_the_clients_own_limit_is_for_each_read():
    reader = Reader(idle=None, longest_read=60).reads(start(), *TEXT)
    assert [reader.reads(PING, after=50).may_wait for _ in range(3)] == [60, 60, 60]


@pytest.mark.parametrize(
    ("pings", "before", "expected"),
    [
        # after 4 of 10 seconds of silence
        ("silence", [*TEXT], 6),
        ("silence", [*THINK, delta(0, "thinking_delta", thinking="x")], 6),
        ("silence", SEARCH, 6),
        ("thinking", [*TEXT], 6),
        ("thinking", [*THINK, delta(0, "thinking_delta", thinking="x")], 10),
        ("thinking", THINK, 10),
        ("thinking", REDACTED, 10),
        ("thinking", [*THINK, BLOCK_END, *text_block(1, "x", ends=False)], 6),
        ("thinking", [*THINK, BLOCK_END], 6),
        ("thinking", [*tool_block(0, "", ends=False)], 6),
        # the API runs a tool: from the beginning of its block until another begins
        ("thinking", SEARCH, 10),
        ("thinking", [*SEARCH, BLOCK_END], 10),
        ("thinking", [*SEARCH, BLOCK_END, *block(1, {"type": "web_search_tool_result", "content": []})], 6),
        ("thinking", tool_block(0, ends=False, kind="mcp_tool_use"), 10),
        ("life", [*TEXT], 10),
        ("life", THINK, 10),
    ],
)
def test_what_a_ping_says(pings, before, expected):
    assert Reader(pings=pings).reads(start(), *before).reads(PING, after=4).may_wait == expected


@pytest.mark.parametrize(("pings", "expected"), [("silence", 5), ("thinking", 5), ("life", 10)])
def test_what_a_ping_says_before_the_first_content(pings, expected):
    assert Reader(pings=pings).reads(start(), PING, after=95).may_wait == expected


@pytest.mark.parametrize("pings", ["silence", "thinking", "life"])
def test_a_ping_never_shortens_the_wait(pings):
    assert Reader(pings=pings).reads(start(), PING, after=1).may_wait == 99


def test_a_ping_without_limits_changes_nothing():
    assert Reader(pings="life", idle=None).reads(start(), PING, after=99).may_wait is None


@pytest.mark.parametrize("thought", [THINK, REDACTED, SEARCH])
def test_an_open_thought_lifts_the_calls_deadline(thought):
    reader = Reader(until=5, first_event=None).reads(start(), *thought, after=4)
    assert reader.may_wait == 10
    assert reader.reads(PING, after=9).may_wait == 10


@pytest.mark.parametrize("events", [[start()], [start(), PING], [start(), *text_block(0, ends=False)]])
def test_what_is_no_content_does_not_lift_the_calls_deadline(events):
    reader = Reader(until=5).reads(*events, after=4)
    assert reader.may_wait == 1
    assert reader.is_busy(1).may_wait == 0


def test_a_block_of_another_kind_puts_the_deadline_back_until_content_comes():
    reader = Reader(until=5).reads(start(), *THINK, after=4)
    assert reader.reads(*text_block(1, ends=False)).may_wait == 1
    assert reader.reads(delta(1, "text_delta", text="x")).is_busy(1000).may_wait == 10


def test_content_lifts_the_calls_deadline_for_good():
    reader = Reader(until=5).reads(start(), *TEXT, after=4).is_busy(1000)
    assert reader.may_wait == 10
    assert reader.reads(BLOCK_END, *text_block(1, ends=False)).may_wait == 10


class TestADeadlineToTheEnd:
    """Of a collected answer whose deadline is kept to the letter."""

    def test_is_not_lifted_by_content(self):
        reader = Reader(until=5, to_the_end=True).reads(start(), *TEXT, after=4)
        assert reader.may_wait == 1
        assert reader.reads(MORE, after=0.5).may_wait == 0.5
        assert reader.reads(MORE, after=0.5).may_wait == 0

    @pytest.mark.parametrize("thought", [THINK, REDACTED, SEARCH])
    def test_is_not_lifted_by_thought(self, thought):
        reader = Reader(until=5, to_the_end=True).reads(start(), *thought, after=4)
        assert reader.reads(PING, after=0.5).may_wait == 0.5

    def test_is_not_the_only_clock(self):
        assert Reader(until=50, to_the_end=True).reads(start(), *TEXT, after=4).may_wait == 10

    def test_may_be_off(self):
        assert Reader(idle=None, to_the_end=True).reads(start(), *TEXT, after=4).may_wait is None

    def test_spoils_no_message_that_is_complete(self):
        reader = Reader(until=5, to_the_end=True).reads(start(), *text_block(0, "x"), *FINISH, after=5)
        assert reader.may_wait == 0
        reader.ear.broke("stall")
        assert reader.ear.end == "complete"


COMPLETE = (start(), *text_block(0, "x"), *FINISH)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 1),
        ({"idle": None}, 1),
        ({"idle": None, "first_event": None}, 1),
        ({"idle": 0.25}, 0.25),
        ({"longest_read": 0.5}, 0.5),
        ({"longest_read": 60}, 1),
    ],
)
def test_a_body_that_does_not_end_after_its_message_is_waited_for_at_most_a_second(options, expected):
    reader = Reader(**options).reads(*COMPLETE)
    assert reader.may_wait == expected
    reader.ear.broke("stall")
    assert reader.ear.end == "complete"


@pytest.mark.parametrize("pings", ["silence", "thinking", "life"])
@pytest.mark.parametrize("piece", [PING, b": comment\n\n", b"data: [DONE]\n\n"])
def test_what_comes_after_a_message_makes_that_no_longer(pings, piece):
    reader = Reader(pings=pings).reads(*COMPLETE)
    waits = [reader.reads(piece, after=0.25).may_wait for _ in range(4)]
    assert waits == [0.75, 0.5, 0.25, 0]


def test_a_reader_that_is_slow_after_a_message_loses_nothing_of_that_second():
    assert Reader().reads(*COMPLETE).is_busy(1000).may_wait == 1
