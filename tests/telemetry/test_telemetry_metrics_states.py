"""The gauge of circuits' states: of several `Failover`s at one provider, and of those that are gone."""

from __future__ import annotations

import gc
import logging
import threading
import weakref

import pytest
import telemetry_stories as stories
from elsewhere import LONG, ends
from telemetry_meters import CALLS, STATE, FakeBoard, Meters

from failover import Failover, Policy
from failover.telemetry.metrics import MetricListener


@pytest.fixture
def meters():
    return Meters()


def watching(meters, policy="default", **states):
    """A listener, and the board that it watches."""
    listener, board = meters.listener(policy), FakeBoard(**states)
    listener.watch(board)
    return listener, board


def guarded(meters, name="default"):
    return Failover(Policy(version=1, name=name), meter_provider=meters.provider)


class TestOneCircuit:
    @pytest.mark.parametrize("state", ["closed", "open", "half_open"])
    def test_is_1_in_its_state_and_0_in_the_others(self, meters, state):
        kept = watching(meters, a=state)
        assert meters.by(STATE, "policy.name", "breaker.name", "breaker.state") == {
            ("default", "a", other): int(other == state) for other in ("closed", "open", "half_open")
        }
        assert kept

    def test_is_shown_as_it_stands_when_it_is_asked(self, meters):
        _, board = kept = watching(meters, a="closed")
        for state in ("open", "half_open", "closed"):
            board.states["a"] = state
            assert meters.standing("breaker.name") == {("a", state)}
        assert kept

    def test_that_its_board_has_forgotten_is_shown_no_more(self, meters):
        _, board = kept = watching(meters, a="open", b="closed")
        assert len(meters.points(STATE)) == 6
        del board.states["a"]
        assert meters.standing("breaker.name") == {("b", "closed")}
        assert kept

    def test_of_a_real_board_is_shown_from_when_a_call_first_asks_for_it(self, meters):
        guard = guarded(meters)
        assert meters.points(STATE) == []
        guard.board.breaker("claude-a")
        guard.board.breaker("claude-a", "bedrock").isolate()
        assert meters.standing("breaker.name") == {("claude-a", "closed"), ("bedrock/claude-a", "open")}


class TestSeveralFailovers:
    def test_at_one_provider_are_all_shown(self, meters, caplog):
        kept = [watching(meters, f"policy {number}", a="open") for number in range(5)]
        assert meters.standing("policy.name") == {(f"policy {number}", "open") for number in range(5)}
        assert len(kept) == 5
        assert caplog.records == []

    def test_with_circuits_of_one_name_and_policies_of_one_name_show_every_state_that_there_is(self, meters):
        kept = [watching(meters, a="open"), watching(meters, a="closed"), watching(meters, a="closed")]
        assert meters.standing("breaker.name") == {("a", "open"), ("a", "closed")}
        assert len(meters.points(STATE)) == 3
        assert kept

    def test_at_two_providers_are_told_apart(self, meters):
        other = Meters()
        kept = [watching(meters, a="open"), watching(other, b="closed")]
        assert meters.standing("breaker.name") == {("a", "open")}
        assert other.standing("breaker.name") == {("b", "closed")}
        assert kept

    def test_of_which_one_cannot_be_asked_show_the_others(self, meters, caplog):
        caplog.set_level(logging.DEBUG, "failover")

        class Broken(FakeBoard):
            def breakers(self):
                raise RuntimeError("a user's storage is unreachable")

        broken, listener = Broken(), meters.listener()
        listener.watch(broken)
        kept = watching(meters, a="open")
        assert meters.standing("breaker.name") == {("a", "open")}
        assert [record.getMessage() for record in caplog.records] == ["states not observed: RuntimeError"]
        assert kept


class TestWhatIsGone:
    def test_is_shown_no_more(self, meters):
        guard, other = guarded(meters, "gone"), guarded(meters, "kept")
        for one in (guard, other):
            one.board.breaker("claude-a").isolate()
        assert meters.standing("policy.name") == {("gone", "open"), ("kept", "open")}
        del guard, one
        gc.collect()
        assert meters.standing("policy.name") == {("kept", "open")}
        assert other

    def test_was_not_kept_alive_by_what_shows_it(self, meters):
        guard = guarded(meters)
        guard.board.breaker("claude-a")
        meters.collected()
        gone = weakref.ref(guard.board)
        del guard
        gc.collect()
        assert gone() is None

    def test_of_a_dropped_board_not_even_until_the_garbage_collector_comes(self, meters):
        listener, board = watching(meters, a="open")
        gc.disable()
        try:
            del board
            assert meters.points(STATE) == []
        finally:
            gc.enable()
        assert listener

    def test_has_left_what_it_measured_last(self, meters):
        """A program that calls once and ends: its provider collects as it shuts down."""
        listener = meters.listener()
        for event in stories.primary():
            listener(event)
        del listener
        gc.collect()
        assert meters.by(CALLS, "outcome") == {("primary",): 1}

    def test_may_be_the_provider(self):
        meters = Meters()
        kept = watching(meters, a="open")
        meters.collected()
        gone = weakref.ref(meters.provider)
        del meters, kept
        gc.collect()
        assert gone() is None


def test_a_collector_may_come_at_any_moment_while_circuits_are_made_and_forgotten(meters, caplog):
    guard = guarded(meters)
    stopped = threading.Event()

    def collect():
        while not stopped.is_set():
            meters.collected()

    collector = threading.Thread(target=collect)
    collector.start()
    for number in range(2000):
        guard.board.breaker(f"model {number % 50}")
        if number % 10 == 0:
            guard.board.forget_idle()
    more = [watching(meters, f"policy {number}", a="open") for number in range(200)]
    stopped.set()
    collector.join(LONG)
    assert not collector.is_alive()
    assert caplog.records == []  # the SDK logs what goes wrong in a callback
    assert len(meters.standing("policy.name", "breaker.name")) == 200 + len(guard.board.breakers())
    assert len(more) == 200


def test_a_listener_that_watches_nothing_shows_nothing(meters):
    listener = MetricListener("default", meters.provider)
    assert listener.active()
    assert ends(lambda: meters.points(STATE) == [])
    assert meters.points(STATE) == []
