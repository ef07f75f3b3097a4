"""Whole calls that are drawn by chance: policies, requests, answers, and what else goes on in the program."""

from __future__ import annotations

import dataclasses
import random

from call_lab import CallLab, LabCargo, judged
from call_spies import SpyCircuit, SpyGate
from hypothesis import strategies as st

from failover.engine import Finish, Misfit, Send, Unmeasured

__all__ = ["STORIES", "Story", "World"]

ANSWERS = st.sampled_from(
    [
        "ok",
        "500",
        "503:2",
        "529",
        "504",
        "429",
        "429:3",
        "429:60",
        "429:345600",
        "401",
        "403",
        "404",
        "400",
        "413",
        "too_long",
        "connection_error",
    ]
)
ATTEMPTS = st.tuples(ANSWERS, st.sampled_from([0.0, 0.5, 7.0, 40.0]))

POLICIES = st.fixed_dictionaries(
    {
        "retry": st.builds(
            lambda tries, passes, times, budget: {"tries": tries, "passes": passes, "budget": budget, **times},
            st.integers(1, 4),
            st.integers(1, 4),
            st.sampled_from(
                [
                    {"deadline": "off"},
                    {"deadline": "120s", "reserve": "20s"},
                    {"deadline": "30s", "reserve": "0s"},
                    {"deadline": "10s", "reserve": "9s"},
                ]
            ),
            st.sampled_from(["off", {"ratio": "20%", "min_per_second": 1}, {"ratio": "1%", "min_per_second": 0}]),
        ),
        "breaker": st.fixed_dictionaries(
            {
                "trip": st.integers(1, 5).map(lambda count: {"consecutive_failures": count}),
                "probe": st.integers(1, 2).map(lambda count: {"permits": count, "successes": count}),
                "last_resort": st.sampled_from(["off", "1s", "1m"]),
                "ramp": st.sampled_from(["off", {"over": "60s", "from": "10%"}]),
            }
        ),
        "errors": st.sampled_from(
            [{}, {"api_error": {"do": "raise"}}, {"rate_limit_error": {"do": "next"}}, {"529": {"counts": "open"}}]
        ),
    }
)


SHRINKS = st.sampled_from(
    [
        "off",
        {"when": ["prompt_too_long", "413"], "steps": ["drop_turns"]},
        {"when": ["timeout_error", "529", "prompt_too_long"], "after_tries": 2, "to": "10%", "steps": ["drop_turns"]},
    ]
)
SAID_OF_A_RUNG = st.sampled_from(
    [
        (),
        (),
        ("effort: high -> medium",),
        Misfit("unfit", "images: it takes none"),
        Misfit("cost", "it costs too much"),
        Misfit("unfit", "thread: of another model", rethread=True),
        Unmeasured("context_window"),
    ]
)


@dataclasses.dataclass
class World:
    """What a request is, and what else goes on: beside its models' answers."""

    tokens: int
    least: int
    unfit: dict
    room: dict
    when_counted: dict
    rungs: dict
    """Model to the limit and the rules of shrinking of its rung."""
    policy: dict
    busy: list
    """Limits, each with the seconds for which another call holds a place in it."""

    def cargo(self):
        cargo = LabCargo(self.tokens, unfit=dict(self.unfit), room=self.room, least=self.least)
        cargo.when_counted = self.when_counted
        return cargo


LIMITS = st.sampled_from(
    [{}, {}, {"at_once": 1, "queue": 0}, {"at_once": 1, "queue": "8s"}, {"at_once": 2, "queue": "1h"}]
)


@st.composite
def worlds(draw):
    rungs = {model: draw(LIMITS) for model in "abcd"}
    for rung in rungs.values():
        if draw(st.integers(0, 5)) == 0:
            rung |= {"shrink": draw(SHRINKS)}
    bulkheads = draw(st.sampled_from([{}, {}, {"large": {"over": "50k tokens", "at_once": 1, "queue": "5s"}}]))
    seconds = st.sampled_from([1.0, 7.0, 60.0, 1e6])
    names = [*(model for model, rung in rungs.items() if "at_once" in rung), *bulkheads]
    return World(
        tokens=draw(st.sampled_from([100, 40_000, 60_000])),
        least=draw(st.sampled_from([1, 50_000])),
        unfit={model: draw(SAID_OF_A_RUNG) for model in "bcd"},
        room={model: draw(st.sampled_from([10_000, 200_000])) for model in draw(st.sets(st.sampled_from("abcd")))},
        when_counted={model: draw(st.sampled_from([(), Misfit("unfit", "too long")])) for model in "bcd"},
        rungs={model: rung for model, rung in rungs.items() if rung},
        policy={"bulkheads": bulkheads, "shrink": draw(SHRINKS)},
        busy=[(name, draw(seconds)) for name in names if draw(st.booleans())],
    )


PLAIN = World(100, 100, {}, {}, {}, {}, {}, [])


@dataclasses.dataclass
class Story:
    """A program whose calls are drawn by chance."""

    models: str
    policy: dict
    seed: int
    bedrock: bool
    opened: list[str]
    give_up_after: int | None
    answers: list[tuple[str, float]]
    slept_too_long: float = 0.0
    world: World = dataclasses.field(default_factory=lambda: PLAIN)
    bucket: str = ""
    """Models that share a rate limit."""

    def begin(self, **options):
        clients = dict.fromkeys(self.models[1::2], "bedrock") if self.bedrock else {}
        lab = CallLab(
            self.models,
            clients=clients,
            rungs={model: rung for model, rung in self.world.rungs.items() if model in self.models},
            buckets=dict.fromkeys(self.bucket, "shared"),
            random=random.Random(self.seed).random,
            **self.policy,
            **self.world.policy,
            **options,
        )
        lab.cargo = self.world.cargo()
        for limit in lab.bulkheads.limits():
            lab.occupy(limit.name, *(seconds for name, seconds in self.world.busy if limit.name.endswith(name)))
        permits = []
        spies = {c.index: SpyCircuit(c.circuit, permits) for c in lab.plan.candidates}
        candidates = tuple(dataclasses.replace(c, circuit=spies[c.index]) for c in lab.plan.candidates)
        lab.plan = dataclasses.replace(lab.plan, candidates=candidates, gate=SpyGate(lab.board))
        for breaker, state in zip(lab.board.breakers(), self.opened, strict=False):
            {"open": breaker.open, "isolated": breaker.isolate, "closed": breaker.close, "ramping": breaker.open}[
                state
            ]()
            if state == "ramping":
                breaker.close()
        lab.events.clear()
        return lab, permits

    def run(self, **options):
        """All that a call did, and the lab it did it in."""
        lab, permits = self.begin(**options)
        call, answers, log = lab.begin(), list(self.answers), []
        started = lab.clock.now()
        for _ in range(1000):
            now = lab.clock.now() - started
            if len(log) == self.give_up_after:
                call.abandon("cancelled")
            action = call.next()
            log.append((now, action))
            if isinstance(action, Finish):
                return lab, permits, log
            if isinstance(action, Send):
                self.check(lab, action)
                answer, seconds = answers.pop(0) if len(answers) > 1 else answers[0]
                lab.pass_time(seconds if action.timeout is None else min(seconds, action.timeout))
                if len(log) != self.give_up_after:
                    call.report(judged(answer, action.candidate.rung.model, lab.policy.errors))
            else:
                lab.pause(action)
                lab.pass_time(self.slept_too_long)
        raise AssertionError("the call never ends")

    def check(self, lab, send):
        """What must hold whenever something is sent: it fits, and holds a ticket under each of its limits."""
        model = send.candidate.rung.model
        if send.candidate.index:
            assert not isinstance(lab.cargo.load(send.candidate), (Misfit, Unmeasured))
            assert send.load == lab.cargo.load(send.candidate)
        large = [size.limit for size in lab.plan.sizes if size.over is None or lab.cargo.size > size.over]
        for limit in lab.bulkheads.limits():
            mine = limit in large or limit is send.candidate.limit
            assert limit.running == lab.others_at(limit) + mine <= limit.at_once, (limit, model)
            assert limit.waiting == 0


STORIES = st.builds(
    Story,
    world=st.just(PLAIN) | worlds(),
    bucket=st.sampled_from(["", "ab", "bcd"]),
    models=st.sampled_from(["a", "ab", "abc", "abcd"]),
    policy=POLICIES,
    seed=st.integers(0, 1000),
    bedrock=st.booleans(),
    opened=st.lists(st.sampled_from(["closed", "open", "ramping", "isolated"]), max_size=4),
    give_up_after=st.none() | st.integers(1, 6),
    answers=st.lists(ATTEMPTS, min_size=1, max_size=12),
    slept_too_long=st.sampled_from([0.0, 0.0, 0.0, 3.0, 200.0]),
)
