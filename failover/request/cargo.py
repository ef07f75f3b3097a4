"""The request of one call, as the engine asks about it: how large it is, what each rung would be sent, and less of it.

Nothing here is touched as long as the requested model answers.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from anthropic import APIRequest

from failover.engine.plan import Candidate, Misfit, Unmeasured
from failover.policy.fitting import Fit
from failover.policy.shrinking import Shrink
from failover.sdk import client_of, platform_of, reads_events

from .body import is_bound_to_its_model, patched
from .catalogue import Model
from .fit import Destination, Draft, fitted
from .shrink import shrunk
from .shrinking.settling import settled
from .size import tokens_of

__all__ = ["Cargo", "Fitted", "Fitting", "sent_by_a_thread"]

_log = logging.getLogger("failover")
_HELPER_HEADER = "x-stainless-helper"
_THREAD_HELPER = "message-thread"


class Fitted(NamedTuple):
    """What is sent to a rung."""

    body: dict[str, Any]
    changes: tuple[str, ...] = ()
    betas: tuple[str, ...] | None = None
    """What the `anthropic-beta` header is to name; `None`: what it did."""


class Fitting(NamedTuple):
    """What all calls for one requested model know about fitting others."""

    fit: Fit
    cost_at_most: float | None
    asked: Model | None
    destinations: tuple[Destination, ...]
    """By the index of their candidates."""


class Cargo:
    """One request. The caller's body is never changed."""

    __slots__ = (
        "_call_next",
        "_counted",
        "_done",
        "_fitting",
        "_request",
        "_tokens",
        "_too_long",
        "body",
        "taking_over",
    )

    def __init__(
        self, body: dict[str, Any], request: APIRequest, fitting: Fitting, call_next: Callable[..., Any]
    ) -> None:
        self.body = body
        """The caller's body, or what shrinking has left of it."""
        self.taking_over = False
        """Whether what is sent next goes on with a stream that the caller is reading."""
        self._call_next = call_next
        self._request = request
        self._fitting = fitting
        self._tokens: int | None = None
        self._counted: dict[str, int | None] = {}
        self._too_long = 0
        self._done: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """About how many tokens the prompt has."""
        if self._tokens is None:
            try:
                self._tokens = tokens_of(self.body)
            except Exception as error:  # noqa: BLE001 - a body may hold anything, and not to know its size harms nobody
                _log.warning("a prompt could not be measured: %s", type(error).__name__)
                self._tokens = 0
        return self._tokens

    def load(self, candidate: Candidate) -> Fitted | Misfit | Unmeasured:
        """What would be sent to this candidate, or why nothing can be.

        A body may hold anything, and a rule that stumbles over it must not hide why it was needed.
        """
        try:
            return self._load(candidate)
        except Exception as error:  # noqa: BLE001 - whatever it is, that rung cannot have the request
            _log.warning("a request could not be fitted for %s: %s", candidate.circuit.name, type(error).__name__)
            return Misfit("unfit", "the request could not be read")

    def _load(self, candidate: Candidate) -> Fitted | Misfit | Unmeasured:
        fitting = self._fitting
        to = fitting.destinations[candidate.index]
        if candidate.index == 0:
            return Fitted(self.body, self._done)
        if to.own_client:
            client = client_of(self._call_next)
            to = dataclasses.replace(to, platform=platform_of(client), reads_events=reads_events(client))
        misfit = self._obstacle(to)
        if misfit is not None:
            return misfit
        if fitting.fit.mode == "off":
            if is_bound_to_its_model(self.body):
                return Misfit(
                    "unfit", "thread: another model does not have it", rethread=sent_by_a_thread(self._request)
                )
            return Fitted(patched(self.body, to.rung), self._done)
        return self._fit(candidate, to)

    def _obstacle(self, to: Destination) -> Misfit | None:
        """Why a rung cannot take this call, whatever its request is made to be."""
        dear = _too_dear(self._fitting.cost_at_most, self._fitting.asked, to.model, self)
        if dear is not None:
            return Misfit("cost", dear)
        window = to.model.context_window if to.model is not None else None
        if window is not None and window <= self._too_long:
            return Misfit("unfit", f"context_window: the prompt was too long for one of {self._too_long}")
        if self.taking_over and not to.reads_events:
            return Misfit("unfit", "stream: its form cannot be joined to what came before")
        return None

    def _fit(self, candidate: Candidate, to: Destination) -> Fitted | Misfit | Unmeasured:
        fitting = self._fitting
        header: object = self._request.headers.get("anthropic-beta")
        named = tuple(beta.strip() for beta in header.split(",") if beta.strip()) if isinstance(header, str) else ()
        counted = self._counted.get(candidate.circuit.name)
        draft = Draft.of(
            self.body,
            to,
            asked=fitting.asked,
            betas=named,
            adapts=fitting.fit.mode == "adapt",
            tokens=self.tokens if counted is None else counted,
            threads=sent_by_a_thread(self._request),
            counted=isinstance(counted, int),
            counts=fitting.fit.count_tokens and candidate.circuit.name not in self._counted,
        )
        misfit = fitted(draft)
        if misfit is not None:
            return misfit
        if self._done and draft.get("thinking", "type") != "enabled" and self._thinks_manually():
            draft.body = settled(draft.body, 0, 0)
            draft.changes.append("thinking blocks: dropped, the prompt before them was shrunk")
        return Fitted(draft.body, (*self._done, *draft.changes), None if draft.betas == named else draft.betas)

    def _thinks_manually(self) -> bool:
        thinking = self.body.get("thinking")
        return isinstance(thinking, dict) and thinking.get("type") == "enabled"

    def shares_rate_limit(self, candidate: Candidate) -> bool:
        """Whether models share rate limits where this one is: they are known to on the Claude API alone
        (https://platform.claude.com/docs/en/api/rate-limits).
        """
        to = self._fitting.destinations[candidate.index]
        platform = platform_of(client_of(self._call_next)) if to.own_client else to.platform
        return platform == "anthropic"

    def outgrew(self, candidate: Candidate) -> bool:
        """The prompt was too long for this one; whether another candidate is known to have more room."""
        model = self._fitting.destinations[candidate.index].model
        if model is None or model.context_window is None:
            return False
        self._too_long = max(self._too_long, model.context_window)
        windows = [to.model.context_window for to in self._fitting.destinations if to.model is not None]
        return any(window is not None and window > self._too_long for window in windows)

    def shrink(self, rules: Shrink) -> tuple[tuple[str, ...], int, int]:
        """Make the prompt smaller: what was dropped, and its tokens before and after.

        A token for a retry goes, being good for the very same request
        (https://platform.claude.com/docs/en/build-with-claude/fallback-credit).
        """
        before = self.tokens
        smaller = None
        try:
            smaller = shrunk(self.body, rules.steps, to_tokens=int(before * rules.to))
        except Exception as error:  # noqa: BLE001 - as in `load`
            _log.warning("a prompt could not be shrunk: %s", type(error).__name__)
        if smaller is None:
            return (), before, before
        self.body = {name: value for name, value in smaller.body.items() if name != "fallback_credit_token"}
        self._tokens = smaller.tokens_after
        self._counted.clear()
        self._too_long = 0
        self._done = (*self._done, *(f"shrunk: {step}" for step in smaller.done))
        return smaller.done, before, smaller.tokens_after

    def to_count(self, candidate: Candidate) -> dict[str, Any]:
        """The body in which the prompt can be counted for a rung."""
        to = self._fitting.destinations[candidate.index]
        body = patched(self.body, to.rung)
        messages = body.get("messages")
        if to.model is not None and to.model.prefill is False and isinstance(messages, list) and messages:
            begun = isinstance(messages[-1], dict) and messages[-1].get("role") == "assistant"
            body["messages"] = messages[:-1] if begun else messages
        return body

    def counted(self, candidate: Candidate, tokens: int | None) -> None:
        """The prompt was counted for this candidate; `None`: it could not be."""
        self._counted[candidate.circuit.name] = tokens


def sent_by_a_thread(request: APIRequest) -> bool:
    """Whether the SDK's helper for message threads made this request: it can send its whole conversation again."""
    header: object = request.headers.get(_HELPER_HEADER, "")
    return isinstance(header, str) and _THREAD_HELPER in header


def _too_dear(at_most: float | None, asked: Model | None, model: Model | None, cargo: Cargo) -> str | None:
    """Why a model costs too much, if so; a price that is not known is not too high."""
    if at_most is None or asked is None or model is None or asked.price is None or model.price is None:
        return None
    ours, theirs = _price(asked, cargo), _price(model, cargo)
    for what, own, its in zip(("input", "output"), ours, theirs, strict=True):
        if its > at_most * own:
            return f"{what} costs {its:g} USD per million tokens, more than {at_most:g} times the {own:g} of {asked.id}"
    return None


def _price(model: Model, cargo: Cargo) -> tuple[float, float]:
    price = model.price
    if price is None:
        raise ValueError("no price is known")
    long = price.above
    if long is not None and cargo.tokens > long.over:
        return long.input, long.output
    return price.input, price.output
