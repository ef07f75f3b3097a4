"""When the whole platform is taken to be down, and what calls do then: the `incident` part of a policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import Ge
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from failover.document import Found, refuse
from failover.document.units import Count, Off, Seconds

from . import checks
from .part import Part

__all__ = ["IncidentProbe", "IncidentRules", "StatusPage", "unreachable_models"]


def _is_a_page(url: str) -> str:
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", url)
    except ValueError:  # half an IPv6 address, for example
        well = False
    if not well:
        raise ValueError(f"{url!r} is no address of a page: write one that begins with https://")
    return url


class StatusPage(Part):
    """What the provider says of itself, asked for while an incident lasts. A hint for people; nothing is decided by it."""

    url: Annotated[str, Field(max_length=500), AfterValidator(_is_a_page)] = (
        "https://status.claude.com/api/v2/summary.json"
    )
    """In the form of Statuspage: https://support.atlassian.com/statuspage/docs/what-are-the-different-apis-under-statuspage/."""
    every: Annotated[Seconds, Ge(10)] = 60.0


class IncidentProbe(Part):
    """How an incident asks whether it is over: with a tiny request, one at a time."""

    every: Seconds = 30.0
    successes: Count = 2
    timeout: Seconds = 10.0

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        refuse(checks.longer(timeout=self.timeout, every=self.every))
        return self


class IncidentRules(Part):
    """A client none of whose models answers is in an incident, by either of two signs."""

    after: Off[Seconds] = 900.0
    """Errors alone, and no good answer, for so long: "if errors persist for 15 to 30 minutes" is what users are told."""
    of_at_least: Count = 5
    """How many failures it takes in that time."""
    models: Off[Annotated[Count, Ge(2)]] = 2
    """A call found nobody: every rung of its ladder on this client is down, and they are at least so many models."""
    calls: Literal["wait", "fail_fast"] = "wait"
    """What calls do that no other client can take: wait as long as their deadline allows, or fail at once."""
    probe: IncidentProbe = IncidentProbe()
    status_page: Off[StatusPage] = None

    @model_validator(mode="after")
    def _something_begins_it(self) -> Self:
        if self.after is None and self.models is None:
            raise ValueError("both signs are off, so no incident could ever begin: set `after` or `models`")
        if self.after is None and self.of_at_least != type(self).model_fields["of_at_least"].default:
            raise ValueError("with `after: off` no failures are counted: remove `of_at_least`")
        return self


def unreachable_models(rules: IncidentRules | None, ladders: Sequence[Any], own_client: str) -> Found:
    """More models than any call asks on one client: a sign that can never be seen."""
    if rules is None or rules.models is None or "models" not in rules.model_fields_set:
        return
    most = max((_models_of_one_client(ladder, own_client) for ladder in ladders), default=1)
    if rules.models > most:
        why = f"no call asks {rules.models} models on one client (at most {most}), so this sign can never be seen"
        yield ("incident", "models"), f"{why}: write a smaller number, `off`, or longer ladders"


def _models_of_one_client(ladder: Any, own_client: str) -> int:
    """The most that a call goes down to on any one client; the requested model may be none of the rungs."""
    asked: dict[str, set[str]] = {own_client: {ladder.match}}
    for rung in ladder.rungs:
        asked.setdefault(rung.client, set()).add(rung.model)
    return max(len(models) for models in asked.values())
