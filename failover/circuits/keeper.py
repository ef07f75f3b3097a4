"""The pybreaker side of a breaker: state, listeners and storage as programs that use pybreaker know them.

Only pybreaker's public methods are used, and never `call()`, which would hold a lock while the request runs. Our
breaker decides and then moves the keeper; a state that somebody else gave the keeper (`keeper.open()` by hand) comes
back to our breaker as a wish. A listener or storage that raises harms no call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pybreaker

from failover.errors import AttemptFailed
from failover.events import BreakerState

__all__ = ["Keeper", "StorageFactory"]

StorageFactory = Callable[[str], pybreaker.CircuitBreakerStorage]

_log = logging.getLogger("failover")
_TO_PYBREAKER: dict[BreakerState, str] = {
    "closed": pybreaker.STATE_CLOSED,
    "open": pybreaker.STATE_OPEN,
    "half_open": pybreaker.STATE_HALF_OPEN,
}
_FROM_PYBREAKER: dict[str, BreakerState] = {theirs: ours for ours, theirs in _TO_PYBREAKER.items()}


class Keeper:
    """Keeps one breaker's state in a `pybreaker.CircuitBreaker`, and tells its listeners."""

    def __init__(
        self,
        name: str,
        *,
        listeners: Sequence[pybreaker.CircuitBreakerListener],
        storage: StorageFactory | None,
        wished: Callable[[BreakerState], None],
    ) -> None:
        self._storage = storage(name) if storage else pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        self._wished = wished
        self._moving_to: str | None = None
        self._complained = False
        mirror: list[Any] = [_Mirror(self._moved)]
        self.has_listeners = bool(listeners)
        self.circuit = pybreaker.CircuitBreaker(
            name=name, listeners=[*mirror, *listeners], state_storage=self._storage, throw_new_error_on_trip=False
        )

    def initial_state(self) -> BreakerState:
        """The state that a storage remembers from before; `closed` when it has none or cannot be read."""
        return self._guarded(lambda: _FROM_PYBREAKER.get(self.circuit.current_state, "closed")) or "closed"

    def move(self, state: BreakerState) -> None:
        """Put the pybreaker circuit into `state`; its listeners hear of it."""
        self._moving_to = _TO_PYBREAKER[state]
        moves: dict[BreakerState, Callable[[], object]] = {
            "closed": self.circuit.close,
            "open": self.circuit.open,
            "half_open": self.circuit.half_open,
        }
        try:
            if self._guarded(lambda: self.circuit.current_state) != self._moving_to:
                self._guarded(moves[state])
        finally:
            self._moving_to = None

    def failed(self, error: AttemptFailed) -> None:
        """An attempt counted as a failure."""
        self._guarded(self._storage.increment_counter)
        for listener in self.circuit.listeners:
            self._guarded(partial(listener.failure, self.circuit, error))

    def succeeded(self) -> None:
        """An attempt counted as a success."""
        if self._guarded(lambda: self.circuit.fail_counter):
            self._guarded(self._storage.reset_counter)
        for listener in self.circuit.listeners:
            self._guarded(partial(listener.success, self.circuit))

    def _moved(self, state: str) -> None:
        if state != self._moving_to:
            self._wished(_FROM_PYBREAKER[state])

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - somebody else's listener or storage must not fail a call
            level = logging.DEBUG if self._complained else logging.WARNING
            self._complained = True
            _log.log(level, "circuit %s: a listener or storage raised %s", self.circuit.name, type(error).__name__)
            return None


class _Mirror(pybreaker.CircuitBreakerListener):
    """Our own ear at the pybreaker circuit; first in line, so that it hears before a user's listener reacts."""

    def __init__(self, moved: Callable[[str], None]) -> None:
        self._moved = moved

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:  # noqa: ARG002 - pybreaker's signature
        self._moved(new_state.name)
