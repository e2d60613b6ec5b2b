"""The processes that run bodies: who they are, and that they still hold what they run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from db.attempts import WorkerIdentity
from db.context import TenantContext
from db.jobs import JobState


@dataclass(frozen=True, slots=True)
class RunningJob:
    """What a process runs, as the operator sees it."""

    tenant_slug: str
    job_id: UUID
    task_name: str
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerOverview:
    """One process, and what it runs now."""

    id: UUID
    name: str
    pid: int
    pool: str
    queues: Sequence[str]
    started_at: datetime
    seen_at: datetime
    jobs: Sequence[RunningJob]


@dataclass(frozen=True, slots=True)
class ServedQueues:
    """Queues that the same processes serve, and how many bodies these run at a time."""

    queues: Sequence[str]
    slots: int


SLOTS_LIMIT = 256
"""As many bodies as one process may say that it runs at a time; PostgreSQL takes no more either."""

_REGISTER = text("select partywall.register_worker(:id, :name, :pid, :pool, :queues, :slots, :secret, :tasks)")
_HEARTBEAT = text("select * from partywall.heartbeat(:worker, :tokens, make_interval(secs => :lease), :secret)")
_FORGET = text("select partywall.forget_worker(:id, :secret)")
_FORGET_LOST = text("select partywall.forget_lost_workers(make_interval(secs => :silent))")


def register(
    connection: Connection,
    worker: WorkerIdentity,
    *,
    pool: str,
    queues: Sequence[str],
    slots: int = 1,
    tasks: Sequence[str] | None = None,
) -> None:
    """List this process as one that runs `slots` bodies of these tasks at a time; once it is, say that it still does.

    `tasks` None means that it does not say, and gets jobs of all.

    Raises:
        WorkerNotProvenError: the id is listed with another secret.
    """
    values = {
        "id": worker.id, "name": worker.name, "pid": os.getpid(), "pool": pool, "queues": list(queues), "slots": slots,
        "secret": worker.secret, "tasks": None if tasks is None else sorted(tasks),
    }  # fmt: skip
    connection.execute(_REGISTER, values)
    connection.commit()


def heartbeat(
    connection: Connection, worker: WorkerIdentity, held: Sequence[TenantContext], *, lease_seconds: float
) -> dict[TenantContext, JobState | None]:
    """Extend the leases of these attempts; return those that are no longer the process's, and where their jobs are now.

    None is a job that is gone, or an attempt that has been going on for longer than any may. One round trip for all.
    """
    values = {
        "worker": worker.id, "tokens": [context.token for context in held], "lease": lease_seconds,
        "secret": worker.secret,
    }  # fmt: skip
    lost = connection.execute(_HEARTBEAT, values).all()
    connection.commit()
    return {held[row.token_position - 1]: row.job_state and JobState(row.job_state) for row in lost}


def forget(connection: Connection, worker: WorkerIdentity) -> None:
    """Take a process that ends off the list."""
    connection.execute(_FORGET, {"id": worker.id, "secret": worker.secret})
    connection.commit()


def forget_lost(connection: Connection, *, silent_seconds: float) -> int:
    """Take processes off the list that have not been heard of for so long; return how many."""
    forgotten: int = connection.execute(_FORGET_LOST, {"silent": silent_seconds}).scalar_one()
    connection.commit()
    return forgotten


def served_queues(connection: Connection) -> list[ServedQueues]:
    """Return which queues are served together, by processes that were heard of within 45 seconds."""
    rows = connection.execute(text("select * from partywall.served_queues()")).all()
    connection.commit()
    return [ServedQueues(tuple(row.queues), int(row.slots)) for row in rows]


def workers_overview(connection: Connection) -> list[WorkerOverview]:
    """Return every process that runs bodies, oldest first."""
    rows = connection.execute(text("select * from partywall.workers_overview()")).all()
    connection.commit()
    found: dict[UUID, WorkerOverview] = {}
    for row in rows:
        worker = found.setdefault(
            row.id,
            WorkerOverview(row.id, row.name, row.pid, row.pool, row.queues, row.started_at, row.seen_at, ()),
        )
        if row.job_id is not None:
            running = RunningJob(row.tenant_slug, row.job_id, row.task_name, row.attempt, row.job_started_at)
            found[row.id] = replace(worker, jobs=[*worker.jobs, running])
    return list(found.values())
