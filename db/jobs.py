"""Jobs and their attempts as their tenant sees them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from db.errors import JobNotFoundError
from db.rows import RowId, TenantRow


class JobState(StrEnum):
    """Where a job is in its life. Every transition is made by a function in `sql/functions/`."""

    SCHEDULED = "scheduled"
    """Waits for its `run_at`, for the first time or to be tried again."""
    QUEUED = "queued"
    """Ready: it waits for its tenant's turn."""
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
    worker_id: Mapped[UUID | None]
    idempotency_key: Mapped[str | None]
    payload: Mapped[Any] = mapped_column(JSONB)
    result: Mapped[Any | None] = mapped_column(JSONB)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    checkpoint: Mapped[Any | None] = mapped_column(JSONB)
    progress_current: Mapped[int | None]
    progress_total: Mapped[int | None]
    progress_note: Mapped[str | None]
    priority: Mapped[int]
    runs_for_deleted: Mapped[bool]
    handed_back: Mapped[int]
    lost: Mapped[int]
    max_lost: Mapped[int]
    expires_at: Mapped[datetime | None]
    unique_key: Mapped[str | None]
    cancelled_by: Mapped[str | None]
    cancel_reason: Mapped[str | None]


class AttemptRow(TenantRow):
    """One attempt that has ended."""

    __tablename__ = "attempts"
    __table_args__ = {"schema": "partywall"}  # noqa: RUF012 - SQLAlchemy's own name and form

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    worker: Mapped[str | None]
    worker_id: Mapped[UUID | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


def not_found(job_id: UUID) -> JobNotFoundError:
    """Return the error for a job that the tenant does not have."""
    return JobNotFoundError(job=job_id, hint="Check the id; finished jobs are pruned after the tenant's retention.")


def list_attempts(session: Session, job_id: UUID, *, after: int = 0, limit: int) -> Sequence[AttemptRow]:
    """Return the attempts of a job that have ended, in order, at most `limit`, from the one that follows `after`."""
    query = select(AttemptRow).where(AttemptRow.job_id == job_id, AttemptRow.attempt > after)
    return session.scalars(query.order_by(AttemptRow.attempt).limit(limit)).all()


def get_job(session: Session, job_id: UUID) -> JobRow:
    """Return the tenant's job.

    Raises:
        JobNotFoundError: there is none with this id, or it is another tenant's, which is the same.
    """
    job = session.scalars(select(JobRow).where(JobRow.id == job_id)).one_or_none()
    if job is None:
        raise not_found(job_id)
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
