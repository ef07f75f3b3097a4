"""Programs that are drawn by chance: whatever fails and when, incidents never get in anybody's way for good."""

from __future__ import annotations

import dataclasses
import itertools
import random

from call_incident_lab import platform
from call_lab import LabCargo, judged
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.engine import Call, Finish, Misfit, Ping, Queue, Send, Wait
from failover.events import CallFinished, IncidentEnded, IncidentProbed, IncidentStarted

FAILURES = st.sampled_from(["529", "500", "504", "connection_error", "hang", "503:2"])
ODD = st.sampled_from(["429:3", "429:60", "404", "401", "400", "too_long"])
PHASES = st.lists(
    st.tuples(
        st.sampled_from([5.0, 40.0, 200.0]), st.dictionaries(st.sampled_from("abcd"), FAILURES | ODD, max_size=4)
    ),
    min_size=1,
    max_size=4,
)
SIGNS = st.sampled_from([{"after": "off"}, {"after": "10s", "of_at_least": 1}, {"after": "1m", "of_at_least": 2}, {}])
INCIDENT = st.builds(
    lambda signs, models, probe: {**signs, "models": models, "probe": probe},
    SIGNS,
    st.integers(2, 3),
    st.sampled_from(
        [{"every": "30s", "timeout": "10s"}, {"every": "10s", "timeout": "10s"}, {"every": "3s", "timeout": "1s"}]
    ),
)
RETRY = st.builds(
    lambda tries, passes, times, budget: {"tries": tries, "passes": passes, "budget": budget, **times},
    st.integers(1, 2),
    st.integers(1, 3),
    st.sampled_from(
        [
            {"deadline": "2m"},
            {"deadline": "30s", "reserve": 0},
            {"deadline": "95s", "reserve": "20s"},
            {"deadline": "1h"},
        ]
    ),
    st.sampled_from(["off", {"ratio": "20%", "min_per_second": 1}]),
)
BREAKER = st.fixed_dictionaries(
    {
        "trip": st.integers(1, 3).map(lambda count: {"consecutive_failures": count, "failure_rate": "off"}),
        "last_resort": st.sampled_from(["off", "1s"]),
    }
)


@dataclasses.dataclass
class World:
    """A program of many calls, and what its platforms do over time."""

    phases: list
    calls: str
    incident: dict
    retry: dict
    breaker: dict
    seed: int
    others: str
    """Models on another client."""
    limited: str
    unfit: str
    lost: int
    """Every so many calls is given up in the middle."""

    def __post_init__(self):
        chance = self.chance = random.Random(self.seed)
        rungs = {model: {"at_once": 1, "queue": "5s"} for model in self.limited}
        clients = dict.fromkeys(self.others, "bedrock")
        self.lab = platform(
            "abcd",
            calls=self.calls,
            incident=self.incident,
            retry=self.retry,
            breaker=self.breaker,
            rungs=rungs,
            clients=clients,
            random=chance.random,
        )
        self.began = self.lab.clock.now()
        self.pinged_at = []
        self.waits = 0
        self.longest_without_time = 0

    def word(self, model):
        now, at = self.lab.clock.now() - self.began, 0.0
        for seconds, broken in self.phases:
            at += seconds
            if now < at:
                return broken.get(model, "ok")
        return "ok"

    def call(self, number):
        lab = self.lab
        ladder = self.chance.choice(["abcd", "ab", "cd", "a", "bd"])
        cargo = LabCargo(unfit={model: Misfit("unfit", "no") for model in self.unfit})
        call = Call(lab.ladder(ladder), lab.services, cargo)
        lab.call = call
        looks = 0
        for step in range(3000):
            action = call.next()
            if isinstance(action, Finish):
                return call
            if self.lost and number % self.lost == 0 and step == number % 5:
                call.abandon("cancelled")
                return call
            looks = looks + 1 if isinstance(action, Wait) and action.seconds < 0.4 else 0
            self.longest_without_time = max(self.longest_without_time, looks)
            self.do(call, action)
        raise AssertionError("the call never ends")

    def do(self, call, action):
        lab = self.lab
        if isinstance(action, Send):
            model = action.candidate.rung.model
            assert lab.incidents.of(action.candidate.client, action.candidate.circuit) is None
            lab.answer(action, self.word(model) + f"@{self.chance.choice([0.1, 2])}" * (self.word(model) != "hang"))
        elif isinstance(action, Ping):
            self.ping(call, action)
        else:
            assert isinstance(action, (Wait, Queue))
            lab.pause(action)

    def ping(self, call, action):
        model, client = action.candidate.rung.model, action.candidate.client
        word = self.word(model)
        began = self.lab.clock.now()
        self.lab.pass_time(action.seconds if word == "hang" else 0.2)
        answered = "client_timeout_error" if word == "hang" else word
        call.pinged(action, judged(answered, model))
        self.pinged_at.append((client, began, self.lab.clock.now(), self.lab.told(IncidentProbed)[-1].answered))

    def run(self, calls):
        for number in range(1, calls + 1):
            self.call(number)
            self.lab.pass_time(self.chance.choice([0.0, 1.0, 10.0]))
        return self.lab


WORLDS = st.builds(
    World,
    phases=PHASES,
    calls=st.sampled_from(["wait", "fail_fast"]),
    incident=INCIDENT,
    retry=RETRY,
    breaker=BREAKER,
    seed=st.integers(0, 10_000),
    others=st.sampled_from(["", "b", "bd"]),
    limited=st.sampled_from(["", "a", "abcd"]),
    unfit=st.sampled_from(["", "", "c", "bd"]),
    lost=st.sampled_from([0, 0, 2, 3]),
)


@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_calls_end_probes_keep_their_pace_and_nothing_is_kept(world):
    lab = world.run(15)
    assert lab.idle()
    assert world.longest_without_time <= 2
    finished = lab.told(CallFinished)
    assert len(finished) == len({event.call for event in finished}) == 15
    every = lab.policy.incident.probe.every
    for client in ("default", "bedrock"):
        mine = [entry for entry in world.pinged_at if entry[0] == client]
        for (_, _, ended, answered), (_, began, _, _) in itertools.pairwise(mine):
            assert answered or began - ended >= every - 1e-6
        told = [
            type(event)
            for event in lab.events
            if isinstance(event, (IncidentStarted, IncidentEnded)) and event.client == client
        ]
        assert told == ([IncidentStarted, IncidentEnded] * len(told))[: len(told)]


@settings(max_examples=60, deadline=None)
@given(WORLDS)
def test_once_all_is_well_again_everybody_is_served(world):
    lab = world.run(8)
    lab.pass_time(1000)
    world.lost, world.unfit = 0, ""
    for number in range(40):  # probes, and circuits that let one call through at a time
        world.call(number)
        lab.pass_time(31)
    assert lab.incidents.now_open() == ()
    assert world.call(99).route.outcome in {"primary", "fallback"}
    for ladder in ("abcd", "a", "bd"):
        call = Call(lab.ladder(ladder), lab.services, LabCargo())
        action = call.next()
        while not isinstance(action, Finish):
            world.lab.call = call
            world.do(call, action)
            action = call.next()
        assert action.outcome in {"primary", "fallback"}


def test_the_worlds_hold_what_they_are_about():
    """Else the properties would say nothing."""
    seen = set()

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(WORLDS)
    def look(world):
        lab = world.run(15)
        seen.update(type(event) for event in lab.events)
        seen.update(("answered", event.answered) for event in lab.told(IncidentProbed))
        seen.update(("began", event.cause) for event in lab.told(IncidentStarted))

    look()
    assert {IncidentStarted, IncidentProbed, IncidentEnded, ("answered", True), ("answered", False)} <= seen
    assert {("began", "models"), ("began", "after")} <= seen
