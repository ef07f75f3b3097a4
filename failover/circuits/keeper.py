"""The pybreaker side of a breaker: state, listeners and storage as programs that use pybreaker know them.

Only pybreaker's public methods are used, and never `call()`, which would hold a lock while the request runs. Our
breaker decides and then moves the keeper; a state that somebody else gave the circuit (`breaker.pybreaker.open()`)
comes back to our breaker as a wish. A listener or storage that raises harms no call and no other listener.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerListener,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
)

from failover.errors import AttemptFailed
from failover.events import BreakerState

__all__ = ["Keeper", "StorageFactory"]

StorageFactory = Callable[[str], CircuitBreakerStorage]

_log = logging.getLogger("failover")
_TO_PYBREAKER: dict[BreakerState, str] = {"closed": STATE_CLOSED, "open": STATE_OPEN, "half_open": STATE_HALF_OPEN}
_FROM_PYBREAKER: dict[str, BreakerState] = {theirs: ours for ours, theirs in _TO_PYBREAKER.items()}


class Keeper(CircuitBreakerListener):
    """Keeps one breaker's state in a `pybreaker.CircuitBreaker`, and tells users' listeners."""

    circuit: CircuitBreaker

    def __init__(
        self,
        name: str,
        *,
        listeners: Sequence[CircuitBreakerListener],
        storage: StorageFactory | None,
        wished: Callable[[BreakerState], None],
    ) -> None:
        self._name = name
        self._listeners = listeners
        self._wished = wished
        self._moving_to: str | None = None
        self._complained = False
        self._storage = self._readable(storage)
        self.renew()

    def renew(self) -> None:
        """Make the pybreaker circuit, anew in a forked child: its lock may have been held in the parent."""
        self.circuit = CircuitBreaker(
            name=self._name, listeners=[self], state_storage=self._storage, throw_new_error_on_trip=False
        )

    @property
    def has_listeners(self) -> bool:
        """Whether anybody wants to hear of single successes."""
        return bool(self._listeners) or len(self.circuit.listeners) > 1

    def remembered_state(self) -> BreakerState:
        """The state that the storage remembers, perhaps from before this program."""
        return _FROM_PYBREAKER.get(self._guarded(lambda: self._storage.state), "closed")

    def move(self, state: BreakerState) -> None:
        """Put the pybreaker circuit into `state`; its listeners hear of it."""
        target = _TO_PYBREAKER[state]
        if target == self._moving_to or self._guarded(lambda: self.circuit.current_state) == target:
            return  # it was moved by hand, and that is how we know
        moves: dict[BreakerState, Callable[[], object]] = {
            "closed": self.circuit.close,
            "open": self.circuit.open,
            "half_open": self.circuit.half_open,
        }
        self._during(target, partial(self._guarded, moves[state]))

    def failed(self, error: AttemptFailed) -> None:
        """An attempt counted as a failure."""
        self._guarded(self._storage.increment_counter)
        for listener in self._everybody():
            self._guarded(partial(listener.failure, self.circuit, error))

    def succeeded(self) -> None:
        """An attempt counted as a success."""
        self._guarded(self._storage.reset_counter)
        for listener in self._everybody():
            self._guarded(partial(listener.success, self.circuit))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        """Told by pybreaker: pass it on to users' listeners, and to our breaker if it was not our breaker's doing."""
        for listener in self._listeners:
            self._guarded(partial(listener.state_change, cb, old_state, new_state))
        if new_state.name != self._moving_to:
            self._during(new_state.name, partial(self._wished, _FROM_PYBREAKER[new_state.name]))

    def _everybody(self) -> list[CircuitBreakerListener]:
        added: list[CircuitBreakerListener] = [entry for entry in self.circuit.listeners if entry is not self]
        return [*self._listeners, *added]

    def _during(self, target: str, action: Callable[[], object]) -> None:
        before, self._moving_to = self._moving_to, target
        try:
            action()
        finally:
            self._moving_to = before

    def _readable(self, make: StorageFactory | None) -> CircuitBreakerStorage:
        """The user's storage if it can be made and read, else one in memory."""
        storage: CircuitBreakerStorage | None = self._guarded(partial(make, self._name)) if make else None
        if storage is not None and self._guarded(lambda: storage.state) in _FROM_PYBREAKER:
            return storage
        return CircuitMemoryStorage(STATE_CLOSED)

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - somebody else's listener or storage must not fail a call
            level = logging.DEBUG if self._complained else logging.WARNING
            self._complained = True
            _log.log(level, "circuit %s: a listener or storage raised %s", self._name, type(error).__name__)
            return None
