"""What a log line says in brackets."""

from __future__ import annotations

__all__ = ["details"]


def details(*known: str | None, status: int | None = None, request_id: str | None = None) -> str:
    """Whatever of it is known, one after the other."""
    named = (
        None if status is None else f"status {status}",
        None if request_id is None else f"request id {request_id}",
    )
    return ", ".join(part for part in (*known, *named) if part is not None)
