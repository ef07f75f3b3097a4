"""When a client is taken to be down altogether."""

from __future__ import annotations

import pytest
from incident_lab import IncidentLab


class TestErrorsThatPersist:
    """`after: 15m`, `of_at_least: 5`."""

    @pytest.mark.parametrize(
        "history",
        [
            "x 225 x 225 x 225 x 225 x",
            "x 300 x 300 x 300 x 1 x",
            "x x x x 900 x",
            "x 900 x x x x",
            "x 800 x x x x x 100 x",
            "o x 225 x 225 x 225 x 225 x",
            "x 901 x x x x 900 x",
            "x x 600 x 600 x 600 x",
        ],
    )
    def test_are_an_incident_once_they_are_old_and_many_enough(self, history):
        lab = IncidentLab()
        lab.live(history)
        assert lab.open() == "after"

    @pytest.mark.parametrize(
        "history",
        [
            "x",
            "x x x x x x x x x x",
            "x 225 x 225 x 225 x 224.9 x",
            "x 300 x 300 x 300 x",
            "x x x x x 900",
            "x 225 x 225 x o 225 x 225 x",
            "x x x x o 900 x",
            "x x x x 899 o 1 x x x x x",
            "x x x x x 900.1 x",
            "x 900.1 x x x x",
            "x 901 x x x x 899.9 x",
            "o o o",
        ],
    )
    def test_are_none_while_they_are_young_or_few_or_a_good_answer_or_a_long_quiet_time_came_between(self, history):
        lab = IncidentLab()
        lab.live(history)
        assert lab.open() is None
        assert lab.events == []

    def test_of_one_model_are_enough(self):
        lab = IncidentLab(models="off")
        lab.live("x 225 x 225 x 225 x 225 x", models="a")
        assert lab.found().models == ("a",)

    def test_are_none_if_the_policy_says_off(self):
        lab = IncidentLab(after="off")
        lab.live("x x x x x 900 x 900 x 9000 x")
        assert lab.open() is None

    def test_count_for_their_own_client_only(self):
        lab = IncidentLab(of_at_least=2)
        lab.fail("a", "east")
        lab.fail("a", "west")
        lab.clock.advance(900)
        lab.fail("a", "east")
        assert (lab.open("east"), lab.open("west")) == ("after", None)

    def test_of_a_time_before_a_long_quiet_one_are_not_told_as_its_beginning(self):
        lab = IncidentLab()
        lab.live("x 901 x x x x 900 x")
        (started,) = lab.starts()
        assert (started.failing_for, started.failures) == (900, 5)


class TestACallThatFindsNobody:
    @pytest.mark.parametrize(
        ("failed", "open_circuits", "ladder", "models", "cause"),
        [
            ("ab", "ab", "ab", 2, "models"),
            ("ba", "ab", "ab", 2, "models"),
            ("abc", "abc", "ab", 2, "models"),
            ("abc", "abc", "abc", 3, "models"),
            ("abc", "abc", "abc", 2, "models"),
            ("ab", "ab", "abc", 2, None),
            ("ab", "a", "ab", 2, None),
            ("ab", "abc", "abc", 2, None),
            ("ab", "ab", "ab", 3, None),
            ("a", "a", "a", 2, None),
            ("a", "ab", "ab", 2, None),
            ("", "ab", "ab", 2, None),
            ("ab", "ab", "", 2, None),
            ("ab", "ab", "aa", 2, None),
            ("ab", "ab", "ab", "off", None),
        ],
    )
    def test_begins_one_if_all_of_its_models_have_failed_and_are_shut(
        self, failed, open_circuits, ladder, models, cause
    ):
        lab = IncidentLab(models=models)
        for model in "abc":
            lab.circuit(model).state = "open" if model in open_circuits else "closed"
        lab.fail(failed)
        lab.nobody(ladder)
        assert lab.open() == cause

    def test_counts_a_circuit_that_is_half_open_as_shut(self):
        lab = IncidentLab()
        lab.circuit("b").state = "half_open"
        lab.begin("ab")

    def test_begins_none_after_a_single_good_answer(self):
        lab = IncidentLab()
        lab.fail("ab")
        lab.answer()
        lab.nobody("ab")
        assert lab.open() is None
        lab.fail("a")
        lab.nobody("ab")
        assert lab.open() is None

    def test_begins_none_of_another_client(self):
        lab = IncidentLab()
        lab.fail("ab", "east")
        lab.nobody("ab", "west")
        assert (lab.open("east"), lab.open("west")) == (None, None)
        lab.nobody("ab", "east")
        assert lab.open("east") == "models"

    def test_forgives_an_answer_of_another_client(self):
        lab = IncidentLab()
        lab.fail("ab", "east")
        lab.answer(client="west")
        lab.nobody("ab", "east")
        assert lab.open("east") == "models"

    def test_does_not_need_as_many_failures_as_errors_that_persist(self):
        lab = IncidentLab(of_at_least=1000)
        lab.begin("ab")

    def test_does_not_take_a_failure_of_long_ago_for_the_beginning(self):
        lab = IncidentLab(after="off")
        lab.fail("a")
        lab.clock.advance(36_000)
        lab.begin("ab")
        assert lab.starts()[0].failing_for < 3600

    def test_knows_a_circuit_that_was_made_anew(self):
        """A board forgets circuits that have nothing to remember, and makes new ones."""
        lab = IncidentLab()
        lab.circuit("a").state = "closed"
        lab.fail("a")
        del lab.circuits["a"]
        lab.begin("ab")
        lab.end("ab")
        assert lab.circuit("a").woken == 1

    def test_that_is_answered_while_it_looks_begins_none(self):
        """A signal's handler, or a finaliser, may call in the middle of anything."""
        lab = IncidentLab()

        class Interrupted:
            name = "a"

            @property
            def state(self):
                lab.answer()
                return "open"

            def wake(self):
                raise AssertionError("nothing to wake")

        lab.circuits["a"] = Interrupted()
        lab.fail("ab")
        lab.nobody("ab")
        assert lab.open() is None
        assert lab.events == []
