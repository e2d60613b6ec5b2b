"""What a producer may ask of its jobs."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from db.accepting import PRIORITY_LIMIT, IfLive, Wishes
from db.errors import JobNotFoundError

_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""Later moments are beyond what the driver can read back, and beyond anybody's plans."""

_BEGINNING = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")

_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text has no place for U+0000."""


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
    expires_at: Moment | None = Field(
        None, description="Not started by this moment, it is `expired` and never runs. After `run_at`."
    )
    unique_key: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        pattern=_NO_NUL,
        description="At most one live job of the tenant has it; live is what has not ended.",
        examples=["statement-2030-01"],
    )
    if_live: IfLive = Field(
        "reject", description="When a live job has the unique key: `reject` this request, or `return` that job."
    )

    priority: int = Field(
        0,
        strict=True,
        ge=-PRIORITY_LIMIT,
        le=PRIORITY_LIMIT,
        description="Of the tenant's own jobs those with more are started first.",
    )

    @field_validator("expires_at")
    @classmethod
    def _is_after_run_at(cls, expires_at: datetime | None, info: ValidationInfo) -> datetime | None:
        run_at = info.data.get("run_at")
        # Not compared with the clock: what was accepted once has to be answered the same when it is sent again later.
        if expires_at is not None and run_at is not None and expires_at <= run_at:
            raise PydanticCustomError("expires_before_run", "Input should be after run_at")
        return expires_at

    def wishes(self, *, idempotency_key: str | None) -> Wishes:
        """Return what is asked besides the task and its payload."""
        return Wishes(
            run_at=self.run_at,
            expires_at=self.expires_at,
            idempotency_key=idempotency_key,
            unique_key=self.unique_key,
            if_live=self.if_live,
            priority=self.priority,
        )


class CancelRequest(BaseModel):
    """A request to end a job."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(
        None, max_length=500, pattern=_NO_NUL, description="Why, for whoever looks.", examples=["ordered twice"]
    )


def known_id(job_id: str) -> UUID:
    """Return the id that an address spells.

    Raises:
        JobNotFoundError: it is no UUID, so no job's.
    """
    try:
        return UUID(job_id)
    except ValueError:
        raise JobNotFoundError(hint="A job's id is the UUID that POST /v1/jobs answered with.") from None
