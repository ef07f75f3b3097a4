"""Calls of many threads and tasks, calls in calls: each has its own tree, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import threading

import pytest
import telemetry_stories as stories
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from telemetry_recorder import parent_that_is, provider_with
from telemetry_stories import OPUS, SONNET

from failover.telemetry import SpanListener
from failover.telemetry.spans import _Run, _runs


def trees(spans):
    """Each application span's name with the model of every attempt below it, and the requests that those were."""
    by_id = {span.context.span_id: span for span in spans}
    found = {}
    for span in spans:
        if span.name.startswith("try "):
            run = by_id[span.parent.span_id]
            application = by_id[run.parent.span_id]
            found.setdefault(application.name, []).append(span.attributes["anthropic.request.id"])
    return found


INTERLEAVED = {
    "call 1": ["req_1_1", "req_1_2", "req_1_3"],
    "call 2": ["req_2_1", "req_2_2", "req_2_3"],
}


def test_two_threads_whose_calls_interleave_have_a_tree_each(telemetry):
    in_step = threading.Barrier(2, timeout=10)

    def run(call):
        with telemetry.tracer.start_as_current_span(f"call {call}"):
            for event in stories.saved_by_fallback(call):
                in_step.wait()
                telemetry.listener(event)

    threads = [threading.Thread(target=run, args=(call,)) for call in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert trees(telemetry.spans()) == INTERLEAVED


def test_two_tasks_whose_calls_interleave_have_a_tree_each(telemetry):
    order = []

    async def run(call):
        with telemetry.tracer.start_as_current_span(f"call {call}"):
            for event in stories.saved_by_fallback(call):
                await asyncio.sleep(0)
                order.append(call)
                telemetry.listener(event)

    async def both():
        await asyncio.gather(run(1), run(2))

    asyncio.run(both())

    assert order[:4] == [1, 2, 1, 2]
    assert trees(telemetry.spans()) == INTERLEAVED


def test_a_call_inside_another_ones_attempt_is_a_subtree_of_it(telemetry):
    start, trying, *rest = stories.primary(1)
    telemetry.tell([start, trying, *stories.saved_by_fallback(2), *rest])
    inner, outer_attempt, outer = telemetry.spans()[3:]

    assert inner.parent == outer_attempt.context
    assert outer_attempt.parent == outer.context
    assert not outer.events


def test_a_transition_outside_of_a_call_records_nothing_and_forgets_whom_to_link_to(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    telemetry.clear()
    telemetry.tell([stories.opened_by_hand(), *stories.skipping(2)])
    _, run = telemetry.spans()

    assert not run.links
    assert [event.name for event in run.events] == ["failover.model.skipped"]


def test_a_transition_in_another_thread_leaves_an_open_call_alone(telemetry):
    start, trying, *rest = stories.primary()
    telemetry.tell([start, trying])
    other = threading.Thread(target=telemetry.tell, args=([stories.opened(SONNET)],))
    other.start()
    other.join()
    telemetry.tell(rest)

    assert not any(span.events for span in telemetry.spans())


def test_an_opening_by_a_call_that_is_not_sampled_leaves_nothing_to_link_to(telemetry):
    telemetry.tell(stories.saved_by_fallback(1))
    with trace.use_span(parent_that_is(sampled=0)):
        telemetry.tell(stories.saved_by_fallback(2))
    telemetry.clear()
    telemetry.tell(stories.skipping(3))

    assert not telemetry.spans()[-1].links


def test_a_call_whose_start_was_not_told_is_ignored(telemetry):
    for story in stories.ALL:
        telemetry.tell(stories.notable(story()))

    assert telemetry.spans() == ()
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_attempt_that_ends_in_a_child_task_logs_no_failed_detach(telemetry, caplog):
    start, trying, *rest = stories.primary()

    def parent():
        telemetry.tell([start, trying])
        contextvars.copy_context().run(telemetry.tell, rest)
        telemetry.tell(rest)

    contextvars.copy_context().run(parent)

    assert [span.name for span in telemetry.spans()] == [f"try {OPUS}", "failover default"]
    assert not caplog.records


def test_a_task_that_outlives_the_call_it_was_started_in_is_not_part_of_it(telemetry):
    start, trying, *rest = stories.primary(1)
    telemetry.tell([start, trying])
    task = contextvars.copy_context()
    telemetry.tell(rest)
    telemetry.clear()
    task.run(telemetry.tell, [stories.half_opened(), *stories.primary(2)])

    assert [event for span in telemetry.spans() for event in span.events] == []
    assert task.get(_runs) == ()


@pytest.mark.parametrize("story", stories.ALL)
def test_no_call_leaves_a_trace_in_the_context_or_in_the_log(telemetry, caplog, story):
    caplog.set_level(logging.DEBUG)
    before = otel_context.get_current()
    telemetry.tell(story())

    assert otel_context.get_current() is before
    assert not caplog.records


def test_nothing_is_kept_of_a_thousand_calls(telemetry):
    for call in range(1, 1001):
        telemetry.tell(stories.ALL[call % len(stories.ALL)](call))
    telemetry.tell([stories.closed()])
    telemetry.clear()
    gc.collect()

    assert not [thing for thing in gc.get_objects() if isinstance(thing, _Run)]
    assert _runs.get() == ()
    assert telemetry.listener._openers == {}


class Counting(SpanProcessor):
    """Counts the spans that are open."""

    open = 0

    def on_start(self, span, parent_context=None):
        self.open += 1

    def on_end(self, span):
        self.open -= 1


BETWEEN = st.sampled_from(["skip", "wait", "open", "half_open", "close"])
ATTEMPT = st.tuples(st.just("attempt"), st.booleans(), st.deferred(lambda: st.lists(CALL, max_size=1)))
CALL = st.lists(BETWEEN | ATTEMPT, max_size=4)


def told(steps, numbers):
    """Any call: attempts that end or do not, and calls inside of attempts."""
    call = next(numbers)
    made = {
        "skip": lambda: stories.skipped(call),
        "wait": lambda: stories.Waiting(call, 1.0, "backoff"),
        "open": stories.opened,
        "half_open": stories.half_opened,
        "close": stories.closed,
    }
    yield stories.started(call)
    for number, step in enumerate(steps, 1):
        if isinstance(step, str):
            yield made[step]()
            continue
        _, ends, inner = step
        yield stories.trying(call, number)
        for steps_inside in inner:
            yield from told(steps_inside, numbers)
        if ends:
            yield stories.failed(call, number)
    yield stories.finished(call, "exhausted")


@given(st.lists(CALL, max_size=3))
@settings(deadline=None)  # a busy machine is no failure
def test_whatever_a_call_does_its_spans_end_and_the_context_is_as_it_was(calls):
    counting = Counting()
    listener = SpanListener(provider_with(counting))
    before = otel_context.get_current()
    numbers = itertools.count(1)
    for steps in calls:
        for event in told(steps, numbers):
            listener(event)

    assert counting.open == 0
    assert otel_context.get_current() is before
    assert _runs.get() == ()
