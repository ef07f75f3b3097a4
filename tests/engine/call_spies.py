"""Circuits that watch: every permit that a call was given, and whether it came back."""

from __future__ import annotations

from failover.engine import Refusal

__all__ = ["SpyCircuit", "SpyGate"]


class SpyPermit:
    """A permit that remembers being settled."""

    def __init__(self, permit):
        self._permit = permit
        self.state = permit.state
        self.settled = 0

    def report(self, outcome, *, seconds, open_for=None):
        self.settled += 1
        self._permit.report(outcome, seconds=seconds, open_for=open_for)

    def release(self):
        self.settled += 1
        self._permit.release()


class SpyCircuit:
    """A breaker whose permits are written down."""

    def __init__(self, breaker, permits):
        self.breaker = breaker
        self.name = breaker.name
        self.outlook = breaker.outlook
        self.cool = breaker.cool
        self._permits = permits

    def admit(self):
        permit = self.breaker.admit()
        return permit if isinstance(permit, Refusal) else self.watched(permit)

    def watched(self, permit):
        self._permits.append(SpyPermit(permit))
        return self._permits[-1]


class SpyGate:
    """A board whose last resorts are written down."""

    def __init__(self, board):
        self._board = board

    def last_resort(self, circuits):
        chosen = self._board.last_resort([circuit.breaker for circuit in circuits])
        return chosen and (chosen[0], circuits[chosen[0]].watched(chosen[1]))
