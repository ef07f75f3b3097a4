"""One reason for which the API would refuse a request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Violation"]


@dataclass(frozen=True, slots=True)
class Violation:
    """The error that the API would answer with."""

    message: str
    status: int = 400
    error_type: str = "invalid_request_error"
    error_code: str | None = None
    """What `error.details.error_code` says, where it says something."""
