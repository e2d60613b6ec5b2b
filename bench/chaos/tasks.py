"""Tasks whose every effect can be counted. Each body also looks for rows of other tenants."""

import os
import time
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text

from tasks import Job, task

NAME = __name__

LEASE_SECONDS = float(os.environ.get("PARTYWALL_LEASE_SECONDS", "30"))

OPTIONS: dict[str, Any] = {
    "max_attempts": 1000,
    "time_limit_seconds": 4 * LEASE_SECONDS,
    "retry_base_seconds": 0.2,
    "retry_cap_seconds": 2.0,
}


class Work(BaseModel):
    """How long the body takes. `number` is the producer's own, so that a job can be told that got no answer."""

    number: int
    milliseconds: int


class FirstAttemptError(Exception):
    """What a job is retried for."""


_WRITE = text("""
    insert into app.chaos_effects (tenant_id, job_id, attempt, part, foreign_rows)
    select
        :tenant_id, :job_id, :attempt, :part,
        (select count(*) from app.chaos_effects where tenant_id is distinct from :tenant_id)
""")


def write(job: Job, part: int = 0) -> None:
    """Add one effect, in the job's transaction."""
    job.connection.execute(
        _WRITE, {"tenant_id": job.tenant.id, "job_id": job.id, "attempt": job.attempt, "part": part}
    ).close()


@task("chaos.writes_and_works", **OPTIONS)
def writes_and_works(job: Job, work: Work) -> None:
    """Have an effect first and then work on in Python."""
    write(job)
    time.sleep(work.milliseconds / 1000)


@task("chaos.is_short", **OPTIONS)
def is_short(job: Job, work: Work) -> None:
    """Have an effect and be done: several of these travel in one message."""
    write(job)


@task("chaos.works_and_writes", **OPTIONS)
def works_and_writes(job: Job, work: Work) -> None:
    """Work in Python and have an effect at the end."""
    time.sleep(work.milliseconds / 1000)
    write(job)


@task("chaos.works_in_sql", **OPTIONS)
def works_in_sql(job: Job, work: Work) -> None:
    """Have an effect and let the database work on: when it is done, the commit is all that is left."""
    write(job)
    job.connection.execute(text("select pg_sleep(:seconds)"), {"seconds": work.milliseconds / 1000}).close()


@task("chaos.keeps_checkpoints", **OPTIONS)
def keeps_checkpoints(job: Job, work: Work) -> None:
    """Have three effects, each with a checkpoint, and go on after the last one."""
    for part in range(job.state or 0, 3):
        write(job, part)
        time.sleep(work.milliseconds / 3000)
        job.checkpoint(part + 1)


@task("chaos.commits_halfway", **OPTIONS)
def commits_halfway(job: Job, work: Work) -> None:
    """Have two effects with a bare commit in between, looking before the first whether a former attempt kept it."""
    kept = text("select exists (select from app.chaos_effects where job_id = :job_id and part = 0)")
    if not job.connection.execute(kept, {"job_id": job.id}).scalar_one():
        write(job, 0)
        time.sleep(work.milliseconds / 2000)
        job.connection.commit()
    time.sleep(work.milliseconds / 2000)
    write(job, 1)


@task("chaos.fails_once", **OPTIONS)
def fails_once(job: Job, work: Work) -> None:
    """Have an effect and fail, so that it may not be kept; succeed the next time."""
    write(job)
    time.sleep(work.milliseconds / 1000)
    if job.attempt == 1:
        raise FirstAttemptError


PARTS = {
    "chaos.writes_and_works": 1,
    "chaos.is_short": 1,
    "chaos.works_and_writes": 1,
    "chaos.works_in_sql": 1,
    "chaos.keeps_checkpoints": 3,
    "chaos.commits_halfway": 2,
    "chaos.fails_once": 1,
}
"""How many effects a job of each task has, numbered from 0."""

PIECEMEAL = frozenset({"chaos.keeps_checkpoints", "chaos.commits_halfway"})
"""Tasks that may keep an effect though they do not succeed."""
