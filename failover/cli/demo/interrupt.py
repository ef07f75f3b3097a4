"""Ctrl-C in an async program, ended in order: tasks are cancelled and cleaned up, and only then it is an interruption.

Left to itself, Python 3.10 throws `KeyboardInterrupt` into whatever line the event loop happens to be at.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["run_interruptibly"]


def run_interruptibly(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` on an event loop of its own.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; everything has been cancelled by then.
    """
    if anyio.run(_interrupted, main):
        raise KeyboardInterrupt


async def _interrupted(main: Callable[[], Awaitable[None]]) -> bool:
    if sys.platform == "win32":  # its event loops take no signal handlers
        await main()
        return False
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT) as interruptions:
            tasks.start_soon(_run_and_stop, main, tasks.cancel_scope)
            async for _ in interruptions:
                tasks.cancel_scope.cancel()
                return True
    return False


async def _run_and_stop(main: Callable[[], Awaitable[None]], everything: anyio.CancelScope) -> None:
    await main()
    everything.cancel()
