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
        body = asyncio.create_task(work())
        try:
            await asyncio.wait({body}, timeout=seconds)
            over = not body.done()
            while not body.done():
                await cancel_and_wait(body)
        finally:
            await belongings.end()
    try:
        return body.result()
    except (Exception, asyncio.CancelledError) as error:
        if over and not isinstance(error, SoftTimeLimitExceeded):
            raise SoftTimeLimitExceeded(seconds) from error
        if isinstance(error, asyncio.CancelledError):
            raise BodyCancelledError(hint="Catch asyncio.CancelledError where it cancels its own work.") from error
        raise
