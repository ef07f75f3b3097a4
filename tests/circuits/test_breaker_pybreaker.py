"""What programs that use pybreaker see: their listeners, storages and circuits keep working and can harm nothing."""

from __future__ import annotations

import logging

import pybreaker
import pytest
from breaker_lab import BAD, OK, WRONG, Lab, Listener

from failover.errors import AttemptFailed


class Raising(Listener):
    """Raises at whatever it is told."""

    def state_change(self, cb, old_state, new_state):
        super().state_change(cb, old_state, new_state)
        raise RuntimeError("a listener's own trouble")

    def success(self, cb):
        raise RuntimeError

    def failure(self, cb, exc):
        raise RuntimeError


def outage_and_recovery(lab):
    lab.send(BAD, times=5)
    lab.half_open()
    lab.send(OK, times=2)


FULL_CIRCLE = [("closed", "open"), ("open", "half-open"), ("half-open", "closed")]


def changes(listener):
    return [entry for entry in listener.heard if isinstance(entry, tuple)]


def test_the_pybreaker_circuit_is_where_the_state_can_be_seen():
    lab = Lab()
    circuit = lab.breaker.pybreaker
    assert (circuit.name, circuit.current_state, circuit.fail_counter) == ("claude-a", "closed", 0)
    lab.send(BAD, times=4)
    assert circuit.fail_counter == 4
    lab.send(BAD)
    assert (circuit.current_state, circuit.fail_counter) == ("open", 5)
    lab.half_open()
    lab.send(OK)
    assert circuit.current_state == "half-open"
    lab.send(OK)
    assert (circuit.current_state, circuit.fail_counter) == ("closed", 0)


def test_a_success_resets_the_counter_that_pybreaker_shows():
    lab = Lab()
    lab.send(BAD, times=3)
    lab.send(OK)
    assert lab.breaker.pybreaker.fail_counter == 0


def test_a_listener_hears_every_change_failure_and_success():
    listener = Listener()
    lab = Lab(listeners=[listener])
    lab.send(OK)
    lab.send(WRONG)
    lab.send(BAD)
    success, failure = listener.heard
    assert success == "success"
    assert isinstance(failure, AttemptFailed)
    assert (failure.breaker, failure.status, failure.request_id) == ("claude-a", 500, "req_bad")
    assert "req_bad" in str(failure)
    lab.breaker.close()
    outage_and_recovery(lab)
    assert changes(listener) == FULL_CIRCLE


def test_a_listener_that_is_added_later_hears_all_but_the_successes_of_a_healthy_circuit():
    lab = Lab()
    listener = Listener()
    lab.breaker.pybreaker.add_listener(listener)
    lab.send(OK)
    lab.send(BAD)
    lab.send(OK)
    assert [getattr(entry, "status", entry) for entry in listener.heard] == [500, "success"]
    outage_and_recovery(lab)
    assert changes(listener) == FULL_CIRCLE


def test_a_raising_listener_harms_no_count_no_state_and_no_other_listener(caplog):
    raising, listener = Raising(), Listener()
    lab = Lab(listeners=[raising, listener])
    with caplog.at_level(logging.DEBUG, "failover"):
        outage_and_recovery(lab)
    assert [(before, after) for before, after, _ in lab.moves] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    assert changes(listener) == changes(raising) == FULL_CIRCLE
    assert lab.breaker.pybreaker.current_state == "closed"
    levels = [record.levelno for record in caplog.records]
    assert levels[0] == logging.WARNING
    assert set(levels[1:]) == {logging.DEBUG}
    assert "trouble" not in caplog.text


def test_a_raising_listener_that_was_added_later_leaves_the_state_right():
    lab = Lab()
    lab.breaker.pybreaker.add_listener(Raising())
    outage_and_recovery(lab)
    lab.breaker.open()
    assert (lab.state, lab.breaker.pybreaker.current_state) == ("open", "open")


@pytest.mark.parametrize(("move", "state"), [("open", "open"), ("half_open", "half_open"), ("close", "closed")])
@pytest.mark.parametrize("start", ["closed", "open"])
def test_moving_the_pybreaker_circuit_by_hand_moves_ours_and_is_told_once(start, move, state):
    listener = Listener()
    lab = Lab(listeners=[listener])
    if start == "open":
        lab.breaker.open()
    lab.events.clear()
    listener.heard.clear()
    getattr(lab.breaker.pybreaker, move)()
    assert lab.state == state
    assert lab.breaker.pybreaker.current_state == state.replace("_", "-")
    told = [(start, state, "manual")] if start != state else []
    assert lab.moves == told
    if told:
        assert changes(listener) == [(start, state.replace("_", "-"))]


def test_a_circuit_that_was_opened_through_pybreaker_probes_again_on_our_clock():
    lab = Lab()
    lab.breaker.pybreaker.open()
    assert lab.refusal().retry_in == 15
    lab.half_open()
    lab.send(OK, times=2)
    assert lab.breaker.pybreaker.current_state == "closed"


@pytest.mark.parametrize("hand", ["breaker", "pybreaker"])
@pytest.mark.parametrize("move", ["open", "close"])
def test_a_listener_may_move_the_circuit_it_is_told_about(hand, move):
    def react(circuit):
        if len(listener.heard) < 10:
            getattr(lab.breaker if hand == "breaker" else circuit, move)()

    listener = Listener(on_change=react)
    lab = Lab(listeners=[listener])
    lab.send(BAD, times=5)
    assert lab.state == {"open": "open", "close": "closed"}[move]
    assert lab.breaker.pybreaker.current_state == lab.state
    assert lab.moves[0] == ("closed", "open", "consecutive_failures")
    assert len(lab.moves) == (1 if move == "open" else 2)


@pytest.mark.parametrize("state", ["open", "half-open"])
def test_a_storage_that_remembers_an_outage_is_believed_at_the_start(state):
    storage = pybreaker.CircuitMemoryStorage(state)
    listener = Listener()
    lab = Lab(storage=lambda name: storage, listeners=[listener])
    assert (lab.state, lab.moves, listener.heard) == ("open", [], [])
    assert lab.refusal().retry_in == 15
    lab.half_open()
    lab.send(OK, times=2)
    assert storage.state == "closed"


def test_each_circuit_gets_a_storage_of_its_own_name():
    storages = {}

    def make(name):
        storages[name] = pybreaker.CircuitMemoryStorage("closed")
        return storages[name]

    lab = Lab(storage=make)
    lab.board.breaker("claude-b", "bedrock").open()
    assert {name: storage.state for name, storage in storages.items()} == {
        "claude-a": "closed",
        "bedrock/claude-b": "open",
    }


class BrokenStorage(pybreaker.CircuitMemoryStorage):
    """Answers `reads` times, then loses its connection."""

    def __init__(self, reads):
        super().__init__("closed")
        self.reads = reads

    @property
    def state(self):
        self.reads -= 1
        if self.reads < 0:
            raise ConnectionError
        return "closed"

    @state.setter
    def state(self, value):
        raise ConnectionError

    def increment_counter(self):
        raise ConnectionError

    def reset_counter(self):
        raise ConnectionError

    def reset_success_counter(self):
        raise ConnectionError


@pytest.mark.parametrize("reads", [0, 1, 2, 3, 4, 8])
def test_a_storage_that_raises_harms_no_call(reads):
    lab = Lab(storage=lambda name: BrokenStorage(reads))
    outage_and_recovery(lab)
    assert [after for _, after, _ in lab.moves] == ["open", "half_open", "closed"]


@pytest.mark.parametrize(
    "storage",
    [lambda name: 1 / 0, lambda name: pybreaker.CircuitMemoryStorage("melted"), lambda name: object()],
    ids=["raises", "unknown state", "no storage at all"],
)
def test_a_storage_that_cannot_be_made_or_read_is_replaced_by_memory(storage):
    lab = Lab(storage=storage)
    outage_and_recovery(lab)
    assert lab.breaker.pybreaker.current_state == "closed"


def test_the_counter_is_the_storages_own_also_when_another_process_has_reset_it():
    storage = pybreaker.CircuitMemoryStorage("closed")
    lab = Lab(storage=lambda name: storage)
    lab.send(BAD, times=3)
    storage.reset_counter()
    assert lab.breaker.pybreaker.fail_counter == 0
