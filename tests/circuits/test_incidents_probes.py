"""Who asks in an incident whether it is over: one at a time, at a slow pace, and nobody who is lost holds up the others."""

from __future__ import annotations

import gc

import pytest
from incident_lab import IncidentLab

from failover.events import IncidentEnded


@pytest.fixture
def lab():
    """One in an incident since just now: `every: 30s`, `successes: 2`, `timeout: 10s`."""
    lab = IncidentLab()
    lab.begin()
    return lab


class TestATurn:
    @pytest.mark.parametrize(("seconds", "whose"), [(0, None), (29.9, None), (30, "a"), (1000, "a")])
    def test_comes_as_late_as_the_policy_says(self, lab, seconds, whose):
        lab.clock.advance(seconds)
        assert lab.turn() == whose

    def test_is_nobodys_without_an_incident(self, lab):
        lab.clock.advance(30)
        assert lab.turn(client="other") is None

    def test_is_nobodys_who_has_no_model_there(self, lab):
        lab.clock.advance(30)
        assert lab.turn("") is None
        assert lab.turn("b") == "b"

    def test_is_given_once(self, lab):
        lab.clock.advance(30)
        assert [lab.turn() for _ in range(5)] == ["a", None, None, None, None]

    def test_goes_round_the_models(self, lab):
        asked = []
        for _ in range(7):
            lab.clock.advance(30)
            asked.append(lab.ask("abc", answered=False))
        assert "".join(asked) == "abcabca"

    def test_of_another_ladder_goes_to_its_model_that_was_asked_longest_ago(self, lab):
        ladders = ["ab", "ab", "bc", "cd", "ad", "a", "abcd"]
        asked = []
        for ladder in ladders:
            lab.clock.advance(30)
            asked.append(lab.ask(ladder, answered=False))
        assert "".join(asked) == "abcdaab"

    def test_comes_at_the_pace_that_the_policy_says(self):
        lab = IncidentLab(probe={"every": "2m", "timeout": "1s"})
        lab.begin()
        given = 0
        for _ in range(3600):
            lab.clock.advance(1)
            given += lab.ask(answered=False) is not None
        assert given == 30


class TestAnAnswer:
    def test_is_followed_by_the_next_probe_at_once_and_of_the_same_model(self, lab):
        lab.clock.advance(30)
        assert lab.ask("abc", answered=True) == "a"
        assert lab.found().next_probe_in == 0
        assert lab.turn("abc") == "a"

    def test_does_not_end_it_alone(self, lab):
        lab.clock.advance(30)
        lab.ask(answered=True)
        assert lab.open() == "models"

    @pytest.mark.parametrize("successes", [1, 2, 5])
    def test_ends_it_as_the_last_of_so_many_in_a_row(self, successes):
        lab = IncidentLab(probe={"successes": successes})
        lab.begin()
        lab.clock.advance(30)
        asked = []
        while lab.open():
            asked.append(lab.ask(answered=True))
        assert asked == ["a"] * successes

    def test_is_forgotten_after_a_failure(self, lab):
        lab.clock.advance(30)
        assert lab.ask(answered=True) == "a"
        assert lab.ask(answered=False) == "a"
        assert lab.ask(answered=True) is None
        lab.clock.advance(30)
        assert lab.ask(answered=True) == "b"
        assert lab.open() == "models"
        assert lab.ask(answered=True) == "b"
        assert lab.open() is None

    def test_of_a_model_that_the_next_call_does_not_have_leads_it_to_one_that_it_has(self, lab):
        lab.clock.advance(30)
        assert lab.ask("ab", answered=True) == "a"
        assert lab.ask("cd", answered=True) == "c"
        assert lab.open() is None


class TestTime:
    """Between two probes there are `every` seconds, unless the one before was answered."""

    def test_is_counted_from_the_end_of_a_probe_that_took_long(self, lab):
        """Else a call whose probe took longer than the pace would be due again, and ask for ever."""
        lab.clock.advance(30)
        assert lab.turn() == "a"
        lab.clock.advance(30)
        lab.probed("a", answered=False)
        assert lab.turn() is None
        lab.clock.advance(30)
        assert lab.turn() == "b"

    def test_does_not_let_a_second_probe_go_while_one_is_out(self):
        """A time-out is one for each read, so that a probe may take longer than it says."""
        lab = IncidentLab(probe={"every": "10s", "timeout": "10s"})
        lab.begin()
        lab.clock.advance(10)
        assert lab.turn() == "a"
        lab.clock.advance(10)
        assert lab.turn() is None
        lab.probed("a", answered=True)
        assert lab.turn() == "a"

    def test_brings_the_next_turn_though_a_probe_is_lost(self, lab):
        """Its task was cancelled, its thread was killed, or it is garbage: nobody will ever tell."""
        lab.clock.advance(30)
        assert lab.turn() == "a"
        gc.collect()
        waited = 0
        while lab.turn() is None:
            lab.clock.advance(1)
            waited += 1
        assert 30 <= waited <= 60
        lab.probed("b", answered=True)
        assert lab.ask(answered=True) == "b"
        assert lab.open() is None

    def test_of_a_turn_that_nobody_takes_is_not_lost(self, lab):
        lab.clock.advance(3600)
        assert [lab.ask(answered=False), lab.ask(answered=False)] == ["a", None]


class TestALateWord:
    def test_about_an_incident_that_is_over_means_nothing(self, lab):
        lab.clock.advance(30)
        lab.ask(answered=True)
        assert lab.turn() == "a"
        lab.clock.advance(60)
        lab.end()
        before = len(lab.events)
        lab.probed("a", answered=True)
        lab.probed("a", answered=False)
        assert (lab.open(), len(lab.events)) == (None, before)

    def test_about_the_one_before_does_not_bring_this_one_nearer_to_its_end(self):
        lab = IncidentLab(probe={"successes": 1})
        lab.begin()
        lab.clock.advance(30)
        assert lab.turn("a") == "a"
        late = lab.turns["default", "a"]  # is not heard of for long
        lab.clock.advance(60)
        lab.end("b")
        lab.begin()
        lab.clock.advance(30)
        assert lab.turn("a") == "a"
        lab.probed("a", answered=True, number=late)
        assert lab.open() == "models"
        lab.probed("a", answered=True)
        assert lab.open() is None

    def test_about_a_turn_that_was_given_up_does_not_speak_for_the_next_one(self, lab):
        lab.clock.advance(30)
        assert lab.turn("a") == "a"
        late = lab.turns["default", "a"]
        lab.clock.advance(60)
        assert lab.ask("a", answered=True) == "a"
        lab.probed("a", answered=False, number=late)
        assert lab.ask("a", answered=True) == "a"
        assert lab.open() is None

    def test_is_heard_once(self, lab):
        lab.clock.advance(30)
        assert lab.ask(answered=True) == "a"
        lab.probed("a", answered=True)
        assert lab.open() == "models"

    def test_about_a_model_that_nobody_probed_means_nothing(self, lab):
        lab.clock.advance(30)
        assert lab.turn() == "a"
        for _ in range(3):
            lab.probed("b", answered=True)
        assert lab.open() == "models"

    @pytest.mark.parametrize("history", ["o", "x", "x 900 x x x x x", "o o o o"])
    def test_about_a_call_that_was_sent_before_it_began_changes_nothing(self, lab, history):
        lab.live(history, models="a")
        assert (lab.open(), lab.found().models, lab.found().failures) == ("models", ("a", "b"), 2)
        assert len(lab.events) == 1


class TestAModelThatHasNotFailed:
    """Nothing is known of it, so it is asked as ever; what it says is worth more than any probe."""

    def test_is_not_kept_back(self, lab):
        assert [lab.keeps_back(model) for model in "abc"] == [True, True, False]
        assert lab.keeps_back("a", "east") is False

    def test_ends_the_incident_with_its_first_answer(self, lab):
        lab.answer("c")
        assert lab.open() is None
        assert lab.ends() == [IncidentEnded("default", 0, ("a", "b"), 0, 0)]
        assert [lab.circuit(model).woken for model in "abc"] == [1, 1, 0]

    def test_is_one_more_of_those_that_fail_after_its_first_failure(self, lab):
        lab.clock.advance(5)
        lab.fail("c", status=500)
        assert lab.keeps_back("c")
        found = lab.found()
        assert (found.models, found.failures, found.failing_for) == (("a", "b", "c"), 3, 5)
        assert found.error_types == ("overloaded_error", "500")
        assert len(lab.events) == 1
        lab.answer("c")
        assert lab.open() == "models"
        lab.end("abc")
        assert lab.ends()[0].models == ("a", "b", "c")
        assert [lab.circuit(model).woken for model in "abc"] == [1, 1, 1]

    @pytest.mark.parametrize(("before", "cause"), [(0, None), (29.9, None), (30, "models"), (1000, "models")])
    def test_that_has_answered_just_now_lets_no_call_of_another_ladder_begin_one(self, before, cause):
        lab = IncidentLab()
        lab.answer("c")
        lab.clock.advance(before)
        lab.fail("ab")
        lab.nobody("ab")
        assert lab.open() == cause

    def test_lets_an_outage_of_others_flap_at_no_pace_faster_than_that_of_probes(self):
        """Two of its client's models are down, and one is asked a little less often than probes would be sent."""
        lab = IncidentLab()
        for _ in range(100):
            lab.clock.advance(31)
            lab.fail("ab")
            lab.nobody("ab")
            lab.answer("c")
        assert lab.open() is None
        assert len(lab.starts()) == len(lab.ends()) <= 100


@pytest.mark.parametrize("kept_back", [0, 1, 7])
def test_calls_that_are_kept_back_are_counted_for_their_own_client(lab, kept_back):
    lab.begin(client="east")
    for _ in range(kept_back):
        lab.incidents.kept_back("default")
    lab.incidents.kept_back("east")
    lab.incidents.kept_back("another")
    lab.end()
    assert lab.ends()[0].kept_back == kept_back
