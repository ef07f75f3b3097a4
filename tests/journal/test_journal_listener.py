"""Events become entries: what failed, where calls went instead, and how they ended. What is routine is only counted."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import pytest

from failover.events import (
    AttemptFinished,
    AttemptStarted,
    BreakerTransition,
    CallFinished,
    CallStarted,
    ContentStarted,
    IncidentEnded,
    IncidentProbed,
    IncidentStarted,
    ModelSkipped,
    PromptShrunk,
    StatusSeen,
    StreamInterrupted,
    Waiting,
)
from failover.journal import Entry, Journal, JournalListener
from failover.journal.processes import process_name
from failover.journal.served import Served
from failover.switches import Switches

OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
NOW = 1_790_000_000.25
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Kept:
    """What a listener gives a journal."""

    def __init__(self):
        self.entries = []
        self.listener = JournalListener(self, "default", lambda: TRACE)

    wall = staticmethod(lambda: NOW)

    def put(self, entry):
        self.entries.append(entry)

    def hear(self, *events):
        for event in events:
            self.listener(event)
        return [told(entry) if isinstance(entry, Entry) else entry for entry in self.entries]


@pytest.fixture
def kept():
    return Kept()


def told(entry):
    """What an entry says, but for what every entry of these tests says."""
    every = {"at": NOW, "process": process_name(), "policy": "default", "trace_id": TRACE}
    said = dataclasses.asdict(entry)
    assert {name: said.pop(name) for name in every} == every
    return {name: value for name, value in said.items() if value not in (None, {})}


def trying(call, number, model=OPUS, reason="primary", *, state="closed", client="default"):
    name = model if client == "default" else f"{client}/{model}"
    return AttemptStarted(call, number, model, reason, name, state, client)


def answered(call, number=1, model=OPUS):
    return AttemptFinished(call, number, model, model, "success", 200, None, f"req_{call}_{number}", None, 0.5)


def failed(call, number=1, model=OPUS, **changes):
    fields = {
        "verdict": "failure",
        "status": 529,
        "error_type": "overloaded_error",
        "retry_after": None,
        "seconds": 0.5,
    }
    return AttemptFinished(call, number, model, model, request_id=f"req_{call}_{number}", **(fields | changes))


def skipped(call, model=OPUS, reason="open"):
    return ModelSkipped(call, model, model, "open", 12.5, reason)


def finished(call, outcome="primary", served=OPUS, *, attempts=1, skips=(), waited=0.0, error_type=None):
    ids = tuple(f"req_{call}_{number}" for number in range(1, attempts + 1))
    return CallFinished(call, outcome, OPUS, served, attempts, skips, waited, error_type, ids, 2.5)


ENTRIES = {
    "an attempt that failed": (
        failed(7, 2, SONNET, reason="fallback", retry_after=30.0),
        {
            "kind": "attempt",
            "call": 7,
            "client": "default",
            "model": SONNET,
            "circuit": SONNET,
            "number": 2,
            "reason": "fallback",
            "outcome": "failure",
            "status": 529,
            "error_type": "overloaded_error",
            "request_id": "req_7_2",
            "seconds": 0.5,
            "detail": {"retry_after": 30.0},
        },
    ),
    "a stream that broke, on another client": (
        dataclasses.replace(
            failed(7, status=200, stream="cut", error_type="connection_error", input_tokens=900, output_tokens=41),
            client="bedrock",
            breaker=f"bedrock/{OPUS}",
        ),
        {
            "kind": "attempt",
            "call": 7,
            "client": "bedrock",
            "model": OPUS,
            "circuit": f"bedrock/{OPUS}",
            "number": 1,
            "reason": "primary",
            "outcome": "failure",
            "status": 200,
            "error_type": "connection_error",
            "request_id": "req_7_1",
            "seconds": 0.5,
            "input_tokens": 900,
            "output_tokens": 41,
            "detail": {"stream": "cut"},
        },
    ),
    "a circuit that opened": (
        BreakerTransition(OPUS, "closed", "open", "consecutive_failures", 5, 15.0, "overloaded_error", "req_last"),
        {
            "kind": "transition",
            "circuit": OPUS,
            "reason": "consecutive_failures",
            "outcome": "open",
            "error_type": "overloaded_error",
            "request_id": "req_last",
            "seconds": 15.0,
            "count": 5,
            "detail": {"from": "closed"},
        },
    ),
    "a call that another model answered": (
        finished(7, "fallback", SONNET, attempts=3, skips=(OPUS,), waited=0.25),
        {
            "kind": "call",
            "call": 7,
            "model": OPUS,
            "outcome": "fallback",
            "seconds": 2.5,
            "count": 3,
            "detail": {
                "served": SONNET,
                "waited": 0.25,
                "skipped": [OPUS],
                "request_ids": ["req_7_1", "req_7_2", "req_7_3"],
            },
        },
    ),
    "a call that nobody answered": (
        finished(7, "refused", None, attempts=0, skips=(OPUS, SONNET), error_type="circuit_open"),
        {
            "kind": "call",
            "call": 7,
            "model": OPUS,
            "outcome": "refused",
            "error_type": "circuit_open",
            "seconds": 2.5,
            "count": 0,
            "detail": {"skipped": [OPUS, SONNET]},
        },
    ),
    "an incident that began": (
        IncidentStarted("default", "models", 75.0, 12, (OPUS, SONNET), ("overloaded_error",), ("req_a", "req_b")),
        {
            "kind": "incident",
            "client": "default",
            "reason": "models",
            "outcome": "started",
            "seconds": 75.0,
            "count": 12,
            "detail": {
                "models": [OPUS, SONNET],
                "error_types": ["overloaded_error"],
                "request_ids": ["req_a", "req_b"],
            },
        },
    ),
    "a probe that failed": (
        IncidentProbed(7, "default", SONNET, False, 500, "api_error", "req_p", 0.25),
        {
            "kind": "probe",
            "call": 7,
            "client": "default",
            "model": SONNET,
            "outcome": "failed",
            "status": 500,
            "error_type": "api_error",
            "request_id": "req_p",
            "seconds": 0.25,
        },
    ),
    "a probe that was answered": (
        IncidentProbed(7, "default", SONNET, True, 200, None, "req_p", 0.25),
        {
            "kind": "probe",
            "call": 7,
            "client": "default",
            "model": SONNET,
            "outcome": "answered",
            "status": 200,
            "request_id": "req_p",
            "seconds": 0.25,
        },
    ),
    "an incident that ended": (
        IncidentEnded("default", 600.0, (OPUS, SONNET), 9, 320),
        {
            "kind": "incident",
            "client": "default",
            "outcome": "ended",
            "seconds": 600.0,
            "count": 320,
            "detail": {"models": [OPUS, SONNET], "probes": 9},
        },
    ),
    "what the status page says": (
        StatusSeen("major", ("Elevated errors",)),
        {"kind": "status", "outcome": "major", "detail": {"incidents": ["Elevated errors"]}},
    ),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_an_entry_says_all_that_is_known_of(kept, what):
    event, expected = ENTRIES[what]
    assert kept.hear(event) == [expected]


@pytest.mark.parametrize("verdict", ["failure", "neutral", "open"])
def test_every_attempt_is_kept_that_was_not_answered_well(kept, verdict):
    [entry] = kept.hear(failed(1, verdict=verdict))
    assert (entry["kind"], entry["outcome"]) == ("attempt", verdict)


def test_a_call_in_which_nothing_happened_is_only_counted(kept):
    routine = [
        CallStarted(1, "default", "0123456789ab", OPUS, 0),
        trying(1, 1),
        ContentStarted(1, 1, OPUS, 0.2),
        answered(1),
        finished(1),
    ]
    assert kept.hear(*routine) == [Served(NOW, 0.5, "default", "default", OPUS, OPUS)]


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "fallback"},
        {"outcome": "exhausted"},
        {"outcome": "failed"},
        {"outcome": "interrupted"},
        {"outcome": "cancelled"},
        {"outcome": "rethreaded"},
        {"attempts": 2},
        {"skips": (SONNET,)},
        {"waited": 0.5},
    ],
)
def test_a_call_is_kept_that_was_not_simply_answered(kept, changes):
    [entry] = kept.hear(finished(1, **changes))
    assert entry["kind"] == "call"


@pytest.mark.parametrize(
    "event",
    [
        Waiting(1, 0.25, "backoff"),
        PromptShrunk(1, 1, OPUS, ("3 images",), 9_000, 4_000),
        StreamInterrupted(1, 1, OPUS, "overloaded_error", "req_1", "raise", None),
        skipped(1),
    ],
)
def test_what_other_entries_tell_as_well_is_not_kept(kept, event):
    assert kept.hear(event) == []


# --- switches ----------------------------------------------------------------------------------------------------


def switches(kept, *events):
    return [entry for entry in kept.hear(*events) if entry["kind"] == "switch"]


def test_a_switch_after_a_failure_says_what_failed_and_who_is_next(kept):
    assert switches(kept, trying(7, 1), failed(7), trying(7, 2, SONNET, "fallback")) == [
        {
            "kind": "switch",
            "call": 7,
            "client": "default",
            "model": SONNET,
            "circuit": SONNET,
            "number": 2,
            "reason": "overloaded_error",
            "status": 529,
            "error_type": "overloaded_error",
            "request_id": "req_7_1",
            "detail": {"from": OPUS},
        }
    ]


def test_a_switch_after_a_skip_says_why_it_was_skipped(kept):
    assert switches(kept, skipped(7), trying(7, 1, SONNET, "fallback", client="bedrock")) == [
        {
            "kind": "switch",
            "call": 7,
            "client": "bedrock",
            "model": SONNET,
            "circuit": f"bedrock/{SONNET}",
            "number": 1,
            "reason": "open",
            "detail": {"from": OPUS},
        }
    ]


def test_a_failure_explains_more_than_the_skips_after_it(kept):
    [switch] = switches(kept, failed(7), skipped(7, "claude-opus-5"), trying(7, 2, SONNET, "fallback"))
    assert (switch["detail"]["from"], switch["reason"]) == (OPUS, "overloaded_error")


def test_the_same_model_on_another_client_is_a_switch(kept):
    [switch] = switches(kept, failed(7), trying(7, 2, OPUS, "fallback", client="bedrock"))
    assert (switch["circuit"], switch["detail"]["from"]) == (f"bedrock/{OPUS}", OPUS)


@pytest.mark.parametrize(
    "events",
    [
        [trying(1, 1), failed(1), trying(1, 2, OPUS, "retry")],
        [failed(1), failed(1, 2, SONNET), trying(1, 3, OPUS, "retry")],
        [trying(1, 1, OPUS, "probe", state="half_open")],
        [failed(1), trying(1, 2, OPUS, "last_resort")],
        [failed(1), trying(2, 1, SONNET, "fallback")],
        [failed(1), finished(1, "exhausted"), trying(1, 2, SONNET, "fallback")],
    ],
)
def test_what_is_no_move_of_a_call_is_no_switch(kept, events):
    assert switches(kept, *events) == []


def test_calls_that_interleave_are_not_taken_for_each_other(kept):
    found = switches(
        kept,
        failed(1),
        skipped(2, SONNET),
        failed(3, model=SONNET),
        trying(2, 1, OPUS, "fallback"),
        trying(3, 2, OPUS, "fallback"),
        trying(1, 2, SONNET, "fallback"),
    )
    assert [(switch["call"], switch["reason"]) for switch in found] == [
        (2, "open"),
        (3, "overloaded_error"),
        (1, "overloaded_error"),
    ]


def test_calls_whose_end_is_never_told_do_not_pile_up(kept):
    def remembered():
        gc.collect()
        return sum(isinstance(thing, AttemptFinished) for thing in gc.get_objects())

    before = remembered()
    for call in range(10_000):
        kept.listener(failed(call))
        kept.entries.clear()
    assert remembered() - before < 5_000


def test_of_many_calls_at_once_the_first_are_forgotten_and_no_other_is_blamed():
    table = Switches(places=8)
    for call in range(12):
        table.failed(failed(call))
    moves = [table.cause(trying(call, 2, SONNET, "fallback")) for call in range(12)]
    assert [cause and cause.call for cause in moves] == [None] * 4 + list(range(4, 12))


# --- the listener and its journal --------------------------------------------------------------------------------


def test_the_trace_is_asked_for_only_when_something_is_kept(kept):
    asked = []
    listener = JournalListener(kept, "default", lambda: asked.append(None))
    for event in (trying(1, 1), answered(1), finished(1)):
        listener(event)
    assert asked == []
    listener(failed(2))
    assert asked == [None]


def test_a_listener_that_is_dropped_leaves_its_journal_at_once(path):
    journal = Journal(path)
    gone = weakref.ref(journal)
    listener = JournalListener(journal, "default", lambda: None)
    gc.disable()
    try:
        del journal, listener
        assert gone() is None
    finally:
        gc.enable()
