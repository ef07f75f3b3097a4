"""What a policy's ladders mean by the catalogue: models that are gone or going, unknown names, and rungs never used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from failover.document.words import Path, shown
from failover.policy import Ladder, Policy
from failover.policy.model import OWN_CLIENT, Rung
from failover.request.catalogue import Catalogue, Model

__all__ = ["Remark", "remarks", "today"]

_SOON = dt.timedelta(days=90)

_What: TypeAlias = Literal["warning", "hint"]


class Remark(NamedTuple):
    """Something to know about a policy that can be used."""

    path: Path
    what: _What
    """A hint is about what may be as it should be."""
    message: str


def today() -> dt.date:
    """The day that all of this is about."""
    return dt.datetime.now(dt.timezone.utc).date()


def remarks(policy: Policy, catalogue: Catalogue, day: dt.date) -> Iterator[Remark]:
    """About the rungs that the file names; those that are built in are not its author's business."""
    if "ladders" not in policy.model_fields_set:
        return
    for i, ladder in enumerate(policy.ladders):
        for j, rung in enumerate(ladder.rungs):
            path = ("ladders", i, "rungs", j, "model")
            model = catalogue.find(rung.model)
            if model is None:
                near = catalogue.hint(rung.model)
                yield Remark(path, "hint", f"{shown(rung.model)} is not in the catalogue of models{near}")
                continue
            for what, message in _going_from(rung, model, day):
                yield Remark(path, what, f"{rung.model} {message}")
            if (costs := _too_dear(model, ladder, policy, catalogue)) is not None:
                yield Remark(path, "warning", f"{rung.model} {costs}")


def _going_from(rung: Rung, model: Model, day: dt.date) -> Iterator[tuple[_What, str]]:
    """As `_going`; but what a client is, a policy does not say, and Bedrock and Vertex retire models on other days."""
    if rung.client == OWN_CLIENT and rung.model in {model.id, *model.aliases}:
        yield from _going(model, day)
        return
    for _, message in _going(model, day, outcome=False):
        yield "hint", f"{message}; these are Anthropic's days, and another platform may have its own"


def _going(model: Model, day: dt.date, *, outcome: bool = True) -> Iterator[tuple[_What, str]]:
    """Whether a model is retired or will be soon; of one that is active nothing is announced, and there is only a hint.

    The date of an active model is the first on which it may be retired, and a retirement is announced before it comes.
    """
    date = model.retires
    fail, may_fail = (": requests for it fail", ": requests for it may fail") if outcome else ("", "")
    if model.lifecycle == "retired":
        yield "warning", f"was retired{f' on {date}' if date else ''}{fail}"
    elif model.lifecycle == "active":
        if date is not None and date <= day:
            yield (
                "hint",
                f"may retire any day: its date, not sooner than {date}, has passed; no retirement is announced",
            )
        elif date is not None and date - day <= _SOON:
            yield "hint", f"may retire from {date} on, {_in_days(date, day)}; no retirement is announced"
    elif date is not None and date < day:
        yield "warning", f"was to be retired on {date}, which has passed{may_fail}"
    elif date is not None:
        yield "warning" if date - day <= _SOON else "hint", f"retires on {date}, {_in_days(date, day)}"
    elif model.lifecycle == "deprecated":
        yield "hint", "is deprecated: it will be retired"


def _in_days(date: dt.date, day: dt.date) -> str:
    days = (date - day).days
    return {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")


def _too_dear(model: Model, ladder: Ladder, policy: Policy, catalogue: Catalogue) -> str | None:
    """Whether a rung costs too much for every model of the catalogue that its ladder is for."""
    most: float | None = getattr(policy, "cost_at_most", None)
    if most is None or model.price is None:
        return None
    asked = [one for one in catalogue.models if one.lifecycle != "retired" and _ladder_for(one.id, policy) is ladder]
    times = [_least_times(model, one) for one in asked]
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times) or min(known) <= most:
        return None
    nearest = asked[times.index(min(known))]
    return f"is never used: it costs {min(known):g} times as much as {nearest.id}, and cost_at_most is {most:g}x"


def _ladder_for(name: str, policy: Policy) -> Ladder | None:
    return next((ladder for ladder in policy.ladders if ladder.matches(name)), None)


def _least_times(model: Model, asked: Model) -> float | None:
    """How many times as much a request costs at least, whatever it holds; `None` if that is not known."""
    if model.price is None or asked.price is None:
        return None
    dearest = asked.price.above or asked.price
    if not dearest.input or not dearest.output:
        return None
    return min(model.price.input / dearest.input, model.price.output / dearest.output)
