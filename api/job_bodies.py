"""Jobs as they travel over HTTP."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from db.jobs import JobRow, JobState

_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""Later moments are beyond what the driver can read back, and beyond anybody's plans."""


_BEGINNING = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def _is_text(value: Any) -> Any:
    if isinstance(value, str) and _BEGINNING.match(value):
        return value
    raise PydanticCustomError("moment_format", "Input should be like 2030-01-31T23:59:00Z, with an offset")


def _is_readable(moment: datetime) -> datetime:
    if moment < _LAST:
        return moment
    raise PydanticCustomError("moment_range", "Input should be before the year 9999")


Moment = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_is_readable)]
"""A moment as RFC 3339 writes it. A bare number is refused: seconds or milliseconds, it would be a guess."""


class JobRequest(BaseModel):
    """A request to run a task once."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(min_length=1, max_length=200, examples=["orders.import_csv"])
    payload: Any = Field(
        default_factory=dict,
        description="What the task takes, at most 256 KiB; GET /v1/tasks has its schema.",
        examples=[{"file": "orders.csv"}],
    )
    run_at: Moment | None = Field(None, description="Not before this moment. Absent or past: now.")


class Progress(BaseModel):
    """How far a running job says it is."""

    current: int
    total: int | None
    note: str | None


class JobSummary(BaseModel):
    """One job without what it takes and gives."""

    id: UUID
    task: str = Field(examples=["orders.import_csv"])
    queue: str
    state: JobState
    attempt: int = Field(description="The number of the latest attempt; 0 before the first.")
    max_attempts: int
    run_at: datetime = Field(description="It does not run before; after a failed attempt, when it is tried again.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress | None

    @classmethod
    def of(cls, job: JobRow) -> Self:
        """Return the job as HTTP shows it. Reads from the row's session."""
        return cls(**_summary(job))


class JobError(BaseModel):
    """Why the latest attempt failed. Where in the code, only operators see."""

    type: str
    message: str


class JobBody(JobSummary):
    """One job."""

    payload: Any
    result: Any | None
    error: JobError | None

    @classmethod
    def of(cls, job: JobRow) -> Self:
        """Return the job as HTTP shows it, with payload, result and error."""
        error = job.error and JobError(type=job.error.get("type", ""), message=job.error.get("message", ""))
        return cls(**_summary(job), payload=job.payload, result=job.result, error=error or None)


class Page(BaseModel):
    """Where a list goes on."""

    cursor: str | None = Field(description="Send it as `cursor` to get what comes next; null at the end.")
    has_more: bool
    limit: int


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
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "run_at": job.run_at,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "progress": progress,
    }
