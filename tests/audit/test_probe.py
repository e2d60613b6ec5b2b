"""The probe finds what behaves badly, by playing it, and leaves nothing behind."""

from collections.abc import Callable

import pytest

from db.audit import AuditReport, Finding, Severity, audit
from db.audit.alterations import ALTERED
from db.audit.probe import ProbeReport, probe_database
from db.audit.probe.login import ProbeLoginError
from db.bare_connection import bare_connection
from db.roles import Role
from tests.audit.leaks import SEEN, UNSEEN, LeakyDatabase
from tests.audit.tables import FILLABLE, table
from tests.audit.zoo.defect import GOOD, PROTECT, TABLE
from tests.databases import Database
from tests.db.conftest import own_database as own_database

Probe = Callable[[], ProbeReport]


def plant(database: Database, statements: str) -> None:
    """Commit SQL as the owner; it may `reset role` to be a superuser."""
    with bare_connection(database.admin_url) as connection:
        connection.exec_driver_sql("set role partywall_owner")
        connection.exec_driver_sql(statements, execution_options={"no_parameters": True})
        connection.commit()


def audited(database: Database) -> AuditReport:
    with bare_connection(database.url(Role.SCHEDULER)) as connection:
        return audit(connection)


def probed(database: Database, *, schemas: tuple[str, ...] = ("app",)) -> ProbeReport:
    """Probe as the worker's own login."""
    return probe_database(
        database.url(Role.WORKER),
        database.url(Role.OPERATOR),
        schemas=schemas,
        exemptions=audited(database).exemptions,
    )


def told(report: ProbeReport, check: str, object: str) -> list[Finding]:
    return [finding for finding in report.findings if (finding.check, finding.object) == (check, object)]


def name(leaky: LeakyDatabase) -> str:
    return leaky.name


def test_our_own_tables_hold(own_database: Database) -> None:
    report = probed(own_database)

    assert report.findings == []
    assert {each.object: each.attacks for each in report.probed if each.attacks < 8} == {}
    assert report.attacks > 100


def test_the_platforms_own_tables_hold_too(own_database: Database) -> None:
    report = probe_database(own_database.admin_url, None, schemas=["app", "partywall"])

    assert report.findings == []
    assert "partywall.jobs" in {each.object for each in report.probed}


@pytest.mark.parametrize("leaky", UNSEEN, ids=name)
def test_a_leak_that_no_catalog_shows_is_found_by_playing_it(leaky: LeakyDatabase, own_database: Database) -> None:
    plant(own_database, leaky.plant)
    # That a function is another than ours the catalog shows; not what it does.
    assert {finding.check for finding in audited(own_database).at_least(Severity.HIGH)} <= {ALTERED}

    found = told(probed(own_database), leaky.check, leaky.object)

    said = "\n".join(finding.message for finding in found)
    assert [words for words in leaky.words if words not in said] == [], said


@pytest.mark.parametrize("leaky", SEEN, ids=name)
def test_a_leak_that_the_catalog_shows_is_found_by_playing_it_too(leaky: LeakyDatabase, own_database: Database) -> None:
    plant(own_database, leaky.plant)

    found = told(probed(own_database), leaky.check, leaky.object)

    said = "\n".join(finding.message for finding in found)
    assert [words for words in leaky.words if words not in said] == [], said
    assert {finding.part for finding in found} == {leaky.part}


@pytest.mark.parametrize("definition", FILLABLE)
def test_a_table_is_filled_whatever_its_definition_asks_for(definition: str, own_database: Database) -> None:
    plant(own_database, FILLABLE[definition])

    report = probed(own_database)

    assert [(finding.check, finding.object, finding.message) for finding in report.findings] == []
    attacked = {each.object: each.attacks for each in report.probed}
    assert all(attacked[table] > 20 for table in attacked if not table.startswith("partywall."))


@pytest.mark.parametrize("as_superuser", [False, True], ids=["as the worker", "as a superuser"])
def test_nothing_remains(as_superuser: bool, own_database: Database) -> None:
    plant(own_database, FILLABLE["a foreign key to another tenant table"])
    before = counted(own_database)

    report = probe_database(own_database.admin_url, None) if as_superuser else probed(own_database)

    assert report.attacks > 100
    assert counted(own_database) == before
    assert before["partywall.tenants"] == 0
    assert own_database.ask("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]


def counted(database: Database) -> dict[str, object]:
    """Return how many rows each table has."""
    tables = database.ask("""
        select oid::regclass::text
        from pg_class
        where relkind = 'r' and relnamespace in ('app'::regnamespace, 'partywall'::regnamespace)
    """)
    return {str(table): database.ask(f"select count(*) from {table}")[0][0] for (table,) in tables}


NOT_POSSIBLE = {
    "a check that nothing known satisfies": (
        table("body text not null check (md5(body) = '00000000000000000000000000000000')"),
        "could not be filled: new row for relation",
    ),
    "a table that the login may only read": (
        f"{GOOD} revoke insert on app.t from partywall_worker;",
        "could not be filled: permission denied for table t",
    ),
    "a tenant that has to exist": (
        f"{TABLE} alter table app.t add foreign key (tenant_id) references partywall.tenants (id); {PROTECT}",
        "could not be filled: insert or update on table",
    ),
    "a policy that shows a tenant nothing": (
        f"{GOOD} create policy nothing on app.t as restrictive for select using (body is not null);",
        "tenant A does not see its own row, so seeing no other shows nothing",
    ),
    "a view that is another each time": (
        f"{GOOD} create view app.v with (security_invoker) as select random() as dice, id from app.t;",
        "shows something else each time it is asked",
    ),
}


@pytest.mark.parametrize("case", NOT_POSSIBLE)
def test_what_could_not_be_played_is_told_and_not_passed(case: str, own_database: Database) -> None:
    definition, reason = NOT_POSSIBLE[case]
    plant(own_database, definition)

    found = probed(own_database).findings

    assert {(finding.check, finding.severity) for finding in found} == {("probe-not-possible", Severity.MEDIUM)}
    assert found[0].message.startswith(reason)


@pytest.mark.parametrize("case", ["a table that the login may only read", "a tenant that has to exist"])
def test_a_superuser_can_fill_what_the_login_cannot(case: str, own_database: Database) -> None:
    plant(own_database, NOT_POSSIBLE[case][0])

    report = probe_database(own_database.admin_url, None)

    assert report.findings == []
    assert {each.object: each.attacks for each in report.probed}["app.t"] > 20


def test_a_superuser_who_cannot_fill_a_table_still_plays_as_the_login(own_database: Database) -> None:
    plant(own_database, NOT_POSSIBLE["a check that nothing known satisfies"][0])
    plant(own_database, "alter table app.t drop constraint t_body_check; reset role;")
    own_database.do("insert into app.t (tenant_id, body) values (gen_random_uuid(), 'somebody''s')")
    plant(own_database, "alter table app.t add check (md5(body) = repeat('0', 32)) not valid")

    report = probe_database(own_database.admin_url, None)

    assert {finding.check for finding in report.findings} == {"probe-not-possible"}


def test_rows_that_are_there_already_leak_even_where_none_could_be_put(own_database: Database) -> None:
    plant(
        own_database,
        f"{TABLE} insert into app.t (tenant_id) values (gen_random_uuid());"
        " revoke insert, update, delete on app.t from partywall_worker;",
    )

    said = {finding.message for finding in told(probed(own_database), "probe-read", "app.t")}

    assert "before any tenant was entered, reading shows 1 row" in said
    assert "as tenant A, reading shows 1 row of other tenants" in said


def test_a_table_out_of_the_logins_reach_needs_no_rows(own_database: Database) -> None:
    plant(own_database, f"{TABLE} revoke all on app.t from partywall_worker;")

    assert probed(own_database).findings == []


def test_a_shared_table_is_not_probed(own_database: Database) -> None:
    plant(own_database, f"{TABLE} comment on table app.t is 'partywall: shared, for the test';")

    report = probed(own_database)

    assert report.findings == []
    assert "app.t" not in {each.object for each in report.probed}


@pytest.mark.parametrize("leaky", [each for each in SEEN if each.part], ids=name)
def test_a_key_that_the_audit_was_told_to_allow_is_allowed_here_too(
    leaky: LeakyDatabase, own_database: Database
) -> None:
    check = {"probe-unique": "unique-without-tenant", "probe-reference": "foreign-key-without-tenant"}[leaky.check]
    plant(own_database, leaky.plant)
    plant(own_database, f"comment on {leaky.part} on {leaky.object} is 'partywall: allow {check}, a random number'")

    assert told(probed(own_database), leaky.check, leaky.object) == []


def test_a_finding_of_the_probe_can_be_exempted(own_database: Database) -> None:
    plant(own_database, NOT_POSSIBLE["a check that nothing known satisfies"][0])
    plant(own_database, "comment on table app.t is 'partywall: allow probe-not-possible, filled by hand'")

    report = probed(own_database)

    assert report.findings == []
    assert [exemption.reason for _, exemption in report.exempted] == ["filled by hand"]
    assert audited(own_database).findings == []


def test_only_a_superuser_plays_another_login(own_database: Database) -> None:
    with pytest.raises(ProbeLoginError, match="only a superuser"):
        probe_database(own_database.url(Role.WORKER), own_database.url(Role.OPERATOR), login="partywall_api")


def test_a_login_that_does_not_exist_is_not_played(own_database: Database) -> None:
    with pytest.raises(ProbeLoginError, match="no such login"):
        probe_database(own_database.admin_url, None, login="nobody")


def test_a_login_that_enters_no_tenant_is_not_played(own_database: Database) -> None:
    with pytest.raises(ProbeLoginError, match="may not enter a tenant"):
        probe_database(own_database.admin_url, None, login="partywall_dispatcher")


def test_without_an_operator_there_are_no_tenants_to_play_with(own_database: Database) -> None:
    with pytest.raises(ProbeLoginError, match="OPERATOR"):
        probe_database(own_database.url(Role.WORKER), None)
