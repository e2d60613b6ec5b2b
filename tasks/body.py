"""Running a body and reading what it returns, the same for jobs and calls."""

import json
from typing import Any

from sqlalchemy import Connection

from tasks.declaration import Body, TaskDeclaration
from tasks.errors import ResultTooLargeError
from tasks.job import Job
from tasks.time_limit import run_within

MAX_RESULT_BYTES = 256 * 1024


def run_body(declaration: TaskDeclaration, body: Body, job: Job, payload: Any, connection: Connection) -> Any:
    """Return what the body returned, as JSON, after what it left to the session has reached the database.

    Raises:
        SoftTimeLimitExceeded: inside the body, when its time is up.
        ResultTooLargeError: the result is over 256 KiB.
    """

    def work() -> Any:
        returned = body(job, payload)
        job.flush()
        return returned

    return _as_json(declaration, run_within(declaration.time_limit_seconds, connection, work))


def _as_json(declaration: TaskDeclaration, returned: Any) -> Any:
    result = declaration.result.dump_python(declaration.result.validate_python(returned), mode="json")
    size = len(json.dumps(result).encode())
    if size > MAX_RESULT_BYTES:
        raise ResultTooLargeError(size_bytes=size, hint="Keep rows in a table of the tenant's and return a summary.")
    return result
