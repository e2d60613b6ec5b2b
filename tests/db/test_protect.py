"""Putting a table behind the wall, and what walks into it."""

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.errors import NoTenantError, NotProtectableError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner, raw_connection
from tests.db.notes import create_notes

BODIES = text("select body from app.notes order by body")


@pytest.fixture
def database(own_database: Database) -> Database:
    """Its own, because these tests change tables and policies."""
    create_notes(own_database)
    return own_database


@pytest.fixture
def notes(acme: TestTenant, zeta: TestTenant) -> None:
    """One note of each tenant."""
    for tenant in (acme, zeta):
        with tenant_session(tenant.context, role=Role.WORKER) as session:
            session.execute(text("insert into app.notes (body) values (:slug)"), {"slug": tenant.slug})


def seen_by(tenant: TestTenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return list(session.execute(BODIES).scalars())


def policies(database: Database) -> list[tuple[object, ...]]:
    return database.ask("""
        select
            polname::text,
            polpermissive,
            polroles::regrole[]::text,
            polcmd::text,
            pg_get_expr(polqual, polrelid),
            pg_get_expr(polwithcheck, polrelid),
            relrowsecurity,
            relforcerowsecurity
        from pg_policy
        join pg_class on pg_class.oid = polrelid
        where polrelid = 'app.notes'::regclass
        order by polname
    """)


def test_a_protected_table_has_a_policy_and_its_restrictive_twin_forced_on_all(database: Database) -> None:
    predicate = "(tenant_id = ( SELECT partywall.current_tenant_id() AS current_tenant_id))"

    assert policies(database) == [
        ("tenant_isolation", True, "{-}", "*", predicate, predicate, True, True),
        ("tenant_isolation_always", False, "{-}", "*", predicate, predicate, True, True),
    ]


ALTERATIONS: list[LiteralString] = [
    "alter policy tenant_isolation on app.notes using (true)",
    "alter policy tenant_isolation_always on app.notes using (true) with check (true)",
    "drop policy tenant_isolation on app.notes",
    "drop policy tenant_isolation_always on app.notes",
    "alter table app.notes disable row level security",
    "alter table app.notes no force row level security",
    "select 1",
]


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_protecting_again_puts_back_what_was_altered(alteration: LiteralString, database: Database) -> None:
    before = policies(database)
    as_owner(database, alteration)

    as_owner(database, "select partywall.protect('app.notes')")

    assert policies(database) == before


NOT_TABLES: dict[str, LiteralString] = {
    "a table without tenant_id": "create table app.x (id int)",
    "a table whose tenant_id is a text": "create table app.x (tenant_id text)",
    "a table whose tenant_id was dropped": """
        create table app.x (tenant_id uuid, id int); alter table app.x drop column tenant_id""",
    "a view": "create view app.x as select tenant_id from app.notes",
    "a materialized view": "create materialized view app.x as select null::uuid as tenant_id",
    "a sequence": "create sequence app.x",
}


@pytest.mark.parametrize("made_by", NOT_TABLES.values(), ids=NOT_TABLES)
def test_what_cannot_stand_behind_the_wall_is_refused(made_by: LiteralString, database: Database) -> None:
    as_owner(database, made_by)

    with pytest.raises(psycopg.DatabaseError, match="cannot be protected") as refusal:
        as_owner(database, "select partywall.protect('app.x')")

    assert refusal.value.sqlstate == NotProtectableError.sqlstate


def test_a_table_with_rows_without_a_tenant_is_refused(database: Database) -> None:
    as_owner(database, "create table app.x (tenant_id uuid); insert into app.x values (null)")

    with pytest.raises(psycopg.errors.NotNullViolation):
        as_owner(database, "select partywall.protect('app.x')")


def test_a_name_that_needs_quoting_is_protected(database: Database) -> None:
    as_owner(
        database,
        """create table app."Odd; name" (tenant_id uuid); select partywall.protect('app."Odd; name"')""",
    )

    assert database.ask("""select count(*) from pg_policy where polrelid = 'app."Odd; name"'::regclass""") == [(2,)]


@pytest.mark.usefixtures("notes")
def test_a_second_permissive_policy_widens_nothing(database: Database, acme: TestTenant) -> None:
    as_owner(database, "create policy oops on app.notes using (true) with check (true)")

    assert seen_by(acme) == ["acme"]


@pytest.mark.usefixtures("notes")
def test_without_the_restrictive_twin_it_would(database: Database, acme: TestTenant) -> None:
    """The test above can see what it guards against."""
    as_owner(
        database,
        """
        drop policy tenant_isolation_always on app.notes;
        create policy oops on app.notes using (true) with check (true);
        """,
    )

    assert seen_by(acme) == ["acme", "zeta"]


@pytest.mark.usefixtures("notes")
def test_the_owner_is_bound_too(database: Database) -> None:
    """A definer function or a backfill without a tenant stops instead of seeing everything, or nothing."""
    with pytest.raises(psycopg.DatabaseError) as refusal:
        as_owner(database, "update app.notes set body = 'backfilled'")
    assert refusal.value.sqlstate == NoTenantError.sqlstate

    as_owner(
        database,
        """
        create function app.count_notes() returns bigint language sql security definer
        as 'select count(*) from app.notes';
        grant execute on function app.count_notes() to partywall_worker;
        """,
    )
    with raw_connection(database, Role.WORKER) as connection, pytest.raises(psycopg.DatabaseError) as refusal:
        connection.execute("select app.count_notes()")
    assert refusal.value.sqlstate == NoTenantError.sqlstate


@pytest.mark.usefixtures("notes")
def test_a_definer_function_sees_the_tenant_that_calls_it(database: Database, acme: TestTenant) -> None:
    as_owner(
        database,
        """
        create function app.count_notes() returns bigint language sql security definer
        as 'select count(*) from app.notes';
        grant execute on function app.count_notes() to partywall_worker;
        """,
    )

    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert session.execute(text("select app.count_notes()")).scalar_one() == 1


@pytest.mark.usefixtures("notes")
def test_a_function_of_the_adopter_is_executable_by_nobody_until_granted(database: Database) -> None:
    as_owner(database, "create function app.anything() returns int language sql as 'select 1'")

    with raw_connection(database, Role.WORKER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select app.anything()")


@pytest.mark.usefixtures("notes")
def test_row_security_off_is_an_error_and_no_way_out(acme: TestTenant) -> None:
    with pytest.raises(DBAPIError) as refusal, tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("set row_security = off"))
        session.execute(BODIES)

    assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege)


@pytest.mark.usefixtures("notes")
def test_an_operator_that_prints_what_it_compares_sees_no_foreign_row(database: Database, acme: TestTenant) -> None:
    """A function in a condition runs before the policy only when it is leakproof, and only superusers make such."""
    as_owner(
        database,
        """
        create function app.tell(body text) returns boolean language plpgsql cost 0.0000001
        as 'begin raise notice ''saw %'', body; return true; end';
        grant execute on function app.tell(text) to partywall_worker;
        """,
    )
    told: list[str] = []
    with platform_connection(Role.WORKER, context=acme.context) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.add_notice_handler(lambda notice: told.append(notice.message_primary))
        connection.execute(text("select * from app.notes where app.tell(body)"))

    assert told == ["saw acme"]


def test_a_partitioned_table_is_protected_with_its_partitions(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    """A partition that is named directly does not ask the policies of its parent."""
    as_owner(
        database,
        """
        create table app.events (tenant_id uuid not null, id int not null, primary key (tenant_id, id))
        partition by hash (tenant_id);
        create table app.events_0 partition of app.events for values with (modulus 2, remainder 0)
        partition by list (id);
        create table app.events_0_1 partition of app.events_0 for values in (1);
        create table app.events_1 partition of app.events for values with (modulus 2, remainder 1);
        select partywall.protect('app.events');
        """,
    )
    for tenant in (acme, zeta):
        with tenant_session(tenant.context, role=Role.WORKER) as session:
            session.execute(text("insert into app.events values (:t, 1)"), {"t": tenant.id})

    seen: list[UUID] = []
    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert session.execute(text("select tenant_id from app.events")).scalars().all() == [acme.id]
        for partition in ("events_0", "events_0_1", "events_1"):
            seen += session.execute(text(f"select tenant_id from app.{partition}")).scalars().all()
    assert set(seen) == {acme.id}
    with raw_connection(database, Role.WORKER) as connection, pytest.raises(psycopg.DatabaseError) as refusal:
        connection.execute("select * from app.events_0 union all select * from app.events_1")
    assert refusal.value.sqlstate == NoTenantError.sqlstate


def test_a_child_by_inheritance_is_protected_with_its_parent(database: Database, acme: TestTenant) -> None:
    as_owner(
        database,
        "create table app.child () inherits (app.notes); select partywall.protect('app.notes')",
    )

    assert database.ask("select count(*) from pg_policy where polrelid = 'app.child'::regclass") == [(2,)]


def test_a_predicate_is_asked_once_per_statement_not_once_per_row(database: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(
            text("insert into app.notes (tenant_id, body) select :t, n::text from generate_series(1, 500) n"),
            {"t": acme.id},
        )
        plan = session.execute(
            text("explain (analyze, costs off, timing off, summary off) select * from app.notes")
        ).scalars()
        shown = "\n".join(plan)

    assert shown.count("InitPlan") == 1 + shown.count("(InitPlan")
    assert "SubPlan" not in shown


def test_a_foreign_key_is_added_to_a_protected_table_while_its_owner_is_not_bound(
    database: Database, acme: TestTenant
) -> None:
    as_owner(
        database,
        """
        create table app.shelves (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id));
        create table app.books (
            tenant_id uuid not null, id uuid not null, shelf_id uuid not null, primary key (tenant_id, id)
        );
        select partywall.protect('app.shelves');
        select partywall.protect('app.books');
        """,
    )
    row = {"tenant": acme.id, "id": acme.id}
    database.do("insert into app.shelves values (:tenant, :id)", **row)
    database.do("insert into app.books values (:tenant, :id, :id)", **row)
    with pytest.raises(psycopg.Error) as refusal:
        as_owner(database, "alter table app.books add foreign key (tenant_id, shelf_id) references app.shelves;")
    as_owner(
        database,
        """
        alter table app.shelves no force row level security;
        alter table app.books no force row level security;
        alter table app.books add foreign key (tenant_id, shelf_id) references app.shelves;
        select partywall.protect('app.shelves');
        select partywall.protect('app.books');
        """,
    )

    assert refusal.value.sqlstate == NoTenantError.sqlstate
    assert database.ask("select conname from pg_constraint where conrelid = 'app.books'::regclass and contype = 'f'")
