"""Steps that leave a note each, and do something else besides; many of them travel in one message."""

import os
import signal
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from sqlalchemy import text

from tasks import AsyncJob, Job, task

NAME = __name__
STEP = "bundles.step"
ASYNC_STEP = "bundles.async_step"


LEAVE = text("declare left_open cursor with hold for select 1")
"""What it leaves in its session is in the way of the next one, if that finds it."""
WRITE = text("insert into app.notes (body) values (:body)")


class Step(BaseModel):
    """What to do besides leaving a note. `mark`: a file that it makes, and finds when it is tried again."""

    does: Literal["nothing", "sleeps", "fails", "outlasts", "is_killed_once"] = "nothing"
    mark: str = ""


@task(STEP, max_attempts=3, time_limit_seconds=1, retry_base_seconds=0.05, retry_cap_seconds=0.1)
def step(job: Job, payload: Step) -> None:
    """Leave a note that says which job this is."""
    job.connection.execute(LEAVE)
    job.connection.execute(WRITE, {"body": str(job.id)})
    if not payload.mark or Path(payload.mark).exists():
        return
    Path(payload.mark).touch()
    if payload.does == "sleeps":
        time.sleep(0.6)
    elif payload.does == "outlasts":
        # Not in one system call, which in a thread nothing ends.
        for _ in range(600):
            time.sleep(0.05)
    elif payload.does == "fails":
        raise ValueError("not this time")
    elif payload.does == "is_killed_once":
        os.kill(os.getpid(), signal.SIGKILL)


@task(ASYNC_STEP, max_attempts=3)
async def async_step(job: AsyncJob, payload: Step) -> None:
    """Leave a note from an event loop."""
    await job.connection.execute(LEAVE)
    await job.connection.execute(WRITE, {"body": str(job.id)})
