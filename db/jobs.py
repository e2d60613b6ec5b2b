"""Jobs as their tenant sees them: accepting, reading, listing."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from db.errors import JobNotFoundError, PayloadUnstorableError
from db.rows import RowId, TenantRow
from db.session import Executor


class JobState(StrEnum):
    """Where a job is in its life. Every transition is made by a function in `sql/functions/`."""

    SCHEDULED = "scheduled"
    """Accepted; `run_at` is still to come."""
    QUEUED = "queued"
    """Ready, or waiting for the next attempt at `run_at`."""
    DISPATCHED = "dispatched"
    """The broker was told; no worker has claimed it yet."""
    RUNNING = "running"
    """An attempt holds the lease."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """True when nothing more will happen."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)


class JobRow(TenantRow):
    """One job, without the nonce: whoever knows it may claim the job, so no role but the owner reads it."""

    __tablename__ = "jobs"
    __table_args__ = {"schema": "partywall"}  # noqa: RUF012 - SQLAlchemy's own name and form

    id: Mapped[RowId]
    task_name: Mapped[str]
    queue: Mapped[str]
    state: Mapped[str]
    attempt: Mapped[int]
    max_attempts: Mapped[int]
    run_at: Mapped[datetime]
    created_at: Mapped[datetime]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    worker: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    payload: Mapped[Any] = mapped_column(JSONB)
    result: Mapped[Any | None] = mapped_column(JSONB)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    checkpoint: Mapped[Any | None] = mapped_column(JSONB)
    progress_current: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_note: Mapped[str | None]
    runs_for_deleted: Mapped[bool]


_ENQUEUE = text(
    "select partywall.enqueue(:task_name, :payload, :queue, :run_at, :max_attempts, :runs_for_deleted)"
).bindparams(bindparam("payload", type_=JSONB))


def enqueue(
    executor: Executor,
    *,
    task_name: str,
    payload: Any,
    queue: str,
    max_attempts: int,
    run_at: datetime | None = None,
    runs_for_deleted: bool = False,
) -> UUID:
    """Return the id of a new job of the executor's tenant. It exists when the transaction commits.

    `payload` is JSON of at most 256 KiB. `run_at` None or in the past means now. `runs_for_deleted`: also while its
    tenant is being deleted.

    Raises:
        NoTenantError, TenantSuspendedError, TenantDeletingError, PayloadTooLargeError: nothing was accepted.
        PayloadUnstorableError: neither; jsonb holds no U+0000, for example. The transaction is over.
    """
    values = {
        "task_name": task_name,
        "payload": payload,
        "queue": queue,
        "run_at": run_at,
        "max_attempts": max_attempts,
        "runs_for_deleted": runs_for_deleted,
    }
    try:
        job_id: UUID = executor.execute(_ENQUEUE, values).scalar_one()
    except DataError as error:
        reason = getattr(error.orig, "diag", None)
        raise PayloadUnstorableError(
            reason=reason and reason.message_primary,
            hint="Leave out U+0000, halves of surrogate pairs and numbers that are not finite.",
        ) from None
    return job_id


def get_job(session: Session, job_id: UUID) -> JobRow:
    """Return the tenant's job.

    Raises:
        JobNotFoundError: there is none with this id, or it is another tenant's, which is the same.
    """
    job = session.scalars(select(JobRow).where(JobRow.id == job_id)).one_or_none()
    if job is None:
        raise JobNotFoundError(job=job_id, hint="Check the id; finished jobs are pruned after the tenant's retention.")
    return job


_BIG = [defer(each) for each in (JobRow.payload, JobRow.result, JobRow.error, JobRow.checkpoint)]


def list_jobs(
    session: Session,
    *,
    states: Sequence[JobState] = (),
    task_name: str | None = None,
    created_from: datetime | None = None,
    created_before: datetime | None = None,
    before_id: UUID | None = None,
    limit: int,
) -> Sequence[JobRow]:
    """Return the tenant's jobs, newest first, at most `limit`. Go on with the last id as `before_id`.

    Payload, result, error and checkpoint are not read with them: together they may be 1 MiB a job.
    """
    query = select(JobRow).options(*_BIG).order_by(JobRow.id.desc()).limit(limit)
    if states:
        query = query.where(JobRow.state.in_([state.value for state in states]))
    if task_name is not None:
        query = query.where(JobRow.task_name == task_name)
    if created_from is not None:
        query = query.where(JobRow.created_at >= created_from)
    if created_before is not None:
        query = query.where(JobRow.created_at < created_before)
    if before_id is not None:
        query = query.where(JobRow.id < before_id)
    return session.scalars(query).all()


def count_by_state(session: Session) -> dict[JobState, int]:
    """Return how many jobs the tenant has in each state; states without a job are left out."""
    rows = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all()
    return {JobState(state): count for state, count in rows}


def prune_jobs(executor: Executor, *, limit: int) -> int:
    """Delete the tenant's finished jobs past its retention, at most `limit`; return how many."""
    return int(executor.execute(text("select partywall.prune_jobs(:batch_limit)"), {"batch_limit": limit}).scalar_one())
