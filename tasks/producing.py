"""Enqueueing by task name: the payload is checked against the task before anything is written."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db import jobs
from db.session import Executor
from tasks import registry
from tasks.errors import UnknownTaskError


def enqueue(executor: Executor, task_name: str, payload: Any, *, run_at: datetime | None = None) -> UUID:
    """Return the id of a new job of the executor's tenant. It exists when the transaction commits.

    Raises:
        UnknownTaskError, PayloadInvalidError: nothing was written.
        NoTenantError, TenantSuspendedError, TenantDeletingError, PayloadTooLargeError: the database refused.
    """
    declaration = registry.declaration(task_name)
    if declaration.tenantless:
        raise UnknownTaskError(task=task_name, hint="It is tenantless: the platform runs it, no tenant can.")
    return jobs.enqueue(
        executor,
        task_name=task_name,
        payload=declaration.validate_payload(payload),
        queue=declaration.queue,
        max_attempts=declaration.max_attempts,
        run_at=run_at,
        runs_for_deleted=declaration.runs_for_deleted,
    )
