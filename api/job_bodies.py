"""Jobs and their attempts as HTTP shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.pages import Page
from db.jobs import AttemptRow, JobRow, JobState
from db.waiting import Reason, WaitingOn


class Progress(BaseModel):
    """How far a running job says it is."""

    current: int
    total: int | None
    note: str | None


class WaitingBody(BaseModel):
    """Why a job does not run: the first thing that stands in its way."""

    reason: Reason
    until: datetime | None = Field(
        description="It does not go on before: for `run_at` and, where it is no list, for `rate`."
    )
    ahead: int | None = Field(
        description="Jobs of yours that go before it, 10,000 if it is more: for `rate` and `behind`; null in lists."
    )
    seconds: float | None = Field(description="About how long until its turn comes: for `behind`; null in lists.")

    @classmethod
    def of(cls, found: WaitingOn | None) -> Self | None:
        """Return what a job waits for as HTTP shows it; None when it waits for nothing."""
        return None if found is None else cls(**asdict(found))


class JobSummary(BaseModel):
    """One job without what it takes and gives."""

    id: UUID
    task: str = Field(examples=["orders.import_csv"])
    queue: str
    state: JobState
    priority: int = Field(description="Of the tenant's own jobs those with more are started first.")
    attempt: int = Field(description="The number of the latest attempt; 0 before the first.")
    max_attempts: int
    handed_back: int = Field(description="Attempts that do not count: given back before they ended or began.")
    lost: int = Field(description="Attempts whose worker was killed or not heard of.")
    run_at: datetime = Field(description="It does not run before; after a failed attempt, when it is tried again.")
    expires_at: datetime | None = Field(description="Not started by then, it is `expired`.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    idempotency_key: str | None = Field(description="Of the request that it was accepted with.")
    unique_key: str | None = Field(description="No other live job of the tenant has it.")
    cancelled_by: str | None = Field(
        description="Who cancelled it: an API key, the operator, or an attempt of its own.",
        examples=["key/5f0c1d2e3a4b5c6d"],
    )
    cancel_reason: str | None
    progress: Progress | None
    waiting_on: WaitingBody | None = Field(
        None, description="Why it does not run; null when it does or is over, and in the 202 to `POST /v1/jobs`."
    )

    @classmethod
    def of(cls, job: JobRow, waiting: WaitingOn | None = None) -> Self:
        """Return the job as HTTP shows it. Reads from the row's session."""
        return cls(**_summary(job), waiting_on=WaitingBody.of(waiting))


class JobError(BaseModel):
    """Why an attempt failed. Where in the code, only operators see."""

    type: str
    message: str

    @classmethod
    def of(cls, error: dict[str, Any] | None) -> Self | None:
        """Return the error without what a tenant may not see; None when there is none."""
        return cls(type=error.get("type", ""), message=error.get("message", "")) if error else None


class JobBody(JobSummary):
    """One job."""

    payload: Any
    result: Any | None
    error: JobError | None

    @classmethod
    def of(cls, job: JobRow, waiting: WaitingOn | None = None) -> Self:
        """Return the job as HTTP shows it, with payload, result and error."""
        return cls(
            **_summary(job),
            waiting_on=WaitingBody.of(waiting),
            payload=job.payload,
            result=job.result,
            error=JobError.of(job.error),
        )


class AttemptBody(BaseModel):
    """One attempt that has ended."""

    attempt: int = Field(description="Its number, from 1.")
    outcome: str = Field(
        description="`succeeded`, `failed`, `timed_out`, `cancelled`, `handed_back`, `killed` or `lost`.",
        examples=["failed"],
    )
    worker: UUID | None = Field(description="Which process ran it. New for every process; its name is the operator's.")
    started_at: datetime
    ended_at: datetime
    error: JobError | None

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Return the attempt as HTTP shows it."""
        return cls(
            attempt=row.attempt,
            outcome=row.outcome,
            worker=row.worker_id,
            started_at=row.started_at,
            ended_at=row.ended_at,
            error=JobError.of(row.error),
        )


class AttemptPage(BaseModel):
    """Some of a job's attempts that have ended, in order."""

    data: list[AttemptBody]
    page: Page


class JobPage(BaseModel):
    """Some of the tenant's jobs, newest first."""

    data: list[JobSummary]
    page: Page


def _summary(job: JobRow) -> dict[str, Any]:
    progress = None
    if job.progress_current is not None:
        progress = Progress(current=job.progress_current, total=job.progress_total, note=job.progress_note)
    return {
        "id": job.id,
        "task": job.task_name,
        "queue": job.queue,
        "state": JobState(job.state),
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "handed_back": job.handed_back,
        "lost": job.lost,
        "run_at": job.run_at,
        "expires_at": job.expires_at,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "idempotency_key": job.idempotency_key,
        "unique_key": job.unique_key,
        "cancelled_by": job.cancelled_by,
        "cancel_reason": job.cancel_reason,
        "progress": progress,
    }
