"""`python -m failover.cli`, for where the script `failover` is not on the path."""

from __future__ import annotations

from . import main

__all__: list[str] = []

main()
