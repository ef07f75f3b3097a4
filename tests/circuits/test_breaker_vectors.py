"""Stories that other breakers' tests tell, replayed on ours: what all of them mean by a circuit breaker, ours means too.

The stories (steps and expected states, no code) are in `tests/data/breaker_vectors.json`, each with the project, commit
and test that it was taken from. Where ours means something else by intent, the file says so, and this test holds it to
that as well: a difference that has gone is to be removed from the list.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from breaker_lab import BAD, OK, WRONG, Lab

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "breaker_vectors.json").read_text(encoding="utf-8"))
OUTCOMES = {"ok": OK, "fail": BAD, "ignored": WRONG}


class Story:
    """A vector on its way through a breaker."""

    def __init__(self, config):
        rate = "off"
        if "window" in config:
            window = f"{config['window']['seconds']}s"
            rate = {"over": config["failure_rate"], "of_at_least": config["min_calls"], "within": window}
        lease = config.get("probe_lease_s", 60.0)
        self.lab = Lab(
            trip={"consecutive_failures": config.get("consecutive", "off"), "failure_rate": rate},
            open_for={"first": config["open_s"], "factor": config.get("open_multiplier", 1), "max": "1h"},
            probe={
                "permits": config["half_open"]["permits"],
                "successes": config["half_open"]["successes"],
                "lease": lease,
                "timeout": min(lease, 30),
            },
        )
        self.out = []

    def tell(self, step):
        if isinstance(step, str):
            self.lab.send(OUTCOMES[step])
        elif "do" in step:
            self.lab.send(OUTCOMES[step["do"]], times=step.get("times", 1))
        else:
            (kind, *_) = step
            getattr(self, kind)(step[kind], step)

    def advance(self, seconds, step):
        self.lab.clock.advance(seconds)

    def seq(self, outcomes, step):
        for outcome in outcomes:
            self.tell(outcome)

    def permit(self, count, step):
        self.out += [self.lab.permit() for _ in range(count)]

    def end_permit(self, outcome, step):
        self.out.pop(0).report(OUTCOMES[outcome], seconds=1)

    def cancel_permit(self, count, step):
        for _ in range(count):
            self.out.pop(0).release()

    def reject(self, count, step):
        for _ in range(count):
            refusal = self.lab.refusal()
            if "retry_after" in step:
                assert refusal.retry_in == pytest.approx(step["retry_after"])

    def force(self, state, step):
        circuit = self.lab.breaker.pybreaker
        {"open": circuit.open, "half-open": circuit.half_open, "closed": circuit.close}[state]()

    def force_if_not(self, state, step):
        if self.lab.state != state:
            self.force(state, step)

    def probe_state(self, state, step):
        assert state == "half-open"
        assert self.lab.breaker.outlook() is None

    def expect(self, expected, step):
        circuit = self.lab.breaker.pybreaker
        seen = {
            "state": self.lab.state.replace("_", "-"),
            "fail_counter": circuit.fail_counter,
            "success_counter": circuit.success_counter,
        }
        assert {key: seen[key] for key in expected} == expected

    def events(self, expected, step):
        told = [after for _, after, _ in self.lab.moves]
        states = {"opened": "open", "half_opened": "half_open", "closed": "closed"}
        assert {key: told.count(states[key]) for key in expected} == expected

    def transitions(self, expected, step):
        told = [f"{before}->{after}".replace("_", "-") for before, after, _ in self.lab.moves]
        assert told == expected


def test_there_are_stories_to_tell():
    assert len(VECTORS["vectors"]) >= 40
    assert {vector["source"] for kind in ("vectors", "differences") for vector in VECTORS[kind]} == set(
        VECTORS["sources"]
    )


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["id"])
def test_other_breakers_stories_go_the_same_way(vector):
    story = Story(vector["config"])
    for step in vector["steps"]:
        story.tell(step)


@pytest.mark.parametrize("vector", VECTORS["differences"], ids=lambda vector: vector["id"])
def test_where_ours_differs_by_intent_it_still_differs(vector):
    assert vector["because"]
    story = Story(vector["config"])
    with pytest.raises(AssertionError):  # noqa: PT012 - any step may be the first that differs
        for step in vector["steps"]:
            story.tell(step)
