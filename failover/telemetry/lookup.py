"""Where telemetry goes: the provider that was given, or the program's global one, which may be configured at any time."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["SCOPE", "Lookup", "scope_version"]

Provider = TypeVar("Provider")
Made = TypeVar("Made")

SCOPE = "failover"
"""The name of our instrumentation scope."""

_PATIENCE = 0.5  # seconds between two looks for a provider that is not there: each look reads the environment

_log = logging.getLogger(__name__)


class Lookup(Generic[Provider, Made]):
    """What is made of a provider, once there is one. It never raises: what goes wrong is a debug log.

    Args:
        given: The provider; if absent, the global one, also if it is set later.
        the_global: Tells the global provider, or what stands in for it.
        make: What is wanted of a provider; `None` if it records nothing, or only stands in for one.
        now: Tells the seconds between two looks for a provider that is not there yet.
    """

    def __init__(
        self,
        given: Provider | None,
        the_global: Callable[[], Provider],
        make: Callable[[Provider], Made | None],
        *,
        now: Callable[[], float],
    ) -> None:
        self._given = given
        self._the_global = the_global
        self._make = make
        self._now = now
        self._ask_again_at = 0.0
        self._found: tuple[Provider | None, Made | None] = (None, None)

    @property
    def made(self) -> Made | None:
        """What the last look found. It takes no lock, not even of the provider's."""
        return self._found[1]

    def look(self) -> Made | None:
        """What the provider gives now; `None` if there is none, and for half a second after one was found missing."""
        now = self._now()
        if now < self._ask_again_at:
            return None
        made = None
        try:
            made = self._made_now()
        except Exception as error:  # noqa: BLE001 - a provider is anybody's code, and the call goes on
            _log.debug("no provider: %s", type(error).__name__)
        if made is None:
            self._ask_again_at = now + _PATIENCE
        return made

    def _made_now(self) -> Made | None:
        provider = self._the_global() if self._given is None else self._given
        known, made = self._found
        if provider is not known:
            made = self._make(provider)
            self._found = (provider, made)
        return made


@functools.cache
def scope_version() -> str | None:
    """Our version; `None` for a copied folder, which is no installed distribution."""
    try:
        return importlib.metadata.version("anthropic-failover")
    except importlib.metadata.PackageNotFoundError:
        return None
