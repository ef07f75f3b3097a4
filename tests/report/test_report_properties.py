"""What holds for a report whatever the entries are."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from report_lab import EVENING, OLDER, OPUS, SONNET

from failover.journal.entry import Entry
from failover.report import build, in_html, in_json, in_markdown, json_text, report_of, sort_entries, ticket, timeline

CIRCUITS = (OPUS, OLDER, SONNET, f"bedrock/{OPUS}")

moments = st.floats(EVENING, EVENING + 3000).map(lambda at: round(at, 1))
odd_moments = st.one_of(moments, moments, moments, st.floats())
names = st.one_of(st.sampled_from(("default", "bedrock")), st.none())
durations = st.one_of(st.none(), st.floats(0, 400), st.floats())
counts = st.one_of(st.none(), st.integers(0, 9), st.integers())
anything = st.one_of(st.none(), st.text(max_size=5), st.integers(), st.lists(st.text(max_size=5), max_size=3))


@st.composite
def made(draw, times=odd_moments, processes=("p", "q", "r")) -> Entry:
    """An entry that may make no sense, as of a kind that was written by another version."""
    kind = draw(
        st.sampled_from(
            (
                "attempt",
                "attempt",
                "transition",
                "transition",
                "call",
                "served",
                "incident",
                "probe",
                "status",
                "lost",
                "x",
            )
        )
    )
    outcomes = {
        "transition": ("open", "half_open", "closed", "ajar"),
        "incident": ("started", "ended", "paused"),
        "call": ("fallback", "primary", "exhausted", "failed", "cancelled", "new"),
        "probe": ("answered", "failed"),
    }.get(kind, ("failure", "neutral", None))
    return Entry(
        at=draw(times),
        kind=kind,
        process=draw(st.sampled_from(processes)),
        call=draw(st.one_of(st.none(), st.integers(1, 5))),
        client=draw(names),
        model=draw(st.one_of(st.sampled_from((OPUS, OLDER)), st.none())),
        circuit=draw(st.one_of(st.sampled_from(CIRCUITS), st.none())),
        number=draw(st.integers(1, 3)),
        reason=draw(st.one_of(st.none(), st.sampled_from(("consecutive_failures", "failure_rate", "after")))),
        outcome=draw(st.sampled_from(outcomes)),
        status=draw(st.sampled_from((None, 400, 429, 500, 529))),
        error_type=draw(st.sampled_from((None, "api_error", "connection_error"))),
        request_id=draw(st.one_of(st.none(), st.integers(0, 99).map(lambda number: f"req_{number}"))),
        seconds=draw(durations),
        input_tokens=draw(counts),
        output_tokens=draw(counts),
        count=draw(counts),
        detail=draw(
            st.dictionaries(
                st.sampled_from(("from", "skipped", "waited", "models", "probes", "served", "incidents")), anything
            )
        ),
    )


journals = st.lists(made(), max_size=30)


@given(journals)
def test_every_failed_attempt_and_call_is_in_exactly_one_place(entries):
    report = build(entries)
    places = [*report.incidents, *report.outages, report.outside]
    known = [entry for entry in entries if 0 <= entry.at < 253402300800]
    attempts = sum(entry.kind == "attempt" for entry in known)
    calls = sum(entry.kind == "call" for entry in known)
    assert sum(place.cost.attempts for place in places) == attempts == report.total.attempts
    assert sum(place.cost.calls for place in places) == calls == report.total.calls
    assert sum(error.count for place in places for error in place.evidence.errors) == attempts
    assert sum(sum(place.evidence.places.values()) for place in places) == attempts


@given(journals)
def test_every_entry_is_used_or_counted(entries):
    report = build(entries)
    assert report.entries == len(entries)
    impossible = sum(not 0 <= entry.at < 253402300800 for entry in entries)
    assert report.unusable == impossible
    assert sum(report.ignored.values()) == sum(e.kind == "x" and 0 <= e.at < 253402300800 for e in entries)


@given(journals)
def test_nothing_ends_before_it_begins_and_outages_of_a_circuit_do_not_overlap(entries):
    report = build(entries)
    for incident in report.incidents:
        assert incident.began <= incident.last_heard
    for outage in report.outages:
        assert outage.opened <= outage.last_heard
        assert (outage.closed is None) == (outage.ending != "over")
    by_circuit = {}
    for outage in report.outages:
        before = by_circuit.get(outage.circuit)
        assert before is None or before.last_heard < outage.opened
        by_circuit[outage.circuit] = outage


@given(st.lists(made(times=moments), max_size=30), st.randoms(use_true_random=False))
def test_how_the_entries_of_processes_are_mixed_does_not_matter(entries, chance: random.Random):
    """Each process's own are in the order in which it wrote them."""
    queues = [[entry for entry in entries if entry.process == process] for process in ("p", "q", "r")]
    mixed = []
    while any(queues):
        mixed.append(chance.choice([queue for queue in queues if queue]).pop(0))
    assert build(mixed) == build(entries)


@given(journals)
def test_json_goes_there_and_back_and_has_always_the_same_keys(entries):
    told = in_json(build(entries))
    assert json.loads(json_text(told)) == told
    assert told.keys() == in_json(build([])).keys()


@given(journals)
def test_markdown_and_the_ticket_can_be_written_of_whatever_there_is(entries):
    report = build(entries)
    assert in_markdown(report).startswith("# What happened\n")
    text = ticket(report)
    assert text is None or text.startswith("Subject: ")


@given(journals)
def test_a_timeline_shows_shares_and_whole_counts(entries):
    entries = sort_entries(entries, None, None)
    drawn = timeline(entries, report_of(entries))
    if drawn is None:
        return
    assert drawn.start < drawn.end
    for lane in drawn.lanes:
        for step in lane.steps:
            assert step.start < step.end
            assert 0 <= step.open <= 1.001
            assert 0 <= step.half_open <= 1.001
            assert step.open + step.half_open <= 1.001
        assert all(index >= 0 for index in lane.failures)
        assert all(index >= 0 for index in lane.answers)
    failures = sum(sum(lane.failures.values()) for lane in drawn.lanes)
    assert failures == len(entries.of("attempt"))


@settings(max_examples=20, deadline=None)
@given(journals)
def test_a_page_can_be_drawn_of_whatever_there_is(entries):
    entries = sort_entries(entries, None, None)
    report = report_of(entries)
    assert "<h1>" in in_html(report, timeline(entries, report))
