"""What is known of an incident while it lasts, and what its end does."""

from __future__ import annotations

import pytest
from incident_lab import IncidentLab

from failover.events import IncidentEnded, IncidentStarted


class TestWhatIsKnown:
    def test_of_its_failures(self):
        lab = IncidentLab()
        lab.fail("b", status=500)
        lab.clock.advance(7)
        lab.fail("a", status=529)
        lab.clock.advance(3)
        lab.fail("b", status=500)
        lab.nobody("ab")
        found = lab.found()
        assert found._asdict() == {
            "client": "default",
            "cause": "models",
            "failing_for": 10,
            "failures": 3,
            "models": ("b", "a"),
            "error_types": ("500", "overloaded_error"),
            "request_ids": ("req_1", "req_3"),
            "next_probe_in": 30,
        }
        fields = ("client", "cause", "failing_for", "failures", "models", "error_types", "request_ids")
        assert lab.events == [IncidentStarted(*(getattr(found, name) for name in fields))]
        assert lab.incidents.now_open() == (found,)
        assert repr(lab.incidents) == "<Incidents default>"

    @pytest.mark.parametrize(
        ("ids", "told"),
        [
            (["", ""], ()),
            (["", "req_x"], ("req_x",)),
            (["req_x", ""], ("req_x",)),
            (["req_x", "req_x"], ("req_x",)),
            (["req_x", "req_y", "req_z", ""], ("req_x", "req_z")),
        ],
    )
    def test_of_the_requests_that_failed_first_and_last(self, ids, told):
        lab = IncidentLab()
        for index, request_id in enumerate(ids):
            lab.fail("ab"[index % 2], request_id=request_id)
        lab.nobody("ab")
        assert lab.found().request_ids == told

    def test_goes_on_with_the_clock(self):
        lab = IncidentLab()
        lab.begin()
        lab.clock.advance(20)
        found = lab.found()
        assert (found.failing_for, found.next_probe_in) == (20, 10)
        lab.clock.advance(100)
        found = lab.found()
        assert (found.failing_for, found.next_probe_in) == (120, 0)

    def test_of_several_clients_at_once(self):
        lab = IncidentLab()
        lab.begin(client="east")
        lab.clock.advance(5)
        lab.begin(client="west")
        assert {found.client: found.failing_for for found in lab.incidents.now_open()} == {"east": 5, "west": 0}
        assert repr(lab.incidents) == "<Incidents east, west>"
        lab.end(client="east")
        assert [found.client for found in lab.incidents.now_open()] == ["west"]

    def test_without_any_is_nothing(self):
        lab = IncidentLab()
        assert (lab.incidents.now_open(), repr(lab.incidents)) == ((), "<Incidents none>")


class TestItsEnd:
    def test_is_told_with_what_it_was(self):
        lab = IncidentLab()
        lab.fail("b")
        lab.clock.advance(10)
        lab.begin("ab")
        for _ in range(3):
            lab.incidents.kept_back("default")
        lab.clock.advance(30)
        lab.ask(answered=False)
        lab.end()
        assert lab.ends() == [IncidentEnded("default", 10 + 30 + 30, ("b", "a"), 3, 3)]

    def test_wakes_the_circuits_that_had_failed_and_no_others(self):
        lab = IncidentLab()
        lab.fail("c")
        lab.begin("ab")
        lab.circuit("d")
        lab.end("abd")
        assert {name: circuit.woken for name, circuit in lab.circuits.items()} == {"a": 1, "b": 1, "c": 1, "d": 0}

    def test_wakes_them_before_it_is_told(self):
        woken = []
        lab = IncidentLab(tell=lambda event: woken.append(lab.circuit("a").woken))
        lab.begin()
        lab.end()
        assert woken == [0, 1]

    def test_leaves_nothing_behind(self):
        lab = IncidentLab()
        lab.begin()
        lab.end()
        assert lab.turn() is None
        lab.incidents.kept_back("default")
        lab.probed("a", answered=True)
        lab.nobody()
        assert lab.open() is None
        lab.fail("a")
        lab.nobody()
        assert lab.open() is None  # b has not failed since
        lab.clock.advance(1)
        lab.fail("b")
        lab.nobody()
        assert lab.found().failing_for == 1

    def test_of_one_client_ends_none_of_another(self):
        lab = IncidentLab()
        lab.begin(client="east")
        lab.begin(client="west")
        lab.end(client="east")
        assert lab.open("west") == "models"
        assert all(lab.circuit(model, "west").woken == 0 for model in "ab")
