"""What a report says in words: Markdown, JSON, and the text for support."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from report_lab import EVENING, HOUR, OLDER, OPUS, attempt, call, incident, moved, one_night, outage, served

from failover.journal.entry import Entry
from failover.report import build, in_json, in_markdown, json_text, ticket

T = EVENING
GOLDEN = Path(__file__).with_name("one_night.md")


def lines(entries, **period) -> list[str]:
    return in_markdown(build(entries, **period)).splitlines()


def test_the_report_of_a_night_reads_as_it_should():
    assert in_markdown(build(one_night())) == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("entries", "period", "sentence"),
    [
        ([], {}, "Nothing is in the journal."),
        ([], {"since": T}, "Nothing is in the journal from 2026-11-21 22:00:00 UTC on."),
        ([], {"until": T}, "Nothing is in the journal until 2026-11-21 22:00:00 UTC."),
        (
            [],
            {"since": T, "until": T + 3 * HOUR},
            "Nothing is in the journal between 2026-11-21 22:00:00 and 2026-11-22 01:00:00 UTC.",
        ),
        ([served(T, 12345)], {}, "Nothing went wrong; 12,345 requests were answered."),
        ([served(T, 1), call(T, "cancelled")], {}, "Nothing went wrong; 1 request was answered."),
        (
            [served(T, 2), Entry(T, "lost", "p", count=3)],
            {},
            "Nothing that was written down went wrong; 2 requests were answered.",
        ),
        (
            [attempt(T), call(T, "fallback")],
            {},
            "No circuit opened: 1 attempt failed, 1 call was saved and 0 calls were lost; 0 requests were answered.",
        ),
        (
            outage(T, T + 9) + outage(T + 20, T + 29),
            {},
            (
                "2 outages of single circuits: 0 attempts failed, 0 calls were saved and 0 calls were lost;"
                " 0 requests were answered."
            ),
        ),
    ],
)
def test_the_first_sentence_says_what_happened(entries, period, sentence):
    assert lines(entries, **period)[2] == sentence


@pytest.mark.parametrize(
    ("entries", "remark"),
    [
        (
            [Entry(T, "lost", "p", count=1200, reason="full"), Entry(T, "lost", "p", count=1)],
            "1,201 entries could not be written (full: 1,200, unknown: 1): more happened than is told here.",
        ),
        (
            [Entry(T, "omen", "p")],
            "1 entry of a kind that this version does not know (omen) is left out: a newer version wrote here.",
        ),
        ([attempt(-1.0)], "1 entry without a possible time left out."),
        (
            [attempt(T + 10), attempt(T)],
            "A clock was set back 1 time: times and durations near it are not exact.",
        ),
    ],
)
def test_what_makes_a_report_less_than_whole_is_said_at_its_top(entries, remark):
    assert f"> **Note:** {remark}" in lines(entries)[:6]


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        (outage(T, T + 90), "- when: 2026-11-21 22:00:00 to 22:01:30 UTC (1 min 30 s)"),
        (
            outage(T + HOUR, T + 3 * HOUR),
            "- when: 2026-11-21 23:00:00 to 2026-11-22 01:00:00 UTC (2 h)",
        ),
        (
            [*outage(T, None), attempt(T + 65)],
            "- when: from 2026-11-21 22:00:00 UTC, still open at 22:01:05 (1 min 5 s)",
        ),
        (
            [*outage(T, None), attempt(T + HOUR, process="q")],
            "- when: from 2026-11-21 22:00:00 UTC; its process was last heard of at 22:00:00, before it was over",
        ),
        (
            [incident(T, "started"), attempt(T + 5)],
            "- when: from 2026-11-21 22:00:00 UTC, not over at 22:00:05 (5 s)",
        ),
        (outage(T, T + 9, count=3), "- opened: after 3 failures (failures in a row)"),
        (
            [moved(T, "open", "closed", reason="isolated", count=0)],
            "- opened: without a failure before (held open by hand)",
        ),
        (
            [moved(T, "open", "half_open", reason="tired", count=0)],
            "- opened: before the period (tired); reopened once",
        ),
        (
            outage(T, T + 9, process="a", count=1) + outage(T, T + 9, process="b", count=1),
            "- opened: after 1 failure (failures in a row); in 2 processes",
        ),
    ],
)
def test_a_fact_is_said_in_a_line(entries, line):
    assert line in lines(entries)


def test_names_cannot_break_out_of_markdown():
    evil = "a|b`c<script>*d*[e](f)\n# g"
    text = in_markdown(build([attempt(T, evil, error_type="```"), *outage(T, T + 9, evil), served(T, 1, evil)]))
    before, _, support = text.partition("## For support")
    assert "\n# g" not in text
    assert "<script>" not in before
    assert re.search(r"(?<!\\)\[e\]", before) is None
    rows = [line for line in before.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows[-3:]}) == 1
    assert support.strip().splitlines()[2] == "````text"
    assert support.strip().splitlines()[-1] == "````"


def test_of_very_many_outages_the_worst_are_told_and_the_others_counted():
    many = [entry for n in range(50) for entry in outage(T + 20 * n, T + 20 * n + 9, f"m{n}")]
    worst = attempt(T + 20 * 44 + 1, "m44")
    text = in_markdown(build([*many, worst]))
    assert text.count("## Outage ") == 20
    assert "## Outage 45: m44" in text
    assert "30 outages more: `--format json` has all." in text
    assert "30 more" in text
    assert len(in_json(build(many))["outages"]) == 50


def test_of_very_many_models_those_that_answered_most_are_told():
    text = in_markdown(build([served(T, 1000 - n, f"m{n}") for n in range(25)]))
    assert "| m19 |" in text
    assert "| m20 |" not in text
    assert "5 models more: `--format json` has all." in text


def test_json_has_these_keys_and_no_others():
    told = in_json(build(one_night()))
    assert list(told) == [
        *("version", "period", "entries", "processes", "policies", "lost", "lost_reasons", "ignored", "unusable"),
        *("clock_steps", "incidents", "outages", "outside", "total", "served", "said", "quiet", "headline", "remarks"),
        "ticket",
    ]
    assert told["version"] == 1
    assert told["period"] == {"start": "2026-11-21T22:00:00Z", "end": "2026-11-22T06:00:00Z"}
    (one,) = told["incidents"]
    assert (one["began"], one["noticed"], one["ended"]) == (
        *("2026-11-22T02:00:00Z", "2026-11-22T02:01:00Z", "2026-11-22T02:19:31Z"),
    )
    assert one["outages"] == [2]
    assert told["outages"][0]["evidence"]["first"][0] == {
        "at": "2026-11-21T23:15:00Z",
        "request_id": "req_1795302900",
        "place": OPUS,
        "status": 529,
        "error_type": "overloaded_error",
        "probe": False,
    }
    text = json_text(told)
    assert json.loads(text) == told
    assert sum(line.startswith('  {"number": ') for line in text.splitlines()) == 3


def test_every_key_of_json_is_documented():
    def keys(value):
        if isinstance(value, dict):
            yield from value
            for one in value.values():
                yield from keys(one)
        elif isinstance(value, list):
            for one in value:
                yield from keys(one)

    described = sys.modules[in_json.__module__].__doc__
    names = {key for key in keys(in_json(build(one_night()))) if not key.startswith("claude")}
    assert {name for name in names if name not in described} == set()


# --- for support -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [served(T, 5), call(T, "cancelled")],
        [attempt(T, outcome="neutral", status=400, error_type="invalid_request_error")],
        [moved(T, "open", "closed", reason="isolated")],
    ],
    ids=["nothing", "nothing wrong", "a wrong request", "by hand"],
)
def test_where_nothing_failed_that_support_could_look_into_there_is_no_text(entries):
    assert ticket(build(entries)) is None
    assert "For support" not in in_markdown(build(entries))


def test_single_failures_are_for_support_if_there_is_nothing_else():
    text = ticket(build([attempt(T), attempt(T + HOUR)]))
    assert "1. Single failures, without an outage" in text
    assert "2026-11-21T22:00:00Z  req_1795298400  claude-opus-5-5  529 overloaded_error" in text
    beside = ticket(build([attempt(T), *outage(T + 900, T + 999, count=1), attempt(T + 910)]))
    assert "Besides, outside of these times: 1 x 529 overloaded_error." in beside
    assert "req_1795298400" not in beside


def test_of_many_request_ids_twenty_are_shown_and_all_counted():
    text = ticket(build([*outage(T, T + 900, count=1), *(attempt(T + n) for n in range(1, 501))]))
    assert "Request ids (the first 10 and the last 10 of 500):" in text
    assert text.count("  req_") == 20
    assert "... 480 more ..." in text


def test_without_a_response_there_is_no_request_id():
    silent = [attempt(T + n, status=None, error_type="connection_error", request_id=None) for n in range(3)]
    text = ticket(build([*outage(T, T + 9, count=1), *silent]))
    assert "Errors: 3 x connection_error (no response)" in text
    assert "Request ids: none, for no response came" in text


def test_what_is_not_over_is_said_to_support():
    text = ticket(build([*outage(T, None, count=1), attempt(T + 5)]))
    assert text.startswith("Subject: Failing requests to the Claude API, since 2026-11-21T22:00:00Z\n")
    assert "from 2026-11-21T22:00:00Z; not over yet" in text
    assert "when you expect it to end" in text


def test_another_client_is_named_to_support():
    place = f"bedrock/{OPUS}"
    text = ticket(build([*outage(T, T + 9, place), attempt(T + 1, circuit=place, client="bedrock")]))
    assert "Sent by our client: bedrock" in text


def test_an_incident_without_attempts_of_its_own_names_its_models():
    probe = Entry(T + 5, "probe", "p", client="default", model=OLDER, outcome="failed", request_id="req_p")
    text = ticket(build([incident(T, "started", count=9), probe, incident(T + 60, "ended")]))
    assert f"Models: {OPUS}, {OLDER}" in text
    assert "req_p" in text


def test_the_worst_ten_problems_are_for_support():
    many = [entry for n in range(15) for entry in (*outage(T + 20 * n, T + 20 * n + 9, f"m{n}", count=1),)]
    failed = [attempt(T + 20 * n + 1, f"m{n}") for n in range(15)]
    text = ticket(build([*many, *failed, attempt(T + 20 * 14 + 2, "m14")]))
    assert text.count("One model failed: ") == 10
    assert "One model failed: m14" in text
    assert "There were 5 more such times, with fewer failures." in text
