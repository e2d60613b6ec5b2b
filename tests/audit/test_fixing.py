"""`--fix` mends what the owner may mend, says what it did, and leaves the rest to who may."""

import pytest
from sqlalchemy import Connection

from db.audit import audit
from db.audit.checks import catalog_checks
from db.audit.fixing import fix, fix_database
from db.bare_connection import bare_connection
from db.roles import Role
from tests.audit.zoo import DEFECTS
from tests.audit.zoo.defect import GOOD, OWNER, SUPERUSER, TABLE, Defect
from tests.databases import Database
from tests.db.conftest import own_database as own_database

OWNERS = {check.id for check in catalog_checks() if check.fixed_by == "owner"}
SUPERUSERS = {check.id for check in catalog_checks() if check.fixed_by == "superuser"}
NOT_THE_OWNERS = {
    "view-owner-bypasses: a superuser's view",
    "schema-create-granted: in public, as old versions had it",
    "default-privileges-excessive: in every schema, also of another creator",
    "leakproof-function: a user's own",
    "untrusted-language-function: that a login may call",
}
"""Defects in something that belongs to somebody else."""


def name(defect: Defect) -> str:
    return defect.id


def planted(connection: Connection, defect: Defect, database: Database) -> None:
    for statement in (defect.by, defect.plant):
        connection.exec_driver_sql(
            statement.replace("{database}", database.name), execution_options={"no_parameters": True}
        )


@pytest.mark.parametrize(
    "defect", [defect for defect in DEFECTS if defect.check in OWNERS and defect.id not in NOT_THE_OWNERS], ids=name
)
def test_what_the_owner_may_mend_is_gone_after_it(defect: Defect, connection: Connection, shop: Database) -> None:
    planted(connection, defect, shop)
    connection.exec_driver_sql("set local session authorization partywall_migrator")
    connection.exec_driver_sql(OWNER)

    repairs = fix(connection, audit(connection).findings)

    assert [repair for repair in repairs if repair.refused] == []
    assert defect.check not in {finding.check for finding in audit(connection).findings}


@pytest.mark.parametrize("defect", [defect for defect in DEFECTS if defect.check in SUPERUSERS], ids=name)
def test_what_a_superuser_may_mend_is_gone_after_his_statement(
    defect: Defect, connection: Connection, shop: Database
) -> None:
    planted(connection, defect, shop)
    connection.exec_driver_sql(SUPERUSER)

    for finding in audit(connection).findings:
        if finding.check == defect.check:
            assert finding.fix is not None
            connection.exec_driver_sql(finding.fix, execution_options={"no_parameters": True})

    assert defect.check not in {finding.check for finding in audit(connection).findings}


def test_what_it_may_not_mend_is_refused_and_nothing_of_it_is_kept(connection: Connection, shop: Database) -> None:
    (defect,) = [each for each in DEFECTS if each.id == "view-owner-bypasses: a superuser's view"]
    planted(connection, defect, shop)
    connection.exec_driver_sql(f"{OWNER} create view app.w as select * from app.t")
    connection.exec_driver_sql("set local session authorization partywall_migrator")
    connection.exec_driver_sql(OWNER)

    repairs = fix(connection, audit(connection).findings)

    assert [(repair.sql, repair.refused) for repair in repairs] == [
        (
            "alter view app.v set (security_invoker = true);",
            "must be owner of view v; let a superuser give it to partywall_owner (alter ... owner to), or run this",
        ),
        ("alter view app.w set (security_invoker = true);", None),
    ]
    assert "view-owner-bypasses" in {finding.check for finding in audit(connection).findings}


def test_a_database_is_mended_in_one_transaction_and_what_is_left_is_told(own_database: Database) -> None:
    own_database.do(f"set role partywall_owner; {TABLE} alter table app.t add unique (body)")
    own_database.do("set role partywall_owner; grant truncate on app.t to partywall_worker")

    repairs, report = fix_database(own_database.url(Role.MIGRATOR), schemas=["app"], roles=None)

    assert [repair.sql for repair in repairs] == [
        "select partywall.protect('app.t');",
        "revoke truncate on app.t from partywall_worker;",
    ]
    assert [finding.check for finding in report.findings] == ["unique-without-tenant"]
    with bare_connection(own_database.url(Role.WORKER)) as connection:
        assert audit(connection).findings == report.findings


def test_a_revoke_that_changes_nothing_is_not_told_as_a_success(own_database: Database) -> None:
    own_database.do("create function app.f() returns integer language sql security definer begin atomic select 1; end")
    own_database.do(
        "revoke execute on function app.f() from public; grant execute on function app.f() to partywall_api"
    )

    (repair,), report = fix_database(own_database.url(Role.MIGRATOR), schemas=["app"], roles=None)

    assert repair.refused is not None
    assert [finding.check for finding in report.findings] == ["definer-executable"]


def test_a_database_with_nothing_wrong_is_left_as_it_is(own_database: Database) -> None:
    own_database.do(f"set role partywall_owner; {GOOD}")

    repairs, report = fix_database(own_database.url(Role.MIGRATOR), schemas=["app"], roles=None)

    assert (repairs, report.findings) == ([], [])


def test_a_table_whose_rows_have_no_tenant_is_not_mended_and_the_others_are(own_database: Database) -> None:
    own_database.do(
        "set role partywall_owner; create table app.orphans (tenant_id uuid, body text);"
        f" insert into app.orphans values (null, 'whose?'); {TABLE}"
    )

    repairs, _ = fix_database(own_database.url(Role.MIGRATOR), schemas=["app"], roles=None)

    refused = {repair.sql: repair.refused for repair in repairs}
    assert refused["select partywall.protect('app.t');"] is None
    assert "contains null values" in (refused["select partywall.protect('app.orphans');"] or "")
