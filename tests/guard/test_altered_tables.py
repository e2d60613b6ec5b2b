"""What is taken down of a wall is put back when the transaction ends; what was made something else is refused."""

import psycopg
import pytest

from tests.databases import Database
from tests.guard.conftest import acting_as_owner
from tests.guard.walls import COLUMNS, exists, stands


@pytest.fixture
def made(owner: psycopg.Connection) -> str:
    """A protected table."""
    owner.execute(f"create table app.made ({COLUMNS})".encode())
    return "app.made"


TAKEN_DOWN = [
    "alter table app.made disable row level security",
    "alter table app.made no force row level security",
    "drop policy tenant_isolation on app.made",
    "drop policy tenant_isolation_always on app.made",
    "drop policy tenant_isolation on app.made; drop policy tenant_isolation_always on app.made",
    "alter table app.made drop constraint made_pkey, alter column tenant_id drop not null",
    "do $$ begin alter table app.made disable row level security; end $$",
]


@pytest.mark.parametrize("statement", TAKEN_DOWN)
def test_what_was_taken_down_is_put_back(
    statement: str, made: str, owner: psycopg.Connection, database: Database
) -> None:
    owner.execute(statement.encode())

    assert stands(database, made)


@pytest.mark.parametrize("statement", TAKEN_DOWN)
def test_what_a_superuser_took_down_is_put_back_too(
    statement: str, made: str, superuser: psycopg.Connection, database: Database
) -> None:
    superuser.execute(statement.encode())

    assert stands(database, made)


MADE_SOMETHING_ELSE = [
    "alter policy tenant_isolation on app.made using (true)",
    "alter policy tenant_isolation on app.made with check (true)",
    "alter policy tenant_isolation_always on app.made using (true) with check (true)",
    "alter policy tenant_isolation on app.made to partywall_worker",
    "alter policy tenant_isolation on app.made using (tenant_id = partywall.current_tenant_id())",
    "alter policy tenant_isolation on app.made rename to others",
    (
        "drop policy tenant_isolation on app.made;"
        " create policy tenant_isolation on app.made using (tenant_id is not null)"
    ),
    (
        "drop policy tenant_isolation on app.made;"
        " create policy tenant_isolation on app.made for select"
        " using (tenant_id = (select partywall.current_tenant_id()))"
    ),
    (
        "drop policy tenant_isolation on app.made;"
        " create policy tenant_isolation on app.made for update"
        " using (tenant_id = (select partywall.current_tenant_id()))"
        " with check (tenant_id = (select partywall.current_tenant_id()))"
    ),
    (
        "drop policy tenant_isolation_always on app.made;"
        " create policy tenant_isolation_always on app.made as permissive"
        " using (tenant_id = (select partywall.current_tenant_id()))"
        " with check (tenant_id = (select partywall.current_tenant_id()))"
    ),
]


@pytest.mark.parametrize("statements", MADE_SOMETHING_ELSE)
def test_a_policy_that_says_something_else_is_refused(
    statements: str, made: str, owner: psycopg.Connection, database: Database
) -> None:
    with pytest.raises(psycopg.Error, match="lacks its policy tenant_isolation") as refusal:
        owner.execute(statements.encode())

    assert refusal.value.sqlstate == "PW013"
    assert refusal.value.diag.message_hint == "select partywall.protect('app.made');"
    assert stands(database, made)


@pytest.mark.parametrize("statement", ["alter table app.made rename column tenant_id to owner_id"])
def test_a_table_cannot_lose_its_tenant(
    statement: str, made: str, owner: psycopg.Connection, database: Database
) -> None:
    with pytest.raises(psycopg.Error, match="has no column"):
        owner.execute(statement.encode())
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        owner.execute("alter table app.made drop column tenant_id")
    with pytest.raises(psycopg.Error, match="has no column"):
        owner.execute("alter table app.made drop column tenant_id cascade")

    assert stands(database, made)


def test_the_function_that_policies_ask_cannot_be_dropped_from_under_them(
    made: str, owner: psycopg.Connection, database: Database
) -> None:
    with pytest.raises(psycopg.Error):
        owner.execute("drop function partywall.current_tenant_id() cascade")

    assert stands(database, made)


def test_a_policy_beside_the_two_is_nobodys_business(made: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("create policy older on app.made as restrictive using (id > 0)")
    owner.execute("create policy wider on app.made using (true)")

    assert stands(database, made)


def test_a_migration_may_work_on_all_tenants_rows_until_it_commits(
    made: str, owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction():
        owner.execute("alter table app.made no force row level security")
        owner.execute("insert into app.made (tenant_id, id) select gen_random_uuid(), 1 from generate_series(1, 3)")
        owner.execute("update app.made set id = id + 1")

    assert stands(database, made)
    assert database.ask("select count(*), min(id) from app.made") == [(3, 2)]


def test_a_table_may_be_protected_again(made: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("select partywall.protect('app.made')")
    with owner.transaction():
        owner.execute("alter policy tenant_isolation_always on app.made using (true)")
        owner.execute("select partywall.protect('app.made')")

    assert stands(database, made)


def test_a_wall_for_some_roles_only_is_refused(made: str, owner: psycopg.Connection, database: Database) -> None:
    with pytest.raises(psycopg.Error, match="lacks its policy"):
        owner.execute("select partywall.protect('app.made', array['partywall_worker'])")

    assert stands(database, made)


def test_a_table_that_became_shared_may_lose_its_wall(made: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("comment on table app.made is 'partywall: shared, for this test'")
    owner.execute("alter table app.made disable row level security")
    assert not stands(database, made)
    owner.execute("comment on table app.made is null")

    assert stands(database, made)


def test_a_table_may_be_renamed_changed_and_dropped(made: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("alter table app.made rename to kept")
    owner.execute("alter table app.kept add column note text, alter column id type bigint")
    assert stands(database, "app.kept")
    owner.execute("drop table app.kept")

    assert not exists(database, "app.kept")


def test_a_table_taken_down_and_dropped_is_forgotten(made: str, owner: psycopg.Connection, database: Database) -> None:
    with owner.transaction():
        owner.execute("alter table app.made disable row level security")
        owner.execute("drop table app.made")

    assert database.ask("select count(*) from partywall_guard.doubts") == [(0,)]


def test_a_savepoint_that_is_rolled_back_leaves_no_doubt(
    made: str, owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction(), owner.transaction(force_rollback=True):
        owner.execute("alter policy tenant_isolation on app.made using (true)")

    assert stands(database, made)


def test_two_sessions_alter_two_tables_at_once(made: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute(f"create table app.other ({COLUMNS})".encode())
    with acting_as_owner(database) as second, owner.transaction(), second.transaction():
        owner.execute("alter table app.made disable row level security")
        second.execute("set local lock_timeout = '5s'")
        second.execute("alter table app.other disable row level security")

    assert stands(database, made)
    assert stands(database, "app.other")


def test_a_wall_is_put_back_although_a_foreign_key_waits_for_the_commit(
    made: str, owner: psycopg.Connection, database: Database
) -> None:
    owner.execute(
        "create table app.child (tenant_id uuid, id int, made_id int, foreign key (tenant_id, made_id)"
        " references app.made (tenant_id, id) deferrable initially deferred)"
    )
    with owner.transaction():
        owner.execute("alter table app.made no force row level security")
        owner.execute("alter table app.child no force row level security")
        owner.execute("insert into app.child select gen_random_uuid(), 1, 1")
        owner.execute("insert into app.made select tenant_id, 1 from app.child")

    assert stands(database, made)
    assert stands(database, "app.child")
