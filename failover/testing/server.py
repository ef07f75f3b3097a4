"""Runs the fake API on a loopback port, in a thread of its own, and stops it in milliseconds.

Uvicorn's protocol serves the connections. Its `Server` does not run them: it looks for a wish to stop every tenth of
a second and waits for open requests, which is right for production and adds up over a test suite whose requests hang
on purpose.
"""

from __future__ import annotations

import asyncio
import socket
import threading

from uvicorn import Config
from uvicorn.server import ServerState

from .app import create_app
from .upstream import Upstream
from .wire import AbortableProtocol

__all__ = ["ServerThread"]

_BACKLOG = 2048
_HOURS = 24 * 3600


class ServerThread:
    """A running server. It is up when the constructor returns, and gone when `stop` does."""

    def __init__(self, upstream: Upstream) -> None:
        self._config = Config(
            create_app(upstream),
            http=AbortableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_keep_alive=_HOURS,  # an idle connection that closes by itself would look like a fault
        )
        self._config.load()
        self._socket = _listen()
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.SelectorEventLoop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"fake-claude-{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Break all connections and wait until the thread is gone."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        state = ServerState()
        server = await self._loop.create_server(
            lambda: AbortableProtocol(config=self._config, server_state=state, app_state={}, _loop=self._loop),
            sock=self._socket,
            backlog=_BACKLOG,
        )
        await self._stopping.wait()
        # Before `close`: asyncio loses a connection that it accepts while its server closes, and warns of it later.
        self._loop.remove_reader(self._socket)
        while asyncio.all_tasks() - {asyncio.current_task()} or state.connections:
            for connection in list(state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        server.close()
        await server.wait_closed()


def _listen() -> socket.socket:
    # Named as TCP: asyncio turns Nagle's delay (40 ms per answer) off only for a socket that says so itself.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(_BACKLOG)
    return listening
