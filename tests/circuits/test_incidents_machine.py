"""Any sequence of failures, answers, probes and time: what a client's incidents may do, and what they must never."""

from __future__ import annotations

import itertools

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from incident_lab import IncidentLab

from failover.events import IncidentEnded, IncidentStarted

CLIENTS = st.sampled_from(["default", "east"])
LADDERS = st.sampled_from(["a", "ab", "ba", "abc", "cd", "abcd"])
MODELS = st.sampled_from("abcd")
EVERY, LEAST, AFTER = 30.0, 3, 600.0


class Known:
    """What somebody who wrote everything down knows of a client."""

    def __init__(self):
        self.failed = []
        """When, and which model, since its last good answer or the last incident."""
        self.answered = -EVERY
        self.incident = None
        """When it began."""
        self.models = ()
        """That fail in it."""
        self.probes = []
        """When each probe of this incident was sent, and what came of it; `None`: nothing yet, or never."""
        self.kept_back = 0


class IncidentMachine(RuleBasedStateMachine):
    @initialize(successes=st.integers(1, 3), models=st.sampled_from(["off", 2, 3]))
    def begin(self, successes, models):
        self.models = models
        self.successes = successes
        probe = {"every": EVERY, "successes": successes, "timeout": 10}
        self.lab = IncidentLab(after=AFTER, of_at_least=LEAST, models=models, probe=probe)
        self.known = {"default": Known(), "east": Known()}
        self.heard = 0

    @property
    def now(self):
        return self.lab.clock.now()

    @rule(client=CLIENTS, model=MODELS, shut=st.booleans())
    def a_model_fails(self, client, model, shut):
        self.lab.circuit(model, client).state = "open" if shut else "closed"
        known = self.known[client]
        if known.incident is None:
            known.failed.append((self.now, model))
        else:
            known.models = tuple(dict.fromkeys((*known.models, model)))
        self.lab.fail(model, client)
        self.hear(client)

    @rule(client=CLIENTS, model=MODELS)
    def a_model_answers(self, client, model):
        known = self.known[client]
        known.failed, known.answered = [], self.now
        self.lab.answer(model, client)
        self.hear(client, answered=model)
        assert known.incident is None or model in known.models

    @rule(client=CLIENTS, ladder=LADDERS)
    def a_call_finds_nobody(self, client, ladder):
        self.lab.nobody(ladder, client)
        self.hear(client, ladder)

    @rule(client=CLIENTS, ladder=LADDERS)
    def a_call_is_kept_back(self, client, ladder):
        self.known[client].kept_back += self.known[client].incident is not None
        self.lab.incidents.kept_back(client)

    @rule(client=CLIENTS, ladder=LADDERS, comes=st.sampled_from(["answer", "answer", "failure", "nothing"]))
    def a_call_asks_for_its_turn(self, client, ladder, comes):
        known, now = self.known[client], self.now
        model = self.lab.turn([one for one in ladder if self.lab.keeps_back(one, client)], client)
        if model is None:
            return
        assert known.incident is not None
        last = known.probes[-1] if known.probes else (known.incident, "failure")
        assert last[1] == "answer" or now - last[0] >= EVERY
        assert model in set(ladder)
        known.probes.append((now, comes))
        if comes != "nothing":
            self.lab.probed(model, client, answered=comes == "answer")
        self.hear(client)

    @rule(seconds=st.sampled_from([1.0, 15.0, 30.0, 60.0, 100.0, 600.0, 700.0]))
    def time_passes(self, seconds):
        self.lab.clock.advance(seconds)

    def hear(self, client, ladder=None, answered=None):
        """What was told just now, and whether it had to be."""
        known = self.known[client]
        news, self.heard = self.lab.events[self.heard :], len(self.lab.events)
        for event in news:
            assert event.client == client
            if isinstance(event, IncidentStarted):
                self.check_start(known, event, ladder)
                known.incident, known.models = self.now, event.models
                known.probes, known.kept_back = [], 0
            else:
                self.check_end(known, event, answered)
                known.incident, known.failed = None, []

    def check_start(self, known, event, ladder):
        assert known.incident is None
        mine = known.failed[-event.failures :]
        assert event.failures == len(mine)
        assert event.models == tuple(dict.fromkeys(model for _, model in mine))
        assert event.failing_for == self.now - mine[0][0]
        gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(mine)]
        assert all(gap <= AFTER for gap in gaps)
        if event.cause == "after":
            assert ladder is None
            assert event.failures >= LEAST
            assert event.failing_for >= AFTER
        else:
            assert self.now - known.answered >= EVERY
            assert set(ladder) <= set(event.models)
            assert len(set(ladder)) >= self.models
            assert all(self.lab.circuit(model, event.client).state == "open" for model in ladder)

    def check_end(self, known, event, answered):
        assert isinstance(event, IncidentEnded)
        assert known.incident is not None
        assert event.probes == len(known.probes)
        assert event.kept_back == known.kept_back
        assert event.models == known.models
        if answered is None:
            answers = [comes for _, comes in known.probes if comes != "nothing"]
            assert answers[-self.successes :] == ["answer"] * self.successes
        else:
            assert answered not in known.models
        assert event.seconds >= self.now - known.incident

    @invariant()
    def it_says_what_it_has_told(self):
        for client, known in self.known.items():
            found = self.lab.found(client)
            kept_back = tuple(model for model in "abcd" if self.lab.keeps_back(model, client))
            assert kept_back == (() if known.incident is None else tuple(sorted(known.models)))
            assert (found is None) == (known.incident is None)
            if found is not None:
                assert found.next_probe_in >= 0
                assert found.failing_for >= self.now - known.incident
        open_ones = {found.client for found in self.lab.incidents.now_open()}
        assert open_ones == {client for client, known in self.known.items() if known.incident is not None}

    @invariant()
    def errors_that_persist_are_never_overlooked(self):
        for known in self.known.values():
            old = [at for at, _ in known.failed if known.failed[-1][0] - at >= AFTER]
            if known.incident is None and old:
                run = []
                for at, _ in known.failed:
                    run = [at] if run and at - run[-1] > AFTER else [*run, at]
                assert len(run) < LEAST or run[-1] - run[0] < AFTER

    @invariant()
    def nobody_is_woken_while_it_lasts(self):
        woken = sum(circuit.woken for circuit in self.lab.circuits.values())
        assert woken == sum(len(event.models) for event in self.lab.ends())


TestIncidentMachine = IncidentMachine.TestCase
TestIncidentMachine.settings = settings(
    deadline=None,
    max_examples=80,
    stateful_step_count=50,
    report_multiple_bugs=False,
    phases=set(Phase) - {Phase.explain},
)
