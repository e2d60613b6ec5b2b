"""Running a body and reading what it returns, the same for jobs and calls."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.util.concurrency import await_

from tasks.async_job import AsyncJob
from tasks.async_time_limit import run_within_async
from tasks.declaration import Body, TaskDeclaration
from tasks.errors import ResultTooLargeError
from tasks.event_loop import run_on_loop
from tasks.job import Job
from tasks.stopping import Stop
from tasks.time_limit import run_within

Result = TypeVar("Result")

MAX_RESULT_BYTES = 256 * 1024


def run_body(
    declaration: TaskDeclaration, body: Body, job: Job, payload: Any, connection: Connection, stop: Stop
) -> Any:
    """Return what the body returned, as JSON, after what it left to the session has reached the database.

    Raises:
        SoftTimeLimitExceeded: inside the body, when its time is up; an `async def` body sees itself cancelled.
        LeaseLostError, JobCancelledError: likewise, when `stop` was asked.
        ResultTooLargeError: the result is over 256 KiB.
    """
    if declaration.is_async:
        return _as_json(declaration, await_(_run_async(declaration, body, AsyncJob(job), payload, stop)))

    def work() -> Any:
        returned = body(job, payload)
        job.flush()
        return returned

    return _as_json(declaration, run_within(declaration.time_limit_seconds, connection, stop, work))


async def _run_async(declaration: TaskDeclaration, body: Body, job: AsyncJob, payload: Any, stop: Stop) -> Any:
    async def work() -> Any:
        returned = await body(job, payload)
        await job.flush()
        return returned

    return await run_within_async(declaration.time_limit_seconds, stop, work)


def run_where(declaration: TaskDeclaration, work: Callable[[], Result]) -> Result:
    """Run what opens a connection and calls `run_body()`: here, or on the event loop if that is where the body runs."""
    return run_on_loop(work) if declaration.is_async else work()


def _as_json(declaration: TaskDeclaration, returned: Any) -> Any:
    result = declaration.result.dump_python(declaration.result.validate_python(returned), mode="json")
    size = len(json.dumps(result).encode())
    if size > MAX_RESULT_BYTES:
        raise ResultTooLargeError(size_bytes=size, hint="Keep rows in a table of the tenant's and return a summary.")
    return result
