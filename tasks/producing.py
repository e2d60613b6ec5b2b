"""Enqueueing by task name: the payload is checked against the task before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from db import accepting
from db.accepting import Accepted, NewJob, Wishes
from db.errors import PartywallError
from db.session import Executor
from tasks import registry
from tasks.errors import JobsInvalidError, PayloadInvalidError, UnknownTaskError


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task to be run once."""

    task_name: str
    payload: Any
    wishes: Wishes = field(default_factory=Wishes)

    def job(self) -> NewJob:
        """Return the job as its task is declared, the payload with defaults filled in.

        Raises:
            UnknownTaskError, PayloadInvalidError: there can be none.
        """
        declaration = registry.declaration(self.task_name)
        if declaration.tenantless:
            raise UnknownTaskError(task=self.task_name, hint="It is tenantless: the platform runs it, no tenant can.")
        return NewJob(
            task_name=self.task_name,
            payload=declaration.validate_payload(self.payload),
            queue=declaration.queue,
            max_attempts=declaration.max_attempts,
            max_lost=declaration.retry.max_lost,
            runs_for_deleted=declaration.runs_for_deleted,
            wishes=self.wishes,
        )


def accept(executor: Executor, task_name: str, payload: Any, *, wishes: Wishes | None = None) -> Accepted:
    """Accept a job of the executor's tenant, or find the one that its keys stand for. It exists with the commit.

    Raises:
        UnknownTaskError, PayloadInvalidError: nothing was written.
        NoTenantError, TenantSuspendedError, TenantDeletingError, PayloadTooLargeError: the database refused.
        IdempotencyKeyReusedError, UniqueKeyTakenError: so it did, because of another job.
        QueueFullError, TenantDrainingError: so it did, because nothing more of the tenant may wait.
    """
    return accepting.accept_job(executor, TaskRequest(task_name, payload, wishes or Wishes()).job())


def accept_many(executor: Executor, requests: Sequence[TaskRequest]) -> list[Accepted]:
    """Accept jobs of the executor's tenant, in this order: all of them, or none. They exist with the commit.

    Raises:
        JobsInvalidError: nothing was written; `errors` says by position what `accept()` says of each.
        PartywallError: the database refused, as in `accept()`; the fact `position` says which, if it was one alone.
    """
    jobs: list[NewJob] = []
    wrong: dict[int, PartywallError] = {}
    for position, request in enumerate(requests):
        try:
            jobs.append(request.job())
        except (UnknownTaskError, PayloadInvalidError) as error:
            wrong[position] = error
    if wrong:
        raise JobsInvalidError(errors=wrong, hint="Correct these, or leave them out and send the others.")
    return accepting.accept_many(executor, jobs)


def enqueue(
    executor: Executor, task_name: str, payload: Any, *, run_at: datetime | None = None, priority: int = 0
) -> UUID:
    """Return the id of a new job of the executor's tenant: `accept()`, for whoever wishes nothing special.

    Raises:
        PriorityInvalidError: it is no whole number from -100 to 100.
        PartywallError: as `accept()` does.
    """
    return accept(executor, task_name, payload, wishes=Wishes(run_at=run_at, priority=priority)).job_id


def enqueue_many(
    executor: Executor,
    task_name: str,
    payloads: Iterable[Any],
    *,
    run_at: datetime | None = None,
    priority: int = 0,
) -> list[UUID]:
    """Return the ids of new jobs of one task, one for each payload, in their order: `accept_many()` for such as those.

    Raises:
        PartywallError: as `accept_many()` and `enqueue()` do.
    """
    wishes = Wishes(run_at=run_at, priority=priority)
    requests = [TaskRequest(task_name, payload, wishes) for payload in payloads]
    return [accepted.job_id for accepted in accept_many(executor, requests)]
