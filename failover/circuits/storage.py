"""A user's pybreaker storage, made harmless: what it cannot read it has not seen change, what it cannot write is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreakerStorage, CircuitMemoryStorage

__all__ = ["Guard", "GuardedStorage", "StorageFactory"]

StorageFactory = Callable[[str], CircuitBreakerStorage]

_log = logging.getLogger("failover")
_STATES = frozenset({STATE_CLOSED, STATE_OPEN, STATE_HALF_OPEN})


class Guard:
    """Runs users' listeners and storages, which must fail no call: the first fault of a circuit's is a warning."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._complained = False

    def __call__(self, action: Callable[[], Any]) -> Any:
        """What `action` gives, or `None` if it raises."""
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - it is anybody's code
            level = logging.DEBUG if self._complained else logging.WARNING
            self._complained = True
            _log.log(level, "circuit %s: a listener or storage raised %s", self.name, type(error).__name__)
            return None


class GuardedStorage(CircuitBreakerStorage):
    """Reads and writes through to the storage that `make` gives; answers from memory when that one fails."""

    def __init__(self, guard: Guard, make: StorageFactory | None) -> None:
        super().__init__(guard.name)
        self._guard = guard
        self._memory = CircuitMemoryStorage(STATE_CLOSED)
        self._users: CircuitBreakerStorage | None = guard(lambda: make(guard.name)) if make else None

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        state = self._read("state")
        return state if state in _STATES else self._memory.state

    @state.setter
    def state(self, state: str) -> None:
        self._memory.state = state
        self._write("state", state)

    @property
    def counter(self) -> int:
        """Consecutive failures."""
        counter = self._read("counter")
        return self._memory.counter if counter is None else int(counter)

    @property
    def success_counter(self) -> int:
        """Consecutive successes while half-open."""
        counter = self._read("success_counter")
        return self._memory.success_counter if counter is None else int(counter)

    @property
    def opened_at(self) -> datetime | None:
        """When the circuit was last opened, for those who look; our breaker does not decide by it."""
        return self._read("opened_at") or self._memory.opened_at

    @opened_at.setter
    def opened_at(self, datetime: datetime) -> None:
        self._memory.opened_at = datetime
        self._write("opened_at", datetime)

    def increment_counter(self) -> None:
        """One more failure."""
        self._both("increment_counter")

    def reset_counter(self) -> None:
        """No failures in a row any more."""
        self._both("reset_counter")

    def increment_success_counter(self) -> None:
        """One more success."""
        self._both("increment_success_counter")

    def reset_success_counter(self) -> None:
        """No successes in a row any more."""
        self._both("reset_success_counter")

    def _read(self, name: str) -> Any:
        return None if self._users is None else self._guard(lambda: getattr(self._users, name))

    def _write(self, name: str, value: object) -> None:
        if self._users is not None:
            self._guard(lambda: setattr(self._users, name, value))

    def _both(self, method: str) -> None:
        getattr(self._memory, method)()
        if self._users is not None:
            self._guard(lambda: getattr(self._users, method)())  # noqa: PLW0108 - it may not even have the method
