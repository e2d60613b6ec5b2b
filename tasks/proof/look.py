"""`partywall.look`: the job between two others, which tells what it finds on the connection it was lent.

In a module of its own, because the worker of a proof imports it beside the adopter's tasks. There are two, because
bodies that are `async def` have a pool of their own.
"""

from pydantic import BaseModel

from db.leftovers import find_leftovers
from tasks import AsyncJob, Job, task

MODULE = __name__
NAME, ASYNC_NAME = "partywall.look", "partywall.look_async"


class Settings(BaseModel):
    """Which settings to look at besides those that PostgreSQL lists."""

    names: list[str] = []


class Found(BaseModel):
    """What a body finds before it begins anything."""

    backend_pid: int
    left: list[str]


@task(NAME, max_attempts=1, time_limit_seconds=30)
def look(job: Job, payload: Settings) -> Found:
    """Tell what is left on the connection."""
    pid, left = find_leftovers(job.connection, settings=payload.names)
    return Found(backend_pid=pid, left=left)


@task(ASYNC_NAME, max_attempts=1, time_limit_seconds=30)
async def look_async(job: AsyncJob, payload: Settings) -> Found:
    """Tell what is left on the event loop's connection."""
    pid, left = await job.connection.run_sync(lambda connection: find_leftovers(connection, settings=payload.names))
    return Found(backend_pid=pid, left=left)
