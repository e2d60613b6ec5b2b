"""What an audit of a whole database says: ours, a big one, one that is being migrated, anybody's."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from db import guard
from db.audit import AuditRoleUnknownError, AuditSchemaUnknownError, Severity, audit
from db.audit.checks import CheckInvalidError, catalog_checks
from db.audit.finding import Exemption
from db.bare_connection import bare_connection
from db.roles import Role
from db.session import platform_connection
from tests.audit.conftest import Audited
from tests.audit.zoo.defect import GOOD, OWNER, SUPERUSER, TABLE
from tests.databases import Database
from tests.db.conftest import own_database as own_database
from tests.db.conftest import sql_folder as sql_folder

FIVE_HUNDRED_TABLES = """
do $$
begin
    for number in 1..500 loop
        execute format(
            'create table app.t%s (
                tenant_id uuid not null default partywall.current_tenant_id(),
                id uuid not null default partywall.uuid7(),
                a text, b integer, c timestamptz, d jsonb, e numeric, f text, g text, h text,
                primary key (tenant_id, id), constraint t%s_a unique (tenant_id, a)
            )', number, number
        );
        execute format('create index on app.t%s (tenant_id, c)', number);
        execute format('create view app.v%s with (security_invoker) as select * from app.t%s', number, number);
        perform partywall.protect(format('app.t%s', number)::regclass);
    end loop;
end
$$
"""


def test_our_own_database_has_no_findings(audited: Audited) -> None:
    report = audited()

    assert report.findings == []
    assert report.exemptions == []
    assert report.roles == [role.login for role in Role]


def test_the_guard_changes_nothing_about_that(own_database: Database) -> None:
    guard.install(own_database.admin_url)
    with bare_connection(own_database.url(Role.WORKER)) as connection:
        report = audit(connection, schemas=["app", "partywall", "partywall_private"])

    assert report.findings == []


def test_the_platforms_own_schemas_have_no_findings_and_say_what_they_exempt(audited: Audited) -> None:
    report = audited(schemas=["app", "partywall", "partywall_private"])

    assert report.findings == []
    assert {len(exemption.reason.split()) >= 3 for exemption in report.exemptions} == {True}
    assert ("partywall.jobs", "policy every_tenant") in {(each.object, each.part) for each in report.exemptions}


@pytest.mark.parametrize("role", Role)
def test_every_login_finds_the_same(role: Role, connection: Connection) -> None:
    connection.exec_driver_sql(OWNER)
    connection.exec_driver_sql(f"{TABLE} grant truncate on app.t to partywall_api")
    connection.exec_driver_sql(f"set local session authorization {role.login}")

    report = audit(connection, schemas=["app", "partywall"])

    assert [finding.check for finding in report.findings] == ["rls-disabled", "truncate-granted"]


def test_a_schema_of_500_tables_takes_less_than_a_second(audited: Audited, connection: Connection) -> None:
    report = audited(OWNER, FIVE_HUNDRED_TABLES)
    assert report.findings == []

    # Whatever else this machine is doing, one of these runs has it to itself.
    seconds = iter(lambda: audit(connection).seconds, None)
    assert any(next(seconds) < 1.0 for _ in range(5))


def test_the_login_masks_nothing_by_being_a_member_of_the_owner(audited: Audited) -> None:
    report = audited(
        OWNER,
        f"{GOOD} grant truncate on app.t to partywall_worker; grant trigger on app.t to partywall_api;",
        SUPERUSER,
        "grant partywall_owner to partywall_worker",
    )

    found = {(finding.check, finding.object, finding.role) for finding in report.findings}
    assert ("role-owns-objects", "role partywall_worker", "partywall_worker") in found
    assert ("truncate-granted", "app.t", "partywall_worker") in found
    assert ("privileges-beyond-rows", "app.t", "partywall_api") in found


def test_only_the_logins_that_are_asked_about_are_judged(audited: Audited) -> None:
    report = audited(
        OWNER, f"{GOOD} grant truncate on app.t to partywall_worker, partywall_api", roles=["partywall_api"]
    )

    (finding,) = report.findings
    assert (finding.role, finding.fix) == ("partywall_api", "revoke truncate on app.t from partywall_api;")


def test_an_adopters_own_login_can_be_judged(audited: Audited) -> None:
    report = audited(
        SUPERUSER, "create role shop login bypassrls", f"{OWNER} {TABLE} grant select on app.t to shop", roles=["shop"]
    )

    assert [finding.check for finding in report.findings] == ["rls-disabled", "role-bypasses-rls"]


def test_a_login_that_does_not_exist_is_refused(audited: Audited) -> None:
    with pytest.raises(AuditRoleUnknownError, match="nobody"):
        audited(roles=["partywall_worker", "nobody"])


def test_a_schema_that_does_not_exist_is_refused(audited: Audited) -> None:
    with pytest.raises(AuditSchemaUnknownError, match="nowhere"):
        audited(schemas=["app", "nowhere"])


def test_an_audit_in_a_migrations_own_transaction_sees_what_is_not_committed(shop: Database) -> None:
    with bare_connection(shop.url(Role.MIGRATOR)) as connection:
        connection.exec_driver_sql(OWNER)
        connection.exec_driver_sql(TABLE)
        connection.exec_driver_sql("set local search_path = app, public")

        report = audit(connection)

        assert [(finding.check, finding.object) for finding in report.findings] == [("rls-disabled", "app.t")]
        assert connection.execute(text("show search_path")).scalar_one() == "app, public"
        assert connection.execute(text("show enable_nestloop")).scalar_one() == "on"


def test_an_audit_on_a_connection_without_transactions_finds_the_same(own_database: Database) -> None:
    own_database.do(f"set role partywall_owner; {TABLE}")
    with platform_connection(Role.WORKER) as connection:
        report = audit(connection)

    assert [finding.check for finding in report.findings] == ["rls-disabled"]


def test_a_search_path_of_the_session_changes_no_finding(own_database: Database) -> None:
    own_database.do(
        f"alter role partywall_scheduler in database {own_database.name} set search_path = partywall, app, pg_catalog"
    )
    own_database.do("grant usage on schema partywall, app to partywall_scheduler")
    with platform_connection(Role.SCHEDULER) as connection:
        report = audit(connection)

    assert [finding.check for finding in report.findings] == ["role-setting-unsafe"]


def test_a_database_that_is_not_ours_can_be_audited(own_database: Database) -> None:
    own_database.do("drop schema app, partywall, partywall_private cascade; create schema app;")
    own_database.do("create table app.t (tenant_id uuid not null, primary key (tenant_id)); ")
    own_database.do("grant select on app.t to partywall_worker; alter table app.t enable row level security")
    own_database.do("create policy p on app.t using (tenant_id = current_setting('shop.tenant')::uuid)")
    with bare_connection(own_database.url(Role.WORKER)) as connection:
        report = audit(connection)

    checks = {finding.check for finding in report.findings}
    assert {"rls-not-forced", "policy-reads-setting", "policy-setting-without-nullif"} <= checks


def test_an_exemption_covers_one_check_of_one_part_and_keeps_the_rest(audited: Audited) -> None:
    report = audited(
        OWNER,
        f"""
            {GOOD}
            create policy more on app.t using (true);
            create policy other on app.t using (true);
            drop policy tenant_isolation_always on app.t;
            comment on policy more on app.t is 'Why: see the handbook.\npartywall: allow policy-always-true, a demo';
        """,
    )

    always = [finding.part for finding in report.findings if finding.check == "policy-always-true"]
    assert always == ["policy other"]
    assert report.exemptions == [Exemption("app.t", "policy-always-true", "a demo", "policy more")]
    assert [(finding.part, exemption.reason) for finding, exemption in report.exempted] == [("policy more", "a demo")]


def test_nothing_exempts_a_function_of_the_wall_that_was_altered(audited: Audited) -> None:
    report = audited(
        OWNER,
        """
            alter function partywall.current_tenant_id() immutable;
            comment on function partywall.current_tenant_id() is
            'partywall: allow definer-executable, it tells a transaction its own tenant
            partywall: allow platform-function-altered, it is faster';
        """,
        schemas=["app", "partywall"],
    )

    assert [(finding.check, finding.severity) for finding in report.findings] == [
        ("platform-function-altered", Severity.CRITICAL),
        ("exemption-unused", Severity.LOW),
    ]


def test_several_lines_of_a_comment_are_several_exemptions(audited: Audited) -> None:
    report = audited(
        OWNER,
        f"{TABLE} grant truncate on app.t to partywall_worker;"
        " comment on table app.t is e'partywall: allow rls-disabled, a test\n"
        "Words in between.\n  partywall: allow truncate-granted, another, with a comma';",
    )

    assert report.findings == []
    assert [(each.check, each.reason) for each in report.exemptions] == [
        ("rls-disabled", "a test"),
        ("truncate-granted", "another, with a comma"),
    ]


def test_severities_have_an_order() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        Severity.LOW,
        Severity.MEDIUM,
        Severity.HIGH,
        Severity.CRITICAL,
    ]


def test_the_worst_is_told_first(audited: Audited) -> None:
    report = audited(
        OWNER,
        f"{TABLE} create view app.v as select * from app.t; create sequence app.s;"
        " grant update on sequence app.s to partywall_api; alter table app.t drop constraint t_pkey",
    )

    ranks = [finding.severity.rank for finding in report.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) > 2


def test_a_check_that_does_not_say_how_bad_it_is_is_refused(sql_folder: Path) -> None:
    (sql_folder / "audit/vague.sql").write_text("-- Bad.\nselect 1\n")

    with pytest.raises(CheckInvalidError, match="vague"):
        catalog_checks()
