"""What happened to a call so far: kept for its route, and told as events to whoever listens.

Deciding is the business of `Call`; it never reads an event back. A call in which nothing goes wrong tells nothing
unless somebody asked for all of it, so that listening costs nothing while all is well.
"""

from __future__ import annotations

import itertools
from typing import Literal

from failover.events import (
    AttemptFinished,
    AttemptReason,
    AttemptStarted,
    CallFinished,
    CallOutcome,
    CallStarted,
    ContentStarted,
    IncidentProbed,
    ModelSkipped,
    PromptShrunk,
    Resumption,
    StreamInterrupted,
    Waiting,
)

from .actions import Services, Wait
from .outcome import Outcome
from .plan import Candidate, Load, Permit, Plan, Refusal
from .route import Attempt, Route

__all__ = ["CallRecord"]

_numbers = itertools.count(1)


class CallRecord:
    """The attempts, skips and waits of one call."""

    __slots__ = (
        "_changes",
        "_emit",
        "_model",
        "_now",
        "_number",
        "_queued",
        "_reason",
        "_resuming",
        "_sat_out",
        "_skipped",
        "_started",
        "_told",
        "_verbose",
        "_waited",
        "attempts",
        "resumed",
    )

    def __init__(self, plan: Plan, services: Services, sdk_retries_taken: int, started: float) -> None:
        self.attempts: list[Attempt] = []
        self.resumed: Resumption | None = None
        self._resuming: Resumption | None = None
        self._changes: tuple[str, ...] = ()
        self._queued: float | None = None
        self._emit = services.emit
        self._now = services.now
        self._started = started
        self._reason: AttemptReason = "primary"
        self._model = plan.model
        self._number = next(_numbers)
        self._skipped: dict[str, str] = {}
        self._verbose = services.verbose()
        self._waited = 0.0
        self._sat_out = 0.0
        self._told = False
        if self._verbose:
            policy = plan.policy
            self._emit(CallStarted(self._number, policy.name, policy.digest, plan.model, sdk_retries_taken))

    def sending(
        self, candidate: Candidate, permit: Permit, reason: AttemptReason, load: Load | None, queued: float | None
    ) -> None:
        """A request is about to go to this candidate."""
        self._changes, self._queued = () if load is None else load.changes, queued
        self._reason = reason
        self._tell_what_it_sat_out()
        if self._verbose or reason != "primary":
            self._emit(
                AttemptStarted(
                    self._number,
                    len(self.attempts) + 1,
                    candidate.rung.model,
                    reason,
                    candidate.circuit.name,
                    permit.state,
                    candidate.client,
                    self._changes,
                    queued,
                )
            )

    def shrunk(self, candidate: Candidate, done: tuple[str, ...], before: int, after: int) -> None:
        """The prompt was made smaller after the last attempt, or (`done` is empty) could not be."""
        self._told = True
        self._emit(PromptShrunk(self._number, len(self.attempts), candidate.rung.model, done, before, after))

    def begun(self, candidate: Candidate, outcome: Outcome, seconds: float) -> Route:
        """The first content of an answer is there; the call so far."""
        model = candidate.rung.model
        if self._verbose:
            self._emit(ContentStarted(self._number, len(self.attempts) + 1, model, seconds))
        self.resumed = self._resuming or self.resumed
        running = Attempt(
            model,
            candidate.client,
            outcome.status,
            None,
            outcome.request_id,
            seconds,
            seconds,
            self._changes,
            self._queued,
        )
        attempts = (*self.attempts, running)
        return self._route("streaming", model, attempts)

    def interrupted(self, candidate: Candidate, outcome: Outcome, resume: Resumption | None, why: str | None) -> None:
        """The attempt that ended last had been answering the caller; what happens now."""
        self._resuming = resume
        self._told = True
        self._emit(
            StreamInterrupted(
                self._number,
                len(self.attempts),
                candidate.rung.model,
                outcome.error_type,
                outcome.request_id,
                resume or "raise",
                why,
            )
        )

    def answered(
        self, candidate: Candidate, outcome: Outcome, seconds: float, first_content: float | None = None
    ) -> None:
        """An attempt ended, with whatever outcome."""
        model = candidate.rung.model
        status, error_type, request_id = outcome.status, outcome.error_type, outcome.request_id
        self.attempts.append(
            Attempt(
                model,
                candidate.client,
                status,
                error_type,
                request_id,
                seconds,
                first_content,
                self._changes,
                self._queued,
            )
        )
        if self._verbose or outcome.then != "return":
            self._told = True
            self._emit(
                AttemptFinished(
                    self._number,
                    len(self.attempts),
                    model,
                    candidate.circuit.name,
                    outcome.counts,
                    status,
                    error_type,
                    request_id,
                    outcome.retry_after,
                    seconds,
                    first_content,
                    outcome.stream,
                    self._reason,
                    candidate.client,
                    outcome.input_tokens,
                    outcome.output_tokens,
                )
            )

    def skipped(self, candidate: Candidate, refusal: Refusal) -> None:
        """A rung was passed over."""
        model, name = candidate.rung.model, candidate.circuit.name
        told = f"{refusal.reason}: {refusal.why}" if refusal.why is not None else refusal.reason
        if (self._sat_out or refusal.reason == "incident") and self._skipped.get(name) == told:
            return  # a call that waits for the end of an incident looks again and again
        self._skipped[name] = told
        self._told = True
        self._emit(
            ModelSkipped(self._number, model, name, refusal.state, refusal.retry_in, refusal.reason, refusal.why)
        )

    def waiting(self, wait: Wait) -> None:
        """The call is about to wait."""
        self._waited += wait.seconds
        if wait.cause == "incident":  # one of many: told as one once it is over
            self._sat_out += wait.seconds
        else:
            self._emit(Waiting(self._number, wait.seconds, wait.cause))

    def _tell_what_it_sat_out(self) -> None:
        if self._sat_out:
            seconds, self._sat_out = self._sat_out, 0.0
            self._emit(Waiting(self._number, seconds, "incident"))

    def pinged(self, candidate: Candidate, outcome: Outcome, seconds: float, *, answered: bool) -> None:
        """A tiny request asked whether an incident is over."""
        self._told = True
        status, error_type, request_id = outcome.status, outcome.error_type, outcome.request_id
        model, client = candidate.rung.model, candidate.client
        self._emit(IncidentProbed(self._number, client, model, answered, status, error_type, request_id, seconds))

    def stood_in_line(self, seconds: float) -> None:
        """The call has waited for its turn under a bulkhead, whether that came or not."""
        self._waited += seconds
        self._told = True
        self._emit(Waiting(self._number, seconds, "queue"))

    def finished(self, outcome: CallOutcome, shown: int | None, *, without_answer: str) -> Route:
        """The call is over; the caller is shown the answer of attempt `shown` (from 1), or the error `without_answer`."""
        self._tell_what_it_sat_out()
        served = self.attempts[-1].model if outcome in ("primary", "fallback") else None
        route = self._route(outcome, served, tuple(self.attempts))
        if self._verbose or outcome != "primary" or self._told:
            error_type = without_answer if shown is None and outcome in {"refused", "exhausted"} else None
            if served is None and shown is not None:
                error_type = self.attempts[shown - 1].error_type
            self._emit(
                CallFinished(
                    self._number,
                    outcome,
                    self._model,
                    served,
                    len(self.attempts),
                    route.skipped,
                    self._waited,
                    error_type,
                    route.request_ids,
                    self._now() - self._started,
                )
            )
        return route

    def _route(
        self, outcome: CallOutcome | Literal["streaming"], served: str | None, attempts: tuple[Attempt, ...]
    ) -> Route:
        return Route(
            outcome,
            self._model,
            served,
            attempts,
            tuple(self._skipped),
            self._waited,
            self.resumed,
            tuple(self._skipped.values()),
        )
