"""Many calls of one program: what a dead model costs them together, and that nothing is lost in the crowd."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from call_lab import CallLab, judged

from failover.engine import Call, Send
from failover.events import AttemptFinished, CallFinished

LONG = 10.0  # seconds after which a thread is taken to hang


def sends_to(lab, model):
    return sum(event.model == model for event in lab.told(AttemptFinished))


def test_a_thousand_calls_one_after_the_other_waste_five_on_a_dead_model():
    lab = CallLab("ab", retry={"budget": "off"})
    stories = Counter(lab.tell({"a": "500", "b": "ok"}) for _ in range(1000))
    assert sends_to(lab, "a") == 5
    assert stories["b fallback:1"] == 997


def test_a_thousand_calls_over_an_hours_outage_waste_five_and_its_probes():
    lab = CallLab("ab", retry={"budget": "off"})
    for _ in range(1000):
        lab.tell({"a": "500", "b": "ok"})
        lab.clock.advance(3.6)
    probes = 3600 / 300 + 5  # one for each opening: 15, 30, 60, 120, 240, then every 300 seconds
    assert sends_to(lab, "a") <= 5 + probes


def test_fifty_calls_at_once_waste_no_more_than_were_in_flight():
    lab = CallLab("ab", retry={"budget": "off"})
    calls = [lab.begin() for _ in range(50)]
    for call in calls:
        assert call.next().candidate.rung.model == "a"
    for call in calls:
        call.report(judged("500", "a"))
    again = [call for call in calls if not isinstance(call.next(), Send)]
    lab.clock.advance(1)
    assert len(again) == 4  # those that failed before the circuit opened wait to repeat, and then go on
    assert {call.next().candidate.rung.model for call in again} == {"b"}
    assert [lab.tell({"b": "ok"}) for _ in range(100)] == ["b fallback:1"] * 100


def test_fifty_calls_at_the_end_of_an_open_time_send_one_probe():
    lab = CallLab("ab")
    lab.breaker("a").open()
    lab.clock.advance(15)
    calls = [Call(lab.plan, lab.services, lab.cargo) for _ in range(50)]
    models = Counter(call.next().candidate.rung.model for call in calls)
    assert models == {"a": 1, "b": 49}


def test_with_both_models_down_the_crowd_sends_one_last_resort_a_second_and_finds_the_end_of_it():
    lab = CallLab("ab", retry={"passes": 1})
    for breaker in lab.board.breakers():
        breaker.open()
    stories = []
    for _ in range(40):
        stories.append(lab.tell({"a": "500", "b": "500"}))
        lab.clock.advance(0.25)
    assert Counter(stories) == {"refused": 30, "a exhausted:1": 5, "b exhausted:1": 5}
    recovered = lab.clock.now()
    while lab.tell({"a": "ok", "b": "ok"}) == "refused":
        lab.clock.advance(0.25)
    assert lab.clock.now() - recovered <= 2


def test_repeats_of_a_crowd_stay_within_the_programs_budget():
    lab = CallLab(
        "a",
        retry={"passes": 1, "wait": {"first": "1ms", "max": "1ms"}},
        breaker={"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}},
    )
    for _ in range(1000):
        lab.tell({"a": "500"})
    assert 1000 * 1.19 < sends_to(lab, "a") <= 1000 * 1.2 + 10


@pytest.mark.parametrize("models", ["a", "ab"])
def test_thirty_two_threads_of_calls_lose_nothing(models):
    never = {"trip": {"consecutive_failures": 1_000_000, "failure_rate": "off"}}
    lab = CallLab(models, breaker=never, retry={"tries": 1, "passes": 1})
    words = ["504", "400", "ok"]
    barrier = threading.Barrier(32)

    def calls(index):
        barrier.wait(LONG)
        outcomes = Counter()
        for number in range(300):
            call = Call(lab.plan, lab.services, lab.cargo)
            while isinstance(action := call.next(), Send):
                word = words[(index + number) % 3] if action.candidate.index == 0 else "ok"
                call.report(judged(word, action.candidate.rung.model))
            outcomes[action.outcome] += 1
        return outcomes

    with ThreadPoolExecutor(32) as pool:
        outcomes = sum(pool.map(calls, range(32), timeout=60), Counter())
    third = 32 * 100
    assert outcomes == {"failed": third, "primary": third, "exhausted" if models == "a" else "fallback": third}
    finished = lab.told(CallFinished)
    assert len(finished) == len({event.call for event in finished}) == 3 * third
    assert sends_to(lab, "a") == 3 * third
    assert lab.breaker("a").late == 0
