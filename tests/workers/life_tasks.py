"""Bodies that take their time, each in another way, and bodies that end their own process."""

import asyncio
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import text

from tasks import AsyncJob, Cancel, Job, RetryLater, task

NAME = __name__


class Wait(BaseModel):
    """How long, and a file that says that the body has begun."""

    begun: Path
    seconds: float = 60


class Mark(BaseModel):
    """A file that gets a line from each attempt."""

    path: Path


def _begin(payload: Wait) -> float:
    with payload.begun.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return time.monotonic() + payload.seconds


WRITE = text("insert into app.notes (body) values ('kept')")


@task("life.sleeps", max_attempts=3, retry_base_seconds=0.01)
def sleeps(job: Job, payload: Wait) -> None:
    """Wait in a system call."""
    job.connection.execute(WRITE)
    _begin(payload)
    time.sleep(payload.seconds)


@task("life.computes", max_attempts=3, retry_base_seconds=0.01)
def computes(job: Job, payload: Wait) -> None:
    """Wait in Python."""
    job.connection.execute(WRITE)
    until = _begin(payload)
    while time.monotonic() < until:
        sum(range(1000))


@task("life.queries", max_attempts=3, retry_base_seconds=0.01)
def queries(job: Job, payload: Wait) -> None:
    """Wait in PostgreSQL."""
    job.connection.execute(WRITE)
    _begin(payload)
    job.connection.execute(text("select pg_sleep(:seconds)"), {"seconds": payload.seconds})


@task("life.awaits", max_attempts=3, retry_base_seconds=0.01)
async def awaits(job: AsyncJob, payload: Wait) -> None:
    """Wait on the loop."""
    await job.connection.execute(WRITE)
    _begin(payload)
    await asyncio.sleep(payload.seconds)


@task("life.kills", max_attempts=20, max_lost=3)
def kills(job: Job, payload: Mark) -> None:
    """End the process that runs it, as the kernel does when memory runs out."""
    with payload.path.open("a") as file:
        file.write(f"{job.attempt}\n")
    os.kill(os.getpid(), signal.SIGKILL)


@task("life.asks_for_later", max_attempts=3, retry_base_seconds=600)
def asks_for_later(job: Job, payload: Mark) -> None:
    """Ask to be tried a little later, once."""
    if job.attempt == 1:
        raise RetryLater(0.2)


@task("life.cancels", max_attempts=3)
def cancels(job: Job, payload: Mark) -> None:
    """Find that there is nothing to do."""
    job.connection.execute(WRITE)
    raise Cancel("the order is gone")
