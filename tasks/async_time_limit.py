"""The life of an `async def` body on the loop: started, cancelled when its time is up, and all of it ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from tasks.belongings import cancel_and_wait, collecting
from tasks.errors import BodyCancelledError

Result = TypeVar("Result")


async def run_within_async(seconds: float, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Return what `work()` returns; cancel it at its next await when it takes longer, in every pool.

    Asyncio tasks that it started and did not wait for are cancelled, and have ended when this returns.

    Raises:
        SoftTimeLimitExceeded: its time was up.
        BodyCancelledError: something else than its limit cancelled it.
    """
    with collecting() as belongings:
        body = asyncio.create_task(_carry(work))
        try:
            await asyncio.wait({body}, timeout=seconds)
            over = not body.done()
            while not body.done():
                await cancel_and_wait(body)
        finally:
            await belongings.end()
    return _outcome(body, seconds if over else None)


class _Stopped:
    """A SystemExit or KeyboardInterrupt: raised out of an asyncio task, it would end the loop."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason


async def _carry(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result | _Stopped:
    try:
        return await work()
    except (SystemExit, KeyboardInterrupt) as reason:
        return _Stopped(reason)


def _outcome(body: "asyncio.Task[Result | _Stopped]", exceeded_seconds: float | None) -> Result:
    try:
        returned = body.result()
        if isinstance(returned, _Stopped):
            raise returned.reason
    except (Exception, asyncio.CancelledError) as error:
        if exceeded_seconds is not None and not isinstance(error, SoftTimeLimitExceeded):
            raise SoftTimeLimitExceeded(exceeded_seconds) from error
        if isinstance(error, asyncio.CancelledError):
            raise BodyCancelledError(hint="Catch asyncio.CancelledError where it cancels its own work.") from error
        raise
    return returned
