"""Acting on jobs that were accepted: ending them, letting them try again, forgetting them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, DateTime, bindparam, text

from db.errors import JobOverError
from db.jobs import JobState, not_found
from db.session import Executor

RETRYABLE = (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)
"""Over, and without success: they may be asked to try once more."""

_RETRY_JOBS = text("""
    select *
    from partywall.retry_jobs(
        :state, :task_name, :slug, :until - make_interval(secs => :since), :until, :batch_limit
    )
""").bindparams(bindparam("until", type_=DateTime(timezone=True)))
RETRIED_PER_TRANSACTION = 100
"""Each is a subtransaction, and its row is locked until the transaction ends."""


@dataclass(frozen=True, slots=True)
class RetriedJob:
    """A job that waits again, and whose it is."""

    tenant_slug: str
    job_id: UUID


def cancel_job(executor: Executor, job_id: UUID, *, reason: str | None) -> JobState:
    """End a job of the executor's tenant that is not over; return the state it had before.

    It is over with the commit: what a running attempt of it wrote is not kept, and its body is told to stop.

    Raises:
        JobNotFoundError: there is none with this id.
        JobOverError: it ended before, and not by being cancelled.
    """
    statement = text("select partywall.cancel_job(:job_id, :reason)")
    found = executor.execute(statement, {"job_id": job_id, "reason": reason}).scalar_one()
    before = _required(found, job_id)
    if before.is_terminal and before is not JobState.CANCELLED:
        raise JobOverError(
            f"the job is {before.value}",
            job=job_id,
            state=before.value,
            hint="Only a job that is not over can be cancelled.",
        )
    return before


def retry_job(executor: Executor, job_id: UUID) -> None:
    """Let a job of the executor's tenant that has failed, expired or was cancelled try once more.

    Raises:
        JobNotFoundError: there is none with this id.
        JobOverError: it is in another state.
        UniqueKeyTakenError: another job with its unique key is live.
        TenantSuspendedError, TenantDeletingError: the tenant may not work.
        QueueFullError, TenantDrainingError: nothing more of it may wait.
    """
    found = executor.execute(text("select partywall.retry_job(:job_id)"), {"job_id": job_id}).scalar_one()
    before = _required(found, job_id)
    if before not in RETRYABLE:
        raise JobOverError(
            f"the job is {before.value}",
            job=job_id,
            state=before.value,
            hint="Only a job that has failed, expired or was cancelled can try again.",
        )


def retry_jobs(
    connection: Connection,
    *,
    state: JobState,
    task_name: str | None = None,
    slug: str | None = None,
    ended_within_seconds: float | None = None,
    limit: int,
) -> list[RetriedJob]:
    """Let jobs of all active tenants that ended in `state` try once more, those first that ended first.

    `state` is one of RETRYABLE. At most `limit`, RETRIED_PER_TRANSACTION at a time. Jobs that have failed again
    meanwhile, whose unique key has another live job, whose tenant is being drained, or for which its queue has no room
    stay as they are.
    """
    values = {
        "state": state.value,
        "task_name": task_name,
        "slug": slug,
        "since": ended_within_seconds,
        "until": connection.execute(text("select now()")).scalar_one(),
    }
    retried: list[RetriedJob] = []
    while len(retried) < limit:
        batch = min(RETRIED_PER_TRANSACTION, limit - len(retried))
        rows = connection.execute(_RETRY_JOBS, values | {"batch_limit": batch}).all()
        connection.commit()
        retried += [RetriedJob(row.tenant_slug, row.job_id) for row in rows]
        if len(rows) < batch:
            break
    return retried


def _required(state: str | None, job_id: UUID) -> JobState:
    if state is None:
        raise not_found(job_id)
    return JobState(state)


def prune_jobs(executor: Executor, *, limit: int) -> int:
    """Delete the tenant's finished jobs past its retention, at most `limit`; return how many."""
    return int(executor.execute(text("select partywall.prune_jobs(:batch_limit)"), {"batch_limit": limit}).scalar_one())
