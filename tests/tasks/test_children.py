"""Jobs that a body enqueues."""

from typing import Any

import pytest
from pydantic import BaseModel

from tasks import AsyncJob, Job, task
from tests.databases import Database, TestTenant
from tests.tasks.inline import run_job


class Child(BaseModel):
    """How the child is to be enqueued."""

    priority: int = 0


@task("tests.has_a_child", max_attempts=1)
def has_a_child(job: Job, child: Child) -> None:
    """Enqueue one more."""
    job.enqueue("tests.has_a_child", {}, priority=child.priority)


@task("tests.has_an_async_child", max_attempts=1)
async def has_an_async_child(job: AsyncJob, child: Child) -> None:
    """Enqueue one more."""
    await job.enqueue("tests.has_a_child", {}, priority=child.priority)


@pytest.mark.parametrize("parent", [has_a_child, has_an_async_child])
def test_a_child_has_the_priority_it_is_given(parent: Any, database: Database, acme: TestTenant) -> None:
    assert run_job(acme, parent, {"priority": -7}).state == "succeeded"

    assert database.ask("select priority from partywall.jobs where state = 'queued'") == [(-7,)]


@pytest.mark.parametrize("parent", [has_a_child, has_an_async_child])
def test_no_other_priority_can_be_given(parent: Any, database: Database, acme: TestTenant) -> None:
    failed = run_job(acme, parent, {"priority": 101})

    assert (failed.state, failed.error and failed.error["type"]) == ("failed", "PriorityInvalidError")
    assert database.ask("select count(*) from partywall.jobs") == [(1,)]
