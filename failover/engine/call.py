"""The transitions of one call: what to send next, when to wait, when to stop.

A call walks its ladder. Each rung may be sent to a few times in place; a rung whose circuit refuses is passed over
at once; a walk from the first rung to the last is a pass, and between passes the call waits. So a long wait happens
only when no rung can be tried now. The driver asks `next()`, does what it says, and tells `report()` what came back:

    next() -> Send   -> report(outcome) -> next() ...
           -> Wait   -> (sleep)         -> next() ...
           -> Queue  -> (stand in line) -> next() ...
           -> Ping   -> pinged(outcome) -> next() ...
           -> Finish

A streamed answer is told of twice, as it begins and as it ends:

    next() -> Send   -> begin(outcome)  -> next() -> Begun -> report(outcome) -> next() ...

Nothing here reads a clock, draws a random number of its own, or touches a socket.
"""

from __future__ import annotations

from typing import Literal

from failover.events import AttemptReason, CallOutcome, Resumption

from . import waits
from .actions import Action, Begun, Finish, Measure, Ping, Queue, Send, Services, Wait
from .admission import Admission, Admitted, Rethread
from .backoff import cooling_seconds
from .cause import Cause
from .outcome import Outcome
from .plan import Candidate, Cargo, Permit, Plan, Refusal, Ticket
from .record import CallRecord
from .relief import Relief
from .route import Route
from .rungs import Rungs

__all__ = ["Call"]

_FOREVER = float("inf")
_SERVER_ERROR = 500


class Call:
    """One call on its way down the ladder. Used by one thread or task at a time."""

    route: Route | None = None
    """What became of the call, once it is over."""

    # What most calls never change is set here and not for each call.
    _pass = 1
    _position = 0
    _tries = 0
    _sent_in_pass = False
    _waiting = False
    _in_line = False
    _held_back = False
    """Whether it has waited for the end of an incident, and has sent nothing since."""
    _current: Candidate | None = None
    _permit: Permit | None = None
    _decided: Wait | Queue | Measure | Ping | Begun | Finish | None = None
    _relief: Relief | None = None
    _first_content: float | None = None
    """Seconds until the answer to the last `Send` began; `None` before it has."""

    def __init__(
        self,
        plan: Plan,
        services: Services,
        cargo: Cargo,
        *,
        least: float = 0.0,
        sdk_retries_taken: int = 0,
        until: float | None = None,
    ) -> None:
        """Begin a call.

        Args:
            plan: the ladder and its circuits.
            services: what calls share.
            cargo: the request. As long as nothing goes wrong, and there are no limits by size, it is asked nothing.
            least: seconds that an honest answer may need, when the policy stretches for long answers.
            sdk_retries_taken: how often the SDK's own loop had already run this call.
            until: when it is to be over, if it goes on with another call that had a deadline.
        """
        now = services.now()
        retry = plan.policy.retry
        services.budget.call(now)
        self._plan = plan
        self._services = services
        self._record = CallRecord(plan, services, sdk_retries_taken, now)
        self._patience = _FOREVER if retry.deadline is None else retry.deadline
        self._least = least if retry.long_answers == "stretch" else 0.0
        self._now = now  # read anew after whatever takes time: an answer, a wait
        self._sent_to: set[int] = set()
        self._cargo = cargo
        self._rungs = Rungs(plan, cargo)
        self._admission = Admission(plan, cargo, self._rungs, now + self._patience if until is None else until)
        self._cause = Cause()
        self._incidents = plan.incidents

    @property
    def deadline(self) -> float:
        """When no attempt starts any more."""
        return self._admission.deadline

    def next(self) -> Action:
        """What to do now."""
        while True:
            decided = self._decided
            if decided is not None:
                if isinstance(decided, (Wait, Queue, Measure, Ping)):
                    self._decided = None
                    self._waiting = True
                    if isinstance(decided, Wait):
                        self._record.waiting(decided)
                    elif isinstance(decided, Queue):
                        self._in_line, self._now = True, self._services.now()
                    elif isinstance(decided, Ping):
                        self._now = self._services.now()
                return decided
            if self._waiting:
                self._waiting = False
                before, self._now = self._now, self._services.now()
                if self._in_line:
                    self._in_line = False
                    self._record.stood_in_line(self._now - before)
            candidates = self._rungs.candidates
            walking = self._position < len(candidates)
            send = self._ask(candidates[self._position]) if walking else self._end_pass()
            if send is not None:
                return send

    def begin(self, outcome: Outcome, *, given: bool = True) -> None:
        """Tell that content has begun to come in answer to the last `Send`; `report` tells how it ends.

        Args:
            outcome: what is known of it so far.
            given: whether the caller gets it as it comes, so that from here on no other model can answer unseen.
        """
        candidate, permit = self._sent()
        permit.answering()
        if self._incidents is not None:
            self._incidents.answered(candidate.client, candidate.circuit)
        self._first_content = self._services.now() - self._now
        if given:
            self._decided = Begun(self._record.begun(candidate, outcome, self._first_content))

    def report(self, outcome: Outcome, *, resume: Resumption | None = None, why: str | None = None) -> None:
        """Tell what the last `Send` brought.

        Args:
            outcome: what it meant.
            resume: how another attempt is to take over, if this one broke after the caller was given some of it.
            why: why none can take over although the policy asks for it.
        """
        candidate, permit = self._sent()
        now = self._services.now()
        seconds, self._now = now - self._now, now
        first_content, self._first_content = self._first_content, None
        waited = seconds if first_content is None else first_content
        if isinstance(self._decided, Begun):
            self._admission.deadline = now + self._patience  # while the caller was being answered, it did not wait
        elif first_content is not None and self._plan.policy.retry.long_answers == "stretch":
            self._admission.deadline += seconds - first_content
        if outcome.then == "return":
            self._settle_permit(permit, outcome, waited)
            self._record.answered(candidate, outcome, seconds, first_content)
            self._finish("primary" if candidate.index == 0 else "fallback", len(self._record.attempts))
            return
        if resume is not None:
            self._rungs.unload()  # whoever takes over must be able to go on
        self._rungs.load_all()
        open_for = cooling_seconds(self._plan.policy, outcome)
        if isinstance(self._decided, Begun):
            self._settle_permit(permit, outcome, waited, open_for)
            self._record.answered(candidate, outcome, seconds, first_content)
            self._break_off(candidate, outcome, resume, why)
            return
        wait = self._wait_in_place(candidate, outcome)
        self._settle_permit(permit, outcome, waited, None if wait else open_for)
        self._record.answered(candidate, outcome, seconds, first_content)
        if outcome.kind == "rate_limit_error" and wait is None and open_for is not None:
            self._rungs.cool_bucket(candidate, outcome, open_for)
        relief = self._relief = self._relief or Relief(self._cargo, self._rungs, self._record)
        shrunk = relief.shrink(candidate, outcome) and outcome.scope == "request"
        requested = candidate.index == 0
        self._cause.weigh(outcome, len(self._record.attempts), of_requested_model=requested, eased=shrunk)
        if shrunk:  # what was wrong with the request is not any more: the same rung, with less
            self._position, self._tries = candidate.index, 0
        elif relief.finds_more_room(candidate, outcome):
            self._move_on(candidate)
        else:
            self._go_on(candidate, outcome, wait)

    def pinged(self, ping: Ping, outcome: Outcome) -> None:
        """Tell what a `Ping` brought. Whatever the API says is an answer, but that it cannot: of a platform that works."""
        if self._incidents is not None:
            told = outcome.status is not None and outcome.status < _SERVER_ERROR
            answered = outcome.counts == "success" or (told and outcome.counts != "failure")
            self._record.pinged(ping.candidate, outcome, self._services.now() - self._now, answered=answered)
            self._incidents.probed(ping.candidate.client, ping.turn, ping.candidate.circuit, answered=answered)

    def _settle_permit(self, permit: Permit, outcome: Outcome, seconds: float, open_for: float | None = None) -> None:
        """The attempt is over: tell its circuit, and let others have its turn."""
        candidate = self._current
        self._permit = None
        if self._incidents is not None and candidate is not None:  # first: whoever finds the circuit open must find why
            if outcome.counts == "success":
                self._incidents.answered(candidate.client, candidate.circuit)
            elif outcome.counts == "failure" or (outcome.counts == "open" and outcome.kind != "model_unavailable"):
                self._incidents.failed(candidate.client, candidate.rung.model, candidate.circuit, outcome)
        permit.report(outcome, seconds=seconds, open_for=open_for)
        self._admission.leave()

    def hold_turn(self) -> Ticket | None:
        """What the attempt holds of the bulkheads, for an answer that is over later than this call; release it then."""
        return self._admission.hand_over()

    def abandon(self, outcome: Literal["cancelled", "failed"], seen: Outcome | None = None) -> None:
        """The caller gave up, or an error that is nobody's outage ended the call: give the permit back.

        Does nothing once the call is over.

        Args:
            outcome: who ended it.
            seen: what is known of the answer that had begun.
        """
        if self._in_line:
            self._in_line = False
            self._record.stood_in_line(self._services.now() - self._now)
        if self._permit is not None:
            candidate, permit = self._sent()
            self._permit = None
            permit.release()
            if seen is not None:
                self._record.answered(candidate, seen, self._services.now() - self._now, self._first_content)
        self._admission.leave()
        if self.route is None:
            self._finish(outcome, None)

    # --- sending ---------------------------------------------------------------------------------------------

    def _ask(self, candidate: Candidate) -> Send | None:
        """Send to this candidate if it may be sent to; else pass it over, or decide what comes before."""
        answer = self._admission.ask(candidate, self._now, first=not self._record.attempts)
        if isinstance(answer, Admitted):
            return self._send(answer)
        if isinstance(answer, Refusal):
            self._skip(candidate, answer)
        elif isinstance(answer, Rethread):
            self._finish("rethreaded", None)
        else:
            self._decided = answer
        return None

    def _send(self, admitted: Admitted, reason: AttemptReason | None = None) -> Send:
        candidate, permit, load, available, queued = admitted
        timeout, least = available, self._least
        if permit.state != "closed":
            reason = reason or "probe"
            probe = self._plan.policy.breaker.probe
            timeout, least = min(timeout, probe.timeout), min(least, probe.lease)
        timeout = max(timeout, least)
        self._current, self._permit = candidate, permit
        self._tries += 1
        self._sent_in_pass = True
        self._held_back = False
        self._record.sending(candidate, permit, reason or self._reason(candidate), load, queued)
        self._sent_to.add(candidate.index)
        return Send(candidate, None if timeout == _FOREVER else timeout, load)

    def _reason(self, candidate: Candidate) -> AttemptReason:
        if candidate.index in self._sent_to:
            return "retry"
        return "fallback" if candidate.index else "primary"

    def _skip(self, candidate: Candidate, refusal: Refusal) -> None:
        self._record.skipped(candidate, refusal)
        self._position += 1
        self._tries = 0

    def _sent(self) -> tuple[Candidate, Permit]:
        """What the last `Send` was for."""
        if self._current is None or self._permit is None:
            raise RuntimeError("an answer without a Send before it")
        return self._current, self._permit

    def _move_on(self, candidate: Candidate) -> None:
        self._position = max(self._position, candidate.index) + 1
        self._tries = 0

    # --- after an answer -------------------------------------------------------------------------------------

    def _go_on(self, candidate: Candidate, outcome: Outcome, wait: Wait | None) -> None:
        """The end, the same rung again, or the next one."""
        if outcome.then == "raise" or outcome.scope == "account" or outcome.counts == "open":
            self._settle(candidate, outcome)
        if self._decided is not None:
            return
        if wait is not None and self._rungs.outlook(candidate) is None:
            self._decided = wait
        else:
            self._move_on(candidate)

    def _wait_in_place(self, candidate: Candidate, outcome: Outcome) -> Wait | None:
        """The wait before asking the same rung again, if that is worth it and possible."""
        if self._position > candidate.index:  # a last resort
            return None
        return waits.in_place(
            self._plan.policy,
            self._services,
            outcome,
            tries=self._tries,
            now=self._now,
            available=self._admission.available(candidate, self._now, first=False),
            another=lambda: self._rungs.another_after(candidate),
        )

    def _settle(self, candidate: Candidate, outcome: Outcome) -> None:
        """An answer that will not change within this call: about the request, the account, or a model that is gone."""
        if outcome.then != "raise" and outcome.scope == "model":
            self._rungs.block(candidate)
        else:
            self._rungs.block_client(candidate.client)
        if outcome.then == "raise" or self._rungs.all_blocked:
            self._look_for_an_incident()
            self._give_up()

    def _break_off(self, candidate: Candidate, outcome: Outcome, resume: Resumption | None, why: str | None) -> None:
        """The caller has some of an answer whose rest will not come: the end, or another rung takes over."""
        if resume is not None:
            why = self._obstacle(candidate, outcome)
            resume = resume if why is None else None
        self._record.interrupted(candidate, outcome, resume, why)
        self._cause.interrupted(len(self._record.attempts))
        if resume is None:
            self._give_up()
            return
        self._decided = None
        self._move_on(candidate)

    def _obstacle(self, candidate: Candidate, outcome: Outcome) -> str | None:
        """Why nobody can take over now. There is no second walk down the ladder, and only the first takeover is free."""
        if outcome.then == "raise" or outcome.scope != "model":
            return "policy" if outcome.scope == "model" else outcome.scope
        pass_is_over = self._position > candidate.index  # a last resort is sent when all have been passed over
        if pass_is_over or not self._rungs.another_after(candidate):
            return "no_rung"
        first = not self._cause.of_interruption
        return None if first or self._services.budget.take(self._now) else "budget"

    # --- the end of a pass, and of the call --------------------------------------------------------------------

    def _end_pass(self) -> Send | None:
        """Every rung was tried or passed over: a last resort, another pass after a wait, or the end."""
        if not self._sent_in_pass:
            admitted = self._admission.last_resort(self._now)
            if admitted is not None:
                return self._send(admitted, "last_resort")
        self._look_for_an_incident()
        wait = self._wait_in_incident() if self._held_back else self._wait_for_next_pass()
        if wait is None:
            self._give_up()
            return None
        self._pass += not self._held_back
        self._position = 0
        self._sent_in_pass = False
        self._decided = wait
        return None

    def _look_for_an_incident(self) -> None:
        """Nobody answered: tell that, and find out whether it makes no sense to go on asking.

        Who waits for an incident to end waits on until it can send: at first the circuits let back one call at a time.
        """
        if self._incidents is None:
            return
        for client in dict.fromkeys(candidate.client for candidate in self._rungs.candidates):
            circuits = [candidate.circuit for candidate in self._rungs.that_may_answer(client)]
            self._incidents.found_nobody(client, circuits)
        self._held_back = self._held_back or self._rungs.all_kept_back

    def _wait_in_incident(self) -> Wait | None:
        if self._cause.of_interruption or self._incidents is None or self._incidents.calls == "fail_fast":
            return None
        left = self._admission.left(self._now, first=not self._record.attempts)
        return waits.in_incident(self._services, soonest=self._rungs.soonest(), left=left)

    def _wait_for_next_pass(self) -> Wait | None:
        """The wait before the next pass, or `None` when there is none left, no time, no budget, or no hope."""
        if self._cause.of_interruption:
            return None
        return waits.before_next_pass(
            self._plan.policy,
            self._services,
            passes=self._pass,
            now=self._now,
            left=self._admission.deadline - self._now,
            soonest=self._rungs.soonest(),
        )

    def _give_up(self) -> None:
        verdict = self._cause.verdict()
        if verdict is None:
            self._finish("exhausted" if self._record.attempts else "refused", None, self._rungs.refusals())
        else:
            self._finish(*verdict)

    def _finish(self, outcome: CallOutcome, shown: int | None, refusals: tuple[tuple[str, Refusal], ...] = ()) -> None:
        self._decided = Finish(outcome, shown, refusals)
        self.route = self._record.finished(outcome, shown, without_answer=_error_of(refusals))


def _error_of(refusals: tuple[tuple[str, Refusal], ...]) -> str:
    """What a call that nobody took is told, in a word."""
    reasons = {refusal.reason for _, refusal in refusals}
    words = {"full": "bulkhead_full", "incident": "platform_incident"}
    return next((word for reason, word in words.items() if reason in reasons), "circuit_open")
