"""The plan for each requested model: its rungs, each with its circuit, its limits, its client and what is known of it.

Made when a model is first asked for, from the policy, the catalogue of models and the clients that were given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from .bulkheads import Bulkheads
from .circuits import Board, Incidents
from .engine import Candidate, Plan, SizeClass
from .named import NamedClient, NamedClients
from .policy import Policy
from .policy.model import OWN_CLIENT, Rung
from .request.cargo import Fitting
from .request.catalogue import Catalogue, load_catalogue, shipped
from .request.fit import Destination
from .sdk import reads_events

__all__ = ["Ladders", "Prepared"]

_MOST_PLANS = 1000  # that are kept; a program whose users invent names of models must not grow without bound
_VARIABLE = "FAILOVER_MODELS"


class Prepared(NamedTuple):
    """What a call for one model needs."""

    plan: Plan
    fitting: Fitting
    named: Mapping[str, NamedClient]


class Ladders:
    """Plans by requested model. Threads may ask for one at the same time: the same plan twice does no harm."""

    def __init__(
        self,
        policy: Policy,
        board: Board,
        bulkheads: Bulkheads,
        *,
        incidents: Incidents | None,
        named: NamedClients,
        models: str | os.PathLike[str] | None,
    ) -> None:
        """Read the catalogue.

        Raises:
            CatalogueError: it cannot be used.
            FailoverError: a rung calls a model by a name that its client's platform does not know.
        """
        self._policy = policy
        self._board = board
        self._bulkheads = bulkheads
        self._incidents = incidents
        self._named = named
        self._catalogue = _catalogue(models)
        self._named.refuse_foreign_names(policy, self._catalogue)
        self._sizes = tuple(
            SizeClass(size.over, bulkheads.limit(name, size.at_once, size.queue))
            for name, size in policy.bulkheads.items()
        )
        self._prepared: dict[tuple[str, bool, bool], Prepared] = {}

    def of(self, model: str, *, bound: bool, asynchronous: bool) -> Prepared:
        """What a call for a model needs.

        Args:
            model: the one that was asked for.
            bound: whether the request makes sense to that model alone.
            asynchronous: which kind of client calls.

        Raises:
            FailoverError: a client that a rung names was not given in this kind.
        """
        key = (model, bound, asynchronous)
        prepared = self._prepared.get(key)
        if prepared is None:
            if len(self._prepared) >= _MOST_PLANS:
                self._prepared.clear()
                self._board.forget_idle()
            self._named.refuse_missing(self._policy, asynchronous=asynchronous)
            prepared = self._prepared[key] = self._prepare(model, bound=bound, asynchronous=asynchronous)
        return prepared

    def _prepare(self, model: str, *, bound: bool, asynchronous: bool) -> Prepared:
        policy = self._policy
        rungs = policy.rungs_for(model)[: 1 if bound else None]
        named = self._named.of(asynchronous=asynchronous)
        candidates = tuple(self._candidate(index, rung) for index, rung in enumerate(rungs))
        plan = Plan(
            policy,
            model,
            candidates,
            self._board,
            self._bulkheads if self._sizes or any(candidate.limit is not None for candidate in candidates) else None,
            self._sizes,
            self._incidents,
        )
        destinations = tuple(self._destination(rung, named.get(rung.client)) for rung in rungs)
        fitting = Fitting(policy.fit, policy.cost_at_most, self._catalogue.find(model), destinations)
        return Prepared(plan, fitting, named)

    def _candidate(self, index: int, rung: Rung) -> Candidate:
        breaker = self._board.breaker(rung.model, rung.client)
        known = self._catalogue.find(rung.model)
        limited = self._policy.limits.get((rung.client, rung.model))
        limit = None
        if limited is not None and limited.at_once is not None:
            limit = self._bulkheads.limit(f"rung {breaker.name}", limited.at_once, limited.queue)
        return Candidate(
            index,
            rung,
            rung.client,
            breaker,
            bucket=known.bucket if known is not None else None,
            limit=limit,
            shrink=rung.shrink if "shrink" in rung.model_fields_set else self._policy.shrink,
        )

    def _destination(self, rung: Rung, named: NamedClient | None) -> Destination:
        model = self._catalogue.find(rung.model)
        if named is None:
            return Destination(rung, model)
        own = rung.client == OWN_CLIENT
        return Destination(rung, model, named.platform, own_client=own, reads_events=reads_events(named.client))


def _catalogue(models: str | os.PathLike[str] | None) -> Catalogue:
    path = models if models is not None else os.environ.get(_VARIABLE)
    return load_catalogue(path) if path else shipped()
