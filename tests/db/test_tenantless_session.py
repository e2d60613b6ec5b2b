"""The session of a task without a tenant: it sees no table of the platform and none of a tenant."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db.errors import NoTenantError
from db.roles import Role
from db.session import tenantless_session
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner

EVERY_TABLE = """
    select oid::regclass::text
    from pg_class
    where relnamespace in ('app'::regnamespace, 'partywall'::regnamespace, 'partywall_private'::regnamespace)
      and relkind in ('r', 'p', 'v', 'm', 'f')
    order by 1
"""


def refusal_of(statement: str) -> str | None:
    try:
        with tenantless_session() as session:
            session.execute(text(statement))
    except ProgrammingError as error:
        return str(getattr(error.orig, "sqlstate", None))
    except NoTenantError as error:
        return error.sqlstate
    return None


def test_every_table_is_refused(database: Database, acme: TestTenant) -> None:
    tables = [str(name) for (name,) in database.ask(EVERY_TABLE)]
    allowed = [
        (table, statement)
        for table in tables
        for statement in (f"select from {table}", f"delete from {table}", f"insert into {table} default values")
        if refusal_of(statement) != "42501"
    ]

    assert {"app.notes", "app.orders", "partywall.jobs", "partywall.tenants"} <= set(tables)
    assert allowed == []


def test_a_table_that_belongs_to_no_tenant_is_seen_once_it_is_granted(database: Database) -> None:
    as_owner(
        database,
        """
        create table app.currencies (code text primary key);
        comment on table app.currencies is 'partywall: shared, the same for everybody';
        insert into app.currencies values ('EUR');
        grant usage on schema app to partywall_scheduler;
        grant select on app.currencies to partywall_scheduler;
        """,
    )
    with tenantless_session() as session:
        assert session.execute(text("select code from app.currencies")).scalars().all() == ["EUR"]


def test_it_commits_when_the_block_ends_and_rolls_back_when_it_raises(database: Database) -> None:
    as_owner(
        database,
        """
        create table app.ticks (at timestamptz not null default now());
        comment on table app.ticks is 'partywall: shared, when the platform did what';
        grant usage on schema app to partywall_scheduler;
        grant select, insert on app.ticks to partywall_scheduler;
        """,
    )
    with tenantless_session() as session:
        session.execute(text("insert into app.ticks default values"))
    with pytest.raises(RuntimeError), tenantless_session() as session:
        session.execute(text("insert into app.ticks default values"))
        raise RuntimeError

    assert database.ask("select count(*) from app.ticks") == [(1,)]


def test_it_can_enter_no_tenant(acme: TestTenant) -> None:
    assert refusal_of("select partywall.current_tenant_id()") == "PW001"
    assert refusal_of(f"select partywall.enter('{acme.context.token}')") == "42501"


def test_it_is_the_schedulers_login(database: Database) -> None:
    with tenantless_session() as session:
        assert session.execute(text("select session_user")).scalar_one() == Role.SCHEDULER.login
