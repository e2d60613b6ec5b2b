"""`async def` bodies that misbehave in every way one can, and one that tells what it finds on the connection."""

import asyncio
import os
import sys
import time
from typing import Any

from sqlalchemy import func, select, text

from db.jobs import JobRow
from tasks import AsyncJob, task
from tests.db.notes import NoteRow
from tests.workers.probe_tasks import CLOSED_OVER, Closing, Findings, Nothing, Number, RefusedError

NAME = __name__


@task("async_probe.look", max_attempts=1)
async def look(job: AsyncJob, payload: Nothing) -> Findings:
    """Tell what is on the connection."""

    async def ask(query: str) -> Any:
        return (await job.connection.exec_driver_sql(query)).scalars().all()

    settings = await ask("select name || '=' || setting from pg_settings where source = 'session'")
    return Findings(
        backend_pid=(await ask("select pg_backend_pid()"))[0],
        process_id=os.getpid(),
        tenant_id=str((await ask("select partywall.current_tenant_id()"))[0]),
        jobs_seen=await job.session.scalar(select(func.count()).select_from(JobRow)) or 0,
        settings=[each for each in settings if not each.startswith("application_name=")],
        temporary_objects=(await ask("select count(*) from pg_class where relpersistence = 't'"))[0],
        cursors=(await ask("select count(*) from pg_cursors where name not like '<%%' and name <> ''"))[0],
        prepared_statements=(await ask("select count(*) from pg_prepared_statements"))[0],
        channels=(await ask("select count(*) from pg_listening_channels()"))[0],
        session_locks=(
            await ask("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
        )[0],
    )


async def litter(job: AsyncJob) -> int:
    """Leave on the session whatever a careless or hostile body may leave there; return the backend's pid."""
    for statement in (
        "set statement_timeout = '77s'",
        "select set_config('app.tenant', 'left behind', false)",
        "select set_config('partywall.token', current_setting('partywall.token'), false)",
        "listen gossip",
        "select pg_advisory_lock(4711)",
        "declare left_open cursor with hold for select 1",
        "prepare left_prepared as select 1",
    ):
        await job.connection.exec_driver_sql(statement)
    pid: int = (await job.connection.exec_driver_sql("select pg_backend_pid()")).scalar_one()
    await job.connection.commit()
    return pid


@task("async_probe.commits", max_attempts=1)
async def commits(job: AsyncJob, payload: Nothing) -> Number:
    """Commit halfway, twice, and go on."""
    pid = await litter(job)
    await job.session.execute(text("select partywall.current_tenant_id()"))
    await job.session.commit()
    return Number(value=pid)


@task("async_probe.rolls_back", max_attempts=1)
async def rolls_back(job: AsyncJob, payload: Nothing) -> Number:
    """Roll back halfway and go on."""
    pid = await litter(job)
    await job.connection.execute(text("select 1"))
    await job.connection.rollback()
    await job.connection.execute(text("select partywall.current_tenant_id()"))
    return Number(value=pid)


@task("async_probe.raises", max_attempts=1)
async def raises(job: AsyncJob, payload: Nothing) -> None:
    """Fail with what a tenant may not read in Flower."""
    await litter(job)
    raise RefusedError("the secret of this tenant")


@task("async_probe.breaks_sql", max_attempts=1)
async def breaks_sql(job: AsyncJob, payload: Nothing) -> None:
    """Fail inside PostgreSQL."""
    await litter(job)
    await job.connection.execute(text("select 1 / 0"))


@task("async_probe.sleeps", max_attempts=1, time_limit_seconds=1)
async def sleeps(job: AsyncJob, payload: Nothing) -> None:
    """Run past the soft limit outside PostgreSQL."""
    await litter(job)
    await job.connection.execute(text("select 1"))
    await asyncio.sleep(30)


@task("async_probe.sleeps_in_sql", max_attempts=1, time_limit_seconds=1)
async def sleeps_in_sql(job: AsyncJob, payload: Nothing) -> None:
    """Run past the soft limit in a query."""
    await litter(job)
    await job.connection.execute(text("select pg_sleep(30)"))


@task("async_probe.sleeps_together", max_attempts=1, time_limit_seconds=1)
async def sleeps_together(job: AsyncJob, payload: Nothing) -> None:
    """Run past the soft limit in asyncio tasks of its own, one of them in a query."""
    await litter(job)
    await asyncio.gather(job.connection.execute(text("select pg_sleep(30)")), asyncio.sleep(30))


@task("async_probe.swallows", max_attempts=1, time_limit_seconds=1)
async def swallows(job: AsyncJob, payload: Nothing) -> None:
    """Swallow the cancellation twice."""
    for _ in range(2):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await job.connection.execute(text("select 1"))
    await asyncio.sleep(30)


@task("async_probe.never_gives_up", max_attempts=1, time_limit_seconds=1)
async def never_gives_up(job: AsyncJob, payload: Nothing) -> None:
    """Swallow every cancellation."""
    while True:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            continue


@task("async_probe.cancels_itself", max_attempts=1)
async def cancels_itself(job: AsyncJob, payload: Nothing) -> None:
    """Be cancelled by something that is no time limit."""
    this = asyncio.current_task()
    assert this is not None
    this.cancel()
    await asyncio.sleep(30)


@task("async_probe.loses_connection", max_attempts=1)
async def loses_connection(job: AsyncJob, payload: Nothing) -> None:
    """Wait in a query to have the backend killed under the body. A worker itself may kill none."""
    await litter(job)
    await job.connection.execute(text("select 'kill me', pg_sleep(20)"))


@task("async_probe.exits", max_attempts=1)
async def exits(job: AsyncJob, payload: Nothing) -> None:
    """End the process, as a library may that was written for a command line."""
    sys.exit(3)


@task("async_probe.exits_in_a_task", max_attempts=1)
async def exits_in_a_task(job: AsyncJob, payload: Nothing) -> None:
    """The same in an asyncio task of the body."""

    async def leave() -> None:
        sys.exit(3)

    await asyncio.create_task(leave())


@task("async_probe.fails_then_succeeds", max_attempts=3, retry_base_seconds=0.05, retry_cap_seconds=0.1)
async def fails_then_succeeds(job: AsyncJob, payload: Number) -> Number:
    """Fail until attempt number `value`, after writing what must not be kept."""
    await job.enqueue("async_probe.look", {})
    if job.attempt < payload.value:
        raise RuntimeError(f"attempt {job.attempt}")
    return Number(value=job.attempt)


@task("async_probe.checkpoints", max_attempts=2, retry_base_seconds=0.05, retry_cap_seconds=0.1)
async def checkpoints(job: AsyncJob, payload: Nothing) -> dict[str, Any]:
    """Keep a note at a checkpoint, fail, and go on from there."""
    job.session.add(NoteRow(body=f"attempt {job.attempt}"))
    if job.state is None:
        await job.checkpoint({"done": 1})
        job.session.add(NoteRow(body="not kept"))
        await job.session.flush()
        raise RuntimeError("after the checkpoint")
    return {"state": job.state, "attempt": job.attempt}


@task("async_probe.idles", max_attempts=1)
async def idles(job: AsyncJob, payload: Nothing) -> None:
    """Touch no table at all."""


@task("async_probe.reports", max_attempts=1)
async def reports(job: AsyncJob, payload: Nothing) -> None:
    """Report progress and wait until it was seen, which the other side shows by enqueueing a job."""
    await job.progress(1, 2, "halfway")
    seen = text("select exists (select from partywall.jobs where task_name = 'probe.seen')")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if await job.connection.scalar(seen):
            return
        await job.connection.commit()
        await asyncio.sleep(0.05)
    raise RefusedError("nobody saw it")


@task("async_probe.outlives_its_lease", max_attempts=1)
async def outlives_its_lease(job: AsyncJob, payload: Nothing) -> None:
    """Write a note and return once another attempt has the job."""
    job.session.add(NoteRow(body="a zombie's"))
    await job.session.flush()
    attempt = select(JobRow.attempt).where(JobRow.id == job.id)
    while True:
        if await job.session.scalar(attempt) != job.attempt:
            return
        await asyncio.sleep(0.05)


@task("async_probe.gathers", max_attempts=1)
async def gathers(job: AsyncJob, payload: Number) -> list[str]:
    """Ask for the tenant in many asyncio tasks at once, one of them the first to speak."""

    async def ask() -> str:
        return str(await job.connection.scalar(text("select partywall.current_tenant_id()")))

    return sorted(set(await asyncio.gather(*(ask() for _ in range(payload.value)))))


@task("async_probe.closes", max_attempts=1)
async def closes(job: AsyncJob, payload: Closing) -> None:
    """Close what is the worker's to close, as the idiom of SQLAlchemy does."""
    async with job.session if payload.what == "session" else job.connection as mine:
        await mine.execute(CLOSED_OVER)
        if payload.fails:
            raise RefusedError("the secret of this tenant")
