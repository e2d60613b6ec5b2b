"""The door to a tenant's rows."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from db import jobs
from db.context import TenantContext
from db.engine import TENANT, dispose_async_engines, engine_for
from db.errors import NoTenantError, PartywallError, TokenExpiredError, TokenRejectedError
from db.roles import Role
from db.session import (
    async_platform_connection,
    async_tenant_session,
    become,
    platform_connection,
    tenant_session,
)
from tests.databases import Database, TestTenant
from tests.db.acting import raw_connection
from tests.db.notes import CommentRow, NoteRow
from tests.db.work import enqueue_one

COUNT = text("select count(*) from app.notes")


def write_note(tenant: TestTenant, body: str = "hello") -> None:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        session.add(NoteRow(body=body))


def bodies(tenant: TestTenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return list(session.scalars(select(NoteRow.body).order_by(NoteRow.body)))


def test_a_session_sees_its_own_tenants_rows_only(acme: TestTenant, zeta: TestTenant) -> None:
    enqueue_one(acme)
    enqueue_one(zeta)

    with tenant_session(acme.context, role=Role.API) as session:
        owners = session.execute(text("select distinct tenant_id from partywall.jobs")).scalars().all()

    assert owners == [acme.id]


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from app.notes",
        "update app.notes set body = ''",
        "delete from app.notes",
        "select count(*) from partywall.jobs",
        "select count(*) from partywall.tenants",
    ],
)
def test_without_a_context_there_is_an_error_instead_of_no_rows(statement: str, acme: TestTenant) -> None:
    write_note(acme)
    enqueue_one(acme)

    with pytest.raises(NoTenantError), platform_connection(Role.WORKER) as connection:
        connection.execute(text(statement))


def test_without_a_context_nothing_can_be_inserted(acme: TestTenant) -> None:
    with pytest.raises(NoTenantError), platform_connection(Role.WORKER) as connection:
        connection.execute(text("insert into app.notes (tenant_id, body) values (:tenant, '')"), {"tenant": acme.id})


def test_an_engine_without_an_option_begins_nothing(database: Database) -> None:
    with engine_for(Role.WORKER).connect() as connection:
        for _ in range(2):
            with pytest.raises(NoTenantError, match=r"tenant_session\(\)"):
                connection.execute(text("select 1"))
            connection.rollback()
        with pytest.raises(NoTenantError, match=r"tenant_session\(\)"):
            connection.execute(text("select 1"))
        with pytest.raises(DBAPIError, match="aborted"):
            connection.execute(text("select 1"))


def test_the_async_door_refuses_in_the_same_way(acme: TestTenant) -> None:
    write_note(acme)

    async def read() -> None:
        try:
            async with async_platform_connection(Role.WORKER) as connection:
                await connection.execute(COUNT)
        finally:
            await dispose_async_engines()

    with pytest.raises(NoTenantError):
        asyncio.run(read())


def test_the_async_door_leads_to_the_same_rows(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(acme)
    write_note(zeta)

    async def read() -> int | None:
        try:
            async with async_tenant_session(acme.context, role=Role.WORKER) as session:
                return await session.scalar(select(func.count()).select_from(NoteRow))
        finally:
            await dispose_async_engines()

    assert asyncio.run(read()) == 1


def test_the_next_transaction_is_the_tenants_too(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.add(NoteRow(body="first"))
        session.commit()
        session.add(NoteRow(body="second"))
        session.rollback()
        session.add(NoteRow(body="third"))

    assert bodies(acme) == ["first", "third"]


def test_a_savepoint_keeps_the_context_whether_released_or_rolled_back(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        with session.begin_nested():
            session.add(NoteRow(body="released"))
        nested = session.begin_nested()
        session.add(NoteRow(body="rolled back"))
        session.flush()
        nested.rollback()
        session.add(NoteRow(body="after"))

    assert bodies(acme) == ["after", "released"]


def test_an_error_inside_a_savepoint_leaves_the_context_standing(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text("select 1 / 0"))
        session.add(NoteRow(body="after"))

    assert bodies(acme) == ["after"]


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

    assert bodies(acme) == ["one", "two"]


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


def test_a_read_after_commit_in_sql_is_refused(acme: TestTenant) -> None:
    write_note(acme)

    with pytest.raises(NoTenantError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(COUNT)
        session.execute(text("commit"))
        session.execute(COUNT)


def test_a_token_set_by_sql_after_commit_cannot_name_another_tenant(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(zeta)
    mine = acme.context.token.split(".")
    forged = ".".join([*mine[:2], str(zeta.id), *mine[3:]])

    with pytest.raises(TokenRejectedError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("select 1"))
        session.execute(text("commit"))
        session.execute(text("begin"))
        session.execute(text("select set_config('partywall.token', :forged, true)"), {"forged": forged})
        session.execute(COUNT)


@pytest.mark.parametrize("local", [True, False])
def test_naming_a_tenant_in_the_setting_gets_nowhere(local: bool, acme: TestTenant, zeta: TestTenant) -> None:
    write_note(zeta)

    with pytest.raises(TokenRejectedError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(
            text("select set_config('partywall.token', :tenant, :local)"), {"tenant": str(zeta.id), "local": local}
        )
        session.execute(COUNT)


def test_a_context_set_by_startup_options_gets_nowhere(database: Database, acme: TestTenant) -> None:
    write_note(acme)
    options = f"-c partywall.token={acme.id}"

    with (
        psycopg.connect(database.url(Role.WORKER), options=options) as connection,
        pytest.raises(psycopg.DatabaseError) as refusal,
    ):
        connection.execute("select count(*) from app.notes")

    assert refusal.value.sqlstate == TokenRejectedError.sqlstate


def test_a_context_counts_for_the_first_statement_of_a_platform_connection_only(acme: TestTenant) -> None:
    write_note(acme)

    with platform_connection(Role.WORKER, context=acme.context) as connection:
        assert connection.execute(COUNT).scalar_one() == 1
        with pytest.raises(NoTenantError):
            connection.execute(COUNT)


def test_an_unknown_isolation_level_is_refused_before_it_poisons_the_connection(acme: TestTenant) -> None:
    with pytest.raises(PartywallError, match="isolation level"), platform_connection(Role.WORKER) as connection:
        connection.execution_options(isolation_level="SERIALIZABLE")

    with platform_connection(Role.WORKER) as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.autocommit


def test_an_expired_token_is_refused_with_the_first_statement(database: Database, acme: TestTenant) -> None:
    expired = mint(database, acme, lifetime="-1 second")

    with pytest.raises(TokenExpiredError), tenant_session(expired, role=Role.WORKER) as session:
        session.execute(text("select 1"))


def test_a_token_that_expires_meanwhile_ends_the_transaction(database: Database, acme: TestTenant) -> None:
    write_note(acme)
    brief = mint(database, acme, lifetime="1 second")

    with pytest.raises(TokenExpiredError), tenant_session(brief, role=Role.WORKER) as session:
        session.execute(text("select pg_sleep(2.1)"))
        session.execute(COUNT)


def test_an_error_shows_neither_token_nor_what_was_bound(acme: TestTenant) -> None:
    with pytest.raises(DBAPIError) as failure, tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("select cast(:secret as text), 1 / 0"), {"secret": "tenant's own"})

    shown = f"{failure.value}{failure.value!r}{failure.value.__cause__!r}"
    assert "tenant's own" not in shown
    assert acme.context.token not in shown


def test_a_context_shows_no_token(acme: TestTenant) -> None:
    assert acme.context.token not in f"{acme.context!r} {acme.context}"
    assert str(acme.id) in repr(acme.context)


def test_a_session_cannot_look_at_another_of_its_role(database: Database, acme: TestTenant) -> None:
    with raw_connection(database, Role.WORKER) as spy, pytest.raises(psycopg.errors.InsufficientPrivilege):
        spy.execute("select query from pg_stat_activity")


def test_whoever_can_look_at_a_session_sees_no_token(database: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(COUNT)
        counting = database.ask("select query from pg_stat_activity where datname = current_database()")
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.connection().exec_driver_sql("select partywall.enter(current_setting('partywall.token'))")
        entering = database.ask("select query from pg_stat_activity where datname = current_database()")

    assert ("select count(*) from app.notes",) in counting
    assert not any("pw1." in str(query) for (query,) in [*counting, *entering])


def test_a_row_of_one_tenant_cannot_point_to_a_row_of_another(acme: TestTenant, zeta: TestTenant) -> None:
    with tenant_session(zeta.context, role=Role.WORKER) as session:
        theirs = NoteRow(body="theirs")
        session.add(theirs)
        session.flush()
        note_id = theirs.id

    with pytest.raises(DBAPIError) as refusal, tenant_session(acme.context, role=Role.WORKER) as session:
        session.add(CommentRow(note_id=note_id, body="mine"))

    assert isinstance(refusal.value.orig, psycopg.errors.ForeignKeyViolation)


def test_a_job_enqueued_by_raw_sql_belongs_to_the_tenant_of_the_token(acme: TestTenant, zeta: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        job_id = session.execute(
            text("select partywall.enqueue('notes.write', :payload, 'default', null, 1)").bindparams(
                payload=Jsonb({"tenant_id": str(zeta.id)})
            )
        ).scalar_one()

    with tenant_session(acme.context, role=Role.API) as session:
        assert jobs.get_job(session, job_id).tenant_id == acme.id


def mint(database: Database, tenant: TestTenant, *, lifetime: str) -> TenantContext:
    ((token,),) = database.ask(
        "select partywall_private.mint(:tenant, 'job/x/1', cast(:lifetime as interval))",
        tenant=tenant.id,
        lifetime=lifetime,
    )
    return TenantContext.of(str(token))


def test_options_of_one_connection_do_not_reach_another(acme: TestTenant) -> None:
    options: dict[str, Any] = {TENANT: acme.context}
    engine_for(Role.WORKER).connect().execution_options(**options).close()

    with engine_for(Role.WORKER).connect() as connection, pytest.raises(NoTenantError):
        connection.execute(text("select 1"))
