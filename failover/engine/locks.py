"""Locks that a forked child can use.

A fork copies a lock as it is at that moment; one that another thread held would stay locked in the child for
ever. Whoever owns such a lock registers here and gets it replaced in every child.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["Forkable", "renew_after_fork"]


class Forkable(Protocol):
    """An owner of locks, or of permits that a child must not inherit."""

    def after_fork(self) -> None:
        """Replace locks and forget what belongs to the parent's threads. Runs in the child, alone."""


_owners: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_after_fork(owner: Forkable) -> None:
    """Have `owner.after_fork()` called in every forked child for as long as the owner lives."""
    _owners.add(owner)


def _in_child() -> None:
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_in_child)
