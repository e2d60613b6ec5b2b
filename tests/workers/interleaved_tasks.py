"""Bodies that share the event loop of one process, and write down what they and what they left behind could do."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import chain, group
from pydantic import BaseModel
from sqlalchemy import text

from tasks import AsyncJob, Job, task
from tests.db.notes import NoteRow

NAME = __name__

diary: list[str] = []
"""What happened in this process behind the backs of its bodies."""
_inside: set[UUID] = set()


class Note(BaseModel):
    """What to write."""

    body: str


class Company(BaseModel):
    """How many bodies have to be there before one begins, and how often each then publishes."""

    bodies: int
    rounds: int


class Heard(BaseModel):
    """What a body was told."""

    message_id: str
    tenants: list[str]


class Nothing(BaseModel):
    """An empty payload."""


@task("interleaved.write", max_attempts=1, bind=True)
def write(self: Any, job: Job, payload: Note) -> None:
    """Write a note that names the message which published it."""
    job.session.add(NoteRow(body=f"{payload.body} of {self.request.parent_id}"))


@task("interleaved.publishes", max_attempts=1, bind=True)
async def publishes(self: Any, job: AsyncJob, payload: Company) -> Heard:
    """Ask who it is and publish a call, again and again, while others do the same."""
    _inside.add(job.id)
    async with asyncio.timeout(20):
        while len(_inside) < payload.bodies:  # noqa: ASYNC110 - what would set an event is another body
            await asyncio.sleep(0.01)
    tenants = set()
    for number in range(payload.rounds):
        tenants.add(str(await job.connection.scalar(text("select partywall.current_tenant_id()"))))
        write.delay(body=f"{job.tenant.slug}/{number}")
        await asyncio.sleep(0)
    return Heard(message_id=self.request.id, tenants=sorted(tenants))


@task("interleaved.leaves_behind", max_attempts=1)
async def leaves_behind(job: AsyncJob, payload: Nothing) -> None:
    """Return while a task, a callback and a thread of its own go on."""
    ended = threading.Event()

    async def linger(name: str) -> None:
        diary.append(f"the {name} began")
        try:
            await asyncio.sleep(1)
            diary.append(f"the {name} went on")
        finally:
            diary.append(f"the {name} ended")

    def call_back() -> None:
        _try("the callback", lambda: write.delay(body="from a callback"))
        _kept.append(asyncio.create_task(linger("callback's task")))
        ended.set()

    def work() -> None:
        ended.wait(20)
        _try("the thread", lambda: write.delay(body="from a thread"))
        _try("the thread's connection", lambda: asyncio.run(_write_on(job)))

    _kept.append(asyncio.create_task(linger("task")))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.5, call_back)
    threading.Thread(target=work).start()


_kept: list["asyncio.Task[None]"] = []


async def _write_on(job: AsyncJob) -> None:
    await job.connection.execute(text("insert into app.notes (body) values ('from a thread')"))
    await job.connection.commit()


def _try(who: str, work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - written down
        diary.append(f"{who}: {type(error).__name__}")
    else:
        diary.append(f"{who} could")


@task("interleaved.confesses", max_attempts=1)
async def confesses(job: AsyncJob, payload: Nothing) -> list[str]:
    """Return the diary."""
    return list(diary)


@task("interleaved.uses_a_thread", max_attempts=1)
async def uses_a_thread(job: AsyncJob, payload: Nothing) -> list[str]:
    """Try in a thread what a body may."""
    found: list[str] = []

    def work() -> None:
        for attempt in (lambda: write.delay(body="from a thread"), lambda: asyncio.run(_write_on(job))):
            try:
                attempt()
            except Exception as error:  # noqa: BLE001 - told
                found.append(type(error).__name__)

    await job.connection.execute(text("select 1"))
    await asyncio.to_thread(work)
    return found


@task("interleaved.starts_a_thread", max_attempts=1)
def starts_a_thread(job: Job, payload: Nothing) -> list[str]:
    """The same of a body that is not async."""
    found: list[str] = []

    def add() -> None:
        job.session.add(NoteRow(body="from a thread"))
        job.session.flush()

    def work() -> None:
        for attempt in (
            lambda: write.delay(body="from a thread"),
            lambda: job.connection.execute(text("select 1")),
            add,
        ):
            try:
                attempt()
            except Exception as error:  # noqa: BLE001 - told
                found.append(type(error).__name__)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    job.session.expunge_all()
    return found


@task("interleaved.applies", max_attempts=1)
async def applies(job: AsyncJob, payload: Nothing) -> str:
    """Run a call in this process, which would wait on the loop for the loop."""
    with suppress(ZeroDivisionError):
        try:
            write_async.apply(kwargs={"body": "applied"})
        except Exception as error:  # noqa: BLE001 - told
            return type(error).__name__
    return "nothing"


@task("interleaved.write_async", max_attempts=1)
async def write_async(job: AsyncJob, payload: Note) -> None:
    """Write a note."""
    job.session.add(NoteRow(body=payload.body))


@task("interleaved.calls", max_attempts=1)
def calls(job: Job, payload: Note) -> None:
    """Publish a call of an async task, and run another one in place."""
    write_async.delay(body=f"{payload.body}, published")
    write_async.apply(kwargs={"body": f"{payload.body}, applied"})
    retries_a_call.delay(body=f"{payload.body}, retried")


@task("interleaved.publishes_a_canvas", max_attempts=1)
async def publishes_a_canvas(job: AsyncJob, payload: Note) -> None:
    """Publish a chain with a group inside, and a call that puts another in its place."""
    first, *parts, last = (write_async.si(body=f"{payload.body}, step {number}") for number in range(1, 5))
    chain(first, group(parts), last).delay()
    replaces_itself.delay(body=payload.body)


@task("interleaved.replaces_itself", max_attempts=1, bind=True)
async def replaces_itself(self: Any, job: AsyncJob, payload: Note) -> None:
    """Write a note, and have another call go on."""
    job.session.add(NoteRow(body=f"{payload.body}, replaced"))
    await asyncio.sleep(0)
    self.replace(write_async.si(body=f"{payload.body}, in its place"))


@task("interleaved.retries_a_call", max_attempts=1, bind=True, max_retries=2)
async def retries_a_call(self: Any, job: AsyncJob, payload: Note) -> None:
    """Ask Celery for another try, after writing what must not be kept."""
    job.session.add(NoteRow(body=f"{payload.body} in try {job.attempt}"))
    await job.session.flush()
    if job.attempt == 1:
        raise self.retry(countdown=0)


@task("interleaved.retries_a_job", max_attempts=2, bind=True)
async def retries_a_job(self: Any, job: AsyncJob, payload: Nothing) -> int:
    """Ask for the next attempt at once."""
    if job.attempt == 1:
        raise self.retry(countdown=0, exc=RuntimeError("once more"))
    return job.attempt


@task("interleaved.blocks", max_attempts=1, time_limit_seconds=1)
async def blocks(job: AsyncJob, payload: Nothing) -> None:
    """Block the loop past the limit, and come back to it."""
    time.sleep(1.5)  # noqa: ASYNC251 - what a body must not do
    await asyncio.sleep(30)
