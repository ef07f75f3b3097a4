"""Calls down a ladder of models a, b, c, ... whose answers are written down before: a whole call as one line of text.

Answers are words: a status (`ok`, `500`, `529`, `404`, ...), with a `retry-after` (`429:60`), with the seconds that the
attempt takes (`500@30`), or `hang`, which takes all the time it is given. What a call does is a line like
`a 0.25s a b fallback:3`: sent to a, waited a quarter of a second, sent to a again and to b, whose answer, the third,
was for the caller.
"""

from __future__ import annotations

from collections.abc import Callable

from failover.circuits import Board
from failover.engine import (
    Budget,
    Call,
    Candidate,
    Finish,
    Outcome,
    Plan,
    Send,
    Services,
    Wait,
    judge_failure,
    judge_response,
    success,
)
from failover.policy.model import Policy
from failover.testing.clock import FakeClock

__all__ = ["CallLab", "judged"]

_BODIES = {
    "404": '{{"type":"error","error":{{"type":"not_found_error","message":"model: {model}"}}}}',
    "400": '{{"type":"error","error":{{"type":"invalid_request_error","message":"messages: too few"}}}}',
}
_LONGEST_STORY = 2000  # actions; a call that goes on longer is taken to go on for ever


def judged(word: str, model: str, rules=None) -> Outcome:
    """What an answer means."""
    status, _, wish = word.partition(":")
    rules = rules or {}
    if status == "ok":
        return success(200, {"request-id": f"req_{model}"})
    if not status.isdigit():
        return judge_failure(status, rules)
    headers = {"request-id": f"req_{model}_{status}"} | ({"retry-after": wish} if wish else {})
    body = _BODIES.get(status, "").format(model=model).encode()
    return judge_response(int(status), headers, body, model=model, rules=rules)


class CallLab:
    """A program with one policy and one board; chance stands in the middle unless `random` is given."""

    def __init__(
        self,
        models: str = "ab",
        *,
        clients: dict[str, str] | None = None,
        random: Callable[[], float] = lambda: 0.5,
        verbose: bool = True,
        **policy,
    ):
        first, *others = models
        ladder = {"match": first, "rungs": others}
        self.policy = Policy.model_validate({"version": 1, "name": "test", "ladders": [ladder], **policy})
        self.clock = FakeClock()
        self.events = []
        self.services = Services(
            self.clock.now, random, Budget(self.policy.retry.budget), self.events.append, lambda: verbose
        )
        self.board = Board(self.policy.breaker, now=self.clock.now, random=random, emit=self.events.append)
        clients = clients or {}
        candidates = tuple(
            Candidate(
                index,
                rung,
                clients.get(rung.model, "default"),
                self.board.breaker(rung.model, clients.get(rung.model, "default")),
            )
            for index, rung in enumerate(self.policy.rungs_for(first))
        )
        self.plan = Plan(self.policy, first, candidates, self.board)
        self.call = None
        self.sends = []
        """The `Send`s of the last call."""
        self.finish = None
        """The `Finish` of the last call."""

    def begin(self, **options) -> Call:
        """A call that the test drives itself."""
        self.call = Call(self.plan, self.services, **options)
        return self.call

    def tell(self, answers: dict[str, str], **options) -> str:
        """Drive a whole call; each model gives its answers in turn, and the last one for ever."""
        call = self.begin(**options)
        waiting = {model: words.split() for model, words in answers.items()}
        self.sends = []
        story = []
        for _ in range(_LONGEST_STORY):
            action = call.next()
            if isinstance(action, Wait):
                story.append(f"{action.seconds:.4g}s")
                self.clock.advance(action.seconds)
            elif isinstance(action, Send):
                model = action.candidate.rung.model
                story.append(model)
                self.sends.append(action)
                words = waiting[model]
                self.answer(action, words.pop(0) if len(words) > 1 else words[0])
            else:
                assert isinstance(action, Finish)
                self.finish = action
                end = action.outcome if action.attempt is None else f"{action.outcome}:{action.attempt}"
                return " ".join([*story, end])
        raise AssertionError(f"the call never ends: {' '.join(story[:50])}")

    def answer(self, send: Send, word: str) -> None:
        """Let the time of an attempt pass, and report what came back."""
        answer, _, seconds = word.partition("@")
        if answer == "hang":
            self.clock.advance(send.timeout)
            answer = "client_timeout_error"
        elif seconds:
            self.clock.advance(float(seconds))
        self.call.report(judged(answer, send.candidate.rung.model, self.policy.errors))

    def breaker(self, model: str):
        """The circuit of a model on the caller's own client."""
        return self.board.breaker(model)

    def told(self, kind: type) -> list:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]
