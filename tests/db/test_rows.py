"""The mapped base: what it adds to queries and inserts, so that nobody writes it by hand."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import RFC_4122, UUID

import psycopg
import pytest
from sqlalchemy import Table, delete, event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, aliased, joinedload, selectinload

import tasks
from db.engine import engine_for
from db.errors import NoTenantError
from db.roles import Role
from db.rows import TenantRow, uuid7
from db.session import TenantSession, become, platform_connection, session_on, tenant_session
from tests.databases import Database, TestTenant
from tests.db.notes import CommentRow, NoteRow


@pytest.fixture
def sent() -> Iterator[list[tuple[str, Any]]]:
    """What reached the worker's cursors: statement and what was bound."""
    statements: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        statements.append((statement, parameters))

    engine = engine_for(Role.WORKER)
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def rows_of(tenant: TestTenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return list(session.scalars(select(NoteRow.body).order_by(NoteRow.body)))


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


def mapped() -> list[Mapper[Any]]:
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        importlib.import_module(module.name)
    return sorted(TenantRow.registry.mappers, key=lambda mapper: mapper.class_.__name__)


def test_mapped_classes_have_the_columns_of_the_migrated_tables(database: Database) -> None:
    """Alembic's own comparison sees no policies, grants and functions, so the SQL files are the truth."""
    hidden = {("partywall.jobs", "dispatch_nonce"), ("partywall.jobs", "sends")}
    found: dict[str, set[tuple[str, str, bool]]] = {}
    for table, name, kind, is_nullable in database.ask("""
        select attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod), not attnotnull
        from pg_attribute
        where attnum > 0 and not attisdropped
    """):
        if (table, name) not in hidden:
            found.setdefault(str(table), set()).add((str(name), _family(str(kind)), bool(is_nullable)))

    for mapper in mapped():
        table = cast("Table", mapper.local_table)
        dialect = engine_for(Role.WORKER).dialect
        declared = {
            (column.name, _family(column.type.compile(dialect)), bool(column.nullable)) for column in table.columns
        }
        assert declared == found[table.fullname], mapper.class_.__name__


def test_every_mapped_class_is_of_a_protected_table_and_begins_with_the_tenant(database: Database) -> None:
    protected = {table for (table,) in database.ask("select polrelid::regclass::text from pg_policy")}

    for mapper in mapped():
        assert cast("Table", mapper.local_table).fullname in protected
        assert mapper.primary_key[0].name == "tenant_id"


def _family(kind: str) -> str:
    """Return the type without what a mapping need not repeat: length, precision, size of an integer."""
    spoken = kind.lower().split("(")[0]
    return {"varchar": "text", "integer": "bigint"}.get(spoken, spoken)


def test_ids_made_here_and_there_are_of_one_kind_and_in_the_order_of_time(database: Database) -> None:
    ids: list[UUID] = []
    for _ in range(3):
        ids.append(uuid7())
        ids.append(UUID(str(database.ask("select partywall.uuid7()")[0][0])))

    assert {(each.version, each.variant) for each in ids} == {(7, RFC_4122)}
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)
    assert len({each.int & (1 << 62) - 1 for each in ids}) == len(ids)
