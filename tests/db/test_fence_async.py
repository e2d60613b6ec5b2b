"""The fence on the event loop: what a coroutine commits is kept under its attempt's lease, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db import attempts
from db.attempts import Attempt
from db.body_statements import BodyStatementError
from db.engine import dispose_async_engines
from db.errors import LeaseLostError
from db.roles import Role
from db.session import async_platform_connection, async_session_on, become
from db.transaction_control import TransactionControlError
from tests.databases import Database, TestTenant
from tests.db.test_transaction_control import ENDINGS
from tests.db.work import WRITE, effects, job_of, start_again, start_one, take_away

Result = TypeVar("Result")


@asynccontextmanager
async def body_of(attempt: Attempt, *, fenced: bool = True) -> AsyncIterator[AsyncConnection]:
    """Open the connection that the attempt's `async def` body would have."""

    def enter(connection: Connection) -> None:
        become(connection, attempt.context)
        if fenced:
            attempts.fence(connection)

    async with async_platform_connection(Role.WORKER) as connection:
        await connection.run_sync(enter)
        yield connection


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    async def and_close() -> Result:
        try:
            return await coroutine
        finally:
            await dispose_async_engines()

    return asyncio.run(and_close())


async def finish(connection: AsyncConnection, result: Any = None) -> None:
    await connection.run_sync(lambda sync: attempts.finish(sync, result=result))


def test_effects_and_outcome_are_one_transaction(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)

    async def body() -> None:
        async with body_of(attempt) as connection:
            await connection.execute(WRITE)
            assert effects(database) == 0
            await finish(connection, {"written": 1})

    run(body())

    job = job_of(acme, attempt.job_id)
    assert (effects(database), job.state, job.result) == (1, "succeeded", {"written": 1})


def test_a_body_that_touches_no_table_can_be_finished(acme: TestTenant) -> None:
    attempt = start_one(acme)

    async def body() -> None:
        async with body_of(attempt) as connection:
            await finish(connection)

    run(body())

    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_a_finish_after_the_lease_was_lost_keeps_nothing(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            await connection.execute(WRITE)
            take_away(database, zombie)
            start_again(database)
            with pytest.raises(LeaseLostError):
                await finish(connection)

    run(body())

    assert effects(database) == 0


async def commit_on_the_connection(connection: AsyncConnection, attempt: Attempt) -> None:
    await connection.commit()


async def commit_through_a_session(connection: AsyncConnection, attempt: Attempt) -> None:
    session = async_session_on(connection, attempt.context)
    await session.execute(WRITE)
    await session.commit()


COMMITS = [commit_on_the_connection, commit_through_a_session]


@pytest.mark.parametrize("commit", COMMITS)
def test_a_commit_halfway_after_the_lease_was_lost_keeps_nothing(
    database: Database, acme: TestTenant, commit: Callable[[AsyncConnection, Attempt], Coroutine[Any, Any, None]]
) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            await connection.execute(WRITE)
            take_away(database, zombie)
            with pytest.raises(LeaseLostError):
                await commit(connection, zombie)

    run(body())

    assert effects(database) == 0


def test_without_the_fence_a_zombies_commit_would_go_through(database: Database, acme: TestTenant) -> None:
    """The test above can see what it guards against."""
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie, fenced=False) as connection:
            await connection.execute(WRITE)
            take_away(database, zombie)
            await connection.commit()

    run(body())

    assert effects(database) == 1


def test_the_fence_stands_again_after_the_connection_was_lost(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            pid = await connection.scalar(text("select pg_backend_pid()"))
            database.do("select pg_terminate_backend(:pid, 5000)", pid=pid)
            with pytest.raises(DBAPIError):
                await connection.execute(WRITE)
            await connection.run_sync(attempts.abandon)
            await connection.execute(WRITE)
            take_away(database, zombie)
            with pytest.raises(LeaseLostError):
                await connection.commit()

    run(body())

    assert effects(database) == 0


@pytest.mark.parametrize("ending", [*ENDINGS, "select 1; commit; select 1", "do $$ begin commit; end $$"])
def test_a_zombie_cannot_keep_what_it_wrote_by_committing_in_sql(
    database: Database, acme: TestTenant, ending: str
) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            await connection.execute(WRITE)
            take_away(database, zombie)
            with pytest.raises((TransactionControlError, BodyStatementError, DBAPIError)):
                await connection.exec_driver_sql(ending)
            with pytest.raises((LeaseLostError, DBAPIError)):
                await connection.commit()
            await connection.run_sync(attempts.abandon)

    run(body())

    assert effects(database) == 0


def test_an_attempt_whose_connection_was_abandoned_can_record_its_failure(acme: TestTenant) -> None:
    attempt = start_one(acme, max_attempts=1)

    def fail(connection: Connection) -> None:
        attempts.abandon(connection)
        attempts.fail(connection, error={"type": "BodyError"}, retry_after_seconds=None)

    async def body() -> None:
        async with body_of(attempt) as connection:
            with pytest.raises(DBAPIError):
                await connection.execute(text("select 1 / 0"))
            await connection.run_sync(fail)

    run(body())

    job = job_of(acme, attempt.job_id)
    assert (job.state, job.error) == ("failed", {"type": "BodyError"})


def test_asyncio_tasks_that_begin_a_transaction_together_are_all_in_it(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    where = text("select pg_current_xact_id()::text, partywall.current_tenant_id()")
    write = text("insert into app.notes (body) values (:body)")

    async def body() -> set[tuple[Any, ...]]:
        async with body_of(attempt) as connection:
            written = asyncio.create_task(connection.execute(write, [{"body": "one"}, {"body": "two"}]))
            asked = [asyncio.create_task(connection.execute(where)) for _ in range(20)]
            answers = {tuple(result.one()) for result in await asyncio.gather(*asked)}
            await written
            await connection.rollback()
            return answers

    ((_, tenant_id),) = run(body())

    assert tenant_id == acme.id
    assert effects(database) == 0


@pytest.mark.parametrize("named", [(), ("a cursor of the server",)], ids=["unnamed", "named"])
@pytest.mark.parametrize("kind", ["copy", "stream"])
@pytest.mark.parametrize("ending", ["commit", "copy (select 1) to stdout; commit"])
def test_a_zombie_cannot_commit_in_what_travels_by_itself(
    database: Database, acme: TestTenant, kind: str, ending: str, named: tuple[str, ...]
) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            await connection.execute(WRITE)
            take_away(database, zombie)
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with driver.cursor(*named) as cursor:
                with pytest.raises(TransactionControlError):
                    if kind == "copy":
                        async with cursor.copy(ending):
                            pass
                    else:
                        async for _ in cursor.stream(ending):
                            pass
            await connection.run_sync(attempts.abandon)

    run(body())

    assert effects(database) == 0


def test_a_zombie_cannot_commit_in_a_transaction_of_the_drivers(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)

    async def body() -> None:
        async with body_of(zombie) as connection:
            take_away(database, zombie)
            await connection.begin()
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with pytest.raises(TransactionControlError):
                async with driver.transaction():
                    await driver.execute("insert into app.notes (body) values ('an effect')")
            await connection.run_sync(attempts.abandon)

    run(body())

    assert effects(database) == 0
