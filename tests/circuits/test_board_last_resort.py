"""When every circuit refuses: one call in each interval may still try, and finds the end of an outage first."""

from __future__ import annotations

import pytest
from breaker_lab import BAD, GONE, OK, WRONG, Lab

MODELS = ("claude-a", "claude-b", "claude-c")


class Outage(Lab):
    """Three models, all of whose circuits are open."""

    def __init__(self, **rules):
        super().__init__(**rules)
        self.breakers = [self.board.breaker(model) for model in MODELS]
        for breaker in self.breakers:
            breaker.open()
        self.events.clear()

    def ask(self):
        """The model that a last resort may try now, and its permit; `None` when there is none."""
        chosen = self.board.last_resort(self.breakers)
        return chosen and (MODELS[chosen[0]], chosen[1])


def test_one_call_in_each_interval_may_try():
    outage = Outage(last_resort="1s")
    assert outage.ask()
    assert [outage.ask() for _ in range(100)] == [None] * 100
    outage.clock.advance(0.99)
    assert outage.ask() is None
    outage.clock.advance(0.02)
    assert outage.ask()


def test_they_take_turns_from_the_top_of_the_ladder():
    outage = Outage(last_resort="1s")
    tried = []
    for _ in range(6):
        model, permit = outage.ask()
        permit.report(BAD, seconds=0.1)
        tried.append(model)
        outage.clock.advance(1)
    assert tried == [*MODELS, *MODELS]


def test_a_failed_last_resort_changes_nothing():
    outage = Outage(last_resort="1ms")
    before = [breaker.outlook() for breaker in outage.breakers]
    for _ in range(20):
        outage.clock.advance(0.002)
        outage.ask()[1].report(BAD, seconds=0.1)
    after = [breaker.outlook() for breaker in outage.breakers]
    passed = 20 * 0.002
    assert [refusal.retry_in for refusal in after] == pytest.approx([refusal.retry_in - passed for refusal in before])
    assert outage.moves == []


@pytest.mark.parametrize(
    ("successes", "states"), [(3, ["half_open"]), (2, ["half_open"]), (1, ["half_open", "closed"])]
)
def test_a_successful_last_resort_is_a_first_probe(successes, states):
    outage = Outage(probe={"successes": successes})
    _, permit = outage.ask()
    assert permit.state == "open"
    permit.report(OK, seconds=0.1)
    assert [event.to_state for event in outage.events] == states
    outage.send(OK, times=successes - 1)
    assert outage.state == "closed"


def test_a_last_resort_whose_answer_comes_after_the_first_probe_is_late():
    outage = Outage()
    _, permit = outage.ask()
    outage.half_open()
    probe = outage.permit()
    permit.report(BAD, seconds=16)
    assert (outage.state, outage.breaker.late) == ("half_open", 1)
    probe.report(OK, seconds=1)


def test_a_cancelled_last_resort_leaves_the_circuit_as_it_was():
    outage = Outage()
    outage.ask()[1].release()
    assert (outage.state, outage.moves) == ("open", [])


def test_there_is_none_when_the_policy_says_so():
    outage = Outage(last_resort="off")
    assert outage.ask() is None
    assert not outage.breakers[0].outlook().last_resort


@pytest.mark.parametrize("reason", ["isolated", "rate-limited", "gone", "probing"])
def test_some_circuits_are_not_for_a_last_resort(reason):
    lab = Lab()
    if reason == "isolated":
        lab.breaker.isolate()
    elif reason == "rate-limited":
        lab.send(WRONG, open_for=60)
    elif reason == "gone":
        lab.send(GONE)
    else:
        lab.breaker.open()
        lab.half_open()
        probe = lab.permit()
        assert probe
    refusal = lab.refusal()
    assert not refusal.last_resort
    assert lab.last_resort() is None


def test_a_rate_limit_met_by_a_last_resort_is_obeyed():
    lab = Lab()
    lab.breaker.open()
    lab.last_resort().report(WRONG, seconds=0.1, open_for=100)
    assert lab.breaker.outlook().retry_in == 100
    assert lab.moves == [("closed", "open", "manual")]
    lab.clock.advance(50)
    assert lab.last_resort() is None


@pytest.mark.parametrize("hold", ["isolated", "rate-limited"])
def test_a_last_resort_that_is_out_does_not_undo_what_came_after_it(hold):
    lab = Lab(last_resort="1s")
    lab.breaker.open()
    early = lab.last_resort()
    if hold == "isolated":
        lab.breaker.isolate()
    else:
        lab.clock.advance(1)
        lab.last_resort().report(WRONG, seconds=0.1, open_for=100)
    early.report(OK, seconds=2)
    assert (lab.state, lab.breaker.late) == ("open", 1)
    assert not lab.refusal().last_resort


def test_the_others_get_a_turn_when_the_first_is_not_for_it():
    outage = Outage()
    outage.breakers[0].isolate()
    assert outage.ask()[0] == "claude-b"


def test_two_dead_models_that_come_back_are_noticed_within_two_seconds():
    outage = Outage()
    recovered_at = outage.clock.now()
    served = None
    while served is None:
        asked = outage.ask()
        if asked:
            asked[1].report(OK, seconds=0.1)
            served = outage.clock.now()
        outage.clock.advance(0.1)
    assert served - recovered_at <= 2
