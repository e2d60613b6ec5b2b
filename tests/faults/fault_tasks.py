"""Bodies for the faults that a body notices, or makes."""

import os
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import text

from tasks import Job, task
from tests.waiting import wait_until

NAME = __name__
MEETING_SECONDS = 20

WRITE = text("insert into app.notes (body) values (:body)")


class Nothing(BaseModel):
    """No payload."""


class Pair(BaseModel):
    """Two notes to change, the one after the other, and files that say how far whom is."""

    first: str
    second: str
    mine: Path
    other: Path


class Begun(BaseModel):
    """A file that says that the body has begun, and one that it waits for."""

    begun: Path
    go_on: Path


@task("faults.writes", max_attempts=3, retry_base_seconds=0.01)
def writes(job: Job, payload: Nothing) -> None:
    """Keep one note."""
    job.connection.execute(WRITE, {"body": "written"})


@task("faults.waits", max_attempts=3, retry_base_seconds=0.01)
def waits(job: Job, payload: Begun) -> None:
    """Keep one note, once it is told to go on."""
    job.connection.execute(WRITE, {"body": "waited"})
    payload.begun.touch()
    wait_until(payload.go_on.exists, timeout_seconds=MEETING_SECONDS)


@task("faults.asks", max_attempts=3, retry_base_seconds=0.01)
def asks(job: Job, payload: Begun) -> None:
    """Keep one note; on the first attempt wait for PostgreSQL's answer, which does not come."""
    job.connection.execute(WRITE, {"body": "asked"})
    if job.attempt == 1:
        payload.begun.touch()
        job.connection.execute(text("select pg_sleep(60)"))


CHANGE = text("update app.notes set body = body || '+' where body like :body || '%'")


# Whoever lost has to wait for nobody's backoff: with this base that would be half an hour on average.
@task("faults.crosses", max_attempts=3, retry_base_seconds=3600, retry_on=[KeyError])
def crosses(job: Job, payload: Pair) -> None:
    """Change two notes; on the first attempt not before another body has changed the second."""
    job.connection.execute(CHANGE, {"body": payload.first})
    payload.mine.touch()
    wait_until(payload.other.exists, timeout_seconds=MEETING_SECONDS)
    job.connection.execute(CHANGE, {"body": payload.second})


@task("faults.conflicts", max_attempts=3, retry_base_seconds=3600, retry_on=[KeyError])
def conflicts(job: Job, payload: Nothing) -> None:
    """Meet a serialization failure on the first attempt."""
    job.connection.execute(WRITE, {"body": "conflicting"})
    if job.attempt == 1:
        job.connection.execute(text("select app.conflict()"))


@task("faults.gorges", max_attempts=2, retry_base_seconds=0.01)
def gorges(job: Job, payload: Nothing) -> None:
    """Ask for more memory than there is, on the first attempt."""
    job.connection.execute(WRITE, {"body": "fed"})
    if job.attempt == 1:
        bytearray(1 << 62)


@task("faults.fills", max_attempts=100, retry_base_seconds=0.2, retry_cap_seconds=0.5, retry_on=[KeyError])
def fills(job: Job, payload: Nothing) -> None:
    """Keep eight megabytes that cannot be compressed."""
    job.connection.execute(WRITE, {"body": os.urandom(4 * 1024 * 1024).hex()})
