"""Tasks that leak, each in one way."""

import os
from typing import Any

import psycopg
import structlog
from celery import Celery, current_task
from sqlalchemy import text

from tasks import AsyncJob, Job, task
from tests.prove.good_tasks import READ, WRITE, Note, Nothing, writes

NAME = __name__

log = structlog.get_logger(__name__)


@task("leaky.reads_a_board")
def reads_a_board(job: Job, payload: Nothing) -> int:
    """Count what is on a board that nobody put behind the wall, and show nothing of it."""
    return len(job.connection.execute(text("select body from app.board")).all())


@task("leaky.reads_through_a_function")
def reads_through_a_function(job: Job, payload: Nothing) -> int:
    """Call a function that acts with its owner's rights."""
    return len(job.connection.execute(text("select all_notes from app.all_notes()")).all())


@task("leaky.awaits_a_board")
async def awaits_a_board(job: AsyncJob, payload: Nothing) -> int:
    """Do it on the event loop."""
    return len((await job.connection.execute(text("select body from app.board"))).all())


@task("leaky.writes_for_others")
def writes_for_others(job: Job, payload: Nothing) -> None:
    """Write into another tenant's rows without looking at one."""
    job.connection.execute(text("update app.board set body = body || '!'"))


@task("leaky.shares")
def shares(job: Job, payload: Note) -> None:
    """Keep what a tenant wrote where all look it up."""
    job.connection.execute(text("insert into app.cache values (gen_random_uuid(), :body)"), {"body": payload.body})


_remembered: list[Any] = []


@task("leaky.remembers")
def remembers(job: Job, payload: Nothing) -> list[str]:
    """Answer from what the process read first, whoever's it was."""
    if not _remembered:
        _remembered.extend(row.body for row in job.connection.execute(READ))
    return _remembered


_copied: list[str] = []


@task("leaky.copies")
def copies(job: Job, payload: Nothing) -> None:
    """Write down what the process read first, whoever's it was."""
    if not _copied:
        _copied.extend(row.body for row in job.connection.execute(READ))
    job.connection.execute(WRITE, {"body": _copied[0]})


TOKEN = text("select current_setting('partywall.token')")

_tokens: list[str] = []


@task("leaky.goes_back")
def goes_back(job: Job, payload: Nothing) -> None:
    """Enter the context of the first job again: its token is good for as long as its lease was."""
    _tokens.append(job.connection.execute(TOKEN).scalar_one())
    job.connection.exec_driver_sql("select partywall.enter(%s)", (_tokens[0],))


_connections: list[psycopg.Connection] = []


@task("leaky.connects")
def connects(job: Job, payload: Nothing) -> None:
    """Keep a connection of its own, with a lock on it."""
    if not _connections:
        _connections.append(psycopg.connect(os.environ["PARTYWALL_WORKER_DATABASE_URL"], autocommit=True))
        _connections[0].execute("select pg_advisory_lock(815)")


@task("leaky.logs")
def logs(job: Job, payload: Nothing) -> None:
    """Tell the log what is in a note."""
    log.info("notes_read", bodies=[row.body for row in job.connection.execute(READ)])


@task("leaky.logs_its_payload", examples=[Note(body="the same for all")])
def logs_its_payload(job: Job, payload: Note) -> None:
    """Tell the log what it was asked."""
    log.info("asked", payload=payload.model_dump())


@task("leaky.prints_its_token")
def prints_its_token(job: Job, payload: Nothing) -> None:
    """Show its token past the log that strikes tokens out."""
    print(job.connection.execute(TOKEN).scalar_one(), flush=True)  # noqa: T201 - what is planted


@task("leaky.sends_its_token")
def sends_its_token(job: Job, payload: Nothing) -> None:
    """Send its token to whoever listens to events."""
    current_task.send_event("task-entered", token=job.connection.execute(TOKEN).scalar_one())


@task("leaky.shows_in_flower")
def shows_in_flower(job: Job, payload: Note) -> None:
    """Send an event with data in it."""
    current_task.send_event("task-written", body=payload.body)


@task("leaky.publishes_data")
def publishes_data(job: Job, payload: Note) -> None:
    """Pass data on through the broker."""
    writes.delay({"body": payload.body})


@task("leaky.publishes_for_nobody")
def publishes_for_nobody(job: Job, payload: Nothing) -> None:
    """Publish past the application that knows of tenants."""
    with Celery(broker=os.environ["PARTYWALL_BROKER_URL"], set_as_current=False) as stranger:
        stranger.send_task("good.reads", queue="default")


@task("leaky.fails")
def fails(job: Job, payload: Nothing) -> None:
    """Leak nothing, because it does nothing."""
    raise RuntimeError("not today")
