"""Fits single requests to single models, as a hop does, and says what came of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from failover.engine.plan import Misfit, Unmeasured
from failover.policy.model import OWN_CLIENT, Rung
from failover.request.catalogue import Model, shipped
from failover.request.fit import Destination, Draft, fitted
from failover.request.size import tokens_of

__all__ = ["ASK", "CURRENT", "RETIRED", "Fit", "fit", "known", "sent"]

CURRENT = tuple(model for model in shipped().models if model.lifecycle != "retired")
RETIRED = tuple(model for model in shipped().models if model.lifecycle == "retired")
ASK = {"role": "user", "content": "What is new?"}


class Fit(NamedTuple):
    """What would be sent, or why nothing is."""

    body: dict[str, Any]
    changes: tuple[str, ...]
    betas: tuple[str, ...]
    misfit: Misfit | Unmeasured | None

    @property
    def why(self):
        return None if self.misfit is None else self.misfit.why


def known(name, **facts):
    """A model of the catalogue, of which something else may be known."""
    model = shipped().find(name)
    assert model is not None
    return model.model_copy(update=facts)


def sent(model, messages=(ASK,), **fields):
    """A body."""
    return {
        "model": model,
        "max_tokens": 4096,
        "messages": list(messages) if isinstance(messages, tuple) else messages,
        **fields,
    }


def fit(
    body,
    to,
    *,
    adapt=False,
    betas=(),
    patch=None,
    platform="anthropic",
    other_client=False,
    tokens=None,
    **more,
):
    """Fit a body to a model: its name, what is known of it, or a name that nobody knows.

    `other_client` is whether another client of that platform sends it than the caller's own.
    """
    model = to if isinstance(to, Model) else shipped().find(to)
    name = model.id if model is not None else to
    rung = Rung(model=name, client="other" if other_client else OWN_CLIENT, **({"set": patch} if patch else {}))
    draft = Draft.of(
        body,
        Destination(rung, model, platform, own_client=not other_client),
        asked=shipped().find(body["model"]),
        betas=tuple(betas),
        adapts=adapt,
        tokens=tokens_of(body) if tokens is None else tokens,
        **more,
    )
    misfit = fitted(draft)
    return Fit(draft.body, tuple(draft.changes), draft.betas, misfit)
