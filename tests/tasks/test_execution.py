"""What a worker says when even the failure cannot be recorded, and which of a message's jobs wait for the disk."""

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from db import attempts
from db.errors import LeaseLostError
from db.roles import Role
from db.session import tenant_session
from tasks import AsyncJob, Job, execution, producing, task
from tasks.errors import AttemptFailedError
from tasks.heart import heart
from tests.databases import Database, TestTenant
from tests.db.work import dispatch_all
from tests.tasks.inline import run_bundle, run_sent


class CardNumber(BaseModel):
    """A payload that nobody else may see."""

    number: str


@task("tests.quotes_its_payload", max_attempts=1)
def quotes_its_payload(job: Job, payload: CardNumber) -> None:
    """Lose the database, then fail with the tenant's data in the message."""
    job.connection.execute(text("select 1"))
    _lock_out(job)
    raise ValueError(f"no such card: {payload.number}")


_servers: list[Database] = []


def _lock_out(job: Job) -> None:
    _servers[0].do("alter role partywall_worker nologin")
    pid = job.connection.execute(text("select pg_backend_pid()")).scalar_one()
    _servers[0].ask("select pg_terminate_backend(:pid)", pid=pid)


@pytest.fixture
def locked(database: Database) -> Iterator[Database]:
    """A database whose worker may not log in any more once the body has run."""
    _servers[:] = [database]
    yield database
    database.do("alter role partywall_worker login")


def test_an_attempt_whose_failure_cannot_be_recorded_quotes_nothing(
    locked: Database, acme: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "TELL_SECONDS", 0)
    with tenant_session(acme.context, role=Role.API) as session:
        producing.enqueue(session, "tests.quotes_its_payload", {"number": "4111 1111"})
    (sent,) = dispatch_all()

    with pytest.raises(AttemptFailedError, match="could not be told") as failed:
        run_sent(sent)

    assert "4111" not in "".join(traceback.format_exception(failed.value))
    assert locked.ask("select state from partywall.jobs") == [("running",)]


@task("tests.loses_its_database", max_attempts=1)
async def loses_its_database(job: AsyncJob, payload: CardNumber) -> None:
    """Lose the database, then fail because of it."""
    pid = await job.session.scalar(text("select pg_backend_pid()"))
    _servers[0].do("alter role partywall_worker nologin")
    _servers[0].ask("select pg_terminate_backend(:pid)", pid=pid)
    await job.session.execute(text("select 1"))


@pytest.mark.parametrize(
    ("task_name", "error"),
    [("tests.quotes_its_payload", "ValueError"), ("tests.loses_its_database", "OperationalError")],
)
def test_a_failure_is_recorded_as_soon_as_the_database_is_back(
    task_name: str, error: str, locked: Database, acme: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    pause = execution._pause

    def come_back_in_the_third(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            locked.do("alter role partywall_worker login")
        pause(seconds)

    monkeypatch.setattr(execution, "_pause", come_back_in_the_third)
    with tenant_session(acme.context, role=Role.API) as session:
        producing.enqueue(session, task_name, {"number": "4111 1111"})
    (sent,) = dispatch_all()

    with pytest.raises(AttemptFailedError, match="attempt failed"):
        run_sent(sent)

    assert locked.ask("select state, error ->> 'type' from partywall.jobs") == [("failed", error)]
    assert locked.ask("select attempt, outcome from partywall.attempts") == [(1, "failed")]
    assert pauses == pytest.approx([0.1, 0.2, 0.3])


def test_nothing_is_told_of_an_attempt_that_has_lost_its_lease_meanwhile(
    locked: Database, acme: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def lose_the_lease(seconds: float) -> None:
        pauses.append(seconds)
        for each in heart()._held.values():
            each.stop.ask(LeaseLostError)

    monkeypatch.setattr(execution, "_pause", lose_the_lease)
    with tenant_session(acme.context, role=Role.API) as session:
        producing.enqueue(session, "tests.quotes_its_payload", {"number": "4111 1111"})
    (sent,) = dispatch_all()

    with pytest.raises(AttemptFailedError, match="could not be told"):
        run_sent(sent)

    assert len(pauses) == 1


@task("tests.is_tried_twice", max_attempts=2)
def is_tried_twice(job: Job, payload: CardNumber) -> int:
    """Return how many attempts its process holds at the moment."""
    return len(heart()._held)


@task("tests.is_tried_once", max_attempts=1)
def is_tried_once(job: Job, payload: CardNumber) -> None:
    """Do nothing."""


@task("tests.may_be_lost_once", max_attempts=9, max_lost=1)
def may_be_lost_once(job: Job, payload: CardNumber) -> None:
    """Do nothing."""


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Of each finish, whether it waited for the disk."""
    said: list[bool] = []
    finish = attempts.finish

    def spy(*given: Any, waits: bool = True, **named: Any) -> None:
        said.append(waits)
        finish(*given, waits=waits, **named)

    monkeypatch.setattr(attempts, "finish", spy)
    execution._commits_wait.cache_clear()
    yield said
    execution._commits_wait.cache_clear()


def run_three(tenant: TestTenant, task_name: str) -> list[Any]:
    """Run three jobs that share a message; return their results."""
    with tenant_session(tenant.context, role=Role.API) as session:
        producing.enqueue_many(session, task_name, [{"number": "1"}] * 3)
    return [job.result for job in run_bundle(tenant, dispatch_all(bundle_limit=3, bundle_seconds=60))]


def test_only_the_last_of_a_message_waits_for_the_disk(acme: TestTenant, waited: list[bool]) -> None:
    run_three(acme, "tests.is_tried_twice")

    assert waited == [False, False, True]


def test_all_wait_where_the_settings_say_so(
    acme: TestTenant, waited: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_COMMITS_WAIT", "true")
    run_three(acme, "tests.is_tried_twice")

    assert waited == [True, True, True]


@pytest.mark.parametrize("task_name", ["tests.is_tried_once", "tests.may_be_lost_once"])
def test_what_could_not_be_tried_again_waits(task_name: str, acme: TestTenant, waited: list[bool]) -> None:
    run_three(acme, task_name)

    assert waited == [True, True, True]


def test_the_lease_of_what_has_ended_is_extended_no_more(acme: TestTenant) -> None:
    assert run_three(acme, "tests.is_tried_twice") == [3, 2, 1]
