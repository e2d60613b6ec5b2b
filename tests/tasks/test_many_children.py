"""Children by the hundred, from both kinds of body."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from db.roles import Role
from db.session import tenant_session
from tasks import AsyncJob, Job, producing, task
from tasks.errors import JobsInvalidError
from tasks.event_loop import close_loop
from tasks.producing import TaskRequest
from tests.databases import Database, TestTenant
from tests.tasks.inline import run_job

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_loop() -> Iterator[None]:
    """No loop, and none of its connections, from one test to the next."""
    yield
    close_loop()


class Page(BaseModel):
    """One page."""

    number: int


class Book(BaseModel):
    """How many pages it has, and whether there is one that is none."""

    pages: int
    torn: bool = False


def pages_of(book: Book) -> list[dict[str, Any]]:
    numbers: list[Any] = list(range(book.pages))
    return [{"number": number} for number in (*numbers, *(["torn"] if book.torn else []))]


@task("tests.page", max_attempts=2)
def page(job: Job, payload: Page) -> None:
    """Do nothing."""


@task("tests.book", max_attempts=1)
def book(job: Job, payload: Book) -> list[str]:
    """Return the ids of a job for each page."""
    return list(map(str, job.enqueue_many("tests.page", pages_of(payload), run_at=LATER, priority=3)))


@task("tests.book_on_the_loop", max_attempts=1)
async def book_on_the_loop(job: AsyncJob, payload: Book) -> list[str]:
    """Do the same."""
    return list(map(str, await job.enqueue_many("tests.page", pages_of(payload), run_at=LATER, priority=3)))


def children(database: Database) -> list[tuple[object, ...]]:
    return database.ask("""
        select id::text, payload, priority, max_attempts
        from partywall.jobs
        where task_name = 'tests.page' and state = 'scheduled'
        order by id
    """)


@pytest.mark.parametrize("kind", [book, book_on_the_loop])
def test_each_payload_is_a_child_in_their_order(database: Database, acme: TestTenant, kind: Any) -> None:
    job = run_job(acme, kind, {"pages": 1200})

    assert job.state == "succeeded"
    assert job.result is not None
    assert children(database) == [(each, {"number": number}, 3, 2) for number, each in enumerate(job.result)]


@pytest.mark.parametrize("kind", [book, book_on_the_loop])
def test_one_payload_that_does_not_fit_is_told_and_there_are_no_children(
    database: Database, acme: TestTenant, kind: Any
) -> None:
    job = run_job(acme, kind, {"pages": 2, "torn": True})

    assert job.error is not None
    assert job.error["type"] == "JobsInvalidError"
    assert children(database) == []


def test_every_request_that_cannot_be_a_job_is_told_by_position(database: Database, acme: TestTenant) -> None:
    requests = [TaskRequest("tests.page", {"number": 1}), TaskRequest("no.such", {}), TaskRequest("tests.page", {})]

    with tenant_session(acme.context, role=Role.API) as session, pytest.raises(JobsInvalidError) as refusal:
        producing.accept_many(session, requests)

    assert {position: type(each).__name__ for position, each in refusal.value.errors.items()} == {
        1: "UnknownTaskError",
        2: "PayloadInvalidError",
    }
    assert database.ask("select 1 from partywall.jobs") == []
