"""The mapped base: what it adds to queries, so that nobody writes it by hand."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import aliased, joinedload, selectinload

from db.roles import Role
from db.session import TenantSession, become, platform_connection, session_on, tenant_session
from tests.databases import TestTenant
from tests.db.notes import CommentRow, NoteRow, rows_of


def write(tenant: TestTenant, *bodies: str) -> list[UUID]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        notes = [NoteRow(body=body, comments=[CommentRow(body=f"on {body}")]) for body in bodies]
        session.add_all(notes)
        session.flush()
        return [note.id for note in notes]


def plain_select(session: TenantSession) -> None:
    session.scalars(select(NoteRow)).all()


def columns_only(session: TenantSession) -> None:
    session.execute(select(NoteRow.body, func.count()).group_by(NoteRow.body)).all()


def join(session: TenantSession) -> None:
    session.execute(select(NoteRow, CommentRow).join(NoteRow.comments)).all()


def alias(session: TenantSession) -> None:
    other = aliased(NoteRow)
    session.execute(select(NoteRow, other).join(other, other.id == NoteRow.id)).all()


def subquery(session: TenantSession) -> None:
    session.scalars(select(NoteRow).where(NoteRow.id.in_(select(CommentRow.note_id)))).all()


def eager(session: TenantSession) -> None:
    session.scalars(select(NoteRow).options(joinedload(NoteRow.comments))).unique().all()


def bulk_update(session: TenantSession) -> None:
    session.execute(update(NoteRow).values(body="changed"))


def bulk_delete(session: TenantSession) -> None:
    session.execute(delete(CommentRow))


@pytest.mark.parametrize(
    ("ask", "tables"),
    [
        (plain_select, 1),
        (columns_only, 1),
        (join, 2),
        (alias, 2),
        (subquery, 2),
        (eager, 2),
        (bulk_update, 1),
        (bulk_delete, 1),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_every_table_of_a_query_gets_the_tenants_predicate(
    ask: Callable[[TenantSession], None], tables: int, acme: TestTenant, sent: list[tuple[str, Any]]
) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        ask(session)

    ((statement, parameters),) = sent
    assert statement.count("tenant_id = %(tenant_id_") == tables
    assert set(parameters.values()) - {"changed"} == {acme.id}


def test_a_relationship_that_loads_later_gets_it_too(acme: TestTenant, sent: list[tuple[str, Any]]) -> None:
    write(acme, "a note")
    sent.clear()
    with tenant_session(acme.context, role=Role.WORKER) as session:
        for load in (select(NoteRow), select(NoteRow).options(selectinload(NoteRow.comments))):
            session.expunge_all()
            (note,) = session.scalars(load).all()
            assert [comment.body for comment in note.comments] == ["on a note"]

    assert len(sent) == 4
    assert all("tenant_id = %(tenant_id_" in statement for statement, _ in sent)


def test_two_tenants_share_one_compiled_statement_and_no_value(
    acme: TestTenant, zeta: TestTenant, sent: list[tuple[str, Any]]
) -> None:
    for tenant in (acme, zeta, acme):
        with tenant_session(tenant.context, role=Role.WORKER) as session:
            session.scalars(select(NoteRow)).all()

    assert len({statement for statement, _ in sent}) == 1
    assert [next(iter(parameters.values())) for _, parameters in sent] == [acme.id, zeta.id, acme.id]


def test_the_planner_knows_the_tenant_and_a_mismatch_costs_nothing(
    acme: TestTenant, zeta: TestTenant, sent: list[tuple[str, Any]]
) -> None:
    """With the explicit predicate, a context of another tenant is a one-time filter: no row is even looked at."""
    write(zeta, *[f"note {number}" for number in range(100)])
    with tenant_session(acme.context, role=Role.WORKER) as session:
        plan = session.execute(
            text("explain (analyze, costs off, timing off, summary off) select * from app.notes where tenant_id = :t"),
            {"t": zeta.id},
        ).scalars()
        shown = "\n".join(plan)

    assert "One-Time Filter" in shown
    assert "never executed" in shown


def test_another_tenants_row_cannot_be_got_changed_or_deleted(acme: TestTenant, zeta: TestTenant) -> None:
    (theirs,) = write(zeta, "theirs")

    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert session.get(NoteRow, (zeta.id, theirs)) is None
        session.execute(update(NoteRow).where(NoteRow.id == theirs).values(body="mine"))
        session.execute(text("update app.notes set body = 'mine'"))
        session.execute(text("delete from app.comments"))
        session.execute(text("delete from app.notes"))

    assert rows_of(zeta) == ["theirs"]


def test_an_update_by_primary_key_changes_ones_own(acme: TestTenant) -> None:
    first, second = write(acme, "a", "b")

    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(
            update(NoteRow),
            [
                {"tenant_id": acme.id, "id": first, "body": "A"},
                {"tenant_id": acme.id, "id": second, "body": "B"},
            ],
        )

    assert rows_of(acme) == ["A", "B"]


def test_a_session_on_a_bodys_connection_shares_its_transaction(acme: TestTenant) -> None:
    with platform_connection(Role.WORKER) as connection:
        become(connection, acme.context)
        with session_on(connection, acme.context) as session:
            session.add(NoteRow(body="by the session"))
            session.flush()
            connection.execute(text("insert into app.notes (body) values ('by the connection')"))
            session.commit()
        connection.execute(text("insert into app.notes (body) values ('forgotten')"))
        connection.rollback()

    assert rows_of(acme) == ["by the connection", "by the session"]
