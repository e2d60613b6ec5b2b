"""The door to a tenant's rows."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from db import jobs
from db.engine import TENANT, dispose_async_engines, engine_for
from db.errors import NoTenantError, PartywallError
from db.roles import Role
from db.session import async_platform_connection, async_tenant_session, platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.notes import COUNT, CommentRow, NoteRow, rows_of, write_note
from tests.db.work import enqueue_one


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

    assert rows_of(acme) == ["first", "third"]


def test_a_savepoint_keeps_the_context_whether_released_or_rolled_back(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        with session.begin_nested():
            session.add(NoteRow(body="released"))
        nested = session.begin_nested()
        session.add(NoteRow(body="rolled back"))
        session.flush()
        nested.rollback()
        session.add(NoteRow(body="after"))

    assert rows_of(acme) == ["after", "released"]


def test_an_error_inside_a_savepoint_leaves_the_context_standing(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text("select 1 / 0"))
        session.add(NoteRow(body="after"))

    assert rows_of(acme) == ["after"]


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


def test_options_of_one_connection_do_not_reach_another(acme: TestTenant) -> None:
    options: dict[str, Any] = {TENANT: acme.context}
    engine_for(Role.WORKER).connect().execution_options(**options).close()

    with engine_for(Role.WORKER).connect() as connection, pytest.raises(NoTenantError):
        connection.execute(text("select 1"))


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
            text("select job_id from partywall.enqueue('notes.write', :payload, 'default', null, 1)").bindparams(
                payload=Jsonb({"tenant_id": str(zeta.id)})
            )
        ).scalar_one()

    with tenant_session(acme.context, role=Role.API) as session:
        assert jobs.get_job(session, job_id).tenant_id == acme.id
