"""Where a stream stands when somebody gives it up, and what must be back in its place afterwards."""

from __future__ import annotations

from sdk_callers import FIRST, SECOND, trip
from stream_lab import CUT, frames

from failover.events import AttemptFinished, CallFinished

ENDLESS = 30
"""A piece of an answer: nothing comes until the upstream stops."""
BEGUN = frames(FIRST).whole[:3]
TAKEN_OVER = frames(SECOND).whole[:3]
RESUMING = {"stream": {"on_interrupt": "restart"}, "breaker": trip(consecutive_failures=2)}

PLACES = {
    "before the first content": (BEGUN[:1], None, (FIRST, 1, 0)),
    "while it is read": (BEGUN, None, (FIRST, 1, 1)),
    "before another takes over": ((*BEGUN, CUT), TAKEN_OVER[:1], (SECOND, 2, 1)),
    "while another is read": ((*BEGUN, CUT), TAKEN_OVER, (SECOND, 2, 2)),
}
"""What both models answer, and where the stream stands: who is asked, after how many requests and how many texts."""


class Told(list):
    """A listener that keeps how attempts and calls ended."""

    def __call__(self, event):
        if isinstance(event, AttemptFinished):
            self.append((event.model, event.verdict, event.stream))
        elif isinstance(event, CallFinished):
            self.append(event.outcome)


def busy(client):
    """Connections that somebody still has."""
    connections = client._client._transport._pool.connections
    return [connection for connection in connections if not connection.is_idle() and not connection.is_closed()]


def half_open(guard, clock, model):
    """The next request to this model is a probe, and there is no other place for one."""
    guard.board.breaker(model).open()
    clock.advance(15)


def assert_given_back(guard, model):
    """The probe's place is free, and nothing was said about the model."""
    circuit = guard.board[model]
    assert circuit.state == "half_open"
    assert circuit.outlook() is None
    assert circuit.pybreaker.fail_counter == 0
