"""Acting on jobs that were accepted: ending them, letting them try again, forgetting them."""

from uuid import UUID

from sqlalchemy import text

from db.errors import JobOverError
from db.jobs import JobState, not_found
from db.session import Executor

RETRYABLE = (JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)
"""Over, and without success: they may be asked to try once more."""


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
        raise JobOverError(job=job_id, state=before.value, hint="Only a job that is not over can be cancelled.")
    return before


def retry_job(executor: Executor, job_id: UUID) -> None:
    """Let a job of the executor's tenant that has failed, expired or was cancelled try once more.

    Raises:
        JobNotFoundError: there is none with this id.
        JobOverError: it is in another state.
        UniqueKeyTakenError: another job with its unique key is live.
        TenantSuspendedError, TenantDeletingError: the tenant may not work.
    """
    found = executor.execute(text("select partywall.retry_job(:job_id)"), {"job_id": job_id}).scalar_one()
    before = _required(found, job_id)
    if before not in RETRYABLE:
        raise JobOverError(
            job=job_id, state=before.value, hint="Only a job that has failed, expired or was cancelled can try again."
        )


def _required(state: str | None, job_id: UUID) -> JobState:
    if state is None:
        raise not_found(job_id)
    return JobState(state)


def prune_jobs(executor: Executor, *, limit: int) -> int:
    """Delete the tenant's finished jobs past its retention, at most `limit`; return how many."""
    return int(executor.execute(text("select partywall.prune_jobs(:batch_limit)"), {"batch_limit": limit}).scalar_one())
