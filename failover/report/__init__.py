"""What happened last night: a journal's entries, made into outages, incidents, their cost, and a text for support.

`build` is a pure function from entries to a `Report`; Markdown, JSON and a page of HTML are three ways to write one down.
"""

from __future__ import annotations

from .build import build, report_of
from .earlier import LASTING, not_over
from .in_html import in_html
from .in_json import in_json, json_text
from .in_markdown import in_markdown
from .model import (
    Cost,
    Ending,
    ErrorCount,
    Evidence,
    FailedRequest,
    Incident,
    Outage,
    Outside,
    Period,
    Report,
    Said,
    Served,
)
from .sorted_entries import SortedEntries, sort_entries
from .ticket import ticket
from .timeline import Timeline, timeline

__all__ = [
    "LASTING",
    "Cost",
    "Ending",
    "ErrorCount",
    "Evidence",
    "FailedRequest",
    "Incident",
    "Outage",
    "Outside",
    "Period",
    "Report",
    "Said",
    "Served",
    "SortedEntries",
    "Timeline",
    "build",
    "in_html",
    "in_json",
    "in_markdown",
    "json_text",
    "not_over",
    "report_of",
    "sort_entries",
    "ticket",
    "timeline",
]
