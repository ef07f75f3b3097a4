"""What a timeline shows, before it is drawn."""

from __future__ import annotations

import pytest
from night_story import night
from report_lab import EVENING, HOUR, MINUTE, OLDER, OPUS, SONNET, attempt, incident, moved, outage, served

from failover.report import report_of, sort_entries, timeline
from failover.report.timeline import MOST_LANES, Step, Timeline

T = EVENING


def drawn(entries, since=None, until=None) -> Timeline:
    entries = sort_entries(entries, since, until)
    return timeline(entries, report_of(entries))


def shares(steps: tuple[Step, ...]) -> list[tuple[float, float, float, float]]:
    """From, to, open, half open; seconds are since the evening, to a thousandth of a thousand."""
    return [(round(step.start - T), round(step.end - T), step.open, step.half_open) for step in steps]


def test_nothing_is_no_timeline():
    assert drawn([]) is None
    assert drawn([incident(T, "started")]) is None


def test_a_circuit_is_open_then_half_open_then_closed():
    lane = drawn(
        [moved(T + 100, "open", "closed"), moved(T + 200, "half_open", "open"), moved(T + 300, "closed", "open")],
        T,
        T + 1000,
    )
    assert shares(lane.lanes[0].steps) == [(100, 200, 1.0, 0.0), (200, 300, 0.0, 1.0)]


def test_of_several_processes_the_share_is_shown():
    entries = [
        *(served(T, 1, process=name) for name in "abcd"),
        *(served(T + 1000, 1, process=name) for name in "abcd"),
        *outage(T + 100, T + 300, process="a")[:1],
        moved(T + 300, "closed", "open", process="a"),
        moved(T + 200, "open", "closed", process="b"),
        moved(T + 300, "closed", "open", process="b"),
    ]
    lane = drawn(entries, T, T + 1000)
    assert shares(lane.lanes[0].steps) == [(100, 200, 0.25, 0.0), (200, 300, 0.5, 0.0)]


def test_a_process_that_came_later_makes_no_share_smaller_before():
    entries = [*outage(T + 100, T + 200), served(T, 1), served(T + 900, 1, process="late")]
    lane = drawn(entries, T, T + 1000)
    assert {step.open + step.half_open for step in lane.lanes[0].steps} == {1.0}


def test_what_is_open_still_is_open_to_the_end():
    (lane,) = drawn([moved(T + 500, "open", "closed")], T, T + 1000).lanes
    assert shares(lane.steps) == [(500, 1000, 1.0, 0.0)]


@pytest.mark.parametrize(
    ("seconds", "width"),
    [(60, 1), (100, 1), (121, 2), (HOUR, 30), (8 * HOUR, 300), (24 * HOUR, 900), (30 * 24 * HOUR, 21600)],
)
def test_a_bar_is_as_wide_as_clocks_count_and_there_are_at_most_120(seconds, width):
    shown = drawn([attempt(T), attempt(T + seconds)])
    assert shown.failures_width == width
    assert shown.answers_width == max(width, MINUTE)


def test_ten_years_are_bars_of_whole_days():
    shown = drawn([attempt(T), attempt(T + 3650 * 24 * HOUR)])
    assert shown.failures_width % (24 * HOUR) == 0
    assert max(shown.lanes[0].failures) <= 121


def test_failures_and_answers_are_counted_by_bar():
    entries = [attempt(T + 1), attempt(T + 2), attempt(T + 301), served(T, 5), served(T + 60, 6), served(T + 300, 7)]
    (lane,) = drawn(entries, T, T + 8 * HOUR).lanes
    assert lane.failures == {0: 2, 1: 1}
    assert lane.answers == {0: 11, 1: 7}


def test_the_lanes_are_in_the_order_of_their_answers():
    shown = drawn([served(T, 5, SONNET), served(T, 50), attempt(T, OLDER)])
    assert [lane.place for lane in shown.lanes] == [OPUS, SONNET, OLDER]


def test_of_very_many_circuits_those_with_the_most_failures_are_shown():
    many = [served(T, 100 + n, f"fine-{n}") for n in range(100)]
    shown = drawn([*many, *(attempt(T, f"failing-{n}") for n in range(3))])
    assert len(shown.lanes) == MOST_LANES
    assert shown.left_out == 103 - MOST_LANES
    assert {"failing-0", "failing-1", "failing-2"} < {lane.place for lane in shown.lanes}


def test_one_moment_is_shown_in_the_middle_of_ten_seconds():
    shown = drawn([attempt(T)])
    assert (shown.start, shown.end) == (T - 5, T + 5)
    assert shown.lanes[0].failures == {5: 1}


def test_an_incident_is_marked_in_the_lanes_of_its_models():
    entries = [
        *(served(T, 9 - n, model) for n, model in enumerate((OPUS, OLDER, SONNET))),
        incident(T + 60, "started", seconds=30.0, detail={"models": [OPUS, SONNET]}),
        incident(T + 200, "ended", detail={"models": [OPUS, SONNET]}),
    ]
    (mark,) = drawn(entries, T, T + 1000).incidents
    assert (mark.label, mark.start - T, mark.end - T) == ("incident 1", 30, 200)
    assert mark.lanes == (0, 2)


def test_however_much_there_is_a_timeline_stays_small():
    shown = drawn(night(3, hours=24, rate=0.5))
    assert sum(len(lane.failures) + len(lane.answers) for lane in shown.lanes) <= 3 * 2 * 121
    assert all(len(lane.steps) <= 1000 for lane in shown.lanes)
