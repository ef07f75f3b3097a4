"""A forked child has a lock of its own, and nobody out and nobody in line."""

from __future__ import annotations

import os
import threading

import pytest
from bulkhead_lab import Lab
from elsewhere import LONG, passes_in_a_child

from failover.bulkheads import Limit, Place, Ticket

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def test_a_child_starts_empty_and_its_parent_goes_on():
    lab = Lab(a=1)
    held = lab.ticket("a")
    place = lab.place("a")

    def check():
        was_empty = lab.is_empty
        own = lab.enter("a")
        return was_empty and isinstance(own, Ticket) and isinstance(lab.enter("a"), Place)

    assert passes_in_a_child(check)
    assert (lab.running, lab.waiting) == ({"a": 1}, {"a": 1})
    held.release()
    assert place.ticket is not None


@pytest.mark.parametrize("how", ["release", "leave", "drop"])
def test_what_a_child_does_with_its_parents_tickets_and_places_makes_no_room(how):
    lab = Lab(a=1)
    held = [lab.ticket("a")]
    places = [lab.place("a")]

    def check():
        own = lab.ticket("a")
        in_line = lab.place("a")
        if how == "release":
            held[0].release()
        elif how == "leave":
            places[0].leave()
        else:
            held.clear()
            places.clear()
        nothing = (places and places[0].expected()) or None
        before = (lab.running, lab.waiting, in_line.ticket, nothing)
        own.release()
        return before == ({"a": 1}, {"a": 1}, None, None) and in_line.ticket is not None

    assert passes_in_a_child(check)
    held[0].release()
    assert places[0].ticket is not None


def test_a_child_keeps_what_was_learned_of_times():
    lab = Lab(a=1)
    lab.held(10, "a")

    def check():
        own = lab.ticket("a")
        return isinstance(own, Ticket) and lab.place("a").expected() == 10

    assert passes_in_a_child(check)


@pytest.mark.parametrize("step", ["take", "give_back"])
def test_a_fork_while_another_thread_holds_the_lock(monkeypatch, step):
    lab = Lab(a=2)
    inside, go_on = threading.Event(), threading.Event()
    real = getattr(Limit, step)

    def slow(*arguments):
        if threading.current_thread() is thread:
            inside.set()
            go_on.wait(LONG)
        return real(*arguments)

    def check():
        lab.enter("a").release()
        return lab.is_empty

    monkeypatch.setattr(Limit, step, slow)
    thread = threading.Thread(target=lambda: lab.enter("a").release())
    thread.start()
    try:
        assert inside.wait(LONG)
        assert passes_in_a_child(check)
    finally:
        go_on.set()
        thread.join(LONG)
    assert lab.is_empty
