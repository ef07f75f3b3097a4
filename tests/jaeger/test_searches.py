"""What an operator types into Jaeger's search box, which traces come back, and what they look like then."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from sdk_callers import FIRST, SECOND
from trace_stage import SERVICE
from trace_stories import STORIES


class Search(NamedTuple):
    """A question, what is typed, and the traces that answer it.

    A trace is named by its story, and by its number where a story has several: `full 2`.
    """

    question: str
    typed: str
    finds: str
    operation: str | None = None


INCIDENTS = "incident_begins, incident_lasts 1, incident_ends 1, incident_waited_out"
BOTH_DOWN = f"refused 1, last_resort 1, {INCIDENTS}"
"""Where the second model failed, too."""
OPENINGS = "opened, rate_limited, gone, passed_over 1, probed 1, probed_in_vain"

SEARCHES = (
    Search(
        "which calls were saved by another model",
        "failover.outcome=fallback",
        "saved, unfit, shrunk, full 2, on_another_client, rethreaded, opened, rate_limited, gone, passed_over, probed 1,"
        " probed_in_vain, failed_before_its_first_content, restarted, continued",
    ),
    Search(
        "which calls failed in spite of all",
        "failover.outcome=exhausted",
        "exhausted, refused 1, last_resort 1, incident_begins, incident_lasts 1, incident_ends 1",
    ),
    Search("which were not even sent", "failover.outcome=refused", "refused 2, incident_lasts 2"),
    Search("which answers broke off", "failover.outcome=interrupted", "interrupted, not_continued"),
    Search("which requests were wrong", "failover.outcome=failed", "wrong_request"),
    Search("which were given up by their callers", "failover.outcome=cancelled", "cancelled, left_early"),
    Search("when did a circuit open, and on what", "failover.breaker.to=open", f"{OPENINGS}, {BOTH_DOWN}"),
    Search(
        "when did that one open", f"failover.breaker.to=open failover.breaker.name={SECOND}", BOTH_DOWN
    ),
    Search("and for a rate limit", "failover.breaker.to=open failover.breaker.reason=retry_after", "rate_limited"),
    Search("all failures of one model", "failover.verdict=failure", f"exhausted, {BOTH_DOWN}", f"try {SECOND}"),
    Search("those of one kind", "error.type=timeout_error", "shrunk", f"try {FIRST}"),
    Search("who asked whether a model is back", "failover.attempt.reason=probe", "probed 2, probed_in_vain 2, incident_ends 2, incident_waited_out"),
    Search("who tried although all was shut", "failover.attempt.reason=last_resort", "last_resort 2"),
    Search("are the SDK's retries left on", "failover.sdk_retries_taken=1", "repeated_by_the_sdk"),
    Search("which models could not take a request", "failover.skip.reason=unfit", "unfit"),
    Search("where is a bulkhead too small", "failover.skip.reason=full", "full 2"),
    Search("when did an incident begin", "failover.incident.cause=models", INCIDENTS),
    Search("which calls were kept back by one", "failover.skip.reason=incident", "incident_lasts 2, incident_waited_out"),
    Search("which broken answers went on", "failover.stream.then=continue", "continued"),
    Search("why did one not", "failover.stream.why=tool_use", "not_continued"),
    Search("two things of different spans", "failover.outcome=fallback failover.attempt.reason=probe", ""),
)  # fmt: skip
OF_NEWER_VERSIONS = (
    Search("all failures of one model", "error=true", f"exhausted, {BOTH_DOWN}", f"try {SECOND}"),
    Search("all of ours", "scope.name=failover", ", ".join(story.name for story in STORIES)),
)
"""What the version that is built here does not find: see `test_jaeger_itself.py`."""


def traces(played, names):
    """The ids of these traces, of the sync and of the async client."""
    ids = set()
    for name in names.split(", ") if names else ():
        story, _, number = name.partition(" ")
        for kind in ("sync", "async"):
            of_story = played[story, kind].ids
            ids |= {of_story[int(number) - 1]} if number else set(of_story)
    return ids


def labels(played, ids):
    """The other way round, for a failure that can be read."""
    known = {
        trace: f"{story} {number} {kind}"
        for (story, kind), told in played.items()
        for number, trace in enumerate(told.ids, 1)
    }
    return sorted(known[trace] for trace in ids)


def found(store, search):
    tags = dict(pair.split("=", 1) for pair in search.typed.split())
    return store.find(SERVICE, tags, search.operation)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.question)
def test_a_search_finds_these_traces_and_no_others(store, played, search):
    assert labels(played, found(store, search)) == labels(played, traces(played, search.finds))


@pytest.mark.parametrize("store", ["receiver"], indirect=True)
@pytest.mark.parametrize("search", OF_NEWER_VERSIONS, ids=lambda search: search.question)
def test_a_newer_version_finds_these_too(store, played, search):
    assert labels(played, found(store, search)) == labels(played, traces(played, search.finds))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_request_id_of_a_support_ticket_finds_its_call_though_that_request_failed(store, played, kind):
    told = played["saved", kind]
    assert store.find(SERVICE, {"anthropic.request.id": told.requests[0]}) == set(told.ids)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_trace_comes_back_as_the_program_made_it(store, played, story, kind):
    told = played[story.name, kind]
    trees = [told.tree(store.trace(trace)) for trace in told.ids]
    assert trees == [told.tree(trace) for trace in told.traces]
    assert trees[story.shows] == story.trace


def test_no_span_of_ours_can_be_taken_for_a_model_call(store, played):
    spans = [span for told in played.values() for trace in told.ids for span in store.trace(trace)]
    assert {span.scope for span in spans if any(key.startswith("gen_ai.") for key in span.attributes)} == {
        "com.anthropic.sdk.python"
    }


def test_the_lists_to_choose_from_have_the_program_and_each_model(store, played):
    assert store.services() == {SERVICE}
    assert store.operations(SERVICE) >= {"anthropic.messages.create", "failover test", f"try {FIRST}", f"try {SECOND}"}


def test_a_trace_that_nobody_sent_is_not_there(store, played):
    assert store.trace("0" * 31 + "1") == []
    assert store.find("another program", {}) == set()
