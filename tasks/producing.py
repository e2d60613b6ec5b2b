"""Enqueueing by task name: the payload is checked against the task before anything is written."""

from datetime import datetime
from typing import Any
from uuid import UUID

from db import accepting
from db.accepting import Accepted, Wishes
from db.session import Executor
from tasks import registry
from tasks.errors import UnknownTaskError


def accept(executor: Executor, task_name: str, payload: Any, *, wishes: Wishes | None = None) -> Accepted:
    """Accept a job of the executor's tenant, or find the one that its keys stand for. It exists with the commit.

    Raises:
        UnknownTaskError, PayloadInvalidError: nothing was written.
        NoTenantError, TenantSuspendedError, TenantDeletingError, PayloadTooLargeError: the database refused.
        IdempotencyKeyReusedError, UniqueKeyTakenError: so it did, because of another job.
        QueueFullError, TenantDrainingError: so it did, because nothing more of the tenant may wait.
    """
    declaration = registry.declaration(task_name)
    if declaration.tenantless:
        raise UnknownTaskError(task=task_name, hint="It is tenantless: the platform runs it, no tenant can.")
    return accepting.accept(
        executor,
        task_name=task_name,
        payload=declaration.validate_payload(payload),
        queue=declaration.queue,
        max_attempts=declaration.max_attempts,
        max_lost=declaration.retry.max_lost,
        runs_for_deleted=declaration.runs_for_deleted,
        wishes=wishes,
    )


def enqueue(
    executor: Executor, task_name: str, payload: Any, *, run_at: datetime | None = None, priority: int = 0
) -> UUID:
    """Return the id of a new job of the executor's tenant: `accept()`, for whoever wishes nothing special.

    Raises:
        PriorityInvalidError: it is no whole number from -100 to 100.
        PartywallError: as `accept()` does.
    """
    return accept(executor, task_name, payload, wishes=Wishes(run_at=run_at, priority=priority)).job_id
