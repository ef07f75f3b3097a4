"""Who may go, who stands in line, and in which order: one thread, time by hand."""

from __future__ import annotations

import weakref

import pytest
from bulkhead_lab import Lab

from failover.bulkheads import Place, Ticket


class TestOneLimit:
    def test_it_lets_in_as_many_as_it_says(self):
        lab = Lab(a=3)
        answers = [lab.enter("a") for _ in range(5)]
        assert [type(answer) for answer in answers] == [Ticket, Ticket, Ticket, Place, Place]
        assert (lab.running, lab.waiting) == ({"a": 3}, {"a": 2})

    def test_a_released_permit_goes_to_whoever_came_first(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        places = [lab.place("a") for _ in range(5)]
        for index, place in enumerate(places):
            assert [other.ticket is not None for other in places] == [True] * index + [False] * (5 - index)
            held.release()
            held = place.ticket
            assert isinstance(held, Ticket)
        held.release()
        assert lab.is_empty

    def test_a_newcomer_does_not_overtake_the_line(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        first = lab.place("a")
        held.release()
        second = lab.place("a")
        first.ticket.release()
        assert second.ticket is not None

    def test_a_ticket_tells_how_long_it_stood_in_line(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        lab.clock.advance(7.5)
        held.release()
        lab.clock.advance(100)
        assert (held.waited, place.ticket.waited) == (0.0, 7.5)

    def test_only_the_first_release_counts(self):
        lab = Lab(a=2)
        first, second = lab.ticket("a"), lab.ticket("a")
        waiting = [lab.place("a"), lab.place("a")]
        first.release()
        first.release()
        assert [place.ticket is not None for place in waiting] == [True, False]
        assert lab.running == {"a": 2}
        second.release()
        assert waiting[1].ticket is not None

    def test_whoever_leaves_is_passed_over(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        first, second, third = (lab.place("a") for _ in range(3))
        second.leave()
        second.leave()
        first.leave()
        assert lab.waiting == {"a": 1}
        held.release()
        assert (first.ticket, second.ticket) == (None, None)
        assert third.ticket is not None

    def test_whoever_leaves_in_the_moment_of_its_turn_gives_it_back(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        first, second = lab.place("a"), lab.place("a")
        held.release()
        assert first.ticket is not None
        first.leave()
        assert second.ticket is not None
        first.leave()
        first.ticket.release()
        assert lab.running == {"a": 1}

    def test_leaving_after_the_end_of_the_attempt_takes_nothing_from_others(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        held.release()
        place.ticket.release()
        other = lab.ticket("a")
        place.leave()
        assert lab.running == {"a": 1}
        other.release()

    def test_a_limit_that_is_named_twice_counts_once(self):
        lab = Lab(a=1)
        ticket = lab.ticket("a", "a")
        assert lab.running == {"a": 1}
        ticket.release()
        assert lab.is_empty

    def test_without_limits_everybody_goes(self):
        lab = Lab(a=1)
        ticket = lab.ticket()
        ticket.release()
        assert lab.is_empty


class TestSeveralLimits:
    def test_all_are_taken_together_or_none(self):
        lab = Lab(large=1, a=2)
        held = lab.ticket("large")
        place = lab.place("large", "a")
        assert lab.running == {"large": 1, "a": 0}
        held.release()
        assert lab.running == {"large": 1, "a": 1}
        place.ticket.release()
        assert lab.is_empty

    def test_nobody_takes_a_slot_of_a_limit_for_which_an_earlier_one_waits(self):
        lab = Lab(large=1, a=1)
        held = lab.ticket("large")
        first = lab.place("large", "a")
        second = lab.place("a")
        assert lab.running == {"large": 1, "a": 0}
        held.release()
        assert (first.ticket is not None, second.ticket) == (True, None)
        first.ticket.release()
        assert second.ticket is not None

    @pytest.mark.parametrize("order", [("large", "a"), ("a", "large")])
    def test_a_steady_stream_for_one_limit_starves_nobody_who_needs_two(self, order):
        lab = Lab(large=1, a=2)
        large = lab.ticket("large")
        stream = [lab.ticket("a"), lab.ticket("a")]
        patient = lab.place(*order)
        behind = [lab.place("a") for _ in range(10)]
        for ticket in stream:
            ticket.release()
        assert not any(place.ticket for place in behind)
        large.release()
        assert patient.ticket is not None
        assert [place.ticket is not None for place in behind] == [True] + [False] * 9

    @pytest.mark.parametrize("names", [("large", "a"), ("large",), ("a",)])
    def test_whoever_was_held_up_goes_when_the_one_before_leaves(self, names):
        lab = Lab(large=2, a=2, other=1)
        held = lab.ticket("other")
        before = lab.place("large", "a", "other")
        place = lab.place(*names)
        before.leave()
        assert place.ticket is not None
        assert lab.running == {"large": 0, "a": 0, "other": 1} | dict.fromkeys(names, 1)
        held.release()

    def test_one_release_lets_in_all_it_can(self):
        lab = Lab(large=2, a=1, b=1)
        both = lab.ticket("a", "b")
        places = [lab.place("large", "a"), lab.place("large", "b"), lab.place("large")]
        both.release()
        assert [place.ticket is not None for place in places] == [True, True, False]

    def test_a_turn_that_frees_another_line_is_followed_up(self):
        """The first of two lines goes; behind it another becomes first, and there is room for it."""
        lab = Lab(large=1, a=2, b=2)
        held = lab.ticket("large")
        first = lab.place("large", "a")
        second = lab.place("a", "b")
        third = lab.place("b")
        assert lab.running == {"large": 1, "a": 0, "b": 0}
        held.release()
        assert all(place.ticket for place in (first, second, third))
        assert lab.running == {"large": 1, "a": 2, "b": 2}

    def test_limits_without_a_common_one_do_not_wait_for_each_other(self):
        lab = Lab(a=1, b=1)
        lab.held = lab.ticket("a")
        lab.place("a")
        assert isinstance(lab.enter("b"), Ticket)


class TestWhoIsDropped:
    def test_a_ticket_that_is_dropped_gives_itself_back(self):
        lab = Lab(a=1)
        ticket = lab.ticket("a")
        place = lab.place("a")
        del ticket
        assert place.ticket is not None

    def test_a_place_that_is_dropped_passes_its_turn_on(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        dropped = weakref.ref(lab.place("a"))
        place = lab.place("a")
        held.release()
        assert place.ticket is not None
        assert dropped() is None
        assert lab.running == {"a": 1}

    def test_ten_thousand_dropped_places_pass_on_one_turn(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        for _ in range(10_000):
            lab.place("a")
        place = lab.place("a")
        held.release()
        assert place.ticket is not None
        assert (lab.running, lab.waiting) == ({"a": 1}, {"a": 0})


class TestWakingUp:
    def test_a_turn_wakes_its_owner_once(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place, woken = lab.watched("a")
        assert woken == []
        held.release()
        place.ticket.release()
        assert woken == ["woken"]

    def test_nobody_is_woken_by_leaving(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place, woken = lab.watched("a")
        place.leave()
        held.release()
        assert woken == []

    @pytest.mark.parametrize("over", ["granted", "left"])
    def test_whoever_asks_when_it_is_over_is_told_so_at_once(self, over):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        if over == "granted":
            held.release()
        else:
            place.leave()
        assert not place.call_when_over(lambda: pytest.fail("nobody should call"))

    def test_whoever_cannot_be_woken_passes_its_turn_on(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        unreachable, woken = [lab.place("a") for _ in range(3)], []
        for place in unreachable:
            assert place.call_when_over(lambda: [woken.append("tried"), 1 / 0])
        reachable = lab.place("a")
        held.release()
        assert woken == ["tried"] * 3
        assert reachable.ticket is not None
        reachable.ticket.release()
        assert lab.is_empty

    def test_ten_thousand_who_cannot_be_woken_are_one_after_another_passed_over(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        places = [lab.place("a") for _ in range(10_000)]
        for place in places:
            place.call_when_over(lambda: 1 / 0)
        held.release()
        assert lab.is_empty

    def test_ctrl_c_while_waking_passes_and_whoever_comes_next_wakes_them(self):
        lab = Lab(a=2)
        held = lab.ticket("a"), lab.ticket("a")
        interrupted, place = [], lab.place("a")

        def wake():
            interrupted.append("woken")
            if len(interrupted) == 1:
                raise KeyboardInterrupt

        place.call_when_over(wake)
        with pytest.raises(KeyboardInterrupt):
            held[0].release()
        assert place.ticket is not None
        held[1].release()
        assert interrupted == ["woken", "woken"]
        place.ticket.release()
        assert lab.is_empty

    def test_owners_are_woken_in_order(self):
        lab = Lab(large=4, a=9)
        held = [lab.ticket("large") for _ in range(4)]
        woken = []
        places = [lab.place("large", "a") for _ in range(8)]
        for index, place in enumerate(places):
            place.call_when_over(lambda index=index: woken.append(index))
        for ticket in held:
            ticket.release()
        for place in places:
            place.ticket.release()
        assert woken == list(range(8))
