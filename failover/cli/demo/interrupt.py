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
    """Run `main` on an event loop of its own; what it raises is raised as it is, not in a group.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; everything has been cancelled by then.
    """
    raised: list[BaseException] = []
    anyio.run(_watch, main, raised)
    if raised:
        raise raised[0]


async def _watch(main: Callable[[], Awaitable[None]], raised: list[BaseException]) -> None:
    if sys.platform == "win32":  # its event loops take no signal handlers
        await main()
        return
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT) as interruptions:
            tasks.start_soon(_run, main, raised, tasks.cancel_scope)
            async for _ in interruptions:
                raised.append(KeyboardInterrupt())
                tasks.cancel_scope.cancel()


async def _run(main: Callable[[], Awaitable[None]], raised: list[BaseException], everything: anyio.CancelScope) -> None:
    try:
        await main()
    except Exception as error:  # noqa: BLE001 - raised again outside of the task group
        raised.append(error)
    everything.cancel()
