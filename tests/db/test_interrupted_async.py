"""Cancellation, as a time limit does it, at any await of a coroutine: the connection stays, and carries nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import attempts
from db.engine import async_engine_for
from db.roles import Role
from db.session import async_platform_connection
from tests.databases import Database, TestTenant
from tests.db.test_fence_async import body_of, run
from tests.db.work import start_one

pytestmark = pytest.mark.usefixtures("pool_of_one")

Body = Callable[[AsyncConnection], Awaitable[object]]


async def backend(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("select pg_backend_pid()")))


async def first_statement(connection: AsyncConnection) -> None:
    await connection.execute(text("select pg_sleep(10)"))


async def later_statement(connection: AsyncConnection) -> None:
    await connection.execute(text("select 1"))
    await connection.execute(text("select pg_sleep(10)"))


async def many_statements(connection: AsyncConnection) -> None:
    await connection.execute(text("select pg_sleep(:seconds)"), [{"seconds": 0.02}] * 500)


async def server_side_cursor(connection: AsyncConnection) -> None:
    rows = text("select pg_sleep(0.01), repeat('x', 10000) from generate_series(1, 1000)")
    async with connection.stream(rows, execution_options={"max_row_buffer": 1}) as result:
        async for _ in result:
            pass


@pytest.mark.parametrize("body", [first_statement, later_statement, many_statements, server_side_cursor])
def test_the_connection_survives_and_carries_nothing(database: Database, body: Body, acme: TestTenant) -> None:
    attempt = start_one(acme)

    async def interrupted() -> tuple[int, int, str]:
        async with body_of(attempt) as connection:
            before = await backend(connection)
            await connection.rollback()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await body(connection)
            await connection.run_sync(attempts.abandon)
        async with async_platform_connection(Role.WORKER) as connection:
            left = await connection.scalar(text("select current_setting('partywall.token', true)"))
            return before, await backend(connection), left or ""

    before, after, left = run(interrupted())

    assert (before, left) == (after, "")
    assert database.ask("select 1 from pg_stat_activity where query like '%pg_sleep(10)' and state = 'active'") == []


@pytest.mark.usefixtures("locks_for_everybody")
def test_whenever_it_strikes_the_next_user_finds_a_clean_connection(acme: TestTenant) -> None:
    chance = random.Random(20240301)
    attempt = start_one(acme, lease_seconds=600)

    async def work(connection: AsyncConnection) -> None:
        for _ in range(50):
            await connection.execute(text("select partywall.current_tenant_id()"))
            await connection.execute(text("select set_config('partywall.left_behind', 'yes', false)"))
            await connection.execute(text("select pg_advisory_lock(7)"))
            await connection.commit()

    async def strike() -> None:
        for _ in range(150):
            async with body_of(attempt) as connection:
                body = asyncio.create_task(work(connection))
                await asyncio.wait({body}, timeout=chance.uniform(0.0001, 0.008))
                # Twice: the second finds psycopg in the middle of draining what the first broke off.
                body.cancel()
                await asyncio.wait({body}, timeout=chance.choice([0, 0.0005, 1]))
                body.cancel()
                with suppress(asyncio.CancelledError):
                    await body
                await connection.run_sync(attempts.abandon)
                assert await connection.scalar(text("select partywall.current_tenant_id()")) == acme.id
            async with async_platform_connection(Role.WORKER) as connection:
                found = (
                    await connection.execute(
                        text("""
                            select
                                current_setting('partywall.left_behind', true) as setting,
                                current_setting('partywall.token', true) as token,
                                (
                                    select count(*) from pg_locks
                                    where locktype = 'advisory' and pid = pg_backend_pid()
                                ) as locks
                        """)
                    )
                ).one()
            assert (found.setting or "", found.token or "", found.locks) == ("", "", 0)
        assert async_engine_for(Role.WORKER).pool.checkedout() == 0  # type: ignore[attr-defined]

    run(strike())
