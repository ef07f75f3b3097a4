"""A wrapped client with others beside it that its policy names, each before an upstream of its own."""

from __future__ import annotations

import socket
from typing import Any

from sdk_callers import FIRST, NO_REPEAT, AsyncCaller, SyncCaller, make_client, policy

from failover import Failover

BACKUP = "backup"
OWN_KEY, BACKUP_KEY = "canary-own-key", "canary-backup-key"


def rung(model: str = FIRST, client: str = BACKUP, **fields: Any) -> dict[str, Any]:
    """A rung on a named client."""
    return {"model": model, "client": client, **fields}


def to_backup(*rungs: Any, **parts: Any) -> Any:
    """A policy that asks everyone once, and has the backup's own of the requested model as its only other rung."""
    ladders = [{"match": "*", "rungs": list(rungs) or [rung()]}]
    return policy(**{"ladders": ladders, "retry": NO_REPEAT, **parts})


class Lab:
    """Makes the clients of one test, of its kind, and closes those that it made."""

    def __init__(self, connect: Any, clock: Any, backup_url: str, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._connect = connect
        self._clock = clock
        self._url = backup_url
        self._made: list[Any] = []
        self._portal = connect(wrapped=False)._portal if asynchronous else None

    def client(self, url: str | None = None, **options: Any) -> Any:
        """A client to be named, of the kind of this test; of the backup, unless another address is given."""
        options = {"api_key": BACKUP_KEY, **options}
        made = make_client(self._url if url is None else url, asynchronous=self.asynchronous, **options)
        return self.keep(made)

    def keep(self, client: Any) -> Any:
        """Close this client, too."""
        self._made.append(client)
        return client

    def beside(self, client: Any) -> Any:
        """A caller of any client of the kind of this test."""
        return AsyncCaller(client, None, self._portal) if self.asynchronous else SyncCaller(client, None)

    def guard(self, a_policy: Any = None, clients: Any = None, **options: Any) -> Failover:
        """A guard with these clients; without any, with the backup alone."""
        clients = {BACKUP: self.client()} if clients is None else clients
        settings = {"clock": self._clock, "random": lambda: 0.5, **options}
        return Failover(a_policy or to_backup(), clients=clients, **settings)

    def caller(self, a_policy: Any = None, clients: Any = None, *, own: Any = None, **options: Any) -> Any:
        """A wrapped client of ours; `own`: options of it."""
        guard = self.guard(a_policy, clients, **options)
        return self._connect(guard=guard, **{"api_key": OWN_KEY, **(own or {})})

    def close(self) -> None:
        for client in self._made:
            if self._portal is None:
                client.close()
            else:
                self._portal.call(client.close)


def attempts(route: Any) -> list[tuple[str, str, int | None, str | None]]:
    """Who was asked for what, and what came back."""
    return [(one.client, one.model, one.status, one.error_type) for one in route.attempts]


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
