"""The life of an `async def` body on the loop: started, cancelled when it has to stop, and all of it ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

from tasks.belongings import cancel_and_wait, collecting
from tasks.errors import BodyCancelledError
from tasks.stopping import Stop

Result = TypeVar("Result")


async def run_within_async(seconds: float, stop: Stop, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Return what `work()` returns; cancel it at its next await when it takes longer or has to stop, in every pool.

    Asyncio tasks that it started and did not wait for are cancelled, and have ended when this returns.

    Raises:
        SoftTimeLimitExceeded: its time was up.
        LeaseLostError, JobCancelledError: why it had to stop.
        BodyCancelledError: something else cancelled it.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    reason: type[Exception] | None = None
    with collecting() as belongings, stop.reaching(lambda _: loop.call_soon_threadsafe(stopped.set)):
        body, asked = asyncio.create_task(work()), asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait({body, asked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                reason = stop.reason or SoftTimeLimitExceeded
            while not body.done():
                await cancel_and_wait(body)
        finally:
            asked.cancel()
            await belongings.end()
    try:
        return body.result()
    except (Exception, asyncio.CancelledError) as error:
        if reason is not None and not isinstance(error, reason):
            raise reason from error
        if isinstance(error, asyncio.CancelledError):
            raise BodyCancelledError(hint="Catch asyncio.CancelledError where it cancels its own work.") from error
        raise
