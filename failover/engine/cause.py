"""Which of all the errors that a call met its caller is shown, if nobody answers."""

from __future__ import annotations

from failover.events import CallOutcome

from .outcome import Outcome

__all__ = ["Cause"]

_THE_TRUTH, _A_FAILURE, _THE_ACCOUNT, _EASED = range(4)


class Cause:
    """Keeps the error that tells the caller most."""

    __slots__ = ("_interrupted", "_weightiest")

    def __init__(self) -> None:
        self._weightiest: tuple[int, int] | None = None
        self._interrupted: int | None = None

    def weigh(self, outcome: Outcome, number: int, *, of_requested_model: bool, eased: bool = False) -> None:
        """Attempt `number` (from 1) ended like this.

        What the requested model says of the request or the account is the truth about this call. Else it is the first
        failure of a model, then a word about the account. That a fallback cannot take the request is no cause at all:
        an outage must not turn into a 400. What was wrong with a request that is another one now (`eased`) is told only if
        there is nothing else to tell.
        """
        if eased:
            rank = _EASED
        elif of_requested_model and (outcome.scope != "model" or outcome.then == "raise"):
            rank = _THE_TRUTH
        elif outcome.scope == "model":
            rank = _A_FAILURE
        elif outcome.scope == "account":
            rank = _THE_ACCOUNT
        else:
            return
        found = (rank, number)
        self._weightiest = found if self._weightiest is None else min(self._weightiest, found)

    def interrupted(self, number: int) -> None:
        """Attempt `number` broke after the caller had some of its answer: the first that did is the cause of all."""
        self._interrupted = self._interrupted or number

    @property
    def of_interruption(self) -> bool:
        """Whether the caller was given some of an answer that broke."""
        return self._interrupted is not None

    def verdict(self) -> tuple[CallOutcome, int] | None:
        """What became of the call, and the attempt that tells why; `None` if no error tells anything."""
        if self._interrupted is not None:
            return "interrupted", self._interrupted
        if self._weightiest is None:
            return None
        rank, number = self._weightiest
        return ("exhausted" if rank == _A_FAILURE else "failed"), number
