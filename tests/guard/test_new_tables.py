"""A new table is behind the wall from its first moment, or it does not come to be."""

import psycopg
import pytest
from sqlalchemy import text

from db.roles import Role
from db.session import tenant_session
from tests.databases import Database, in_use, make_tenant
from tests.guard.walls import COLUMNS, exists, stands

NEW = {
    "plain": f"create table app.made ({COLUMNS})",
    "nullable": "create table app.made (tenant_id uuid, id int)",
    "as": "create table app.made as select gen_random_uuid() as tenant_id, 1 as id",
    "select into": "select gen_random_uuid() as tenant_id, 1 as id into app.made",
    "like": "create table app.made (like app.files including all)",
    "unlogged": f"create unlogged table app.made ({COLUMNS})",
    "partitioned": f"create table app.made ({COLUMNS}) partition by hash (tenant_id)",
    "in a block": f"do $$ begin execute 'create table app.made ({COLUMNS})'; end $$",
    "by search_path": f"set search_path = app; create table made ({COLUMNS}); reset search_path",
    "if not exists": f"create table if not exists app.made ({COLUMNS})",
    "of a type": "create type app.shape as (tenant_id uuid, id int); create table app.made of app.shape",
}


@pytest.mark.parametrize("statement", NEW.values(), ids=NEW)
def test_a_table_with_a_tenant_is_protected_the_moment_it_exists(
    statement: str, owner: psycopg.Connection, database: Database
) -> None:
    owner.execute(statement.encode())

    assert stands(database, "app.made")


def test_it_is_protected_before_its_transaction_ends(owner: psycopg.Connection, database: Database) -> None:
    with owner.transaction():
        owner.execute("create table app.made (tenant_id uuid, id int)")
        seen = owner.execute(
            "select relrowsecurity, relforcerowsecurity from pg_class where relname = 'made'"
        ).fetchone()

    assert seen == (True, True)


def test_what_it_protects_is_one_tenants_own(owner: psycopg.Connection, database: Database) -> None:
    owner.execute(f"create table app.made ({COLUMNS})".encode())
    with in_use(database):
        here, there = make_tenant("here"), make_tenant("there")

        for tenant, id_ in ((here, 1), (there, 2)):
            with tenant_session(tenant.context, role=Role.WORKER) as session:
                session.execute(text("insert into app.made (id) values (:id)"), {"id": id_})
        with tenant_session(there.context, role=Role.WORKER) as session:
            assert session.execute(text("select id from app.made")).scalars().all() == [2]


@pytest.mark.parametrize(
    "statement",
    [
        "create table app.made (id int)",
        "create table app.made (tenant_id text not null, id int)",
        "create table app.made as select 1 as id",
        "select 1 as id into app.made",
        "create table app.made (id int) partition by hash (id)",
        "do $$ begin execute 'create table app.made (id int)'; end $$",
    ],
)
def test_a_table_without_a_tenant_is_refused(statement: str, owner: psycopg.Connection, database: Database) -> None:
    with pytest.raises(psycopg.Error, match=r'app\.made has no column "tenant_id uuid not null"') as refusal:
        owner.execute(statement.encode())

    assert refusal.value.sqlstate == "PW013"
    remedy, _, exemption = (refusal.value.diag.message_hint or "").partition("If all tenants may share it")
    assert "tenant_id uuid not null default partywall.current_tenant_id()" in remedy
    assert "select partywall.protect('app.made');" in remedy
    assert "comment on table app.made is 'partywall: shared, " in exemption
    assert not exists(database, "app.made")


def test_a_table_that_says_before_the_commit_that_it_is_shared_may_be(
    owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction():
        owner.execute("create table app.made (code text primary key)")
        owner.execute("comment on table app.made is 'Of ISO 3166.\npartywall: shared, the same for everybody'")

    assert exists(database, "app.made")


def test_a_shared_table_that_no_longer_says_so_is_refused(owner: psycopg.Connection) -> None:
    test_reason = "partywall: shared, the same for everybody"
    with owner.transaction():
        owner.execute("create table app.made (code text primary key)")
        owner.execute(f"comment on table app.made is '{test_reason}'".encode())

    for comment in ("null", "'partywall: shared'", "'partywall: shared, '"):
        with pytest.raises(psycopg.Error, match="has no column"):
            owner.execute(f"comment on table app.made is {comment}".encode())


def test_a_table_that_gets_its_tenant_before_the_commit_is_protected(
    owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction():
        owner.execute("create table app.made (id int)")
        owner.execute("alter table app.made add column tenant_id uuid")

    assert stands(database, "app.made")


def test_a_table_with_rows_of_nobody_is_refused(owner: psycopg.Connection, database: Database) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        owner.execute("create table app.made as select null::uuid as tenant_id, 1 as id")

    assert not exists(database, "app.made")


def test_a_schema_made_with_its_tables_is_watched_once_it_is_listed(
    owner: psycopg.Connection, superuser: psycopg.Connection, database: Database
) -> None:
    superuser.execute("insert into partywall_guard.schemas values ('elsewhere')")
    try:
        with pytest.raises(psycopg.Error, match=r"elsewhere\.bare has no column"):
            owner.execute("create schema elsewhere create table bare (id int)")
        owner.execute(f"create schema elsewhere create table made ({COLUMNS})".encode())

        assert stands(database, "elsewhere.made")
    finally:
        superuser.execute("delete from partywall_guard.schemas where name = 'elsewhere'")


def test_other_schemas_and_temporary_tables_are_nobodys_business(
    owner: psycopg.Connection, superuser: psycopg.Connection, database: Database
) -> None:
    owner.execute("create schema elsewhere create table plain (tenant_id uuid, id int)")
    owner.execute(f"create table app.made ({COLUMNS})".encode())
    superuser.execute("create temporary table passing (id int)")
    superuser.execute("create temporary table child () inherits (app.made)")

    assert database.ask("select relrowsecurity from pg_class where relname in ('plain', 'child')") == [(False,)] * 2


PARTITIONS = {
    "created": "create table {name} partition of app.parent for values with (modulus 1, remainder 0)",
    "attached": f"create table {{name}} ({COLUMNS}); alter table app.parent attach partition {{name}} "
    "for values with (modulus 1, remainder 0)",
}


@pytest.mark.parametrize("name", ["app.part", "elsewhere.part"])
@pytest.mark.parametrize("way", PARTITIONS.values(), ids=PARTITIONS)
def test_a_partition_is_protected_wherever_it_is(
    way: str, name: str, owner: psycopg.Connection, database: Database
) -> None:
    owner.execute("create schema elsewhere")
    owner.execute(f"create table app.parent ({COLUMNS}) partition by hash (tenant_id)".encode())
    owner.execute(way.format(name=name).encode())

    assert stands(database, name)


@pytest.mark.parametrize(
    "way",
    [
        "create table elsewhere.child () inherits (app.parent)",
        "create table elsewhere.child (like app.parent); alter table elsewhere.child inherit app.parent",
    ],
)
def test_a_child_is_protected_wherever_it_is(way: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("create schema elsewhere")
    owner.execute(f"create table app.parent ({COLUMNS})".encode())
    owner.execute(way.encode())

    assert stands(database, "elsewhere.child")


def test_a_table_that_moves_in_is_protected_or_refused(owner: psycopg.Connection, database: Database) -> None:
    owner.execute(f"create schema elsewhere create table made ({COLUMNS}) create table bare (id int)".encode())
    owner.execute("alter table elsewhere.made set schema app")

    assert stands(database, "app.made")
    with pytest.raises(psycopg.Error, match=r"app\.bare has no column"):
        owner.execute("alter table elsewhere.bare set schema app")


def test_a_tenant_column_added_to_a_shared_table_waits_until_it_is_no_longer_shared(
    owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction():
        owner.execute("create table app.made (id int)")
        owner.execute("comment on table app.made is 'partywall: shared, until its rows have owners'")
    owner.execute("insert into app.made values (1)")
    owner.execute("alter table app.made add column tenant_id uuid")
    with pytest.raises(psycopg.errors.NotNullViolation):
        owner.execute("comment on table app.made is null")
    owner.execute("update app.made set tenant_id = gen_random_uuid()")
    owner.execute("comment on table app.made is null")

    assert stands(database, "app.made")
