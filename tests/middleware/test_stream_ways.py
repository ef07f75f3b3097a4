"""Every way to ask for a stream, to send one and to read one: guarded alike, and otherwise as without us."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import anthropic
import httpx2
import pydantic
import pytest
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, policy, weather_tool
from stream_callers import streams_of
from stream_lab import CUT, EVENTS, OVERLOADED, frames, raw_upstream

import failover

ONCE = policy(retry=NO_REPEAT)
GOOD = frames(FIRST)
TEXT = (GOOD.start, GOOD.block, GOOD.deltas[0])
BEFORE_CONTENT = {"error_event": "overloaded_error", "after_events": 0}
SILENCE = 30.0
OF_EVENTS = {"content-type": EVENTS}


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def upstream():
    with raw_upstream() as upstream:
        yield upstream


@pytest.fixture
def caller(connect):
    return connect(ONCE)


@pytest.fixture
def streams(caller):
    return streams_of(caller)


@pytest.fixture(params=[False, True], ids=["all is well", "broken before its first content"])
def served(request, fake_claude):
    """Who answers a stream: the first model, or the second after the first's stream broke."""
    if request.param:
        fake_claude.fail(FIRST, **BEFORE_CONTENT)
    return SECOND if request.param else FIRST


class TestEachWayToAsk:
    @pytest.mark.parametrize("path", ["messages.create", "beta.messages.create"])
    def test_create(self, streams, served, path):
        reading, stream = streams.read(path)
        assert (reading.error, reading.text) == (None, f"Hello from {served}.")
        assert reading.events.count("message_start") == 1
        assert failover.route(stream).served_model == served

    @pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
    def test_stream(self, caller, streams, served, path):
        text, route = caller.stream(path)
        assert (text, route.served_model) == (f"Hello from {served}.", served)
        message = streams.final(path)
        assert (message.model, message.stop_reason, message.content[0].text) == (served, "end_turn", text)

    @pytest.mark.parametrize("path", ["messages.stream", "beta.messages.stream"])
    def test_stream_with_structured_output(self, streams, served, path):
        message = streams.final(path, output_format=City)
        assert (message.model, message.parsed_output) == (served, City(name="text", people=1))

    def test_the_bytes_of_a_streamed_response(self, streams, served):
        events, error = streams.wire()
        assert error is None
        assert _text(events.decode()) == f"Hello from {served}."

    def test_the_lines_of_a_streamed_response(self, streams, served):
        lines, error = streams.wire(by="iter_lines")
        assert error is None
        assert _text(lines) == f"Hello from {served}."

    def test_the_events_of_a_streamed_response(self, streams, served):
        assert streams.parsed().text == f"Hello from {served}."

    @pytest.mark.parametrize("path", ["messages", "beta.messages"])
    def test_the_events_of_a_raw_response(self, caller, streams, served, path):
        response = caller.call(f"{path}.with_raw_response.create", **CALL, stream=True)
        assert failover.route(response).outcome == "streaming"
        assert response.request_id == failover.route(response).request_ids[-1]
        assert streams.rest(caller.parsed(response)).text == f"Hello from {served}."
        assert failover.route(response).served_model == served

    def test_the_tool_runner(self, caller, streams, served):
        with failover.recording() as routes:
            first, last = streams.run_tools(weather_tool(asynchronous=caller.asynchronous), thread=False)
        assert (first.stop_reason, first.content[0].input) == ("tool_use", {"city": "text"})
        assert last.content[0].text == f"Hello from {served}."
        assert [route.served_model for route in routes] == [served] * 2

    def test_a_client_with_other_options(self, caller, streams, served):
        caller.client = caller.client.with_options(timeout=5, default_headers={"x-own": "1"})
        assert streams.read()[0].text == f"Hello from {served}."

    def test_the_time_that_it_took_can_be_asked_for(self, streams, served):
        """As the SDK's own responses have it, once they have been read."""
        _, stream = streams.read()
        assert timedelta(0) < stream.response.elapsed < timedelta(seconds=30)


def _text(lines):
    """The text in the lines of an event stream."""
    data = [json.loads(line.removeprefix("data: ")) for line in lines.splitlines() if line.startswith("data: ")]
    return "".join(event["delta"]["text"] for event in data if event["type"] == "content_block_delta")


class TestOnTheWay:
    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    class TestCompressed:
        def test_a_stream_is_read_and_passed_on_decoded(self, fake_claude, streams, coding):
            fake_claude.fail(FIRST, **BEFORE_CONTENT, encoding=coding)
            fake_claude.fail(SECOND, encoding=coding)
            reading, stream = streams.read()
            assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")
            assert "content-encoding" not in stream.response.headers

        def test_its_events_come_one_by_one(self, caller, fake_claude, coding):
            fake_claude.fail(FIRST, stall=30, after_events=1, encoding=coding)
            assert caller.first_text() == "Hello "

        @pytest.mark.parametrize("after_events", [0, 1])
        def test_a_cut_is_a_lost_connection(self, fake_claude, streams, coding, after_events):
            fake_claude.fail(FIRST, cut=True, after_events=after_events, encoding=coding)
            reading, stream = streams.read()
            assert type(reading.error) is (anthropic.APIConnectionError if after_events else type(None))
            assert failover.route(stream).attempts[0].error_type == "connection_error"

        def test_an_error_event_after_text_is_typed(self, fake_claude, streams, coding):
            fake_claude.fail(FIRST, error_event="overloaded_error", encoding=coding)
            assert type(streams.read()[0].error) is anthropic.OverloadedError

    def test_a_proxy_that_holds_it_all_back_changes_nothing(self, fake_claude, streams):
        fake_claude.fail("*", buffered=True)
        assert streams.read()[0].text == f"Hello from {FIRST}."

    def test_what_broke_behind_a_proxy_that_holds_it_back_is_still_broken(self, fake_claude, streams):
        fake_claude.fail(FIRST, error_event="overloaded_error", after_events=0, buffered=True)
        assert streams.read()[0].text == f"Hello from {SECOND}."
        fake_claude.fail(FIRST, end_without_stop=True, buffered=True)
        assert type(streams.read()[0].error) is failover.StreamTruncated

    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_events_split_anywhere_by_the_network(self, connect, upstream, size):
        whole = b"".join(GOOD.whole)
        upstream.answers(FIRST, *[whole[start : start + size] for start in range(0, len(whole), size)])
        reading, stream = streams_of(connect(ONCE, url=upstream.url)).read()
        assert (reading.error, reading.text) == (None, f"Hello from {FIRST}.")
        assert failover.route(stream).outcome == "primary"

    @pytest.mark.parametrize("ends", [b"\r\n", b"\r"])
    def test_other_ends_of_lines(self, connect, upstream, ends):
        upstream.answers(FIRST, GOOD.start.replace(b"\n", ends), OVERLOADED.replace(b"\n", ends))
        upstream.answers(SECOND, *[frame.replace(b"\n", ends) for frame in frames(SECOND).whole])
        reading, _ = streams_of(connect(ONCE, url=upstream.url)).read()
        assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")

    def test_bodies_that_a_transport_has_read_already(self, connect):
        broken, whole = b"".join((GOOD.start, OVERLOADED)), b"".join(frames(SECOND).whole)

        def answer(request):
            body = broken if json.loads(request.content)["model"] == FIRST else whole
            return httpx2.Response(200, headers=OF_EVENTS, content=body)

        reading, stream = streams_of(connect(ONCE, answer=answer)).read()
        assert (reading.error, reading.text) == (None, f"Hello from {SECOND}.")
        assert failover.route(stream).outcome == "fallback"


class TestTheConnection:
    def test_serves_the_next_request_after_a_whole_stream(self, connect, upstream):
        streams = streams_of(connect(ONCE, url=upstream.url))
        for _ in range(3):
            assert streams.read()[0].error is None
        assert len(set(upstream.connections)) == 1

    def test_serves_the_next_model_after_a_stream_that_ended_in_good_order_before_its_content(self, connect, upstream):
        upstream.answers(FIRST, GOOD.start)
        assert streams_of(connect(ONCE, url=upstream.url)).read()[0].text == f"Hello from {SECOND}."
        assert len(set(upstream.connections)) == 1

    def test_is_given_up_with_a_stream_that_is_closed_early(self, connect, upstream):
        upstream.answers(FIRST, *TEXT, SILENCE)
        caller = connect(ONCE, url=upstream.url)
        streams = streams_of(caller)
        stream = streams.open()
        streams.close(stream)
        assert streams.read(model=SECOND)[0].error is None
        assert len(set(upstream.connections)) == 2

    def test_keeps_no_time_out_of_the_stream_before_it(self, connect, upstream):
        streams = streams_of(connect(ONCE, url=upstream.url))
        assert streams.read(timeout=0.3)[0].error is None
        upstream.answers(FIRST, *GOOD.whole[:3], 0.6, *GOOD.whole[3:])
        assert streams.read(timeout=10)[0].error is None
        assert streams.read(timeout=10)[0].error is None
        assert type(streams.read(timeout=0.3)[0].error) is anthropic.APITimeoutError
        assert len(set(upstream.connections)) == 1

    def test_is_as_it_was_once_the_body_is_over(self, fake_claude, streams):
        """Its reads are ours only as long as somebody reads this body."""
        fake_claude.fail(FIRST, stall=0.3)
        stream = streams.open()
        connection = stream.response.extensions["network_stream"]
        assert "read" in vars(connection)
        streams.rest(stream)
        assert "read" not in vars(connection)

    def test_keeps_the_limit_of_its_stream_when_the_one_before_it_is_closed_once_more(self, connect, upstream):
        patient = policy(retry=NO_REPEAT, stream={"idle": "300ms"})
        streams = streams_of(connect(patient, url=upstream.url))
        stream = streams.open()
        connection = stream.response.extensions["network_stream"]
        streams.rest(stream)
        upstream.answers(FIRST, *TEXT, SILENCE)
        silent = streams.open()
        assert silent.response.extensions["network_stream"] is connection
        streams.close(stream)
        assert "read" in vars(connection)
        assert type(streams.rest(silent).error) is anthropic.APITimeoutError

    @pytest.mark.parametrize("before", [None, (GOOD.start,)], ids=["whole", "broken before its content"])
    def test_gives_a_plain_request_after_a_stream_its_own_time_out(self, connect, upstream, before):
        patient = policy(retry=NO_REPEAT, stream={"first_event": "20s", "idle": "20s"})
        caller = connect(patient, url=upstream.url, timeout=10)
        if before:
            upstream.answers(FIRST, *before)
        streams_of(caller).read()
        for model in (FIRST, SECOND):
            upstream.answers(model, SILENCE)
        assert type(caller.error(timeout=0.3)) is anthropic.APITimeoutError


class TestItsRoute:
    def test_says_streaming_until_its_end(self, fake_claude, streams, served):
        stream = streams.open()
        streams.take(stream, 3)
        route = failover.route(stream)
        assert (route.outcome, route.served_model, route.attempts[-1].error_type) == ("streaming", served, None)
        assert route.attempts[-1].seconds == route.attempts[-1].first_content
        assert len(route.attempts) == (1 if served == FIRST else 2)
        streams.rest(stream)
        after = failover.route(stream)
        assert after.outcome == ("primary" if served == FIRST else "fallback")
        assert after.request_ids == route.request_ids

    def test_is_recorded_where_the_call_was_made_although_another_thread_reads_it(self, streams, served):
        with failover.recording() as routes:
            stream = streams.open()
            assert routes == []
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(streams.rest, stream).result(10).error is None
        assert [route.served_model for route in routes] == [served]
        assert routes[0] is failover.route(stream)

    def test_is_recorded_once_although_it_is_closed_after_its_end(self, streams, served):
        with failover.recording() as routes:
            _, stream = streams.read()
            streams.close(stream)
        assert len(routes) == 1


class TestReaders:
    def test_two_streams_take_turns_in_one(self, streams, served):
        one, other = streams.open(), streams.open(model=SECOND)
        texts = ["", ""]
        for _ in range(len(GOOD.whole)):
            for index, stream in enumerate((one, other)):
                texts[index] += streams.take(stream, 1).text
        assert texts == [f"Hello from {served}.", f"Hello from {SECOND}."]

    def test_many_streams_are_read_at_once(self, fake_claude, streams):
        fake_claude.fail(FIRST, **BEFORE_CONTENT, times=4)
        with ThreadPoolExecutor(8) as pool:
            readings = [future.result(30) for future in [pool.submit(streams.read) for _ in range(16)]]
        assert [reading.error for reading, _ in readings] == [None] * 16
        for reading, stream in readings:
            assert reading.text == f"Hello from {failover.route(stream).served_model}."
        assert [reading.text for reading, _ in readings].count(f"Hello from {SECOND}.") == 4

    def test_hand_one_stream_on_from_thread_to_thread(self, streams, served):
        """For an async client: from task to task."""
        texts = ""
        stream = _in_a_thread(streams.open)
        for _ in range(4):
            texts += _in_a_thread(streams.take, stream, 2).text
        reading = _in_a_thread(streams.rest, stream)
        assert (reading.error, texts + reading.text) == (None, f"Hello from {served}.")

    def test_hand_on_a_stream_that_breaks(self, connect, upstream):
        upstream.answers(FIRST, *TEXT, CUT)
        streams = streams_of(connect(ONCE, url=upstream.url))
        with failover.recording() as routes:
            stream = streams.open()
            _in_a_thread(streams.take, stream, 3)
            error = _in_a_thread(streams.rest, stream).error
        assert type(error) is anthropic.APIConnectionError
        assert routes == [failover.route(error)]


def _in_a_thread(work, *arguments):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result(30)
