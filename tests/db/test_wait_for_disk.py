"""Commits that do not wait for the disk: what a crash takes back nobody was told, and it is taken back whole."""

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from cli.database import operator_connection
from cli.jobs import find_job
from db import attempts, calls, jobs
from db import session as sessions
from db.attempts import Attempt
from db.engine import dispose_async_engines
from db.errors import JobOverError
from db.roles import Role
from db.session import async_tenant_session, become, platform_connection, tenant_session
from db.steering import cancel_job
from tests.databases import TestTenant, in_use_by, make_tenant
from tests.db.crashing import Crashing
from tests.db.work import WRITE, body_of, claim_of, dispatch_all, effects, enqueue_one, start_one

_numbers = itertools.count()

Tell = Callable[[TestTenant, UUID], str]


@pytest.fixture(scope="module")
def crashing() -> Iterator[Crashing]:
    """A PostgreSQL of the module's own."""
    with tempfile.TemporaryDirectory(prefix="partywall-crashes-") as directory:
        server = Crashing(Path(directory))
        yield server
        server.stop()


@pytest.fixture
def tenant(crashing: Crashing, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestTenant]:
    """A tenant of the test's own, in the database that every role's setting points at."""
    with in_use_by(monkeypatch, crashing.database):
        crashing.database.do("delete from app.notes")
        crashing.database.do("delete from partywall.jobs")
        yield make_tenant(f"tenant-{next(_numbers)}")


def end(attempt: Attempt, *, waits: bool) -> None:
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        attempts.finish(connection, result=None, waits=waits)


def found(crashing: Crashing, job_id: UUID) -> tuple[object, int]:
    """What the superuser sees, whose reading waits for nothing: the job's state, and how many effects."""
    ((state,),) = crashing.database.ask("select state from partywall.jobs where id = :id", id=job_id)
    return state, effects(crashing.database)


def test_effect_and_outcome_are_taken_back_together(crashing: Crashing, tenant: TestTenant) -> None:
    attempt = start_one(tenant)
    with crashing.crash():
        end(attempt, waits=False)
        assert found(crashing, attempt.job_id) == ("succeeded", 1)

    assert found(crashing, attempt.job_id) == ("running", 0)


def test_what_waited_stays(crashing: Crashing, tenant: TestTenant) -> None:
    attempt = start_one(tenant)
    with crashing.crash():
        end(attempt, waits=True)

    assert found(crashing, attempt.job_id) == ("succeeded", 1)


def test_the_last_of_a_bundle_waits_for_all_before_it(crashing: Crashing, tenant: TestTenant) -> None:
    first, last = start_one(tenant), start_one(tenant)
    with crashing.crash():
        end(first, waits=False)
        end(last, waits=True)

    assert found(crashing, first.job_id) == found(crashing, last.job_id) == ("succeeded", 2)


def told_by(role: Role) -> Tell:
    def tell(tenant: TestTenant, job_id: UUID) -> str:
        with tenant_session(tenant.context, role=role) as session:
            return jobs.get_job(session, job_id).state

    return tell


def told_on_the_loop(tenant: TestTenant, job_id: UUID) -> str:
    async def tell() -> str:
        async with async_tenant_session(tenant.context, role=Role.API) as session:
            state = (await session.run_sync(lambda sync: jobs.get_job(sync, job_id))).state
        await dispose_async_engines()
        return state

    return asyncio.run(tell())


def told_by_a_refusal(role: Role) -> Tell:
    def tell(tenant: TestTenant, job_id: UUID) -> str:
        with pytest.raises(JobOverError) as told, tenant_session(tenant.context, role=role) as session:
            cancel_job(session, job_id, reason=None)
        return str(told.value.facts["state"])

    return tell


def told_by_a_refusal_on_the_loop(tenant: TestTenant, job_id: UUID) -> str:
    async def tell() -> str:
        with pytest.raises(JobOverError) as told:
            async with async_tenant_session(tenant.context, role=Role.API) as session:
                await session.run_sync(partial(cancel_job, job_id=job_id, reason=None))
        await dispose_async_engines()
        return str(told.value.facts["state"])

    return asyncio.run(tell())


def told_by_a_command(tenant: TestTenant, job_id: UUID) -> str:
    with operator_connection() as connection:
        return find_job(connection, job_id).state


def told_by_a_call(tenant: TestTenant, job_id: UUID) -> str:
    with platform_connection(Role.WORKER) as connection:
        become(connection, tenant.context)
        calls.fence(connection)
        kept = connection.execute(text("select count(*) from app.notes")).scalar_one()
        connection.commit()
    return "succeeded" if kept else "running"


TELLERS: Final = {
    "the API": told_by(Role.API),
    "the API on its loop": told_on_the_loop,
    "the operator": told_by(Role.OPERATOR),
    "a refusal of the API": told_by_a_refusal(Role.API),
    "a refusal of the API on its loop": told_by_a_refusal_on_the_loop,
    "a refusal of the command line": told_by_a_refusal(Role.OPERATOR),
    "a command": told_by_a_command,
    "the result of a call": told_by_a_call,
}


@pytest.mark.parametrize("who", TELLERS)
def test_what_a_tenant_was_told_stays(crashing: Crashing, tenant: TestTenant, who: str) -> None:
    attempt = start_one(tenant)
    with crashing.crash():
        end(attempt, waits=False)
        assert TELLERS[who](tenant, attempt.job_id) == "succeeded"

    assert found(crashing, attempt.job_id) == ("succeeded", 1)


@pytest.mark.parametrize("who", TELLERS)
def test_a_teller_that_does_not_wait_would_be_seen(
    crashing: Crashing, tenant: TestTenant, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_WAIT_FOR_DISK", ("select 1", ()))
    monkeypatch.setattr(calls, "_STILL_THERE", ("select partywall.current_tenant_id()", ()))
    attempt = start_one(tenant)
    with crashing.crash():
        end(attempt, waits=False)
        assert TELLERS[who](tenant, attempt.job_id) == "succeeded"

    assert found(crashing, attempt.job_id) == ("running", 0)


def test_what_was_dispatched_and_not_claimed_is_sent_anew(crashing: Crashing, tenant: TestTenant) -> None:
    job_id = enqueue_one(tenant)
    with crashing.crash():
        (lost,) = dispatch_all()
        assert found(crashing, job_id) == ("dispatched", 0)

    assert found(crashing, job_id) == ("queued", 0)
    assert claim_of(lost) == []
    (sent,) = dispatch_all()
    assert [attempt.job_id for attempt in claim_of(sent)] == [job_id]


def test_a_claim_stays_and_with_it_what_was_dispatched(crashing: Crashing, tenant: TestTenant) -> None:
    enqueue_one(tenant)
    with crashing.crash():
        (sent,) = dispatch_all()
        (attempt,) = claim_of(sent)

    assert found(crashing, attempt.job_id) == ("running", 0)


def test_a_claim_stays_whatever_the_logins_settings_say(crashing: Crashing, tenant: TestTenant) -> None:
    job_id = enqueue_one(tenant)
    (sent,) = dispatch_all()
    crashing.database.do("alter role partywall_worker set synchronous_commit = off")
    try:
        with crashing.crash():
            assert len(claim_of(sent)) == 1
    finally:
        crashing.database.do("alter role partywall_worker reset synchronous_commit")

    assert found(crashing, job_id) == ("running", 0)


def test_the_commit_of_a_failed_transaction_raises_nothing_of_its_own(tenant: TestTenant) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        with pytest.raises(ProgrammingError):
            session.execute(text("select * from partywall.nothing"))
        driver: Any = session.connection().connection.driver_connection
        driver.commit()


def test_reading_writes_nothing_where_nothing_is_underway(crashing: Crashing, tenant: TestTenant) -> None:
    attempt = start_one(tenant)
    end(attempt, waits=True)
    # The first look at new rows may note on their page that they are committed.
    assert told_by(Role.API)(tenant, attempt.job_id) == "succeeded"
    with crashing.crash():
        before = written(crashing)
        assert told_by(Role.API)(tenant, attempt.job_id) == "succeeded"
        with tenant_session(tenant.context, role=Role.API) as session:
            session.commit()
        assert written(crashing) == before


def written(crashing: Crashing) -> object:
    return crashing.database.ask("select pg_current_wal_insert_lsn()")
