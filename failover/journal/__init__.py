"""A file that remembers what went wrong: "what happened last night?", after the process that knew is gone."""

from __future__ import annotations

from .entry import Entry, Kind
from .inspection import JournalError
from .journal import Journal
from .listener import JournalListener
from .read import read

__all__ = ["Entry", "Journal", "JournalError", "JournalListener", "Kind", "read"]
