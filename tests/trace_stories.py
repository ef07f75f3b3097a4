"""Every story of a trace: told once, for all places that keep spans."""

from __future__ import annotations

from trace_stories_calls import CALLS
from trace_stories_circuits import CIRCUITS
from trace_stories_streams import STREAMS

__all__ = ["STORIES"]

STORIES = (*CALLS, *CIRCUITS, *STREAMS)
