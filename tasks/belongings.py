"""The asyncio tasks that a body has started: while it runs they are part of it, and none of them outlives it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

CANCEL_AGAIN_SECONDS = 0.25
"""A task that swallows its cancellation is cancelled again."""

log = structlog.get_logger(__name__)


class Belongings:
    """The asyncio tasks of one body, its own among them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = False

    def take(self, task: "asyncio.Task[Any]") -> None:
        """Count a new task in; one that comes after the end is cancelled before its first step."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._over:
            task.cancel()

    async def end(self) -> None:
        """Cancel what is left, and return when all of it has ended."""
        self._over = True
        if self._tasks:
            log.warning("tasks_left_behind", count=len(self._tasks))
        again = False
        while self._tasks:
            # What was cancelled with the body may be draining its query: not at once a second time.
            await cancel_and_wait(*self._tasks, again=again)
            again = True


_mine: ContextVar[Belongings | None] = ContextVar("partywall_belongings", default=None)


@contextmanager
def collecting() -> Iterator[Belongings]:
    """Count in every asyncio task that is started in the block, or by one that was."""
    belongings = Belongings()
    entered = _mine.set(belongings)
    try:
        yield belongings
    finally:
        _mine.reset(entered)


def create_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """Make an asyncio task, as a loop's task factory does: one that belongs to the body that starts it."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    belongings = _mine.get()
    if belongings is not None:
        belongings.take(task)
    return task


async def cancel_and_wait(*tasks: "asyncio.Task[Any]", again: bool = True) -> None:
    """Cancel the tasks; return when they have ended, or when they have had their time to.

    `again` False leaves alone those that are being cancelled already.
    """
    for task in tasks:
        if again or not task.cancelling():
            task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)
    for task in done:
        if not task.cancelled():
            # Looked at here, or asyncio would report it, text and all, when it is thrown away.
            task.exception()
