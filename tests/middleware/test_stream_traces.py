"""The trace of a streamed call: an attempt lasts until its verdict, and what the program does meanwhile is its own."""

from __future__ import annotations

import contextvars
import logging
import threading

import anthropic
import pytest
from opentelemetry import trace
from sdk_callers import CALL, FIRST, NO_REPEAT, SECOND, Watcher, policy
from stream_reading import INTERRUPTIONS, SILENCE, read
from test_traces import RUN, SDKS_OWN, Trace

import failover
from failover.clock import SystemClock
from failover.events import ContentStarted

RESTART = {"on_interrupt": "restart", "idle": SILENCE}
WORDS = "swordfish"
"""What must be found nowhere but in the answer."""


@pytest.fixture
def traced(connect):
    """Makes a caller whose SDK and whose guard both export to one trace."""

    def traced(mode="raise", **options):
        record = Trace()
        stream = {"on_interrupt": mode, "idle": SILENCE}
        caller = connect(
            policy(retry=NO_REPEAT, stream={**stream, **options.pop("stream", {})}),
            tracer_provider=record.provider,
            open_telemetry={"tracer_provider": record.provider},
            **options,
        )
        return caller, record

    return traced


def attempts_of(record):
    return [span for span in record.spans if span.name.startswith("try ")]


def lines_of(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def broke_off(fake_claude, number):
    """The beginning of the line for a stream that was cut, the answer to that request."""
    request = fake_claude.requests[number - 1]
    model = request.body["model"]
    return f"{model} broke off in the middle of its answer (connection_error, request id {request.request_id}): "


def lost(fake_claude, attempts):
    """The line for a call that so many cuts have ended."""
    ids = ", ".join(request.request_id for request in fake_claude.requests)
    what = f"an answer broke off in the middle, for {FIRST}: {attempts} attempt{'' if attempts == 1 else 's'}"
    return f"{what} (connection_error, request id {ids})"


def in_its_program(caller, record, path="messages.stream"):
    """Read a stream as a program does that has a span of its own, and starts another one at each event."""
    tracer = record.provider.get_tracer("program")

    def current():
        tracer.start_span("work").end()
        return trace.get_current_span()

    if not caller.asynchronous:
        with tracer.start_as_current_span("chat") as chat, caller.client.messages.stream(**CALL) as stream:
            return chat, [current() for _ in stream]

    async def read_it():
        with tracer.start_as_current_span("chat") as chat:
            async with caller.client.messages.stream(**CALL) as stream:
                return chat, [current() async for _ in stream]

    return caller._portal.call(read_it)


class TestAnAnswer:
    def test_has_an_attempt_that_ends_with_its_verdict(self, traced, fake_claude):
        caller, record = traced(clock=SystemClock())
        fake_claude.fail(FIRST, token_every=0.02)
        read(caller)
        (attempt,) = attempts_of(record)
        (run,) = record.named(RUN)
        assert attempt.attributes["failover.verdict"] == "success"
        assert attempt.attributes["failover.stream.end"] == "complete"
        assert attempt.attributes["anthropic.request.id"] == fake_claude.requests[0].request_id
        seconds = (attempt.end_time - attempt.start_time) / 1e9
        assert 0 < attempt.attributes["failover.stream.first_content"] < seconds
        assert seconds > 0.08
        assert attempt.end_time <= run.end_time
        assert (run.attributes["failover.outcome"], run.attributes["failover.model.served"]) == ("primary", FIRST)

    @pytest.mark.parametrize("mode", ["raise", "restart"])
    def test_is_read_in_the_programs_own_span(self, traced, fake_claude, mode):
        caller, record = traced(mode)
        if mode == "restart":
            fake_claude.fail(FIRST, cut=True, after_events=2)
        chat, current = in_its_program(caller, record)
        assert len(current) > 5
        assert set(current) == {chat}
        assert {span.parent.span_id for span in record.named("work")} == {chat.get_span_context().span_id}
        assert [(depth, name) for depth, name, _ in record.tree() if name != "work"][:4] == [
            (0, "chat"),
            (1, SDKS_OWN),
            (2, RUN),
            (3, f"try {FIRST}"),
        ]

    def test_has_the_spans_of_what_sent_it_below_its_attempt(self, traced, fake_claude):
        """Such as those of an HTTP instrumentation."""
        caller, record = traced("restart")
        tracer = record.provider.get_tracer("http")
        caller.client = caller.client.with_middleware(Watcher(lambda _: tracer.start_span("POST").end()))
        fake_claude.fail(FIRST, cut=True, after_events=0)
        read(caller)
        assert len(record.named("POST")) == 2
        assert [span.parent.span_id for span in record.named("POST")] == [
            span.context.span_id for span in attempts_of(record)
        ]

    def test_that_is_collected_has_one_whole_attempt(self, traced, fake_claude):
        caller, record = traced(stream={"collect_over": 10})
        caller.create()
        assert fake_claude.requests[0].stream
        (attempt,) = attempts_of(record)
        assert attempt.attributes["failover.stream.end"] == "complete"
        assert "failover.stream.first_content" in attempt.attributes
        assert record.tree() == [(0, SDKS_OWN, "OK"), (1, RUN, "UNSET"), (2, f"try {FIRST}", "UNSET")]

    def test_that_is_no_stream_says_nothing_of_streams(self, traced):
        caller, record = traced()
        caller.create()
        (attempt,) = attempts_of(record)
        assert not [key for key in attempt.attributes if key.startswith("failover.stream")]

    def test_that_fails_before_its_first_content_shows_where(self, traced, fake_claude):
        caller, record = traced()
        fake_claude.fail(FIRST, error_event="overloaded_error", after_events=0)
        read(caller)
        first, second = attempts_of(record)
        assert (first.attributes["failover.stream.end"], first.attributes["error.type"]) == (
            "error",
            "overloaded_error",
        )
        assert "failover.stream.first_content" not in first.attributes
        assert second.attributes["failover.stream.end"] == "complete"
        assert record.named(RUN)[0].status.status_code.name == "UNSET"


class TestAnInterruption:
    @pytest.mark.parametrize("how", INTERRUPTIONS)
    def test_is_an_error_of_its_attempt_and_of_its_run(self, traced, fake_claude, how):
        fault, _, error_type = INTERRUPTIONS[how]
        caller, record = traced()
        fake_claude.fail(FIRST, **fault)
        read(caller)
        (attempt,) = attempts_of(record)
        (run,) = record.named(RUN)
        assert [span.status.status_code.name for span in (attempt, run)] == ["ERROR", "ERROR"]
        assert [span.attributes["error.type"] for span in (attempt, run)] == [error_type, error_type]
        assert attempt.attributes["failover.verdict"] == "failure"
        assert attempt.attributes["failover.stream.end"] not in {"complete", "closed", "not_judged"}
        assert attempt.attributes["failover.stream.first_content"] >= 0
        assert run.attributes["failover.outcome"] == "interrupted"
        assert "failover.model.served" not in run.attributes
        (event,) = [event for event in run.events if event.name == "failover.stream.interrupted"]
        assert dict(event.attributes) == {
            "failover.model": FIRST,
            "error.type": error_type,
            "anthropic.request.id": fake_claude.requests[0].request_id,
            "failover.stream.then": "raise",
        }

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    def test_that_another_model_makes_good_shows_both_attempts(self, traced, fake_claude, mode):
        caller, record = traced(mode)
        fake_claude.fail(FIRST, cut=True)
        read(caller)
        assert record.tree() == [
            (0, SDKS_OWN, "OK"),
            (1, RUN, "UNSET"),
            (2, f"try {FIRST}", "ERROR"),
            (2, f"try {SECOND}", "UNSET"),
        ]
        (run,) = record.named(RUN)
        assert (run.attributes["failover.outcome"], run.attributes["failover.model.served"]) == ("fallback", SECOND)
        (event,) = [event for event in run.events if event.name == "failover.stream.interrupted"]
        assert event.attributes["failover.stream.then"] == mode
        first, second = attempts_of(record)
        assert first.end_time <= second.start_time
        assert [span.attributes["failover.stream.end"] for span in (first, second)] == ["cut", "complete"]
        assert second.attributes["failover.attempt.reason"] == "fallback"

    def test_that_nobody_makes_good_says_why(self, traced, fake_claude):
        tool = {"name": "look", "input_schema": {"type": "object", "properties": {"where": {"type": "string"}}}}
        caller, record = traced("restart")
        fake_claude.fail(FIRST, cut=True)
        read(caller, tools=[tool])
        (event,) = record.named(RUN)[0].events
        assert (event.attributes["failover.stream.then"], event.attributes["failover.stream.why"]) == (
            "raise",
            "tool_use",
        )

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    def test_after_which_no_rung_is_left_says_so(self, traced, fake_claude, mode):
        caller, record = traced(mode)
        fake_claude.fail("*", cut=True)
        read(caller)
        (run,) = record.named(RUN)
        told = [event.attributes for event in run.events if event.name == "failover.stream.interrupted"]
        assert [
            (event["failover.model"], event["failover.stream.then"], event.get("failover.stream.why")) for event in told
        ] == [(FIRST, mode, None), (SECOND, "raise", "no_rung")]
        assert [span.status.status_code.name for span in [*attempts_of(record), run]] == ["ERROR"] * 3
        assert run.attributes["failover.outcome"] == "interrupted"

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    def test_that_a_bug_keeps_from_being_made_good_leaves_no_span_open(self, traced, fake_claude, mode):
        def fail(request):
            if request.json["model"] == SECOND:
                raise LookupError("a bug")

        caller, record = traced(mode)
        caller.client = caller.client.with_middleware(Watcher(fail))
        fake_claude.fail(FIRST, cut=True)
        assert type(read(caller).error) is LookupError
        (run,) = record.named(RUN)
        assert run.attributes["failover.outcome"] == "failed"
        assert [span.name for span in attempts_of(record)] == [f"try {FIRST}", f"try {SECOND}"]

    def test_of_which_nobody_listens_costs_no_span(self, connect, fake_claude, caplog):
        """Without a tracer only what is notable is told, and an interruption is."""
        caplog.set_level(logging.WARNING, logger="failover")
        fake_claude.fail(FIRST, cut=True)
        assert type(read(connect(policy(retry=NO_REPEAT), open_telemetry=False)).error) is anthropic.APIConnectionError
        assert lines_of(caplog) == [("ERROR", lost(fake_claude, 1))]

    def test_of_a_single_model_is_logged_with_why_nobody_takes_over(self, connect, fake_claude, caplog):
        caplog.set_level(logging.WARNING, logger="failover")
        fake_claude.fail(FIRST, cut=True)
        read(connect(policy(stream=RESTART, ladders=[]), open_telemetry=False))
        assert lines_of(caplog) == [
            ("WARNING", broke_off(fake_claude, 1) + "nobody can take over (no_rung)"),
            ("ERROR", lost(fake_claude, 1)),
        ]

    @pytest.mark.parametrize("mode", ["restart", "continue"])
    def test_after_another_is_logged_with_how_it_went_on(self, connect, fake_claude, caplog, mode):
        caplog.set_level(logging.WARNING, logger="failover")
        fake_claude.fail("*", cut=True)
        read(connect(policy(stream={**RESTART, "on_interrupt": mode}, retry=NO_REPEAT), open_telemetry=False))
        first = fake_claude.requests[0].request_id
        assert lines_of(caplog) == [
            ("WARNING", broke_off(fake_claude, 1) + f"{mode} with the next rung"),
            ("WARNING", f"{FIRST} failed (connection_error, status 200, request id {first}): trying {SECOND}"),
            ("WARNING", broke_off(fake_claude, 2) + "nobody can take over (no_rung)"),
            ("ERROR", lost(fake_claude, 2)),
        ]


class TestAReader:
    def test_that_leaves_early_is_no_error(self, traced):
        caller, record = traced()
        assert caller.first_text() == "Hello "
        (attempt,) = attempts_of(record)
        (run,) = record.named(RUN)
        assert (attempt.attributes["failover.verdict"], attempt.attributes["failover.stream.end"]) == (
            "neutral",
            "closed",
        )
        assert [span.status.status_code.name for span in (attempt, run)] == ["UNSET", "UNSET"]
        assert run.attributes["failover.outcome"] == "cancelled"
        assert not {"error.type"} & {*attempt.attributes, *run.attributes}

    @pytest.mark.parametrize("asynchronous", ["sync"], indirect=True)
    @pytest.mark.parametrize("context", ["its own", "a copy"])
    def test_in_another_thread_gets_whole_spans(self, traced, fake_claude, context):
        caller, record = traced("restart")
        fake_claude.fail(FIRST, cut=True)
        stream = caller.client.messages.create(**CALL, stream=True)
        place = contextvars.Context() if context == "its own" else contextvars.copy_context()
        reader = threading.Thread(target=place.run, args=(list, stream))
        reader.start()
        reader.join(10)
        assert [(depth, name) for depth, name, _ in record.tree()] == [
            (0, SDKS_OWN),
            (1, RUN),
            (2, f"try {FIRST}"),
            (2, f"try {SECOND}"),
        ]
        assert [span.attributes["failover.stream.end"] for span in attempts_of(record)] == ["cut", "complete"]
        assert trace.get_current_span() is trace.INVALID_SPAN

    def test_that_makes_another_call_meanwhile_has_two_trees(self, traced, fake_claude):
        caller, record = traced("restart")
        fake_claude.fail(FIRST, cut=True, times=1)
        if caller.asynchronous:

            async def both():
                async with caller.client.messages.stream(**CALL) as stream:
                    async for _ in stream.text_stream:
                        await caller.client.messages.create(**{**CALL, "model": "claude-opus-5"})

            caller._portal.call(both)
        else:
            with caller.client.messages.stream(**CALL) as stream:
                for _ in stream.text_stream:
                    caller.client.messages.create(**{**CALL, "model": "claude-opus-5"})
        runs = {span.context.span_id: span.attributes["failover.model.requested"] for span in record.named(RUN)}
        parents = [(span.name, runs[span.parent.span_id]) for span in attempts_of(record)]
        assert {f"try {FIRST}", f"try {SECOND}"} == {name for name, requested in parents if requested == FIRST}
        assert {"try claude-opus-5"} == {name for name, requested in parents if requested == "claude-opus-5"}
        assert len([name for name, _ in parents if name.startswith("try claude-haiku")]) == 2

    def test_that_is_a_child_of_nothing_leaves_no_span_open(self, traced, fake_claude):
        caller, record = traced("restart")
        fake_claude.fail("*", cut=True)
        read(caller)
        assert len(record.named(RUN)) == 1
        assert len(attempts_of(record)) == fake_claude.count() == 2


@pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_nothing_of_the_text_is_told_anywhere(traced, fake_claude, caplog, mode, how):
    caplog.set_level(logging.DEBUG, logger="failover")
    events = []
    caller, record = traced(mode, listeners=[events.append])
    fault, _, _ = INTERRUPTIONS[how]
    fake_claude.fail("*", **fault, say=f"{WORDS} " * 5, after_events=3)
    reading = read(caller, messages=[{"role": "user", "content": WORDS}], system=WORDS)
    assert WORDS in str(failover.partial_message(reading.error).content)
    assert [event for event in events if isinstance(event, ContentStarted)]
    told = [
        repr(events),
        caplog.text,
        *[repr(line.__dict__) for line in caplog.records],
        str(reading.error),
        repr(reading.error),
        repr(reading.error.__notes__),
        repr(reading.error.__cause__),
        repr(reading.route),
        repr(caller.guard),
        *[span.to_json() for span in record.spans],
    ]
    assert not [text for text in told if WORDS in text]
