"""Rows that a tenant puts in: the mapped base fills in the tenant and the id, and no other tenant will do."""

from collections.abc import Callable
from typing import Any
from uuid import RFC_4122, UUID

import psycopg
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from db.errors import NoTenantError
from db.roles import Role
from db.rows import uuid7
from db.session import TenantSession, platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.notes import NoteRow, rows_of


def add(session: TenantSession) -> None:
    session.add(NoteRow(body="a"))


def add_all(session: TenantSession) -> None:
    session.add_all([NoteRow(body="a"), NoteRow(body="b")])


def merge(session: TenantSession) -> None:
    session.merge(NoteRow(body="a"))


def bulk_objects(session: TenantSession) -> None:
    session.bulk_save_objects([NoteRow(body="a"), NoteRow(body="b")])


def orm_insert(session: TenantSession) -> None:
    session.execute(insert(NoteRow), [{"body": "a"}, {"body": "b"}])


def orm_insert_of_values(session: TenantSession) -> None:
    session.execute(insert(NoteRow).values([{"body": "a"}, {"body": "b"}]))


def orm_insert_returning(session: TenantSession) -> None:
    session.scalars(insert(NoteRow).returning(NoteRow), [{"body": "a"}, {"body": "b"}]).all()


def core_insert(session: TenantSession) -> None:
    session.connection().execute(insert(NoteRow.__table__), [{"body": "a"}, {"body": "b"}])  # type: ignore[arg-type]


def sql_insert(session: TenantSession) -> None:
    session.execute(text("insert into app.notes (body) values ('a')"))


@pytest.mark.parametrize(
    "put",
    [
        add,
        add_all,
        merge,
        bulk_objects,
        orm_insert,
        orm_insert_of_values,
        orm_insert_returning,
        core_insert,
        sql_insert,
    ],
    ids=lambda each: each.__name__,
)
def test_the_tenant_fills_itself(put: Callable[[TenantSession], None], database: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        put(session)

    assert {tenant_id for (tenant_id,) in database.ask("select tenant_id from app.notes")} == {acme.id}


def test_a_thousand_rows_are_not_a_thousand_statements(acme: TestTenant, sent: list[tuple[str, Any]]) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.add_all([NoteRow(body=str(number)) for number in range(1000)])

    assert len(sent) <= 2
    assert len(rows_of(acme)) == 1000


def test_an_id_is_known_after_the_flush(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        note = NoteRow(body="a")
        session.add(note)
        session.flush()

        assert (note.tenant_id, note.id.version) == (acme.id, 7)


def test_inserting_without_a_tenant_is_our_error_not_sqlalchemys(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection, pytest.raises(NoTenantError) as refusal:
        connection.execute(insert(NoteRow.__table__), {"body": "a"})  # type: ignore[arg-type]

    assert "tenant_session()" in str(refusal.value)


def insert_for_another(session: TenantSession, other: UUID) -> None:
    session.add(NoteRow(tenant_id=other, body="planted"))


def insert_for_another_in_sql(session: TenantSession, other: UUID) -> None:
    session.execute(text("insert into app.notes (tenant_id, body) values (:other, 'planted')"), {"other": other})


def move_to_another(session: TenantSession, other: UUID) -> None:
    session.execute(text("update app.notes set tenant_id = :other"), {"other": other})


def move_object(session: TenantSession, other: UUID) -> None:
    session.scalars(select(NoteRow)).one().tenant_id = other


def upsert_for_another(session: TenantSession, other: UUID) -> None:
    session.execute(
        text("""
            insert into app.notes (tenant_id, id, body)
            select :other, id, body from app.notes
            on conflict (tenant_id, id) do update set tenant_id = excluded.tenant_id
        """),
        {"other": other},
    )


@pytest.mark.parametrize(
    "attack",
    [insert_for_another, insert_for_another_in_sql, move_to_another, move_object, upsert_for_another],
    ids=lambda each: each.__name__,
)
def test_a_row_for_another_tenant_is_refused(
    attack: Callable[[TenantSession, UUID], None], acme: TestTenant, zeta: TestTenant
) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(insert(NoteRow), [{"body": "mine"}])

    with pytest.raises(DBAPIError) as refusal, tenant_session(acme.context, role=Role.WORKER) as session:
        attack(session, zeta.id)

    assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege)
    assert (rows_of(acme), rows_of(zeta)) == (["mine"], [])


def test_ids_made_here_and_there_are_of_one_kind_and_in_the_order_of_time(database: Database) -> None:
    ids: list[UUID] = []
    for _ in range(3):
        ids.append(uuid7())
        ids.append(UUID(str(database.ask("select partywall.uuid7()")[0][0])))

    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)
    assert len({each.int & (1 << 62) - 1 for each in ids}) == len(ids)
