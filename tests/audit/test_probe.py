"""The probe finds what behaves badly, by playing it, and leaves nothing behind."""

from collections.abc import Callable, Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.audit import AuditReport, Finding, Severity, audit
from db.audit.probe import ProbeReport, probe_database
from db.audit.probe.login import ProbeLoginError
from db.bare_connection import bare_connection
from db.roles import Role
from tests.audit.leaks import SEEN, UNSEEN, LeakyDatabase
from tests.audit.tables import FILLABLE
from tests.audit.zoo.defect import GOOD
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
    assert audited(own_database).at_least(Severity.HIGH) == []

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
