"""Every listener hears every event, and no listener can harm a call or another listener."""

from __future__ import annotations

import functools
import logging
import threading

import pytest
import telemetry_stories as stories
from opentelemetry import trace
from telemetry_recorder import parent_that_is

from failover.telemetry import Hub, LogListener, SpanListener


class Moody:
    """Raises at every event."""

    def __init__(self, error):
        self.error = error
        self.calls = 0

    def __call__(self, event):
        self.calls += 1
        raise self.error

    def method(self, event):
        raise self.error


@pytest.fixture
def faults(caplog):
    caplog.set_level(logging.DEBUG, logger="failover")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_listeners_hear_events_in_the_order_in_which_they_were_given():
    heard = []
    hub = Hub([lambda event: heard.append(("first", event)), lambda event: heard.append(("second", event))])
    events = stories.saved_by_fallback()
    for event in events:
        hub.emit(event)

    assert heard == [(name, event) for event in events for name in ("first", "second")]


def test_a_hub_without_listeners_is_silent():
    hub = Hub([])
    hub.emit(stories.started())

    assert not hub.verbose()


def test_a_listener_that_raises_is_named_once_as_a_warning_and_then_in_debug(faults):
    heard = []
    moody = Moody(ValueError("the prompt was: hello"))
    hub = Hub([moody, heard.append])
    events = stories.primary()
    for event in events:
        hub.emit(event)

    assert heard == events
    assert moody.calls == len(events)
    assert faults() == [
        ("WARNING", "listener Moody raised ValueError at CallStarted; the call went on"),
        ("DEBUG", "listener Moody raised ValueError at AttemptStarted; the call went on"),
        ("DEBUG", "listener Moody raised ValueError at AttemptFinished; the call went on"),
        ("DEBUG", "listener Moody raised ValueError at CallFinished; the call went on"),
    ]


def test_each_listener_has_a_warning_of_its_own(faults):
    moody = Moody(RuntimeError())
    hub = Hub([moody, moody.method, functools.partial(moody)])
    hub.emit(stories.started())

    assert faults() == [
        ("WARNING", f"listener {name} raised RuntimeError at CallStarted; the call went on")
        for name in ("Moody", "Moody.method", "partial")
    ]


def test_many_threads_make_one_warning(faults):
    hub = Hub([Moody(RuntimeError())])
    threads = [threading.Thread(target=hub.emit, args=(stories.started(call),)) for call in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [level for level, _ in faults()].count("WARNING") == 1
    assert len(faults()) == 32


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_what_is_no_exception_passes(error):
    with pytest.raises(type(error)):
        Hub([Moody(error)]).emit(stories.started())


def test_a_log_handler_that_raises_harms_no_call():
    class Full(logging.Handler):
        def emit(self, record):
            raise OSError("disk full")

    handler, logger, heard = Full(), logging.getLogger("failover"), []
    logger.addHandler(handler)
    try:
        hub = Hub([Moody(RuntimeError()), heard.append], log=LogListener())
        hub.emit(stories.opened())
    finally:
        logger.removeHandler(handler)

    assert heard == [stories.opened()]


async def listen_later(event):
    """A mistake: nobody would await it."""


class ListenLater:
    async def __call__(self, event):
        """The same mistake."""


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("print", r"^listeners\[0\] is a str, which cannot be called; give a function of one event$"),
        (None, r"^listeners\[0\] is a NoneType, which cannot be called"),
        (listen_later, r"^listeners\[0\] \(listen_later\) is async, .* give a plain function"),
        (ListenLater(), r"^listeners\[0\] \(ListenLater\) is async"),
    ],
)
def test_what_cannot_listen_is_refused_at_once(listener, message):
    with pytest.raises(TypeError, match=message):
        Hub([listener], log=LogListener())


@pytest.mark.parametrize(
    ("users", "spans", "verbose"),
    [
        ([], True, True),
        ([], False, False),
        ([lambda event: None], True, True),
        ([lambda event: None], False, True),
    ],
)
def test_routine_events_are_wanted_by_a_users_listener_or_by_an_active_trace(recorder, users, spans, verbose):
    spans = recorder().listener if spans else SpanListener(trace.NoOpTracerProvider())

    assert Hub(users, spans=spans, log=LogListener()).verbose() is verbose


def test_a_log_alone_does_not_want_routine_events():
    assert not Hub(log=LogListener()).verbose()


def test_the_question_is_answered_anew_for_each_call(telemetry):
    hub = Hub(spans=telemetry.listener)

    assert hub.verbose()
    with trace.use_span(parent_that_is(sampled=0)):
        assert not hub.verbose()
    assert hub.verbose()
