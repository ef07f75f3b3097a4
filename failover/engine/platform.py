"""What a call needs to know of the platform as a whole: whether a client is in an incident, and whose turn it is to ask.

One model's failure is its circuit's business. When no model of a client answers, asking each on its own schedule is
of no use; then all calls together send one tiny request now and then, until it is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from failover.events import BreakerState, IncidentCause

from .outcome import Outcome

__all__ = ["CallsMeanwhile", "Incident", "Incidents", "Turn"]

CallsMeanwhile: TypeAlias = Literal["wait", "fail_fast"]


class Incident(NamedTuple):
    """An incident that is not over."""

    client: str
    """`default` is the caller's own."""
    cause: IncidentCause
    failing_for: float
    """Seconds since the first of the failures."""
    failures: int
    models: tuple[str, ...]
    """That fail, in the order in which they began to."""
    error_types: tuple[str, ...]
    request_ids: tuple[str, ...]
    """Of the first and the last failure."""
    next_probe_in: float
    """Seconds."""


class Turn(NamedTuple):
    """The right to send one probe."""

    which: int
    """The index of the circuit that is to be probed, among those that were asked for."""
    number: int
    """Which of all probes it is."""


class Circuit(Protocol):
    """The circuit of one of a client's models, as far as this needs to know it."""

    name: str

    @property
    def state(self) -> BreakerState:
        """As of the last call that asked."""

    @property
    def held(self) -> str | None:
        """Why it is open, if not for failures: `isolated` by hand, `unavailable`, or `retry_after`, as the server asked."""

    def wake(self) -> None:
        """Let a probe through now, if it is open for its failures."""


class Incidents(Protocol):
    """Those of all clients."""

    calls: CallsMeanwhile
    """What calls do that no other client can take."""
    probe_timeout: float
    """Seconds that a probe may take."""

    def answered(self, client: str, circuit: Circuit) -> None:
        """One of a client's models has answered."""

    def failed(self, client: str, model: str, circuit: Circuit, outcome: Outcome) -> None:
        """One of a client's models has failed."""

    def found_nobody(self, client: str, circuits: Sequence[Circuit]) -> None:
        """A call asked all that its ladder has on a client, or found their circuits open, and none answered."""

    def of(self, client: str, circuit: Circuit) -> Incident | None:
        """The one that a client is in, if this is the circuit of one of the models that fail in it."""

    def take_turn(self, client: str, circuits: Sequence[Circuit]) -> Turn | None:
        """Whether the caller is to probe one of these now; `None` if it is not its turn."""

    def probed(self, client: str, turn: int, circuit: Circuit, *, answered: bool) -> None:
        """What came of a turn."""

    def kept_back(self, client: str) -> None:
        """A call was not sent to a client because of its incident."""
