"""What a stream that broke had cost is told with its attempt: the tokens of its prompt, and of what it had written."""

from __future__ import annotations

import pytest
from sdk_callers import FIRST, NO_REPEAT, SECOND, ladder, policy
from stream_callers import streams_of
from stream_lab import CUT, OVERLOADED, frames

from failover.events import AttemptFinished
from failover.testing import Fault
from failover.testing.payloads import sse

USAGE = {
    "input_tokens": 70,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 3000,
    "output_tokens": 2,
}
PROMPT = 3270
WORDS = "It was a bright cold day in April. " * 10  # some 80 to 100 tokens
FEW, MANY = 60, 140
ENDS = {"cut": [CUT], "error": [OVERLOADED], "truncated": []}


def start(usage=USAGE):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": FIRST, "content": []}
    fields = {} if usage is None else {"usage": usage}
    whole = {**message, "stop_reason": None, "stop_sequence": None, **fields}
    return sse({"type": "message_start", "message": whole})


def delta(text):
    return sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


BLOCK = frames(FIRST).block


class Told(list):
    """A listener that keeps what every attempt had cost, by its model and number."""

    def __call__(self, event):
        if isinstance(event, AttemptFinished):
            self.append((event.model, event.input_tokens, event.output_tokens))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def reads(connect, raw, told):
    """Makes a caller of the raw upstream whose streams are handled in some way."""

    def reads(mode="raise", **stream):
        a_policy = policy(stream={"on_interrupt": mode, **stream}, retry=NO_REPEAT, ladders=ladder(SECOND))
        return connect(a_policy, listeners=[told], url=raw.url)

    return reads


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", ["raise", "restart", "continue"])
def test_a_stream_that_broke_while_it_was_read(reads, raw, told, end, mode):
    raw.answers(FIRST, start(), BLOCK, delta(WORDS), *ENDS[end])
    reading, _ = streams_of(reads(mode)).read()
    assert (reading.error is None) == (mode != "raise")
    model, prompt, written = told[0]
    assert (model, prompt) == (FIRST, PROMPT)
    assert FEW < written < MANY
    assert told[1:] == ([] if mode == "raise" else [(SECOND, None, None)])


@pytest.mark.parametrize("mode", ["restart", "continue"])
def test_each_of_two_that_broke_one_after_the_other(reads, raw, told, mode):
    for model in (FIRST, SECOND):
        raw.answers(model, start(), BLOCK, delta(WORDS), CUT)
    reading, _ = streams_of(reads(mode)).read()
    assert reading.error is not None
    assert [(model, prompt) for model, prompt, _ in told] == [(FIRST, PROMPT), (SECOND, PROMPT)]
    assert all(FEW < written < MANY for _, _, written in told)


@pytest.mark.parametrize("end", ENDS)
def test_one_that_broke_before_its_first_content_and_another_model_answered(reads, raw, told, end):
    raw.answers(FIRST, start(), BLOCK, *ENDS[end])
    assert streams_of(reads()).read()[0].error is None
    assert told == [(FIRST, PROMPT, 2), (SECOND, None, None)]


def test_one_of_which_nothing_came(reads, raw, told):
    raw.answers(FIRST, OVERLOADED)
    assert streams_of(reads()).read()[0].error is None
    assert told == [(FIRST, None, None), (SECOND, None, None)]


@pytest.mark.parametrize("end", ENDS)
def test_one_that_was_collected_for_a_caller_who_asked_for_none(reads, raw, told, end):
    raw.answers(FIRST, start(), BLOCK, delta(WORDS), *ENDS[end])
    reads(collect_over=10).create()
    model, prompt, written = told[0]
    assert (model, prompt) == (FIRST, PROMPT)
    assert FEW < written < MANY
    assert told[1:] == [(SECOND, None, None)]


def test_none_that_was_answered_to_its_end(reads, raw, told):
    raw.answers(FIRST, start(), BLOCK, delta(WORDS), *frames(FIRST).end)
    assert streams_of(reads()).read()[0].error is None
    assert told == [(FIRST, None, None)]


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_none_that_its_reader_had_enough_of(reads, raw, told, how):
    raw.answers(FIRST, start(), BLOCK, delta(WORDS), delta(WORDS), 5, *frames(FIRST).end)
    streams = streams_of(reads())
    stream = streams.open()
    streams.take(stream, 3)
    streams.close(stream)
    assert told == [(FIRST, None, None)]


def test_no_answer_without_streaming(connect, fake_claude, told):
    caller = connect(policy(retry=NO_REPEAT), listeners=[told])
    fake_claude.script(FIRST, [Fault(cut=True)])
    fake_claude.script(SECOND, [Fault(status=500)])
    caller.error()
    assert told == [(FIRST, None, None), (SECOND, None, None)]


@pytest.mark.parametrize(
    "usage", [None, 5, "many", [], [1], {}, {"input_tokens": None}, {"input_tokens": "7"}, {"input_tokens": -1}]
)
def test_one_whose_upstream_says_nothing_sensible_of_its_prompt_is_told_as_unknown(reads, raw, told, usage):
    raw.answers(FIRST, start(usage), BLOCK, delta(WORDS), CUT)
    reading, _ = streams_of(reads()).read()
    assert type(reading.error).__name__ == "APIConnectionError"
    (model, prompt, written) = told[0]
    assert (model, prompt) == (FIRST, None)
    assert written is None or FEW < written < MANY


@pytest.mark.parametrize("wrong", [10**30, -5, True, 1.5, "9", None, [], {}])
def test_a_count_that_is_none_is_left_out(reads, raw, told, wrong):
    usage = {"input_tokens": 70, "cache_read_input_tokens": wrong, "output_tokens": wrong}
    raw.answers(FIRST, start(usage), BLOCK, delta(WORDS), CUT)
    streams_of(reads()).read()
    (model, prompt, written) = told[0]
    assert (model, prompt) == (FIRST, 70)
    assert FEW < written < MANY


def test_what_the_fake_api_breaks_is_told_like_that_of_the_real_one(connect, fake_claude, told):
    caller = connect(policy(retry=NO_REPEAT, stream={"on_interrupt": "restart"}), listeners=[told])
    fake_claude.script(FIRST, [Fault(error_event="overloaded_error", after_events=2)])
    text, route = caller.stream()
    assert text.endswith(f"Hello from {SECOND}.")
    assert route.outcome == "fallback"
    (_, prompt, written), last = told
    assert prompt > 0
    assert 1 <= written < 20
    assert last == (SECOND, None, None)
