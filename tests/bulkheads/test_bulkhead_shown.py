"""What limits and places tell of themselves, and how long a turn is expected to take."""

from __future__ import annotations

import math

import pytest
from bulkhead_lab import Lab

from failover.bulkheads import Bulkheads, Limit


class TestWhatIsShown:
    @pytest.mark.parametrize(
        ("queues", "longest"),
        [((None,), None), ((5.0,), 5.0), ((0,), 0), ((None, 5.0), 5.0), ((30.0, 5.0), 5.0), ((None, None), None)],
    )
    def test_a_place_may_stand_for_the_shortest_time_of_its_limits(self, queues, longest):
        bulkheads = Bulkheads(now=lambda: 0.0)
        limits = [bulkheads.limit(str(index), 1, queue) for index, queue in enumerate(queues)]
        held = bulkheads.enter(limits)
        assert bulkheads.enter(limits).longest == longest
        held.release()

    def test_a_limit_is_made_once(self):
        bulkheads = Bulkheads(now=lambda: 0.0)
        large = bulkheads.limit("large", 2, 30.0)
        assert bulkheads.limit("large", 2, 30.0) is large
        small = bulkheads.limit("small", 9, None)
        assert bulkheads.limits() == (large, small)
        assert (large.name, large.at_once, large.queue) == ("large", 2, 30.0)

    @pytest.mark.parametrize("name", ["name", "at_once", "queue", "running", "waiting"])
    def test_what_a_limit_shows_cannot_be_set(self, name):
        with pytest.raises(AttributeError):
            setattr(Limit("large", 1, None), name, 5)

    @pytest.mark.parametrize(
        ("at_once", "queue", "said"),
        [
            (0, None, "limit 'a': at_once must be at least 1, not 0"),
            (-1, None, "limit 'a': at_once must be at least 1, not -1"),
            (1, -0.5, "limit 'a': queue must be None or at least 0 seconds, not -0.5"),
            (1, math.nan, "limit 'a': queue must be None or at least 0 seconds, not nan"),
        ],
    )
    def test_a_limit_that_makes_no_sense_is_refused(self, at_once, queue, said):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
            Bulkheads(now=lambda: 0.0).limit("a", at_once, queue)
        assert str(caught.value) == said

    def test_it_shows_how_full_it_is(self):
        lab = Lab(large=1, a=4)
        assert repr(Bulkheads(now=lambda: 0.0)) == "<Bulkheads no limits yet>"
        held = lab.ticket("large", "a")
        place = lab.place("large")
        assert repr(lab.bulkheads) == "<Bulkheads large: 1 of 1 out, 1 waiting; a: 1 of 4 out>"
        assert repr(lab.limits["large"]) == "<Limit large: 1 of 1 out, 1 waiting>"
        place.leave()
        held.release()


class TestExpectedTime:
    def test_nothing_is_known_before_the_first_permit_has_come_back(self):
        lab = Lab(a=1)
        held = lab.ticket("a")
        place = lab.place("a")
        assert place.expected() is None
        lab.clock.advance(10)
        held.release()
        assert place.expected() == 0.0

    @pytest.mark.parametrize(
        ("at_once", "times"), [(1, [10, 20, 30, 40]), (2, [5, 10, 15, 20]), (4, [2.5, 5, 7.5, 10])]
    )
    def test_it_grows_with_the_place_in_line_and_shrinks_with_the_room(self, at_once, times):
        lab = Lab(a=at_once)
        lab.held(10, "a")
        held = [lab.ticket("a") for _ in range(at_once)]
        places = [lab.place("a") for _ in range(4)]
        assert [place.expected() for place in places] == times
        assert len(held) == at_once

    def test_it_shrinks_as_the_line_moves_up(self):
        lab = Lab(a=1)
        lab.held(10, "a")
        held = lab.ticket("a")
        first, second, third = (lab.place("a") for _ in range(3))
        first.leave()
        assert third.expected() == 20
        held.release()
        assert (second.expected(), third.expected()) == (0.0, pytest.approx(0.8 * 10))

    def test_recent_permits_weigh_more(self):
        lab = Lab(a=1)
        for seconds in (100, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1):
            lab.held(seconds, "a")
        held = lab.ticket("a")
        assert lab.place("a").expected() == pytest.approx(1 + 99 * 0.8**20)
        held.release()

    def test_the_slowest_of_its_limits_counts(self):
        lab = Lab(large=1, a=1)
        lab.held(10, "a")
        lab.held(50, "large")
        held = lab.ticket("large"), lab.ticket("a")
        both, one = lab.place("large", "a"), lab.place("a")
        assert both.expected() == 50
        assert one.expected() == 50  # it must let the first one pass, who waits for `large`
        held[0].release()
        assert (both.expected(), one.expected()) == (10, 20)

    def test_whoever_waits_behind_somebody_only_waits_for_what_that_one_waits_for(self):
        lab = Lab(large=1, a=5)
        lab.held(40, "large")
        held = lab.ticket("large")
        before, place = lab.place("large", "a"), lab.place("a")
        assert lab.running["a"] == 0
        assert place.expected() == before.expected() == 40
        held.release()

    def test_a_limit_of_which_nothing_is_known_does_not_hide_what_is(self):
        lab = Lab(large=1, a=1)
        lab.held(10, "a")
        held = lab.ticket("large", "a")
        assert lab.place("large").expected() is None
        assert lab.place("a", "large").expected() == 10
        held.release()

    def test_room_behind_one_limit_says_nothing_of_another(self):
        lab = Lab(large=1, a=1)
        lab.held(10, "a")
        held = lab.ticket("large")
        assert lab.place("a", "large").expected() is None
        held.release()

    def test_whoever_has_left_expects_nothing(self):
        lab = Lab(a=1)
        lab.held(10, "a")
        held = lab.ticket("a")
        place = lab.place("a")
        place.leave()
        assert place.expected() is None
        held.release()
