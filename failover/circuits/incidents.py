"""Whether the whole platform is down: no model of a client answers, although several are asked, or for long.

    (failures) ──(no good answer for `after`, or a call found nobody)──► incident ──(enough probes answered)──► over

A single good answer forgets all failures, so an incident never begins while anybody is served. What is decided here is
told after the lock is free, as in a breaker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from failover.engine.locks import renew_after_fork
from failover.engine.outcome import Outcome
from failover.engine.platform import Circuit, Incident, Turn
from failover.events import Event, IncidentCause, IncidentEnded, IncidentStarted
from failover.policy.incident import IncidentRules

from .monitor import Monitor

__all__ = ["Incidents"]

_FOREVER = float("inf")
_NOT_THERE = frozenset({"isolated", "unavailable"})  # why a circuit is open of which nobody expects an answer
_LEASE = 3  # times a probe's time-out, which bounds each phase of a request, and not all of it
_QUIET = 900.0  # seconds without a call, after which older failures tell nothing; where the policy does not say


class _Trouble:
    """What is known of a client since its last good answer."""

    __slots__ = (
        "circuits",
        "error_types",
        "failures",
        "first_request_id",
        "last_at",
        "last_request_id",
        "names",
        "since",
    )

    def __init__(self, since: float) -> None:
        self.since = self.last_at = since
        self.failures = 0
        self.circuits: dict[str, Circuit] = {}
        """By model, in the order in which they began to fail."""
        self.names: frozenset[str] = frozenset()
        """Of these circuits."""
        self.error_types: dict[str, None] = {}
        self.first_request_id: str | None = None
        self.last_request_id: str | None = None

    def add(self, model: str, circuit: Circuit, outcome: Outcome, now: float) -> None:
        self.last_at = now
        self.failures += 1
        self.circuits = {**self.circuits, model: circuit}  # a new one: others may be reading
        self.names = frozenset(one.name for one in self.circuits.values())
        if outcome.error_type is not None:
            self.error_types = {**self.error_types, outcome.error_type: None}
        if outcome.request_id is not None:
            self.first_request_id = self.first_request_id or outcome.request_id
            self.last_request_id = outcome.request_id

    def facts(self, now: float) -> tuple[float, int, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """What an `Incident` and an `IncidentStarted` say of it, in their order."""
        ids = (self.first_request_id, self.last_request_id)
        request_ids = tuple(dict.fromkeys(one for one in ids if one is not None))
        return now - self.since, self.failures, tuple(self.circuits), tuple(self.error_types), request_ids


class _Open:
    """An incident, and how far it is from its end."""

    __slots__ = (
        "answering",
        "cause",
        "kept_back",
        "next_probe_at",
        "out_until",
        "probed_at",
        "probes",
        "successes",
        "trouble",
        "turn",
    )

    def __init__(self, trouble: _Trouble, cause: IncidentCause, next_probe_at: float) -> None:
        self.trouble = trouble
        self.cause: IncidentCause = cause
        self.next_probe_at = next_probe_at
        self.probed_at: dict[str, float] = {}
        """By circuit; of those that were probed."""
        self.turn = 0
        """The number of the probe that was sent last."""
        self.out_until = -_FOREVER
        """When it is given up, should nothing be heard of it."""
        self.answering: str | None = None
        """The circuit whose last probe was answered."""
        self.successes = 0
        self.probes = 0
        self.kept_back = 0

    def is_due(self, now: float) -> bool:
        """Whether a probe may be sent: it is time, and none is out."""
        return now >= self.next_probe_at and now >= self.out_until


class _Note(NamedTuple):
    """What is told once the lock is free."""

    event: Event
    wake: tuple[Circuit, ...] = ()


class Incidents:
    """The incidents of all clients of one process. Thread-safe."""

    def __init__(self, rules: IncidentRules, *, now: Callable[[], float], emit: Callable[[Event], None]) -> None:
        self.calls = rules.calls
        """What calls do that no other client can take."""
        self.probe_timeout = rules.probe.timeout
        """Seconds that a probe may take."""
        self._rules = rules
        self._now = now
        self._emit = emit
        self._turns = 0
        self._answered_at: dict[str, float] = {}
        self._troubled: dict[str, _Trouble] = {}
        self._open: dict[str, _Open] = {}
        self._monitor: Monitor[_Note] = Monitor(self._tell)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: a lock of its own, and none of the parent's news."""
        self._monitor.renew()

    def __repr__(self) -> str:
        """The clients that are in an incident."""
        return f"<Incidents {', '.join(sorted(self._open)) or 'none'}>"

    def now_open(self) -> tuple[Incident, ...]:
        """Those that are not over."""
        return tuple(self._shown(client, found) for client, found in tuple(self._open.items()))

    def of(self, client: str, circuit: Circuit) -> Incident | None:
        """The one that a client is in, if this is the circuit of one of the models that fail in it.

        Of others it is not known that they do: they are asked as ever. Needs no lock, for a moment ago is as good as now.
        """
        found = self._open.get(client)
        if found is None or circuit.name not in found.trouble.names:
            return None
        return self._shown(client, found)

    def _shown(self, client: str, found: _Open) -> Incident:
        now = self._now()
        return Incident(client, found.cause, *found.trouble.facts(now), max(0.0, found.next_probe_at - now))

    # --- being told ------------------------------------------------------------------------------------------

    def answered(self, client: str, circuit: Circuit) -> None:
        """One of a client's models has answered.

        In an incident, of the models that fail in it, only probes count: this was sent before it.
        """
        self._answered_at[client] = self._now()
        if client in self._troubled or client in self._open:
            self._monitor.run(self._answered_needs_lock, client, circuit)

    def _answered_needs_lock(self, client: str, circuit: Circuit) -> None:
        self._troubled.pop(client, None)
        found = self._open.get(client)
        if found is not None and circuit.name not in found.trouble.names:
            self._end_needs_lock(client, found)

    def failed(self, client: str, model: str, circuit: Circuit, outcome: Outcome) -> None:
        """One of a client's models has failed."""
        self._monitor.run(self._failed_needs_lock, client, model, circuit, outcome)

    def _failed_needs_lock(self, client: str, model: str, circuit: Circuit, outcome: Outcome) -> None:
        now, after, found = self._now(), self._rules.after, self._open.get(client)
        if found is not None:
            if circuit.name not in found.trouble.names:
                found.trouble.add(model, circuit, outcome, now)
            return
        trouble = self._troubled.get(client)
        if trouble is None or now - trouble.last_at > (after or _QUIET):  # a quiet time says nothing about those hours
            trouble = self._troubled[client] = _Trouble(now)
        trouble.add(model, circuit, outcome, now)
        if after is not None and now - trouble.since >= after and trouble.failures >= self._rules.of_at_least:
            self._start_needs_lock(client, trouble, "after", now)

    def found_nobody(self, client: str, circuits: Sequence[Circuit]) -> None:
        """A call asked all that its ladder has on a client, or found their circuits open, and none answered."""
        if self._rules.models is not None and client in self._troubled:
            self._monitor.run(self._found_nobody_needs_lock, client, circuits, self._rules.models)

    def _found_nobody_needs_lock(self, client: str, circuits: Sequence[Circuit], enough: int) -> None:
        trouble, now = self._troubled.get(client), self._now()
        if trouble is None or client in self._open:
            return
        if now - self._answered_at.get(client, -_FOREVER) < self._rules.probe.every:
            return  # callers of other ladders are being served
        failing = {circuit.name for circuit in trouble.circuits.values() if circuit.state != "closed"}
        names = {circuit.name for circuit in circuits if circuit.name in failing or circuit.held not in _NOT_THERE}
        if len(names) >= enough and names <= failing:
            self._start_needs_lock(client, trouble, "models", now)

    # --- in an incident --------------------------------------------------------------------------------------

    def kept_back(self, client: str) -> None:
        """A call was not sent to a client because of its incident."""
        self._monitor.run(self._kept_back_needs_lock, client)

    def _kept_back_needs_lock(self, client: str) -> None:
        found = self._open.get(client)
        if found is not None:
            found.kept_back += 1

    def take_turn(self, client: str, circuits: Sequence[Circuit]) -> Turn | None:
        """Whether the caller is to probe one of these now; `None` if it is not its turn.

        Each in turn, so that the first that is back is found; the one that answered last is asked again at once.
        """
        found = self._open.get(client)
        if found is None or not found.is_due(self._now()) or not circuits:
            return None
        return self._monitor.run(self._take_turn_needs_lock, client, circuits)

    def _take_turn_needs_lock(self, client: str, circuits: Sequence[Circuit]) -> Turn | None:
        found, now, probe = self._open.get(client), self._now(), self._rules.probe
        if found is None or not found.is_due(now):
            return None
        self._turns += 1
        found.turn = self._turns
        found.next_probe_at = now + probe.every
        found.out_until = now + _LEASE * probe.timeout
        found.probes += 1
        names = [circuit.name for circuit in circuits]
        chosen = min(names, key=lambda name: (name != found.answering, found.probed_at.get(name, -_FOREVER)))
        found.probed_at[chosen] = now
        return Turn(names.index(chosen), found.turn)

    def probed(self, client: str, turn: int, circuit: Circuit, *, answered: bool) -> None:
        """What came of a turn; one that was given up meanwhile says nothing any more."""
        self._monitor.run(self._probed_needs_lock, client, turn, circuit, answered)

    def _probed_needs_lock(self, client: str, turn: int, circuit: Circuit, answered: bool) -> None:
        found, now, probe = self._open.get(client), self._now(), self._rules.probe
        if found is None or found.turn != turn:
            return
        found.turn, found.out_until = 0, -_FOREVER
        if not answered:
            found.successes, found.answering = 0, None
            found.next_probe_at = now + probe.every  # from its end: one that took long must not be followed at once
            return
        found.successes += 1
        found.answering = circuit.name
        found.next_probe_at = now
        if found.successes >= probe.successes:
            self._end_needs_lock(client, found)

    # --- beginning and end -----------------------------------------------------------------------------------

    def _start_needs_lock(self, client: str, trouble: _Trouble, cause: IncidentCause, now: float) -> None:
        if self._troubled.get(client) is not trouble:
            return  # a finaliser came in between and told of a good answer
        del self._troubled[client]
        self._open[client] = _Open(trouble, cause, now + self._rules.probe.every)
        self._monitor.note(_Note(IncidentStarted(client, cause, *trouble.facts(now))))

    def _end_needs_lock(self, client: str, found: _Open) -> None:
        del self._open[client]
        trouble = found.trouble
        seconds = self._now() - trouble.since
        ended = IncidentEnded(client, seconds, tuple(trouble.circuits), found.probes, found.kept_back)
        self._monitor.note(_Note(ended, tuple(trouble.circuits.values())))

    def _tell(self, note: _Note) -> None:
        for circuit in note.wake:
            circuit.wake()
        self._emit(note.event)
