"""Clients that a policy's rungs name: another platform, another key. A hop to one is sent by it, and answered here.

Its own authentication, transport and middleware are used; its retries and its span of the call are off, for the call
is the caller's. Of the caller's request it gets the body and the headers, but for those that are the caller's alone:
keys, and what names something of the caller's organization.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import anthropic
import httpx2
from anthropic import APIRequest, Middleware

from .errors import FailoverError
from .policy import Policy
from .policy.model import OWN_CLIENT
from .request.body import MESSAGES_PATH
from .request.catalogue import Catalogue, Model
from .sdk import UPSTREAM_ERRORS, is_client, kind_of, middleware_of, platform_of

__all__ = ["NamedClient", "NamedClients"]

_log = logging.getLogger("failover")

_PASSED_ON = re.compile(r"anthropic-.*|x-stainless-.*|accept|content-type|traceparent|tracestate", re.IGNORECASE)
"""Headers that say something of the request. All others may be keys, of the API or of a gateway before it: under what
names nobody can know, so they stay with the caller's own client."""
_QUERY = "beta"
"""The one query parameter that the SDK gives a request for a message."""
_OF_THE_ORGANIZATION = frozenset({"anthropic-organization-id", "anthropic-user-profile-id", "anthropic-workspace-id"})
_FIRST_PARTY = frozenset({"anthropic", "aws", "google_cloud"})
"""Platforms that call models as the Claude API does
(https://platform.claude.com/docs/en/about-claude/models/overview)."""


class _Handed(NamedTuple):
    """What a chain of middleware returned: being no response of the SDK's, its loop neither retries nor parses it."""

    response: Any


class _HandOver(Middleware):
    """The outermost middleware of a named client: takes the response out before the SDK turns it into a result."""

    def handle(self, request: APIRequest, call_next: Any) -> Any:
        return _Handed(call_next(request))

    async def handle_async(self, request: APIRequest, call_next: Any) -> Any:
        return _Handed(await call_next(request))


class NamedClient:
    """One client, to which a request can be sent as to a middleware's `call_next`."""

    def __init__(self, name: str, client: Any) -> None:
        self.name = name
        self.platform = platform_of(client)
        self.client = client.copy(max_retries=0, open_telemetry=False)
        """For whatever else is asked of it: to count tokens, for its time-outs."""
        self._sender = self.client.copy(middleware=[_HandOver(), *middleware_of(client)])
        self._told: set[type[Exception]] = set()

    def send(self, request: APIRequest) -> Any:
        """Send with a sync client.

        Raises:
            anthropic.APIConnectionError: there is no answer, whatever the reason.
            anthropic.APIStatusError: a middleware of the client raised one.
        """
        with self._as_upstream_errors():
            handed: Any = self._sender.request(
                request.cast_to, _others(request), stream=request.stream, stream_cls=request.stream_cls
            )
        return handed.response

    async def send_async(self, request: APIRequest) -> Any:
        """Send with an async client. It raises what `send` does."""
        with self._as_upstream_errors():
            handed: Any = await self._sender.request(
                request.cast_to, _others(request), stream=request.stream, stream_cls=request.stream_cls
            )
        return handed.response

    @contextlib.contextmanager
    def _as_upstream_errors(self) -> Iterator[None]:
        """Whatever goes wrong inside is raised as an error that a call can go on from."""
        try:
            yield
        except UPSTREAM_ERRORS:
            raise
        except Exception as error:
            raise self._not_sent(error) from error

    def _not_sent(self, error: Exception) -> anthropic.APIConnectionError:
        """A client that cannot even send is as good as out of reach: its trouble must not hide what began the call's."""
        if type(error) not in self._told:
            self._told.add(type(error))
            _log.warning("client `%s` could not send a request: %s", self.name, type(error).__name__)
        request = httpx2.Request("POST", str(self.client.base_url).rstrip("/") + MESSAGES_PATH)
        return anthropic.APIConnectionError(message="The client could not send the request.", request=request)


def _others(request: APIRequest) -> Any:
    """The options of a request as another client may have them."""
    options = request.options.model_copy()
    options.max_retries = 0
    headers: Any = options.headers
    if isinstance(headers, Mapping):
        options.headers = {name: value for name, value in headers.items() if _is_passed_on(name)}
    if options.params:
        options.params = {name: value for name, value in options.params.items() if name == _QUERY}
    path, _, query = options.url.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] == _QUERY]
    options.url = "?".join((path, *kept[:1]))
    return options


def _is_passed_on(name: str) -> bool:
    return _PASSED_ON.fullmatch(name) is not None and name.lower() not in _OF_THE_ORGANIZATION


class NamedClients:
    """All clients that a policy can name, of both kinds."""

    def __init__(self, given: Mapping[str, Any] | None, guard: type[Middleware]) -> None:
        """Take what the program gave: for each name a client, or a sync and an async one.

        Args:
            given: clients by name.
            guard: what makes a client a guarded one, which cannot be among them.

        Raises:
            TypeError: something of it is no client, or two clients of one name do not go together.
            FailoverError: a client is guarded already.
        """
        self._sync: dict[str, NamedClient] = {}
        self._async: dict[str, NamedClient] = {}
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"clients is {kind_of(given)}, not a mapping of names to clients")
        for name, value in (given or {}).items():
            if not isinstance(name, str):
                raise TypeError(f"clients: the name of a client is a text, not {kind_of(name)}")
            if not name.isprintable() or not name.strip() or "/" in name:
                raise TypeError(f"clients: {name!r} is no name that a policy could say: write letters and digits")
            if name == OWN_CLIENT:
                raise TypeError(f"clients: `{OWN_CLIENT}` is the caller's own client: give this one another name")
            for client in value if isinstance(value, (tuple, list)) else (value,):
                self._add(name, client, guard)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sync or self._async)

    def _add(self, name: str, client: Any, guard: type[Middleware]) -> None:
        if not is_client(client):
            raise TypeError(f"clients[{name!r}] is {kind_of(client)}, not a client of the anthropic package")
        if any(isinstance(entry, guard) for entry in middleware_of(client)):
            raise FailoverError(f"clients[{name!r}] is guarded already: give the original client")
        asynchronous = is_client(client, asynchronous=True)
        kind, other = (self._async, self._sync) if asynchronous else (self._sync, self._async)
        if name in kind:
            raise TypeError(f"clients[{name!r}] holds two clients of one kind: give one sync and one async client")
        if name in other and other[name].platform != platform_of(client):
            raise TypeError(f"clients[{name!r}] holds clients of two platforms: give each a name of its own")
        kind[name] = NamedClient(name, client)

    def of(self, *, asynchronous: bool) -> Mapping[str, NamedClient]:
        """Those of one kind, by name."""
        return self._async if asynchronous else self._sync

    def refuse_missing(self, policy: Policy, *, asynchronous: bool | None = None) -> None:
        """Raise if a rung's client was not given, of any kind or of the one that is needed.

        Raises:
            FailoverError: with how to give it.
        """
        kind = "AsyncAnthropic" if asynchronous else "Anthropic"
        given = {**self._sync, **self._async}
        missing = sorted(policy.clients - given.keys())
        if missing:
            others = f" (given: {_listed(sorted(given))})" if given else ""
            raise FailoverError(
                f"policy `{policy.name}` sends to client {_listed(missing)}, which was not given{others}: "
                f"wrap(client, policy, clients={{{missing[0]!r}: {kind}(...)}})"
            )
        if asynchronous is None:
            for name in sorted(given.keys() - policy.clients):
                _log.warning("client `%s` is of no use: no rung of policy `%s` is on it", name, policy.name)
            return
        missing = sorted(policy.clients - self.of(asynchronous=asynchronous).keys())
        if missing:
            ours, theirs = ("an async", "a sync") if asynchronous else ("a sync", "an async")
            raise FailoverError(
                f"policy `{policy.name}` sends to client {_listed(missing)}, which was given as {theirs} client alone, and "
                f"it is {ours} client that is guarded: give {kind}(...), or a pair of both kinds"
            )

    def refuse_foreign_names(self, policy: Policy, catalogue: Catalogue) -> None:
        """Raise if a rung names a model in a way that its client's platform does not know.

        Raises:
            FailoverError: with the name that the platform has for it.
        """
        for rung in (rung for ladder in policy.ladders for rung in ladder.rungs):
            client = self._sync.get(rung.client) or self._async.get(rung.client)
            model = catalogue.find(rung.model)
            if client is None or model is None:
                continue
            right = _right_name(client, rung.model, model)
            if right is not None:
                raise FailoverError(
                    f"rung `{rung.model}` on client `{rung.client}`: {_PLATFORMS[client.platform]} calls that model "
                    f"`{right}`, so write that"
                )


_PLATFORMS: dict[str | None, str] = {
    "anthropic": "the Claude API",
    "aws": "Claude Platform on AWS",
    "bedrock": "Bedrock",
    "foundry": "Foundry",
    "google_cloud": "Claude on Google Cloud",
    "vertex": "Vertex AI",
}


def _right_name(client: NamedClient, name: str, model: Model) -> str | None:
    """What the client's platform calls a model that is known, if that is not its name here; `None`: it may know it.

    A gateway has names of its own, so of the Claude API's clients only those are looked at that talk to the API itself.
    """
    ids: Mapping[Any, tuple[str, ...]] = model.ids
    if client.platform in _FIRST_PARTY:
        is_theirs = name not in (model.id, *model.aliases)
        direct = client.platform != "anthropic" or str(client.client.base_url.host) == "api.anthropic.com"
        return model.id if is_theirs and direct else None
    there = ids.get(client.platform, ())
    elsewhere = {model.id, *model.aliases}.union(*(names for place, names in ids.items() if place != client.platform))
    return there[0] if there and name in elsewhere - set(there) else None


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
