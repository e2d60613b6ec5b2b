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
    """The dispatcher knows no task of this name: its PARTYWALL_TASK_MODULES lack a module."""
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
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
    """When it may go on: for `run_at` and `rate`."""
    ahead: int | None
    """Jobs of its tenant that go before it, of which 10,000 at most are counted: for `behind`."""
    seconds: float | None
    """About how long those take: for `behind`."""


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
    """What keeps all of its jobs waiting, when something does."""
    throttled_until: datetime | None


_WAITING_ON = text("""
    select asked.job_id, found.*
    from unnest(cast(:job_ids as uuid[])) as asked (job_id)
    cross join lateral partywall.waiting_on(asked.job_id) as found
""")


def waiting_on(executor: Executor, job_ids: Collection[UUID]) -> dict[UUID, WaitingOn]:
    """Return what these jobs of the executor's tenant wait for; without those that run, are over or are not there."""
    rows = executor.execute(_WAITING_ON, {"job_ids": list(job_ids)}).all() if job_ids else []
    return {row.job_id: WaitingOn(Reason(row.reason), row.until, row.ahead, row.seconds) for row in rows}


def tenants_top(connection: Connection, *, limit: int) -> Sequence[TenantLoad]:
    """Return the tenants that have or had work lately, busiest first, at most `limit`."""
    rows = connection.execute(text("select * from partywall.tenants_top(:row_limit)"), {"row_limit": limit}).all()
    connection.commit()
    return [TenantLoad(**row._mapping) for row in rows]
