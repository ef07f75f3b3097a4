"""What becomes of a prompt that was too much: less of it, or a rung with more room."""

from __future__ import annotations

from .outcome import Outcome
from .plan import Candidate, Cargo, Refusal
from .record import CallRecord
from .rungs import Rungs

__all__ = ["Relief"]

_MOST_SHRINKS = 5  # of one call
_TOO_SMALL = Refusal("closed", None, "unfit", None, None, last_resort=False, why="the prompt is too long for it")


class Relief:
    """For one call in which something failed."""

    __slots__ = ("_cargo", "_record", "_rungs", "_too_much")

    def __init__(self, cargo: Cargo, rungs: Rungs, record: CallRecord) -> None:
        self._cargo = cargo
        self._rungs = rungs
        self._record = record
        self._too_much = 0

    def shrink(self, candidate: Candidate, outcome: Outcome) -> bool:
        """Make the prompt smaller, if the policy has it so for this failure; whether that was done."""
        rules = candidate.shrink
        if rules is None or not {outcome.kind, outcome.error_type, str(outcome.status)}.intersection(rules.when):
            return False
        self._too_much += 1
        if self._too_much % rules.after_tries or self._too_much > rules.after_tries * _MOST_SHRINKS:
            return False
        done, before, after = self._cargo.shrink(rules)
        self._record.shrunk(candidate, done, before, after)
        if not done:
            return False
        self._rungs.shrunk = True
        self._rungs.reload()
        return True

    def finds_more_room(self, candidate: Candidate, outcome: Outcome) -> bool:
        """Whether a prompt was too long for this rung, and there is one that has more room."""
        if outcome.kind != "prompt_too_long" or not self._cargo.outgrew(candidate):
            return False
        self._rungs.reload()
        self._rungs.block(candidate, _TOO_SMALL)
        return True
