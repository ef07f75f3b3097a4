"""Calls down a ladder of models a, b, c, ... whose answers are written down before: a whole call as one line of text.

Answers are words: a status (`ok`, `500`, `529`, `404`, ...), with a `retry-after` (`429:60`), with the seconds that the
attempt takes (`500@30`), `too_long` for a prompt that is, or `hang`, which takes all the time it is given. What a call
does is a line like `a 0.25s a b fallback:3`: sent to a, waited a quarter of a second, sent to a again and to b, whose
answer, the third, was for the caller. `line:3s` is a wait before a bulkhead, `count:b` a count of the prompt for b,
`ping:b` a tiny request to b in an incident.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from failover.bulkheads import Bulkheads, Limit, Ticket
from failover.circuits import Board, Incidents
from failover.engine import (
    Action,
    Budget,
    Call,
    Candidate,
    Finish,
    Measure,
    Misfit,
    Outcome,
    Ping,
    Plan,
    Queue,
    Send,
    Services,
    SizeClass,
    Wait,
    judge_failure,
    judge_response,
    success,
)
from failover.events import ModelSkipped
from failover.policy.model import Policy, Rung
from failover.testing.clock import FakeClock

__all__ = ["NO_LINE", "NO_REPEAT", "ONE", "CallLab", "LabCargo", "judged", "lab_of"]

NO_REPEAT = {"tries": 1, "passes": 1}
"""A `retry` under which every rung is asked once at most."""
ONE = {"at_once": 1, "queue": "30s"}
"""A limit of one, with a line before it."""
NO_LINE = {"at_once": 1, "queue": 0}
"""A limit of one, and nobody may wait."""

_BODIES = {
    "404": '{{"type":"error","error":{{"type":"not_found_error","message":"model: {model}"}}}}',
    "400": '{{"type":"error","error":{{"type":"invalid_request_error","message":"messages: too few"}}}}',
}
_TOO_LONG = (
    b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}'
)
_LONGEST_STORY = 2000  # actions; a call that goes on longer is taken to go on for ever


def judged(word: str, model: str, rules=None) -> Outcome:
    """What an answer means."""
    status, _, wish = word.partition(":")
    rules = rules or {}
    if status == "ok":
        return success(200, {"request-id": f"req_{model}"})
    if status == "too_long":
        return judge_response(400, {"request-id": f"req_{model}_400"}, _TOO_LONG, model=model, rules=rules)
    if not status.isdigit():
        return judge_failure(status, rules)
    headers = {"request-id": f"req_{model}_{status}"} | ({"retry-after": wish} if wish else {})
    body = _BODIES.get(status, "").format(model=model).encode()
    return judge_response(int(status), headers, body, model=model, rules=rules)


class Parcel(NamedTuple):
    """What is sent to a rung."""

    changes: tuple[str, ...] = ()


class LabCargo:
    """A request whose prompt has some tokens, and that fits every rung that is not named otherwise."""

    def __init__(self, tokens: int = 100, *, unfit: dict | None = None, room: dict | None = None, least: int = 100):
        self.size = tokens
        self.unfit = unfit or {}
        """Model to a `Misfit`, an `Unmeasured`, or changes."""
        self.room = room or {}
        """Model to the most tokens that it takes; of others that is not known."""
        self.least = least
        """Tokens that no shrinking goes below."""
        self.when_counted = {}
        """Model to what `unfit` says of it once its tokens are counted; of others nothing."""
        self.asked = []
        """Models, in the order in which it was asked what they would be sent."""
        self.measured = 0
        """How often it was asked for its size."""
        self.done = ()
        self._too_long = 0

    @property
    def tokens(self):
        self.measured += 1
        return self.size

    def load(self, candidate):
        model = candidate.rung.model
        self.asked.append(model)
        if candidate.index == 0:
            return Parcel(self.done)
        room = self.room.get(model)
        if room is not None and (self.size > room or room <= self._too_long):
            return Misfit("unfit", "context_window: too small")
        said = self.unfit.get(model, ())
        return Parcel((*self.done, *said)) if type(said) is tuple else said

    def shares_rate_limit(self, candidate):
        return True

    def outgrew(self, candidate):
        room = self.room.get(candidate.rung.model)
        if room is None:
            return False
        self._too_long = max(self._too_long, room)
        return any(other > self._too_long for other in self.room.values())

    def shrink(self, rules):
        before, self.size = self.size, min(self.size, max(self.least, int(self.size * rules.to)))
        if self.size == before:
            return (), before, before
        self.done, self._too_long = (*self.done, f"{before} to {self.size}"), 0
        return ("made smaller",), before, self.size

    def count(self, candidate):
        """Somebody counted the prompt for a candidate."""
        self.unfit[candidate.rung.model] = self.when_counted.get(candidate.rung.model, ())


class CallLab:
    """A program with one policy and one board; chance stands in the middle unless `random` is given.

    `rungs` has more fields of some models' rungs, the first one's included; `buckets` the rate limits of some models.
    """

    def __init__(
        self,
        models: str = "ab",
        *,
        clients: dict[str, str] | None = None,
        rungs: dict[str, dict] | None = None,
        buckets: dict[str, str] | None = None,
        random: Callable[[], float] = lambda: 0.5,
        verbose: bool = True,
        **policy,
    ):
        first, rungs = models[0], rungs or {}
        ladder = {
            "match": first,
            "rungs": [{"model": m, **rungs.get(m, {})} for m in models if m != first or m in rungs],
        }
        self.policy = Policy.model_validate({"version": 1, "name": "test", "ladders": [ladder], **policy})
        self.clock = FakeClock()
        self.events = []
        self.services = Services(
            self.clock.now, random, Budget(self.policy.retry.budget), self.events.append, lambda: verbose
        )
        self.board = Board(self.policy.breaker, now=self.clock.now, random=random, emit=self.events.append)
        self.bulkheads = Bulkheads(now=self.clock.now)
        candidates = tuple(
            self._candidate(index, rung, (clients or {}).get(rung.model, "default"), (buckets or {}).get(rung.model))
            for index, rung in enumerate(self.policy.rungs_for(first))
        )
        sizes = tuple(
            SizeClass(size.over, self.bulkheads.limit(name, size.at_once, size.queue))
            for name, size in self.policy.bulkheads.items()
        )
        limited = self.bulkheads if self.bulkheads.limits() else None
        rules = self.policy.incident
        self.incidents = rules and Incidents(rules, now=self.clock.now, emit=self.events.append)
        self.plan = Plan(self.policy, first, candidates, self.board, limited, sizes, self.incidents)
        self.cargo = LabCargo()
        self.pings: dict[str, str] = {}
        """What a model answers to pings, in turn, the last one for ever; one that is not named is overloaded."""
        self.call = None
        self.sends = []
        """The `Send`s of the last call."""
        self.finish = None
        """The `Finish` of the last call."""
        self._others: list[tuple[float, Ticket]] = []

    def _candidate(self, index: int, rung: Rung, client: str, bucket: str | None) -> Candidate:
        circuit = self.board.breaker(rung.model, client)
        limit = None if rung.at_once is None else self.bulkheads.limit(circuit.name, rung.at_once, rung.queue)
        shrink = rung.shrink if "shrink" in rung.model_fields_set else self.policy.shrink
        return Candidate(index, rung, client, circuit, bucket, limit, shrink)

    def ladder(self, models: str) -> Plan:
        """A plan of the same program for another ladder, of some of its models."""
        mine = {candidate.rung.model: candidate for candidate in self.plan.candidates}
        rungs = tuple(dataclasses.replace(mine[model], index=index) for index, model in enumerate(models))
        return dataclasses.replace(self.plan, model=models[0], candidates=rungs)

    def begin(self, **options) -> Call:
        """A call that the test drives itself."""
        self.call = Call(self.plan, self.services, self.cargo, **options)
        return self.call

    def tell(self, answers: dict[str, str], **options) -> str:
        """Drive a whole call; each model gives its answers in turn, and the last one for ever."""
        call = self.begin(**options)
        waiting = {model: words.split() for model, words in answers.items()}
        self.sends = []
        story = []
        for _ in range(_LONGEST_STORY):
            action = call.next()
            if isinstance(action, Send):
                model = action.candidate.rung.model
                story.append(model)
                self.sends.append(action)
                words = waiting[model]
                self.answer(action, words.pop(0) if len(words) > 1 else words[0])
            elif isinstance(action, Finish):
                self.finish = action
                end = action.outcome if action.attempt is None else f"{action.outcome}:{action.attempt}"
                return " ".join([*story, end])
            else:
                story.append(self.pause(action))
        raise AssertionError(f"the call never ends: {' '.join(story[:50])}")

    def pause(self, action: Action) -> str:
        """Do what a call asks for between its attempts, and what a story says of it."""
        if isinstance(action, Wait):
            self.pass_time(action.seconds)
            return f"{action.seconds:.4g}s"
        if isinstance(action, Queue):
            return f"line:{self._stand(action):.4g}s"
        if isinstance(action, Ping):
            return self._ping(action)
        assert isinstance(action, Measure)
        self.cargo.count(action.candidate)
        return f"count:{action.candidate.rung.model}"

    def answer(self, send: Send, word: str) -> None:
        """Let the time of an attempt pass, and report what came back."""
        answer = self._take_time(word, send.timeout)
        self.call.report(judged(answer, send.candidate.rung.model, self.policy.errors))

    def _take_time(self, word: str, longest: float | None) -> str:
        answer, _, seconds = word.partition("@")
        if answer == "hang":
            self.pass_time(longest)
            return "client_timeout_error"
        if seconds:
            self.pass_time(float(seconds))
        return answer

    def _ping(self, ping: Ping) -> str:
        model = ping.candidate.rung.model
        word, _, rest = self.pings.get(model, "529").partition(" ")
        if rest:
            self.pings[model] = rest
        answer = self._take_time(word, ping.seconds)
        self.call.pinged(ping, judged(answer, model, self.policy.errors))
        return f"ping:{model}"

    # --- other calls of the program ----------------------------------------------------------------------------

    def limit(self, name: str) -> Limit:
        """A limit, by the model that it is for or its name in the policy."""
        return next(limit for limit in self.bulkheads.limits() if limit.name == name)

    def occupy(self, name: str, *seconds: float) -> None:
        """For each of these times another call has an attempt out that takes so long."""
        for one in seconds:
            ticket = self.bulkheads.enter([self.limit(name)])
            assert isinstance(ticket, Ticket)
            self._others.append((self.clock.now() + one, ticket))
        self._others.sort(key=lambda other: other[0])

    def others_at(self, limit: Limit) -> int:
        """How many attempts of other calls are out under a limit."""
        return sum(limit in ticket.limits for _, ticket in self._others)

    def pass_time(self, seconds: float) -> None:
        """Let time pass for everybody."""
        end = self.clock.now() + seconds
        while self._others and self._others[0][0] <= end:
            self._release_next()
        self.clock.advance(max(0.0, end - self.clock.now()))

    def _stand(self, queue: Queue) -> float:
        """Stand in line; the seconds that it took."""
        began = self.clock.now()
        end = began + (float("inf") if queue.seconds is None else queue.seconds)
        while queue.place.ticket is None and self._others and self._others[0][0] <= end:
            self._release_next()
        if queue.place.ticket is None:
            assert queue.seconds is not None, "nobody will ever leave"
            self.clock.advance(max(0.0, end - self.clock.now()))
        return self.clock.now() - began

    def _release_next(self) -> None:
        at, ticket = self._others.pop(0)
        self.clock.advance(max(0.0, at - self.clock.now()))
        ticket.release()

    # --- what there is to see ----------------------------------------------------------------------------------

    def breaker(self, model: str):
        """The circuit of a model on the caller's own client."""
        return self.board.breaker(model)

    def told(self, kind: type) -> list:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def skips(self) -> list[str]:
        """Every rung that was passed over, as `b unfit`."""
        return [f"{event.model} {event.reason}" for event in self.told(ModelSkipped)]

    def queued(self) -> list[float | None]:
        """For each attempt of the last call, how long it stood in line."""
        return [attempt.queued for attempt in self.call.route.attempts]

    def idle(self) -> bool:
        """Whether no limit has anybody out or in line."""
        return all(limit.running == limit.waiting == 0 for limit in self.bulkheads.limits())


def lab_of(models="ab", *, tokens=100, kind=CallLab, rungs=None, **policy):
    """A lab whose request has a prompt of so many tokens."""
    lab = kind(models, rungs=rungs or {}, **policy)
    lab.cargo = LabCargo(tokens)
    return lab
