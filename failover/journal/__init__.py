"""A file that remembers what went wrong: "what happened last night?", after the process that knew is gone."""

from __future__ import annotations

from .entry import Entry, Kind
from .journal import Journal
from .listener import JournalListener
from .reading import read
from .trouble import JournalError

__all__ = ["Entry", "Journal", "JournalError", "JournalListener", "Kind", "read"]
