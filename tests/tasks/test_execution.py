"""What a worker says when even the failure cannot be recorded."""

import traceback
from collections.abc import Iterator

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from db.roles import Role
from db.session import tenant_session
from tasks import Job, producing, task
from tasks.errors import AttemptFailedError
from tests.databases import Database, TestTenant
from tests.db.work import dispatch_all
from tests.tasks.inline import run_sent


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


def test_an_attempt_whose_failure_cannot_be_recorded_quotes_nothing(locked: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.API) as session:
        producing.enqueue(session, "tests.quotes_its_payload", {"number": "4111 1111"})
    (sent,) = dispatch_all()

    with pytest.raises(AttemptFailedError, match="could not be told") as failed:
        run_sent(sent)

    assert "4111" not in "".join(traceback.format_exception(failed.value))
    assert locked.ask("select state from partywall.jobs") == [("running",)]
