"""The same for asyncio: what the next user of a pooled connection finds."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import dispose_async_engines
from db.roles import Role
from db.session import async_platform_connection, async_tenant_session
from tests.databases import Database, TestTenant
from tests.db.leaving import LEFTOVERS, Found, assert_clean, look_async

pytestmark = pytest.mark.usefixtures("pool_of_one", "locks_for_everybody")

Body = Callable[[AsyncSession], Awaitable[object]]


class BodyError(Exception):
    """What a body raises."""


async def next_user() -> Found:
    async with async_platform_connection(Role.API) as connection:
        return await look_async(connection)


async def around(acme: TestTenant, body: Body) -> tuple[Found, Found]:
    """Return what was found before and after the body ran in a session of the tenant."""
    try:
        before = await next_user()
        try:
            async with async_tenant_session(acme.context, role=Role.API) as session:
                await session.execute(text("select partywall.current_tenant_id()"))
                await body(session)
        except (BodyError, DBAPIError, asyncio.CancelledError, TimeoutError):
            pass
        return before, await next_user()
    finally:
        await dispose_async_engines()


async def succeed(session: AsyncSession) -> None:
    await session.execute(text("select 1"))


async def raise_error(session: AsyncSession) -> None:
    raise BodyError


async def commit_halfway_and_raise(session: AsyncSession) -> None:
    await session.commit()
    await session.execute(text("select partywall.current_tenant_id()"))
    raise BodyError


async def roll_back(session: AsyncSession) -> None:
    await session.rollback()


async def break_a_statement(session: AsyncSession) -> None:
    await session.execute(text("select 1 / 0"))


async def leave_an_open_cursor(session: AsyncSession) -> None:
    await session.execute(text("declare left_behind cursor for select generate_series(1, 100000)"))
    await session.execute(text("fetch left_behind"))


@pytest.mark.parametrize(
    "body",
    [succeed, raise_error, commit_halfway_and_raise, roll_back, break_a_statement, leave_an_open_cursor],
    ids=lambda body: body.__name__,
)
def test_nothing_after_any_ending(body: Body, acme: TestTenant) -> None:
    before, after = asyncio.run(around(acme, body))

    assert_clean(after, backend_pid=before.backend_pid)


@pytest.mark.parametrize("first", [True, False], ids=["in the first statement", "in a later one"])
def test_nothing_after_a_request_was_cancelled(first: bool, acme: TestTenant) -> None:
    async def sleep(session: AsyncSession) -> None:
        if first:
            await session.rollback()
        async with asyncio.timeout(0.2):
            await session.execute(text("select pg_sleep(10)"))

    before, after = asyncio.run(around(acme, sleep))

    assert_clean(after, backend_pid=before.backend_pid)


def test_a_cancelled_request_leaves_no_query_running(database: Database, acme: TestTenant) -> None:
    async def sleep(session: AsyncSession) -> None:
        async with asyncio.timeout(0.2):
            await session.execute(text("select pg_sleep(10)"))

    asyncio.run(around(acme, sleep))

    assert database.ask("select pid from pg_stat_activity where query like '%pg_sleep(10)' and state = 'active'") == []


def test_nothing_that_statements_can_leave(acme: TestTenant) -> None:
    async def leave(session: AsyncSession) -> None:
        for statement in LEFTOVERS.values():
            await session.execute(text(statement))
            await session.execute(text("set statement_timeout = 0"))

    before, after = asyncio.run(around(acme, leave))

    assert_clean(after, backend_pid=before.backend_pid)


def test_a_new_connection_after_its_backend_was_killed(database: Database, acme: TestTenant) -> None:
    async def die(session: AsyncSession) -> None:
        pid = await session.scalar(text("select pg_backend_pid()"))
        database.do("select pg_terminate_backend(:pid)", pid=pid)
        await session.execute(text("select 1"))

    before, after = asyncio.run(around(acme, die))

    assert after.backend_pid != before.backend_pid
    assert_clean(after, backend_pid=None)
