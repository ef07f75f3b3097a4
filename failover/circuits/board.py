"""All breakers of one process, and the one permit that is left when every one of them refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from failover.engine.locks import renew_after_fork
from failover.events import BreakerState, Event
from failover.policy.model import BreakerRules

from .breaker import Breaker
from .keeper import Keeper
from .storage import StorageFactory

if TYPE_CHECKING:
    import pybreaker

    from failover.engine.plan import Circuit, Permit

__all__ = ["Board"]

_DEFAULT_CLIENT = "default"


class Board:
    """The breakers of one process, one for each (client, model), made when first asked for. Thread-safe."""

    def __init__(
        self,
        rules: BreakerRules,
        *,
        now: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[Event], None],
        listeners: Sequence[pybreaker.CircuitBreakerListener] = (),
        storage: StorageFactory | None = None,
    ) -> None:
        self._rules = rules
        self._now = now
        self._random = random
        self._emit = emit
        self._listeners = tuple(listeners)
        self._storage = storage
        self._breakers: dict[str, Breaker] = {}
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: a lock of its own, and a turn that no thread of the parent has taken."""
        self._lock = threading.RLock()
        self._last_resort_at = -float("inf")

    def __repr__(self) -> str:
        """Every breaker with its state."""
        states = ", ".join(f"{breaker.name}: {breaker.state}" for breaker in self.breakers())
        return f"<Board {states or 'no breakers yet'}>"

    def __getitem__(self, name: str) -> Breaker:
        """The breaker called `name`: a model's id, for the caller's own client.

        Raises:
            KeyError: no call has asked for it yet.
        """
        try:
            return self._breakers[name]
        except KeyError:
            known = ", ".join(sorted(self._breakers)) or "none"
            raise KeyError(f"no circuit {name!r}; circuits that calls have asked for: {known}") from None

    def breakers(self) -> tuple[Breaker, ...]:
        """All breakers, in the order in which calls first asked for them."""
        return tuple(self._breakers.values())

    def breaker(self, model: str, client: str = _DEFAULT_CLIENT) -> Breaker:
        """The breaker of a model on a client, made now if need be."""
        name = model if client == _DEFAULT_CLIENT else f"{client}/{model}"
        breaker = self._breakers.get(name)
        if breaker is None:  # made outside of the lock, for a user's storage may do I/O; the first one made is kept
            made = Breaker(
                name,
                self._rules,
                now=self._now,
                random=self._random,
                emit=self._emit,
                make_keeper=self._make_keeper,
            )
            with self._lock:
                breaker = self._breakers.setdefault(name, made)
        return breaker

    def forget_idle(self) -> None:
        """Drop the breakers that have nothing to remember; calls that ask for them again get new ones."""
        with self._lock:
            self._breakers = {name: breaker for name, breaker in self._breakers.items() if not breaker.idle}

    def last_resort(self, circuits: Sequence[Circuit]) -> tuple[int, Permit] | None:
        """When every circuit refuses: one call in each interval may still try, each time another of them.

        Without it the first call after an outage waits for a probe's turn; with it, for a second.
        """
        breakers = [cast("Breaker", circuit) for circuit in circuits]
        now = self._now()
        with self._lock:  # only to take the turn: a breaker may tell its listeners when asked
            before, interval = self._last_resort_at, self._rules.last_resort
            my_turn = interval is not None and now >= before + interval
            if my_turn:
                self._last_resort_at = now
        for index in sorted(range(len(breakers)), key=lambda index: breakers[index].last_resort_at):
            breaker = breakers[index]
            permit = breaker.last_resort() if my_turn or breaker.state == "closed" else None
            if permit is not None:
                breaker.last_resort_at = now
                return index, permit
        if my_turn:
            self._last_resort_at = before  # nothing to try with it
        return None

    def _make_keeper(self, name: str, wished: Callable[[BreakerState], None]) -> Keeper:
        return Keeper(name, listeners=self._listeners, storage=self._storage, wished=wished)
