"""The pybreaker side of a breaker: state, listeners and storage as programs that use pybreaker know them.

Only pybreaker's public methods are used, and never `call()`, which would hold a lock while the request runs. Our
breaker decides and then moves the keeper; a state that somebody else gave the circuit (`breaker.pybreaker.open()`)
comes back to our breaker as a wish. A listener or storage that raises harms no call and no other listener.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker, CircuitBreakerListener

from failover.errors import AttemptFailed
from failover.events import BreakerState

from .storage import Guard, GuardedStorage, StorageFactory

__all__ = ["Keeper"]

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
        self.has_listeners = bool(listeners)
        """Whether anybody wants to hear of single successes. Who was added to the circuit by hand hears all but those."""
        self._wished = wished
        self._guard = Guard(name)
        self._storage = GuardedStorage(self._guard, storage)
        self.renew()

    def renew(self) -> None:
        """Make the pybreaker circuit, anew in a forked child: its lock may have been held in the parent."""
        self._moving_to: str | None = None
        self.circuit = CircuitBreaker(
            name=self._name, listeners=[self], state_storage=self._storage, throw_new_error_on_trip=False
        )

    def remembered_state(self) -> BreakerState:
        """The state that the storage remembers, perhaps from before this program."""
        return _FROM_PYBREAKER[self._storage.state]

    def move(self, state: BreakerState) -> None:
        """Put the pybreaker circuit into `state`; its listeners hear of it."""
        target = _TO_PYBREAKER[state]
        if target in (self._moving_to, self._storage.state):
            return  # it was moved by hand, and that is how we know
        moves: dict[BreakerState, Callable[[], object]] = {
            "closed": self.circuit.close,
            "open": self.circuit.open,
            "half_open": self.circuit.half_open,
        }
        self._during(target, partial(self._guard, moves[state]))
        if self._storage.state != target:  # pybreaker stores after it notifies, and a listener added to it raised
            self._storage.state = target

    def failed(self, error: AttemptFailed) -> None:
        """An attempt counted as a failure."""
        self._storage.increment_counter()
        for listener in self._everybody():
            self._guard(partial(listener.failure, self.circuit, error))

    def succeeded(self) -> None:
        """An attempt counted as a success."""
        if self._storage.state == STATE_HALF_OPEN:
            self._storage.increment_success_counter()
        self._storage.reset_counter()
        for listener in self._everybody():
            self._guard(partial(listener.success, self.circuit))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        """Told by pybreaker: pass it on to users' listeners, and to our breaker if it was not our breaker's doing."""
        for listener in self._listeners:
            self._guard(partial(listener.state_change, cb, old_state, new_state))
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
