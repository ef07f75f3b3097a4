"""The middleware of the official SDK, and `wrap`, which installs it.

Everything is decided by the engine; the two drivers here differ only in how they send and sleep.
"""

from __future__ import annotations

import functools
import os
import random as random_module
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext, Middleware
from typing_extensions import assert_never

from .body import hand_out, hand_out_async
from .bulkheads import Bulkheads, wait, wait_async
from .circuits import Board, Incidents
from .clock import Clock, SystemClock
from .edge import Edge, SecondRuns
from .engine import Begun, Budget, Finish, Incident, Measure, Ping, Queue, Send, Services, Wait
from .errors import FailoverError
from .events import Event
from .exchange import Exchange
from .ladders import Ladders
from .named import NamedClients
from .pinging import ping, ping_async
from .policy import Policy, default_policy, load_policy
from .request.body import guarded_body, is_bound_to_its_model
from .request.cargo import sent_by_a_thread
from .request.threads import Replay
from .sdk import count_tokens, count_tokens_async, is_client, kind_of, middleware_of
from .sending import send, send_async
from .telemetry import MeterProvider, TracerProvider
from .telling import JournalOption, telling

if TYPE_CHECKING:
    import pybreaker

    from .circuits.storage import StorageFactory

__all__ = ["Failover", "wrap"]

Client = TypeVar("Client")


class Failover(Middleware):
    """Keeps calls answered while some of Claude is failing, as a policy says.

    One object may serve many clients, sync and async, threads and event loops at once; they then share the circuits
    and the retry budget. With `Anthropic(middleware=[Failover(policy)], max_retries=0)` it is installed by hand;
    `wrap` does the same and more.
    """

    def __init__(
        self,
        policy: str | os.PathLike[str] | Policy | None = None,
        *,
        clients: Mapping[str, Any] | None = None,
        models: str | os.PathLike[str] | None = None,
        listeners: Sequence[Callable[[Event], None]] = (),
        breaker_listeners: Sequence[pybreaker.CircuitBreakerListener] = (),
        breaker_storage: StorageFactory | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        journal: JournalOption = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Load the policy and make the board.

        Args:
            policy: the path of a YAML file, a loaded `Policy`, or `None` for the default policy.
            clients: those that the policy's rungs name: a client for each name, or a sync and an async one as a pair.
                They are used as they are, but for their retries, and keep their own transport and keys. Of a request's own
                headers and query they get those of the API; what is for a gateway, give to them as `default_headers`.
            models: the path of a catalogue that says what differs from the one that is built in; by default what the
                environment's `FAILOVER_MODELS` names, if anything.
            listeners: called with every event, in the thread of the call; what they raise is logged and dropped. The end
                of a stream that was dropped is told by the garbage collector, at any point of any thread: a listener
                that takes a lock takes a re-entrant one.
            breaker_listeners: of every circuit, as pybreaker knows them.
            breaker_storage: makes the pybreaker storage of the circuit with the name it is given.
            tracer_provider: for spans; by default the global one, also when it is set later.
            meter_provider: for metrics; by default the global one, also when it is set later.
            journal: where to remember what went wrong: a `Journal`, or the path of its file. By default what the
                environment's `FAILOVER_JOURNAL` names, if anything; `False`: nowhere.
            clock: where time comes from.
            random: gives numbers from 0 up to 1, for jitter.

        Raises:
            PolicyError: the policy cannot be used.
            CatalogueError: the catalogue of models cannot be used.
            FailoverError: a client that the policy names is missing, is guarded already, or has another name for a model.
        """
        self.policy = _loaded(policy)
        self._clock = clock or SystemClock()
        self._named = NamedClients(clients, Failover)
        self._named.refuse_missing(self.policy)
        self.bulkheads = Bulkheads(now=self._clock.now)
        """All limits of the policy, with how many are out and how many wait."""
        hub, metrics, self.journal = telling(
            self.policy, listeners, journal=journal, tracer_provider=tracer_provider, meter_provider=meter_provider
        )
        self.board = Board(
            self.policy.breaker,
            now=self._clock.now,
            random=random,
            emit=hub.emit,
            listeners=breaker_listeners,
            storage=breaker_storage,
        )
        """All circuits of the clients that share this object."""
        metrics.watch(self.board)
        self._services = Services(self._clock.now, random, Budget(self.policy.retry.budget), hub.emit, hub.verbose)
        rules = self.policy.incident
        self._incidents = None if rules is None else Incidents(rules, now=self._clock.now, emit=hub.emit)
        self._ladders = Ladders(
            self.policy, self.board, self.bulkheads, incidents=self._incidents, named=self._named, models=models
        )
        self._second_runs = SecondRuns()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Those that clients are in now, if the policy looks for any."""
        return () if self._incidents is None else self._incidents.now_open()

    def __repr__(self) -> str:
        """The policy and the board."""
        return f"<Failover {self.policy.name}: {self.board!r}>"

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Guard one request of a sync client."""
        exchange = self._exchange(request, call_next, asynchronous=False)
        if exchange is None:
            return call_next(request)
        try:
            action = self._drive(exchange, call_next)
            if isinstance(action, Begun):
                return hand_out(exchange, action, functools.partial(self._drive, exchange, call_next))  # type: ignore[no-any-return]
            return exchange.deliver(action, self)  # type: ignore[no-any-return]
        except BaseException as error:
            exchange.abandon(error)
            self._second_runs.remember(request, call_next, error)
            raise

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """Guard one request of an async client."""
        exchange = self._exchange(request, call_next, asynchronous=True)
        if exchange is None:
            return await call_next(request)
        try:
            action = await self._drive_async(exchange, call_next)
            if isinstance(action, Begun):
                return hand_out_async(exchange, action, functools.partial(self._drive_async, exchange, call_next))  # type: ignore[no-any-return]
            return exchange.deliver(action, self)  # type: ignore[no-any-return]
        except BaseException as error:
            exchange.abandon(error)
            self._second_runs.remember(request, call_next, error)
            raise

    def _exchange(self, request: APIRequest, call_next: Callable[..., Any], *, asynchronous: bool) -> Exchange | None:
        """What a guarded request needs; `None` for one that is none of ours."""
        body = guarded_body(request)
        if body is None:
            return None
        self._second_runs.refuse(request)
        until = Replay.taken(request, body, self._clock.now())
        bound = "thread" in body and is_bound_to_its_model(body) and not sent_by_a_thread(request)
        prepared = self._ladders.of(body["model"], bound=bound, asynchronous=asynchronous)
        return Exchange(prepared, self._services, request, body, call_next, until=until)

    def ready_for(self, client: object) -> None:
        """Make sure that a client can be guarded: that the rungs' clients are there in its kind, sync or async.

        Raises:
            FailoverError: one is not.
        """
        self._named.refuse_missing(self.policy, asynchronous=is_client(client, asynchronous=True))

    def _drive(self, exchange: Exchange, call_next: CallNext) -> Begun | Finish:
        """Send and wait as the call decides, until there is something to give the caller or the call is over."""
        while True:
            action = exchange.next()
            if isinstance(action, Send):
                exchange.take(send(exchange, exchange.prepare(action), call_next))
            elif isinstance(action, Wait):
                self._clock.sleep(action.seconds)
            elif isinstance(action, Queue):
                wait(action.place, action.seconds, self._clock)
            elif isinstance(action, Measure):
                rung, cargo = action.candidate, exchange.cargo
                asked = cargo.to_count(rung)
                tokens = count_tokens(exchange.counting(rung), asked, exchange.request, action.seconds)
                cargo.counted(rung, tokens)
            elif isinstance(action, Ping):
                exchange.pinged(action, ping(exchange, action, call_next))
            elif isinstance(action, (Begun, Finish)):
                return action
            else:
                assert_never(action)

    async def _drive_async(self, exchange: Exchange, call_next: AsyncCallNext) -> Begun | Finish:
        """Send and wait as the call decides, until there is something to give the caller or the call is over."""
        while True:
            action = exchange.next()
            if isinstance(action, Send):
                exchange.take(await send_async(exchange, exchange.prepare(action), call_next))
            elif isinstance(action, Wait):
                await self._clock.sleep_async(action.seconds)
            elif isinstance(action, Queue):
                await wait_async(action.place, action.seconds, self._clock)
            elif isinstance(action, Measure):
                rung, cargo = action.candidate, exchange.cargo
                asked = cargo.to_count(rung)
                tokens = await count_tokens_async(exchange.counting(rung), asked, exchange.request, action.seconds)
                cargo.counted(rung, tokens)
            elif isinstance(action, Ping):
                exchange.pinged(action, await ping_async(exchange, action, call_next))
            elif isinstance(action, (Begun, Finish)):
                return action
            else:
                assert_never(action)


def _loaded(policy: object) -> Policy:
    if policy is None:
        return default_policy()
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, (str, os.PathLike)):
        return load_policy(policy)
    hint = "; to share one, give it to wrap()" if isinstance(policy, Failover) else ""
    raise TypeError(f"a policy is a path, a Policy or None, not {kind_of(policy)}{hint}")


def wrap(
    client: Client,
    policy: str | os.PathLike[str] | Policy | Failover | None = None,
    *,
    clients: Mapping[str, Any] | None = None,
    models: str | os.PathLike[str] | None = None,
    listeners: Sequence[Callable[[Event], None]] = (),
    breaker_listeners: Sequence[pybreaker.CircuitBreakerListener] = (),
    breaker_storage: StorageFactory | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    journal: JournalOption = None,
) -> Client:
    """A client of the same type whose calls for messages are guarded by a policy.

    The given client is left as it is, and shares its connections with the new one. The policy's retries take the
    place of the SDK's for messages; every other endpoint keeps the retries that the client was made with.

    Args:
        client: any client of the `anthropic` package, sync or async.
        policy: the path of a YAML file, a loaded `Policy`, a `Failover` to share with other clients, or `None` for
            the default policy.
        clients: see `Failover`.
        models: see `Failover`.
        listeners: see `Failover`.
        breaker_listeners: see `Failover`.
        breaker_storage: see `Failover`.
        tracer_provider: see `Failover`.
        meter_provider: see `Failover`.
        journal: see `Failover`.

    Raises:
        PolicyError: the policy cannot be used.
        CatalogueError: the catalogue of models cannot be used.
        FailoverError: the client is wrapped already, or a client that the policy names is missing.
        TypeError: this is not a client, or a `Failover` and options for a new one were both given.
    """
    if not is_client(client):
        raise TypeError(f"wrap() takes a client of the anthropic package (2.12 or newer), not {kind_of(client)}")
    sdk_client: Any = client
    before = middleware_of(sdk_client)
    if any(isinstance(entry, Failover) for entry in before):
        raise FailoverError("this client is wrapped already: wrap the original client, once")
    options = (clients, models, listeners, breaker_listeners, breaker_storage, tracer_provider, meter_provider, journal)
    if not isinstance(policy, Failover):
        policy = Failover(
            policy,
            clients=clients,
            models=models,
            listeners=listeners,
            breaker_listeners=breaker_listeners,
            breaker_storage=breaker_storage,
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            journal=journal,
        )
    elif any(options) or journal is False:
        raise TypeError(
            "give clients, models, listeners, storage, providers and journal to the Failover that you share"
        )
    policy.ready_for(sdk_client)
    wrapped: Client = sdk_client.copy(middleware=[Edge(), *before, policy])
    return wrapped
