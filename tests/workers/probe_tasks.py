"""Tasks that misbehave in every way a body can, and one that tells what it finds on the connection."""

import os
import sys
import time
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text

from db.jobs import JobRow
from tasks import Job, task

NAME = __name__


class Nothing(BaseModel):
    """An empty payload."""


class Number(BaseModel):
    """A number to work with."""

    value: int = 0


class Findings(BaseModel):
    """What a body finds on the connection it was given, before it asks for anything of its own."""

    backend_pid: int
    process_id: int
    tenant_id: str
    jobs_seen: int
    settings: list[str]
    temporary_objects: int
    cursors: int
    prepared_statements: int
    channels: int
    session_locks: int


class RefusedError(Exception):
    """The body did not like it."""

    retryable = False


@task("probe.look", max_attempts=1)
def look(job: Job, payload: Nothing) -> Findings:
    """Tell what is on the connection."""
    ask = job.connection.exec_driver_sql
    settings = ask("select name || '=' || setting from pg_settings where source = 'session'").scalars().all()
    return Findings(
        backend_pid=ask("select pg_backend_pid()").scalar_one(),
        process_id=os.getpid(),
        tenant_id=str(ask("select partywall.current_tenant_id()").scalar_one()),
        jobs_seen=len(job.session.query(JobRow).all()),
        settings=[each for each in settings if not each.startswith("application_name=")],
        temporary_objects=ask("select count(*) from pg_class where relpersistence = 't'").scalar_one(),
        cursors=ask("select count(*) from pg_cursors where name not like '<%%' and name <> ''").scalar_one(),
        prepared_statements=ask("select count(*) from pg_prepared_statements").scalar_one(),
        channels=ask("select count(*) from pg_listening_channels()").scalar_one(),
        session_locks=ask(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        ).scalar_one(),
    )


def litter(job: Job) -> int:
    """Leave on the session whatever a careless or hostile body may leave there; return the backend's pid."""
    ask = job.connection.exec_driver_sql
    ask("set statement_timeout = '77s'")
    ask("select set_config('app.tenant', 'left behind', false)")
    ask("select set_config('partywall.token', current_setting('partywall.token'), false)")
    ask("listen gossip")
    ask("select pg_advisory_lock(4711)")
    ask("declare left_open cursor with hold for select 1")
    ask("prepare left_prepared as select 1")
    pid: int = ask("select pg_backend_pid()").scalar_one()
    return pid


@task("probe.commits", max_attempts=1)
def commits(job: Job, payload: Nothing) -> Number:
    """Commit halfway, twice, and go on."""
    pid = litter(job)
    job.connection.commit()
    job.connection.execute(text("select partywall.current_tenant_id()"))
    job.session.commit()
    return Number(value=pid)


@task("probe.rolls_back", max_attempts=1)
def rolls_back(job: Job, payload: Nothing) -> Number:
    """Roll back halfway and go on."""
    pid = litter(job)
    job.connection.commit()
    job.connection.execute(text("select 1"))
    job.connection.rollback()
    job.connection.execute(text("select partywall.current_tenant_id()"))
    return Number(value=pid)


@task("probe.raises", max_attempts=1)
def raises(job: Job, payload: Nothing) -> None:
    """Fail with what a tenant may not read in Flower."""
    litter(job)
    job.connection.commit()
    raise RefusedError("the secret of this tenant")


@task("probe.breaks_sql", max_attempts=1)
def breaks_sql(job: Job, payload: Nothing) -> None:
    """Fail inside PostgreSQL."""
    litter(job)
    job.connection.commit()
    job.connection.execute(text("select 1 / 0"))


@task("probe.sleeps", max_attempts=1, time_limit_seconds=1)
def sleeps(job: Job, payload: Nothing) -> None:
    """Run past the soft limit in Python."""
    litter(job)
    job.connection.commit()
    job.connection.execute(text("select 1"))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.05)


@task("probe.sleeps_in_sql", max_attempts=1, time_limit_seconds=1)
def sleeps_in_sql(job: Job, payload: Nothing) -> None:
    """Run past the soft limit in a query."""
    litter(job)
    job.connection.commit()
    job.connection.execute(text("select pg_sleep(30)"))


@task("probe.loses_connection", max_attempts=1)
def loses_connection(job: Job, payload: Nothing) -> None:
    """Wait in a query to have the backend killed under the body. A worker itself may kill none."""
    litter(job)
    job.connection.commit()
    job.connection.execute(text("select 'kill me', pg_sleep(20)"))


@task("probe.fails_then_succeeds", max_attempts=3, retry_base_seconds=0.05, retry_cap_seconds=0.1)
def fails_then_succeeds(job: Job, payload: Number) -> Number:
    """Fail until attempt number `value`, after writing what must not be kept."""
    job.enqueue("probe.look", {})
    if job.attempt < payload.value:
        raise RuntimeError(f"attempt {job.attempt}")
    return Number(value=job.attempt)


@task("probe.checkpoints", max_attempts=2, retry_base_seconds=0.05, retry_cap_seconds=0.1)
def checkpoints(job: Job, payload: Nothing) -> dict[str, Any]:
    """Keep a child job at a checkpoint, fail, and go on from there."""
    if job.state is None:
        job.enqueue("probe.look", {})
        job.checkpoint({"done": 1})
        job.enqueue("probe.look", {})
        raise RuntimeError("after the checkpoint")
    return {"state": job.state, "attempt": job.attempt}


@task("probe.idles", max_attempts=1)
def idles(job: Job, payload: Nothing) -> None:
    """Touch no table at all."""


@task("probe.reports", max_attempts=1)
def reports(job: Job, payload: Nothing) -> None:
    """Report progress and wait until it was seen, which the other side shows by enqueueing a job."""
    job.progress(1, 2, "halfway")
    seen = text("select exists (select from partywall.jobs where task_name = 'probe.seen')")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if job.connection.execute(seen).scalar_one():
            return
        job.connection.commit()
        time.sleep(0.05)
    raise RefusedError("nobody saw it")


@task("probe.seen")
def seen(job: Job, payload: Nothing) -> None:
    """Stand in the list."""


@task("probe.platform", tenantless=True)
def platform(*, value: int) -> None:
    """Run without a tenant."""


@task("probe.hangs_once", max_attempts=2, time_limit_seconds=60)
def hangs_once(job: Job, payload: Nothing) -> None:
    """Hang in the first attempt, as a body does whose worker is about to be killed."""
    if job.attempt == 1:
        job.connection.execute(text("select pg_sleep(50)"))


@task("probe.exits", max_attempts=1)
def exits(job: Job, payload: Nothing) -> None:
    """End the process, as a library may that was written for a command line."""
    sys.exit(3)


@task("probe.swallows", max_attempts=1, time_limit_seconds=1)
def swallows(job: Job, payload: Nothing) -> None:
    """Lose the connection, swallow that, and compute on past the limit."""
    try:
        job.connection.execute(text("select pg_sleep(0), partywall.current_tenant_id()"))
        job.connection.invalidate()
    finally:
        deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.02)


@task("probe.reports_with_others", max_attempts=1)
def reports_with_others(job: Job, payload: Nothing) -> None:
    """Report progress while every other slot does the same."""
    job.connection.execute(text("select pg_sleep(0.5)"))
    job.progress(1, 1)


CLOSED_OVER = text("insert into app.notes (body) values ('closed over')")


class Closing(BaseModel):
    """What a body closes, and how it goes on inside."""

    what: str
    fails: bool = False


@task("probe.closes", max_attempts=1)
def closes(job: Job, payload: Closing) -> None:
    """Close what is the worker's to close, as the idiom of SQLAlchemy does."""
    with job.session if payload.what == "session" else job.connection as mine:
        mine.execute(CLOSED_OVER)
        if payload.fails:
            raise RefusedError("the secret of this tenant")


class UnspeakableError(Exception):
    """It cannot even say what it is."""

    retryable = False

    def __str__(self) -> str:
        raise ValueError("the secret of this tenant")


@task("probe.unspeakable", max_attempts=1)
def unspeakable(job: Job, payload: Nothing) -> None:
    """Fail in a way that cannot be told."""
    raise UnspeakableError
