"""Why a job does not run, and who uses how much: what there is to say about waiting."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, text

from db.session import Executor


class Reason(StrEnum):
    """The first of the things that stand in a job's way."""

    RUN_AT = "run_at"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    PAUSED = "paused"
    NO_DISPATCHER = "no_dispatcher"
    UNKNOWN_TASK = "unknown_task"
    """The dispatcher, or every worker of the queue, knows no such task: PARTYWALL_TASK_MODULES lacks its module."""
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
    NOT_CLAIMED = "not_claimed"
    """The broker was told three times or more: no worker of its queue knows the task, or all are busy."""
    TENANT_MAX_RUNNING = "tenant_max_running"
    TASK_MAX_RUNNING = "task_max_running"
    QUEUE_MAX_RUNNING = "queue_max_running"
    RATE = "rate"
    BEHIND = "behind"
    """Its turn has not come."""


@dataclass(frozen=True, slots=True)
class WaitingOn:
    """What a job waits for at this moment."""

    reason: Reason
    until: datetime | None
    """It does not go on before: for `run_at` and, but in lists, for `rate`."""
    ahead: int | None = None
    """Jobs of its tenant that go before it, 10,000 if it is more: for `rate` and `behind`, but in lists."""
    seconds: float | None = None
    """About how long until its turn comes: for `behind`, but in lists."""


@dataclass(frozen=True, slots=True)
class TenantLoad:
    """What a tenant uses and waits for."""

    slug: str
    running: int
    dispatched: int
    queued: int
    """10,000 at most are counted."""
    oldest_wait_seconds: float | None
    share: float
    """Of the run time of about the last minute, 0 to 1."""
    weight: float
    waits_for: str | None
    """What keeps any of its jobs from starting, when something does."""
    throttled_until: datetime | None


_WAITING_ON = text("select * from partywall.waiting_on(:job_id)")
_WAITING_ON_EACH = text("select * from partywall.waiting_on_each(cast(:job_ids as uuid[]))")


def waiting_on(executor: Executor, job_id: UUID) -> WaitingOn | None:
    """Return what a job of the executor's tenant waits for; None when it runs, is over or is not there."""
    row = executor.execute(_WAITING_ON, {"job_id": job_id}).one_or_none()
    return None if row is None else WaitingOn(Reason(row.reason), row.until, row.ahead, row.seconds)


def waiting_on_each(executor: Executor, job_ids: Collection[UUID]) -> dict[UUID, WaitingOn]:
    """Return what these jobs of the executor's tenant wait for; without those that run, are over or are not there.

    Nothing is counted for it, so a job with much ahead of it costs no more than others: `ahead` and `seconds` are None,
    and so is `until` for a rate.
    """
    rows = executor.execute(_WAITING_ON_EACH, {"job_ids": list(job_ids)}).all() if job_ids else []
    return {row.job_id: WaitingOn(Reason(row.reason), row.until) for row in rows}


def tenants_top(connection: Connection, *, limit: int) -> Sequence[TenantLoad]:
    """Return the tenants that have or had work lately, busiest first, at most `limit`."""
    rows = connection.execute(text("select * from partywall.tenants_top(:row_limit)"), {"row_limit": limit}).all()
    connection.commit()
    return [TenantLoad(**row._mapping) for row in rows]
