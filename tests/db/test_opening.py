"""What opens a transaction carries the context, by whichever way it speaks."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text

from db.engine import dispose_async_engines
from db.roles import Role
from db.session import async_tenant_session, become, platform_connection, tenant_session
from tests.databases import TestTenant
from tests.db.notes import NoteRow, rows_of, write_note


def executemany(connection: Connection) -> None:
    connection.execute(insert(NoteRow.__table__), [{"body": "one"}, {"body": "two"}])  # type: ignore[arg-type]


def driver_executemany(connection: Connection) -> None:
    connection.exec_driver_sql(
        "insert into app.notes (tenant_id, body) values (partywall.current_tenant_id(), %s)", [("one",), ("two",)]
    )


def savepoint(connection: Connection) -> None:
    with connection.begin_nested():
        executemany(connection)


def unnest(connection: Connection) -> None:
    connection.execute(
        text("insert into app.notes (body) select unnest(cast(:bodies as text[]))"), {"bodies": ["one", "two"]}
    )


@pytest.mark.parametrize("write", [executemany, driver_executemany, savepoint, unnest], ids=lambda each: each.__name__)
def test_whatever_speaks_first_carries_the_context(write: Callable[[Connection], None], acme: TestTenant) -> None:
    with platform_connection(Role.WORKER) as connection:
        become(connection, acme.context)
        write(connection)
        connection.commit()

    assert rows_of(acme) == ["one", "two"]


def test_a_server_side_cursor_that_speaks_first_carries_the_context(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(acme, "mine")
    write_note(zeta, "theirs")

    with tenant_session(acme.context, role=Role.WORKER) as session:
        rows = session.scalars(select(NoteRow.body).execution_options(stream_results=True, yield_per=1)).all()

    assert rows == ["mine"]


def test_an_async_server_side_cursor_carries_the_context(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(acme, "mine")
    write_note(zeta, "theirs")

    async def read() -> list[str]:
        try:
            async with async_tenant_session(acme.context, role=Role.WORKER) as session:
                return [body async for body in await session.stream_scalars(select(NoteRow.body))]
        finally:
            await dispose_async_engines()

    assert asyncio.run(read()) == ["mine"]


def driver_copy(driver: psycopg.Connection[Any]) -> list[str]:
    with driver.cursor().copy("copy (select body from app.notes) to stdout") as copy:
        return [row[0] for row in copy.rows()]


def driver_stream(driver: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in driver.cursor().stream("select body from app.notes")]


def driver_execute(driver: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in driver.execute("select body from app.notes")]


@pytest.mark.parametrize("read", [driver_copy, driver_stream, driver_execute], ids=lambda each: each.__name__)
def test_the_drivers_own_ways_carry_the_context(
    read: Callable[[Any], list[str]], acme: TestTenant, zeta: TestTenant
) -> None:
    write_note(acme, "mine")
    write_note(zeta, "theirs")

    with platform_connection(Role.WORKER) as connection:
        become(connection, acme.context)
        connection.begin()
        found = read(connection.connection.driver_connection)

    assert found == ["mine"]


def test_copy_into_a_protected_table_is_refused(acme: TestTenant) -> None:
    with platform_connection(Role.WORKER) as connection:
        become(connection, acme.context)
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with (
            pytest.raises(psycopg.errors.FeatureNotSupported),
            driver.cursor().copy("copy app.notes (body) from stdin") as copy,
        ):
            copy.write(io.StringIO("hello\n").read())
