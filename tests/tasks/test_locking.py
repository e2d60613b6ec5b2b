"""A body's locks by name, in both kinds of body."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from tasks import AsyncJob, Job, task
from tasks.event_loop import close_loop
from tests.databases import TestTenant
from tests.tasks.inline import run_job

HELD = text("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")


@pytest.fixture(autouse=True)
def _own_loop() -> Iterator[None]:
    """No loop, and none of its connections, from one test to the next."""
    yield
    close_loop()


class Names(BaseModel):
    """How many locks to take."""

    count: int


@task("tests.locks", max_attempts=3)
def locks(job: Job, payload: Names) -> int:
    """Return how many locks the body holds."""
    for number in range(payload.count):
        job.lock(f"order {number}")
    held: int = job.connection.execute(HELD).scalar_one()
    return held


@task("tests.locks_on_the_loop", max_attempts=3)
async def locks_on_the_loop(job: AsyncJob, payload: Names) -> int:
    """Do the same."""
    for number in range(payload.count):
        await job.lock(f"order {number}")
    held: int = (await job.connection.execute(HELD)).scalar_one()
    return held


@pytest.mark.parametrize("kind", [locks, locks_on_the_loop])
def test_a_body_holds_what_it_locked(acme: TestTenant, kind: Any) -> None:
    job = run_job(acme, kind, {"count": 3})

    assert (job.state, job.result) == ("succeeded", 3)


@pytest.mark.parametrize("kind", [locks, locks_on_the_loop])
def test_a_body_that_locks_too_much_is_not_tried_again(acme: TestTenant, kind: Any) -> None:
    job = run_job(acme, kind, {"count": 17})

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "TooManyLocksError"
