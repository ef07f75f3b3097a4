"""Broken or missing meters harm no call, and what comes at a bad moment is measured a little later."""

from __future__ import annotations

import gc
import importlib.metadata
import logging
import subprocess
import sys
import textwrap

import pytest
import telemetry_stories as stories
from elsewhere import ends, together
from opentelemetry import context as otel_context
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal import aggregation
from telemetry_meters import ATTEMPTS, CALLS, SKIPS, STATE, TRANSITIONS, FakeBoard, Meters

from failover.telemetry.lookup import scope_version
from failover.telemetry.metrics import MetricListener
from failover.testing import FakeClock

EVERY_STORY = [event for call, story in enumerate(stories.ALL, 1) for event in story(call)]
END = stories.finished(1, "primary", stories.OPUS)


def tell(listener, *events):
    for event in events:
        listener(event)


class Broken:
    """Raises whatever it is asked to do."""

    def __getattr__(self, name):
        raise RuntimeError(name)


class BrokenProvider(metrics.MeterProvider):
    def get_meter(self, *args, **kwargs):
        raise RuntimeError("no meter today")


class BrokenMeterProvider(metrics.MeterProvider):
    def get_meter(self, *args, **kwargs):
        return Broken()


class FullProvider(metrics.MeterProvider):
    """All goes well until something is to be measured."""

    def get_meter(self, *args, **kwargs):
        return self

    def create_histogram(self, *args, **kwargs):
        return self

    create_counter = create_observable_gauge = create_histogram

    def record(self, *args, **kwargs):
        raise RuntimeError("full")

    add = record


class TestABrokenMeter:
    @pytest.mark.parametrize(
        "provider",
        [BrokenProvider(), BrokenMeterProvider(), FullProvider(), Broken()],
        ids=lambda provider: type(provider).__name__,
    )
    def test_harms_no_call(self, provider):
        listener, board = MetricListener("default", provider), FakeBoard(a="open")
        listener.watch(board)
        assert listener.active() in {True, False}
        tell(listener, *EVERY_STORY, *EVERY_STORY)

    @pytest.mark.parametrize(
        ("provider", "said"),
        [(BrokenProvider(), "no provider: RuntimeError"), (FullProvider(), "not recorded: RuntimeError")],
    )
    def test_is_a_debug_line_without_the_exceptions_message(self, provider, said, caplog):
        caplog.set_level(logging.DEBUG, "failover")
        tell(MetricListener("default", provider), stories.started(), END, stories.started(2))
        assert {(record.levelname, record.getMessage()) for record in caplog.records} == {("DEBUG", said)}

    def test_is_no_worse_than_a_context_that_cannot_be_read(self, monkeypatch, caplog):
        caplog.set_level(logging.DEBUG, "failover")

        def unreadable():
            raise LookupError("no context today")

        listener = Meters().listener()
        monkeypatch.setattr(otel_context, "get_current", unreadable)
        listener(END)
        assert [record.getMessage() for record in caplog.records] == ["CallFinished not measured: LookupError"]

    def test_takes_nothing_of_what_others_measure(self):
        class OneIsBroken(MeterProvider):
            def get_meter(self, *args, **kwargs):
                meter = super().get_meter(*args, **kwargs)
                meter.create_counter = lambda *args, **kwargs: FullProvider()
                return meter

        meters = Meters()
        meters.provider.__class__ = OneIsBroken
        tell(meters.listener(), *EVERY_STORY)
        assert sum(point.count for point in meters.points(CALLS)) == len(stories.ALL)
        assert meters.collected().keys() == {CALLS, ATTEMPTS}

    def test_is_asked_again_every_half_second(self):
        asked, clock = [], FakeClock()

        class Counts(BrokenProvider):
            def get_meter(self, *args, **kwargs):
                asked.append(clock.now())
                return super().get_meter()

        listener = MetricListener("default", Counts(), now=clock.now)
        for _ in range(10):
            tell(listener, *stories.primary())
            assert not listener.active()
            clock.advance(0.125)
        assert asked == [1000, 1000.5, 1001]

    def test_that_has_recovered_is_used(self):
        clock, meters = FakeClock(), Meters()

        class Recovers(MeterProvider):
            def get_meter(self, *args, **kwargs):
                if clock.now() < 1005:
                    raise RuntimeError("not yet")
                return super().get_meter(*args, **kwargs)

        meters.provider.__class__ = Recovers
        listener = MetricListener("default", meters.provider, now=clock.now)
        assert not listener.active()
        clock.advance(5)
        assert listener.active()
        tell(listener, *stories.primary())
        assert meters.by(CALLS, "outcome") == {("primary",): 1}

    def test_of_a_provider_that_is_shut_down_harms_no_call(self):
        meters = Meters()
        listener = meters.listener()
        meters.provider.shutdown()
        tell(listener, *EVERY_STORY)


# --- no meter ------------------------------------------------------------------------------------------------------


class TestWhereNobodyMeasures:
    def test_a_listener_is_not_active(self):
        assert not MetricListener("default", metrics.NoOpMeterProvider()).active()

    def test_the_global_stand_in_is_not_even_asked_for_a_meter(self):
        """It would remember every one, and there is a look every half second."""
        clock, stand_in = FakeClock(), metrics.get_meter_provider()
        before = len(stand_in._meters)
        listener = MetricListener("default", now=clock.now)
        for _ in range(10):
            assert not listener.active()
            tell(listener, *EVERY_STORY)
            clock.advance(1)
        assert len(stand_in._meters) == before

    def test_nothing_is_kept(self):
        listener = MetricListener("default", metrics.NoOpMeterProvider())
        tell(listener, *EVERY_STORY)
        assert listener._lookup.made is None

    @pytest.mark.parametrize("value", ["true", "TRUE"])
    def test_because_the_sdk_is_disabled_a_listener_is_not_active(self, monkeypatch, value):
        monkeypatch.setenv("OTEL_SDK_DISABLED", value)
        assert not MetricListener("default", MeterProvider(shutdown_on_exit=False)).active()

    def test_yet_a_provider_may_come(self):
        """In a process of its own, for a global provider can be set once."""
        program = """
            import telemetry_stories as stories
            from opentelemetry import metrics
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import InMemoryMetricReader
            from telemetry_meters import FakeBoard
            from failover.telemetry.metrics import MetricListener

            now = [1000.0]
            listener, board, reader = MetricListener("late", now=lambda: now[0]), FakeBoard(a="open"), InMemoryMetricReader()
            listener.watch(board)
            def call():
                for event in stories.saved_by_fallback():
                    listener(event)
            call()
            print(listener.active())
            metrics.set_meter_provider(MeterProvider([reader]))
            print(listener.active())
            now[0] += 0.5
            print(listener.active())
            call()
            (resource,) = reader.get_metrics_data().resource_metrics
            for metric in resource.scope_metrics[0].metrics:
                print(metric.name, sum(getattr(point, "count", None) or point.value for point in metric.data.data_points))
        """
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(stories.__file__).rpartition("/")[0]},
        )
        assert run.stderr == ""
        active, counts = run.stdout.split("\n")[:3], dict(line.split() for line in run.stdout.splitlines()[3:])
        assert active == ["False", "False", "True"]
        assert counts == {STATE: "1", ATTEMPTS: "3", CALLS: "1", TRANSITIONS: "1"}


def test_a_copied_folder_has_a_scope_without_version(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    scope_version.cache_clear()
    assert scope_version() is None
    scope_version.cache_clear()


# --- bad moments ---------------------------------------------------------------------------------------------------


class Abandoned:
    """A stream that somebody dropped, in a cycle that only the garbage collector finds."""

    def __init__(self, listener):
        self.listener = listener
        self.itself = self

    def __del__(self):
        tell(self.listener, stories.streamed(1, 1, end="closed"), stories.finished(1, "cancelled"), stories.closed())


class TestAStreamThatTheGarbageCollectorEnds:
    """Its end is told by whatever thread the collector comes in, which may hold locks that are not re-entrant."""

    @pytest.mark.parametrize("step", ["HistogramDataPoint", "NumberDataPoint"])
    def test_while_metrics_are_collected_hangs_nobody(self, monkeypatch, step):
        meters = Meters()
        listener = meters.listener()
        tell(listener, *stories.saved_by_fallback())
        real = getattr(aggregation, step)

        def interrupted(**fields):  # under the lock of the very series that the end of the stream falls into
            Abandoned(listener)
            gc.collect()
            return real(**fields)

        monkeypatch.setattr(aggregation, step, interrupted)
        assert ends(meters.collected)
        monkeypatch.undo()
        assert meters.by(CALLS, "outcome")[("cancelled",)] >= 1

    def test_while_something_is_recorded_hangs_nobody(self, monkeypatch):
        meters = Meters()
        listener = meters.listener()
        tell(listener, stories.finished(1, "cancelled"), stories.finished(2, "cancelled"))
        real = aggregation.bisect_left

        def interrupted(*arguments):
            monkeypatch.undo()
            Abandoned(listener)
            gc.collect()
            return real(*arguments)

        monkeypatch.setattr(aggregation, "bisect_left", interrupted)
        assert ends(lambda: listener(stories.started(2)))
        assert meters.by(CALLS, "outcome") == {("cancelled",): 3}

    def test_before_anything_was_measured_asks_for_no_meter(self):
        """To make instruments takes locks, too."""
        meters = Meters()
        listener = MetricListener("default", meters.provider)
        Abandoned(listener)
        gc.collect()
        assert listener._lookup.made is None


class TestWhatIsNoted:
    def test_is_recorded_when_the_next_attempt_starts_and_nobody_collects(self):
        meters = Meters()
        listener = meters.listener()
        for number in range(100):
            tell(listener, *stories.saved_by_fallback(number))
            assert len(listener._lookup.made._notes) <= 2

    def test_by_many_threads_is_recorded_once(self):
        meters = Meters()
        listener = meters.listener()

        def calls(index):
            for number in range(100):
                tell(listener, *stories.saved_by_fallback(index * 1000 + number))
                if number % 20 == 0:
                    meters.collected()

        together(16, calls)
        assert meters.by(CALLS, "outcome") == {("fallback",): 1600}
        assert sum(meters.by(ATTEMPTS, "model", "error.type").values()) == 4800
        assert meters.by(TRANSITIONS, "breaker.to") == {("open",): 1600}

    def test_by_several_failovers_is_recorded_once(self):
        meters = Meters()
        for listener in [meters.listener(), meters.listener(), meters.listener("other")]:
            tell(listener, *stories.skipping())
        assert meters.by(CALLS, "policy.name") == {("default",): 2, ("other",): 1}
        assert meters.by(SKIPS, "policy.name") == {("default",): 2, ("other",): 1}
