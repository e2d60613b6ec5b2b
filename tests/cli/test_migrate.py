"""`partywall bootstrap` and `partywall migrate`."""

import json

import pytest

from db.roles import Role
from tests.cli.conftest import Run, Start, point
from tests.databases import PASSWORD, Database


def test_bootstrap_and_migrate_make_an_empty_database_ready(empty_database: Database, partywall: Run) -> None:
    bootstrapped = json.loads(partywall("bootstrap", "--json").stdout)
    migrated = json.loads(partywall("migrate", "--json").stdout)

    assert bootstrapped["database"] == empty_database.name
    assert {role["login"] for role in bootstrapped["roles"] if role["password_set"]} == {role.login for role in Role}
    assert migrated["changed"] is True
    assert migrated["revision_before"] is None
    assert "functions/claim.sql" in migrated["functions"]
    assert partywall("tenants", "create", "acme").exit_code == 0


def test_a_second_migration_has_nothing_to_do(database: Database, partywall: Run) -> None:
    assert partywall("migrate").stdout.startswith("Nothing to do: ")

    report = json.loads(partywall("migrate", "--json").stdout)
    assert (report["changed"], report["functions"], report["app_migrations"]) == (False, [], [])


def test_a_migration_says_which_functions_it_renewed(own_database: Database, partywall: Run) -> None:
    own_database.do("update partywall_private.installed_files set sha256 = '' where path = 'functions/claim.sql'")

    assert "functions:  functions/claim.sql\n" in partywall("migrate").stdout


def test_a_database_of_newer_code_is_not_migrated(own_database: Database, partywall: Run) -> None:
    own_database.do("update partywall.alembic_version set version_num = '9999'")
    result = partywall("migrate")

    assert result.exit_code == 3
    assert "newer than this code" in result.stderr


def test_bootstrap_sets_the_password_of_the_dsn(
    empty_database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    partywall("bootstrap")
    changed = empty_database.server.url(Role.SCHEDULER.login, "changed", empty_database.name)
    point(monkeypatch, Role.SCHEDULER, changed)
    try:
        assert "refused the password" in partywall("check", "scheduler").stdout
        partywall("bootstrap")
        assert "refused the password" not in partywall("check", "scheduler").stdout
    finally:
        # Logins belong to the whole server, and other tests use them.
        point(monkeypatch, Role.SCHEDULER, empty_database.url(Role.SCHEDULER))
        assert partywall("bootstrap").exit_code == 0


def test_a_role_without_a_dsn_gets_no_password_and_that_is_said(
    empty_database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARTYWALL_API_DATABASE_URL")
    result = partywall("bootstrap")

    assert result.exit_code == 0
    assert "partywall_api         not in PARTYWALL_API_DATABASE_URL" in result.stdout


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (Role.WORKER.login, "PARTYWALL_API_DATABASE_URL logs in as partywall_worker"),
        ("", "PARTYWALL_API_DATABASE_URL logs in as nobody"),
    ],
)
def test_a_dsn_of_another_login_gets_no_password(
    empty_database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch, login: str, said: str
) -> None:
    point(monkeypatch, Role.API, empty_database.server.url(login, PASSWORD, empty_database.name))
    result = partywall("bootstrap")

    assert result.exit_code == 2
    assert said in result.stderr


def test_bootstrap_of_another_database_than_the_migrators_is_bad_input(
    empty_database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_ADMIN_DATABASE_URL", empty_database.server.admin_url("postgres"))
    result = partywall("bootstrap")

    assert result.exit_code == 2
    assert "names the database postgres" in result.stderr


def test_bootstrap_needs_the_administrators_dsn(database: Database, partywall: Run) -> None:
    result = partywall("bootstrap")

    assert result.exit_code == 2
    assert "setting=PARTYWALL_ADMIN_DATABASE_URL" in result.stderr


def test_a_login_without_the_right_to_migrate_is_refused(database: Database, partywall_process: Start) -> None:
    done = partywall_process("migrate", PARTYWALL_MIGRATOR_DATABASE_URL=database.url(Role.WORKER))

    assert done.returncode == 3
    assert done.stderr.startswith("error: this login may not do that: ")
    assert done.stderr.count("\n") == 1
