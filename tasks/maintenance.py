"""What has to be done for every tenant by the clock, and the task that starts it for each of them."""

from datetime import datetime

import structlog
from pydantic import BaseModel, ConfigDict

from db import schedules, steering
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection
from tasks import Job, registry, task

PRUNED_PER_TRANSACTION = 500

log = structlog.get_logger(__name__)


class FanOutRefusedError(PartywallError):
    """The task cannot be started for every tenant like this."""


class PruneJobs(BaseModel):
    """Nothing to choose: how long jobs are kept is the tenant's retention."""

    model_config = ConfigDict(extra="forbid")


class PruneReport(BaseModel):
    """How many jobs were deleted, over all attempts."""

    pruned: int


# For deleted tenants, too: their jobs hold payloads and results that have to go. An operator starts it for them.
@task("maintenance.prune_jobs", max_attempts=3, time_limit_seconds=300, runs_for_deleted=True)
def prune_jobs(job: Job, payload: PruneJobs) -> PruneReport:
    """Delete the tenant's finished jobs that are older than its retention."""
    pruned = int(job.state["pruned"]) if job.state else 0
    while True:
        batch = steering.prune_jobs(job.connection, limit=PRUNED_PER_TRANSACTION)
        pruned += batch
        if batch < PRUNED_PER_TRANSACTION:
            return PruneReport(pruned=pruned)
        # Short transactions: a long one would keep vacuum from every table, and a time limit would undo it all.
        job.checkpoint({"pruned": pruned})
        job.progress(pruned, note="jobs deleted")


@task("maintenance.fan_out", tenantless=True, queue="platform")
def fan_out(*, schedule: str, task_name: str, moment: str) -> None:
    """Enqueue one job of a task for every active tenant, once per schedule and moment."""
    declaration = registry.declaration(task_name)
    if declaration.tenantless:
        raise FanOutRefusedError(
            "the task is tenantless", task=task_name, hint="Let beat send it by itself: it belongs to no tenant."
        )
    # No tenant is at hand to say more, so the task must be able to run on its defaults.
    declaration.validate_payload({})
    with platform_connection(Role.SCHEDULER) as connection:
        accepted = schedules.fan_out(
            connection,
            schedule=schedule,
            moment=_moment(moment),
            task_name=task_name,
            queue=declaration.queue,
            max_attempts=declaration.max_attempts,
        )
    log.info("schedule_fanned_out", schedule=schedule, task=task_name, moment=moment, jobs=accepted)


def _moment(spelled: str) -> datetime:
    try:
        moment = datetime.fromisoformat(spelled)
    except ValueError:
        raise FanOutRefusedError("the moment is not ISO 8601", moment=spelled, hint=_MOMENT_HINT) from None
    if moment.tzinfo is None:
        raise FanOutRefusedError("the moment has no offset from UTC", moment=spelled, hint=_MOMENT_HINT)
    return moment


_MOMENT_HINT = "Send it as 2026-01-31T03:00:00+00:00."
