"""One trace for each kind of call, as a person would read it: the same from the sync and from the async client."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from trace_stage import SERVICE, play
from trace_stories import STORIES

from failover import events

TOLD = "\n".join(story.trace for story in STORIES)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_call_leaves_this_trace(story, asynchronous):
    played = play(story, asynchronous=asynchronous)
    assert played.tree(played.traces[story.shows]) == story.trace
    ours = [span for trace in played.traces for span in trace if span.scope == "failover"]
    assert {span.name.split()[0] for span in ours} <= {"failover", "try"}
    assert {span.service for span in ours} == {SERVICE}
    for holder in [holder for span in ours for holder in (span, *span.events, *span.links)]:
        assert not [key for key in holder.attributes if key.startswith("gen_ai.")]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (r"outcome (\w+)", events.CallOutcome),
        (r"attempt \d+, as (\w+)", events.AttemptReason),
        (r"circuit \S+, from \w+, to (\w+)", events.BreakerState),
        (r"verdict (\w+)", events.Verdict),
        (r"wait\.cause (\w+)", events.WaitCause),
        (r"stream\.then (\w+)", events.Resumption),
    ],
)
def test_every_kind_that_there_is_has_its_story(words, kinds):
    assert set(get_args(kinds)) - set(re.findall(words, TOLD)) == set()
