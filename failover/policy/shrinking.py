"""When a prompt is made smaller and how: the `shrink` part of a policy.

Some failures are the prompt's own: it is too long for the model, or so long that no answer comes in time. The same
prompt fails the same way at the next model, and a smaller one may not. What is done here loses something of what the
caller asked, so nothing is done unless a policy says so, step by step; `failover.request.shrink` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, Strict, StrictBool, model_validator
from typing_extensions import Self

from failover.document import Found, refuse
from failover.document.units import Count, Share
from failover.document.words import did_you_mean, listed, shown

from .checks import error_name
from .part import Part

__all__ = ["ClearToolResults", "DropImages", "DropOptionalSystem", "DropTurns", "Shrink", "Step"]

CountOrNone = Annotated[int, Strict(), Ge(0), Le(1_000_000)]


class ClearToolResults(Part):
    """The content of all but the last results of tools is replaced by a short note."""

    keep: CountOrNone = 3


class DropImages(Part):
    """All but the last images and documents are replaced by a short note, those inside tools' results included."""

    keep: CountOrNone = 1


class DropOptionalSystem(Part):
    """Texts of the system prompt that the caller marked with `failover.optional` go, the last first."""


class DropTurns(Part):
    """The oldest turns go; a tool's call and its result always go together."""

    keep_first: StrictBool = True
    """Whether the first message stays: in most programs it says what the task is."""
    keep_last: Count = 4
    """So many of the last turns stay."""


_KINDS = ("clear_tool_results", "drop_images", "drop_optional_system", "drop_turns", "cap_max_tokens")
_WITHOUT_DEFAULTS = {"cap_max_tokens": "4096"}
"""Steps that cannot be a bare name, and what could be written."""


class Step(Part):
    """One way to make a prompt smaller: exactly one of these."""

    clear_tool_results: ClearToolResults | None = None
    drop_images: DropImages | None = None
    drop_optional_system: DropOptionalSystem | None = None
    drop_turns: DropTurns | None = None
    cap_max_tokens: Count | None = None
    """At most so many tokens are asked for: for answers that come too late, not for prompts that are too long."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        said = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(said) != 1:
            several = f"this says {listed(said, 'and')}: give each a line of its own" if said else "this says none"
            raise ValueError(f"a step is exactly one of {listed(_KINDS)}, and {several}")
        return self

    @property
    def kind(self) -> str:
        """Its name."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)


def _step(value: Any) -> Any:
    if isinstance(value, str):
        if value not in _KINDS:
            raise ValueError(
                f"no step is called {shown(value)}{did_you_mean(value, _KINDS) or '.'} Known are {listed(_KINDS, 'and')}"
            )
        if value in _WITHOUT_DEFAULTS:
            raise ValueError(f"`{value}` needs a number: write `{value}: {_WITHOUT_DEFAULTS[value]}`")
        return {value: {}}
    if isinstance(value, (dict, Step)):
        return value
    raise ValueError(f"a step is a name or a mapping like {{clear_tool_results: {{keep: 3}}}}, not {shown(value)}")


_NO_MATTER_OF_SIZE = {
    **dict.fromkeys(
        ("authentication_error", "billing_error", "spend_limit", "401", "402"), "means that the account is refused"
    ),
    **dict.fromkeys(("permission_error", "403"), "means that the account may not do what was asked for"),
    **dict.fromkeys(("not_found_error", "model_unavailable", "404"), "means that what was asked for is not there"),
    **dict.fromkeys(("conflict_error", "409"), "means that another request was in the way"),
}
"""Errors that a smaller prompt meets again, and what each means."""


_END_A_CALL = frozenset({"prompt_too_long", "request_too_large", "invalid_request_error", "400", "413", "422"})
"""Errors of a request that nobody repeats as it is."""


def _errors_that_size_may_cause(names: tuple[str, ...]) -> tuple[str, ...]:
    refuse(_no_matter_of_size(names))
    return names


def _no_matter_of_size(names: Sequence[str]) -> Found:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (index,), f"`{name}` stands twice: remove one"
        elif name in _NO_MATTER_OF_SIZE:
            yield (
                (index,),
                f"`{name}` {_NO_MATTER_OF_SIZE[name]}, and a smaller prompt would meet that again: remove it",
            )


def _not_empty(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    if not entries:
        raise ValueError("an empty list never shrinks anything: name at least one, or write `shrink: off`")
    return entries


def _steps_differ(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    refuse(_repeated(steps))
    return steps


def _repeated(steps: Sequence[Step]) -> Found:
    kinds = [step.kind for step in steps]
    for index, kind in enumerate(kinds):
        if kind in kinds[:index]:
            yield (index,), f"step `{kind}` stands twice: write it once, as it should end"


def _smaller(share: float) -> float:
    if share >= 1:
        raise ValueError("a prompt at 100% of its size is no smaller: write less, like 50%")
    return share


class Shrink(Part):
    """Makes the prompt of a call smaller after failures that a smaller prompt may not meet."""

    when: Annotated[
        tuple[Annotated[str, BeforeValidator(error_name)], ...],
        Field(examples=["[timeout_error, prompt_too_long]"]),
        AfterValidator(_not_empty),
        AfterValidator(_errors_that_size_may_cause),
    ]
    """The failures: error types and statuses, as under `errors`."""
    after_tries: Count = 1
    """After so many of them the call's prompt is shrunk, and again after as many more."""
    to: Annotated[Share, AfterValidator(_smaller)] = 0.5
    """What share of its size it is shrunk to each time, as far as the steps can."""
    steps: Annotated[
        tuple[Annotated[Step, BeforeValidator(_step)], ...],
        Field(examples=["[clear_tool_results, drop_turns]"]),
        AfterValidator(_not_empty),
        AfterValidator(_steps_differ),
    ]
    """In this order, each only as far as it is needed."""

    @model_validator(mode="after")
    def _can_fire(self) -> Self:
        if self.after_tries > 1 and all(name in _END_A_CALL for name in self.when):
            names = listed((f"`{name}`" for name in self.when), "and")
            raise ValueError(
                f"a call ends with the first {names}, so with `after_tries: {self.after_tries}` this can never fire: write 1"
            )
        return self
