"""Views that read with their owner's rights, copies of tenants' rows, and tables of other servers."""

import psycopg
import pytest

from tests.databases import Database
from tests.guard.walls import COLUMNS, exists


@pytest.fixture(autouse=True)
def _tables(owner: psycopg.Connection) -> None:
    owner.execute(f"create table app.made ({COLUMNS})".encode())
    owner.execute("create schema elsewhere")
    with owner.transaction():
        owner.execute("create table app.codes (code text primary key)")
        owner.execute("comment on table app.codes is 'partywall: shared, for this test'")


@pytest.mark.parametrize(
    "statement",
    [
        "create view app.shown as select * from app.made",
        "create view app.shown as select 1 as one",
        "create view app.shown with (security_invoker = false) as select * from app.made",
        "create view app.shown with (security_barrier = true) as select * from app.made",
        "create recursive view app.shown (id) as select id from app.made",
        "create view elsewhere.shown as select * from app.made",
        "create view elsewhere.shown as select count(*) from (select 1 from app.made) as counted",
    ],
)
def test_a_view_with_its_owners_rights_is_refused(statement: str, owner: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match="is a view that reads with the rights of its owner") as refusal:
        owner.execute(statement.encode())

    assert (refusal.value.diag.message_hint or "").endswith("set (security_invoker = true);")


@pytest.mark.parametrize("value", ["true", "on", "1", "yes"])
def test_a_view_with_the_callers_rights_may_be(value: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute(f"create view app.shown with (security_invoker = {value}) as select * from app.made".encode())

    assert exists(database, "app.shown")


def test_a_view_over_a_view_is_refused_wherever_it_is(owner: psycopg.Connection) -> None:
    owner.execute("create view elsewhere.one with (security_invoker) as select * from app.made")
    with pytest.raises(psycopg.Error, match="is a view that reads"):
        owner.execute("create view elsewhere.two as select * from elsewhere.one")


def test_a_view_of_nothing_of_ours_is_nobodys_business(owner: psycopg.Connection, database: Database) -> None:
    owner.execute("create view elsewhere.shown as select * from pg_class")

    assert exists(database, "elsewhere.shown")


def test_a_view_that_says_before_the_commit_that_it_is_shared_may_be(
    owner: psycopg.Connection, database: Database
) -> None:
    with owner.transaction():
        owner.execute("create view app.shown as select * from app.codes")
        owner.execute("comment on view app.shown is 'partywall: shared, for this test'")

    assert exists(database, "app.shown")


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace view app.shown as select * from app.made",
        "alter view app.shown reset (security_invoker)",
        "alter view app.shown set (security_invoker = off)",
        "alter table app.shown reset (security_invoker)",
    ],
)
def test_a_view_cannot_lose_the_callers_rights(statement: str, owner: psycopg.Connection, database: Database) -> None:
    owner.execute("create view app.shown with (security_invoker) as select * from app.made")
    with pytest.raises(psycopg.Error, match="is a view that reads"):
        owner.execute(statement.encode())

    assert database.ask("select reloptions::text from pg_class where relname = 'shown'") == [
        ("{security_invoker=true}",)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "create materialized view app.copied as select * from app.made with no data",
        "create materialized view elsewhere.copied as select * from app.made with no data",
        "create materialized view app.copied as select * from elsewhere.shown with no data",
        "create materialized view app.copied as select id from partywall.jobs with no data",
        "create materialized view app.copied as select slug from partywall.tenants with no data",
    ],
)
def test_a_materialized_view_of_tenants_rows_is_refused(statement: str, owner: psycopg.Connection) -> None:
    owner.execute("create view elsewhere.shown with (security_invoker) as select * from app.made")
    with pytest.raises(psycopg.Error, match="is a materialized view of tenants' rows"):
        owner.execute(statement.encode())


def test_a_materialized_view_of_tenants_rows_does_not_move_in(owner: psycopg.Connection) -> None:
    owner.execute("create materialized view elsewhere.copied as select id from partywall.jobs with no data")
    with pytest.raises(psycopg.Error, match="is a materialized view of tenants' rows"):
        owner.execute("alter materialized view elsewhere.copied set schema app")


def test_a_materialized_view_of_shared_rows_may_be(owner: psycopg.Connection, database: Database) -> None:
    owner.execute("create materialized view app.copied as select * from app.codes")

    assert exists(database, "app.copied")


@pytest.fixture
def far_away(superuser: psycopg.Connection) -> None:
    """A foreign server whose wrapper does nothing, for the owner to use."""
    superuser.execute("create foreign data wrapper nowhere")
    superuser.execute("create server far_away foreign data wrapper nowhere")
    superuser.execute("grant usage on foreign server far_away to partywall_owner")


@pytest.mark.usefixtures("far_away")
def test_a_foreign_table_is_refused(owner: psycopg.Connection) -> None:
    for statement in (
        "create foreign table app.far (tenant_id uuid, id int) server far_away",
        (
            "create foreign table elsewhere.far (tenant_id uuid, id int) server far_away;"
            " alter foreign table elsewhere.far set schema app"
        ),
    ):
        with pytest.raises(psycopg.Error, match="is a foreign table"):
            owner.execute(statement.encode())


@pytest.mark.usefixtures("far_away")
def test_a_foreign_partition_is_refused(owner: psycopg.Connection) -> None:
    owner.execute(
        f"create table app.parent ({COLUMNS.replace(', primary key (tenant_id, id)', '')})"
        " partition by hash (tenant_id)".encode()
    )
    with pytest.raises(psycopg.Error, match="is a foreign table"):
        owner.execute(
            "create foreign table elsewhere.far partition of app.parent"
            " for values with (modulus 1, remainder 0) server far_away"
        )
