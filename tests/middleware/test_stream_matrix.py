"""What becomes of a stream for each fault: as the SDK alone shows it, and guarded. The README shows the same table."""

from __future__ import annotations

import json
import pathlib
from typing import NamedTuple

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from sdk_callers import FIRST, NO_REPEAT, SECOND, policy, reply
from stream_callers import streams_of
from stream_lab import CUT, EVENTS, OVERLOADED, REQUEST_ID, Answer, frames, raw_upstream

import failover
from failover.testing.payloads import error_body, error_event

GOOD = frames(FIRST)
STARTED = (GOOD.start, GOOD.block)
TEXT = (*STARTED, GOOD.deltas[0])
NOT_JSON = b"event: content_block_delta\ndata: upstream connect error\n\n"
SILENCE = 30.0
"""Seconds; whoever waits has given up long before."""
README = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
HIDDEN = "nothing of it: another try or model answers"


class Row(NamedTuple):
    """One fault, in words and as it is sent."""

    fault: str
    alone: str
    """What the SDK alone shows a program."""
    guarded: str
    """What it gets with failover."""
    answer: Answer
    raises_alone: type[Exception] | None
    """`None`: the stream seems to end well."""
    raises_guarded: type[anthropic.APIError] | None
    """`None`: another model answers."""
    error_type: str
    """What the circuit and the route call it."""

    @property
    def timeout(self) -> float:
        """The client's: short where it is what ends a silence, else too long to matter."""
        return 0.3 if SILENCE in self.answer.pieces else 10


def answer(*pieces, status=200, kind=EVENTS):
    return Answer(pieces, status, kind)


FAILED_500 = answer(
    json.dumps(error_body("api_error", None, request_id=REQUEST_ID)).encode(), status=500, kind="application/json"
)
A_PAGE = answer(b"<html><body>Bad Gateway</body></html>", kind="text/html")
PLAIN_JSON = answer(json.dumps(reply(FIRST)).encode(), kind="application/json")
SERVER_ERROR, STATUS_ERROR = anthropic.InternalServerError, anthropic.APIStatusError
BROKEN, TIMED_OUT = httpx2.RemoteProtocolError, httpx2.ReadTimeout
LOST, SLOW, HALF = anthropic.APIConnectionError, anthropic.APITimeoutError, failover.StreamTruncated

MATRIX = (
    Row("HTTP 500", "`InternalServerError`", HIDDEN, FAILED_500, SERVER_ERROR, None, "api_error"),
    Row("a proxy's HTML page", "nothing, silently", HIDDEN, A_PAGE, None, None, "malformed_response"),
    Row("a JSON body", "nothing, silently", HIDDEN, PLAIN_JSON, None, None, "malformed_response"),
    Row(
        "`error` as first event",
        "`APIStatusError`, status 200",
        HIDDEN,
        answer(OVERLOADED),
        STATUS_ERROR,
        None,
        "overloaded_error",
    ),
    Row(
        "`message_start`, then `error`",
        "`APIStatusError`, status 200",
        HIDDEN,
        answer(*STARTED, OVERLOADED),
        STATUS_ERROR,
        None,
        "overloaded_error",
    ),
    Row(
        "`message_start`, then a cut",
        "`httpx2.RemoteProtocolError`",
        HIDDEN,
        answer(*STARTED, CUT),
        BROKEN,
        None,
        "connection_error",
    ),
    Row(
        "`message_start`, then the end",
        "nothing, silently",
        HIDDEN,
        answer(*STARTED),
        None,
        None,
        "stream_truncated",
    ),
    Row(
        "`message_start`, then silence",
        "`httpx2.ReadTimeout`",
        HIDDEN,
        answer(*STARTED, SILENCE),
        TIMED_OUT,
        None,
        "client_timeout_error",
    ),
    Row(
        "`message_start`, then no JSON",
        "`json.JSONDecodeError`",
        HIDDEN,
        answer(*STARTED, NOT_JSON),
        json.JSONDecodeError,
        None,
        "malformed_response",
    ),
    Row(
        "text, then `error`",
        "`APIStatusError`, status 200",
        "`OverloadedError`, status 529",
        answer(*TEXT, OVERLOADED),
        STATUS_ERROR,
        anthropic.OverloadedError,
        "overloaded_error",
    ),
    Row(
        "text, then a cut",
        "`httpx2.RemoteProtocolError`",
        "`APIConnectionError`",
        answer(*TEXT, CUT),
        BROKEN,
        LOST,
        "connection_error",
    ),
    Row(
        "text, then the end, no `message_stop`",
        "half an answer, silently",
        "`failover.StreamTruncated`",
        answer(*TEXT),
        None,
        HALF,
        "stream_truncated",
    ),
    Row(
        "text, then half an event",
        "half an answer, silently",
        "`failover.StreamTruncated`",
        answer(*TEXT, GOOD.deltas[1][:60]),
        None,
        HALF,
        "stream_truncated",
    ),
    Row(
        "text, then silence",
        "`httpx2.ReadTimeout`",
        "`APITimeoutError`",
        answer(*TEXT, SILENCE),
        TIMED_OUT,
        SLOW,
        "client_timeout_error",
    ),
    Row(
        "text, then no JSON",
        "`json.JSONDecodeError`",
        "`APIConnectionError`",
        answer(*TEXT, NOT_JSON),
        json.JSONDecodeError,
        LOST,
        "malformed_response",
    ),
)
"""Every way in which a stream fails, before its first content and after it."""

ALL = pytest.mark.parametrize("row", [pytest.param(row, id=row.fault) for row in MATRIX])
HIDDEN_ROWS, SHOWN_ROWS = (
    pytest.mark.parametrize(
        "row", [pytest.param(row, id=row.fault) for row in MATRIX if wanted == (row.guarded == HIDDEN)]
    )
    for wanted in (True, False)
)


@pytest.fixture
def upstream():
    with raw_upstream() as upstream:
        yield upstream


@pytest.fixture
def streams(connect, upstream):
    """Makes words for a client, bare or guarded, whose first model fails as a row says."""

    def streams(row, *, wrapped=True):
        upstream.answers(FIRST, *row.answer.pieces, status=row.answer.status, kind=row.answer.kind)
        options = {"url": upstream.url, "timeout": row.timeout, "max_retries": 0}
        return streams_of(connect(policy(retry=NO_REPEAT), wrapped=wrapped, **options))

    return streams


@ALL
def test_the_sdk_alone(streams, row):
    reading, _ = streams(row, wrapped=False).read()
    assert type(reading.error) is (row.raises_alone or type(None))
    assert getattr(reading.error, "status_code", None) == {SERVER_ERROR: 500, STATUS_ERROR: 200}.get(row.raises_alone)
    assert "message_stop" not in reading.events


@ALL
def test_the_table_names_what_is_raised(row):
    for words, raised in ((row.alone, row.raises_alone), (row.guarded, row.raises_guarded)):
        assert (raised is None) == (words == HIDDEN or "silently" in words)
        assert raised is None or f"{raised.__name__}`" in words


@HIDDEN_ROWS
def test_before_the_first_content_another_model_answers_with_one_clean_stream(streams, row):
    wire, error = streams(row).wire()
    assert error is None
    assert wire == b"".join(frames(SECOND).whole)
    assert wire.count(b"event: message_start") == 1


@HIDDEN_ROWS
def test_before_the_first_content_the_route_alone_tells_of_it(streams, row):
    reading, stream = streams(row).read()
    assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")
    assert (reading.events[0], reading.events[-1]) == ("message_start", "message_stop")
    route = failover.route(stream)
    assert (route.outcome, route.served_model) == ("fallback", SECOND)
    assert [attempt.error_type for attempt in route.attempts] == [row.error_type, None]
    assert [attempt.first_content is None for attempt in route.attempts] == [True, False]
    assert route.request_ids == (REQUEST_ID,) * 2


@SHOWN_ROWS
def test_after_it_the_reader_gets_all_that_came_and_then_the_error(streams, row):
    wire, error = streams(row).wire()
    assert wire == b"".join(TEXT)
    assert type(error) is row.raises_guarded


@SHOWN_ROWS
@pytest.mark.parametrize(("path", "kind"), [("messages.create", Message), ("beta.messages.create", BetaMessage)])
def test_after_it_the_error_says_everything(streams, row, path, kind):
    reading, stream = streams(row).read(path)
    error = reading.error
    assert type(error) is row.raises_guarded
    assert reading.text == "Hello "
    assert getattr(error, "status_code", None) != 200
    assert error.request_id == REQUEST_ID
    route = failover.route(error)
    assert route is failover.route(stream)
    assert (route.outcome, route.served_model) == ("interrupted", None)
    (attempt,) = route.attempts
    assert (attempt.model, attempt.status, attempt.error_type) == (FIRST, 200, row.error_type)
    assert attempt.first_content is not None
    partial = failover.partial_message(error)
    assert type(partial) is kind
    assert ([block.text for block in partial.content], partial.stop_reason) == (["Hello "], None)
    assert any("interrupted" in note for note in error.__notes__)


@SHOWN_ROWS
def test_after_it_a_message_stream_raises_the_same(connect, upstream, row):
    upstream.answers(FIRST, *row.answer.pieces)
    caller = connect(policy(retry=NO_REPEAT), url=upstream.url, timeout=row.timeout)
    with pytest.raises(row.raises_guarded) as raised:
        caller.stream()
    assert failover.partial_message(raised.value).content[0].text == "Hello "


@pytest.mark.parametrize(
    ("error_type", "kind", "status"),
    [
        ("overloaded_error", anthropic.OverloadedError, 529),
        ("api_error", anthropic.InternalServerError, 500),
        ("timeout_error", anthropic.GatewayTimeoutError, 504),
        ("rate_limit_error", anthropic.RateLimitError, 429),
        ("invalid_request_error", anthropic.BadRequestError, 400),
        ("something_new", anthropic.InternalServerError, 500),
    ],
)
def test_an_error_event_after_text_raises_the_error_that_its_type_has_as_a_status(streams, error_type, kind, status):
    event = error_event(error_type, "words of the API", request_id=REQUEST_ID)
    row = MATRIX[-1]._replace(answer=answer(*TEXT, event))
    error = streams(row).read()[0].error
    assert type(error) is kind
    assert (error.status_code, error.type, error.request_id) == (status, error_type, REQUEST_ID)
    assert "words of the API" in str(error)
    assert failover.route(error).attempts[0].error_type == error_type


@pytest.mark.parametrize("row", [pytest.param(row, id=row.fault) for row in MATRIX if "a cut" in row.fault])
def test_a_lost_connection_is_tried_again_at_the_same_model_while_nothing_of_it_was_given(connect, upstream, row):
    upstream.answers(FIRST, *row.answer.pieces)
    reading, stream = streams_of(connect(url=upstream.url)).read()
    route = failover.route(stream)
    hidden = row.guarded == HIDDEN
    assert [attempt.model for attempt in route.attempts] == ([FIRST, FIRST, SECOND] if hidden else [FIRST])
    assert (reading.error is None) == hidden


def test_when_every_model_breaks_before_its_first_content_the_error_is_the_first_models(connect, upstream):
    upstream.answers(FIRST, *STARTED, OVERLOADED)
    upstream.answers(SECOND, GOOD.start, CUT)
    reading, _ = streams_of(connect(policy(retry=NO_REPEAT), url=upstream.url)).read()
    assert type(reading.error) is anthropic.OverloadedError
    assert (reading.error.status_code, reading.events) == (529, [])
    route = failover.route(reading.error)
    assert (route.outcome, len(route.attempts)) == ("exhausted", 2)
    assert failover.partial_message(reading.error) is None


@pytest.mark.parametrize("row", MATRIX, ids=[row.fault for row in MATRIX])
def test_the_readme_says_the_same(row):
    assert f"| {row.fault} | {row.alone} | {row.guarded} |\n" in README
