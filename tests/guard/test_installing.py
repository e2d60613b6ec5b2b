"""`partywall migrate --with-guard` and `--drop-guard`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db import guard, sql_files
from db.errors import MigrationFailedError, WallBrokenError
from db.migrate import bootstrap, migrate
from db.roles import Role
from tests.cli.conftest import Run
from tests.cli.conftest import partywall as partywall
from tests.databases import PASSWORD, Database, clone, drop
from tests.db.conftest import sql_folder as sql_folder
from tests.guard.conftest import acting_as_owner
from tests.guard.walls import COLUMNS, exists, stands


@pytest.fixture
def database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database of the test's own, without the guard; every setting points at it."""
    made = clone(postgres, f"own_{os.getpid()}")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARTYWALL_ADMIN_DATABASE_URL", made.admin_url)
    yield made
    drop(made)


def watches(database: Database) -> bool:
    """Whether a new table is protected by itself."""
    with acting_as_owner(database) as owner:
        owner.execute(f"create table app.probe ({COLUMNS})".encode())
        protected = stands(database, "app.probe")
        owner.execute("drop table app.probe")
    return protected


def test_without_the_guard_nothing_is_protected_by_itself(database: Database) -> None:
    assert not watches(database)


def test_it_is_installed_once_and_dropped_once(database: Database, partywall: Run) -> None:
    told = [
        json.loads(partywall("migrate", *options, "--json").stdout)
        for options in (
            [],
            ["--with-guard"],
            [],
            ["--with-guard"],
            ["--drop-guard"],
            ["--drop-guard"],
            ["--with-guard", "--drop-guard"],
        )
    ]

    assert [(each["guard"], each["changed"]) for each in told] == [
        ("absent", False),
        ("current", True),
        ("current", False),
        ("current", False),
        ("absent", True),
        ("absent", False),
        ("current", True),
    ]
    assert watches(database)


def test_a_dropped_guard_leaves_what_it_protected_and_nothing_of_itself(database: Database) -> None:
    guard.install(database.admin_url)
    with acting_as_owner(database) as owner:
        owner.execute(f"create table app.made ({COLUMNS})".encode())
    guard.drop(database.admin_url)

    assert stands(database, "app.made")
    assert not watches(database)
    assert database.ask(
        "select count(*) from pg_namespace where nspname = 'partywall_guard'"
        " union all select count(*) from pg_event_trigger"
    ) == [(0,), (0,)]


def test_a_deploy_with_new_functions_and_tables_passes_under_the_guard(database: Database, sql_folder: Path) -> None:
    guard.install(database.admin_url)
    (sql_folder / "app/9001_made.sql").write_text(
        f"create table app.made ({COLUMNS});\nselect partywall.protect('app.made');\n"
        "create table app.codes (code text primary key);\n"
        "comment on table app.codes is 'partywall: shared, for this test';\n"
    )
    function = sql_folder / "functions/uuid7.sql"
    function.write_text(function.read_text() + "-- changed\n")
    report = migrate(database.url(Role.MIGRATOR))

    assert (report.functions, report.app_migrations) == (["functions/uuid7.sql"], ["app/9001_made.sql"])
    assert stands(database, "app.made")
    assert not migrate(database.url(Role.MIGRATOR)).changed


def test_every_file_of_ours_passes_under_the_guard(database: Database) -> None:
    guard.install(database.admin_url)
    database.do("drop table app.files, app.file_chunks, app.orders, app.rejected_rows, app.statements")
    database.do("delete from partywall_private.installed_files where path like 'app/%'")
    report = migrate(database.url(Role.MIGRATOR))

    assert report.app_migrations == [file.path for file in sql_files.app_migrations()]
    assert stands(database, "app.orders")


def test_a_migration_that_the_guard_refuses_says_what_and_changes_nothing(database: Database, sql_folder: Path) -> None:
    guard.install(database.admin_url)
    # Nobody is granted anything on it, so an audit for the platform's logins has nothing to say.
    (sql_folder / "app/9001_bare.sql").write_text(
        "create table app.bare (id int); revoke all on app.bare from partywall_worker;"
    )

    with pytest.raises(WallBrokenError, match=r"app\.bare has no column .* comment on table app\.bare is"):
        migrate(database.url(Role.MIGRATOR))
    assert not exists(database, "app.bare")


@pytest.mark.parametrize("action", ["no force", "disable"])
def test_what_a_migration_takes_down_of_a_wall_is_put_back(action: str, database: Database, sql_folder: Path) -> None:
    guard.install(database.admin_url)
    (sql_folder / "app/9001_taken_down.sql").write_text(f"alter table app.orders {action} row level security;\n")
    report = migrate(database.url(Role.MIGRATOR))

    assert report.app_migrations == ["app/9001_taken_down.sql"]
    assert stands(database, "app.orders")


def test_a_guard_of_other_code_is_told_and_renewed(database: Database, partywall: Run) -> None:
    guard.install(database.admin_url)
    database.do("update partywall_guard.installed set sha256 = 'older'")

    assert json.loads(partywall("migrate", "--json").stdout)["guard"] == "outdated"
    assert "renew it with: partywall migrate --with-guard" in partywall("migrate").stderr
    assert "guard:      watching" in partywall("migrate", "--with-guard").stdout
    assert watches(database)


def test_a_guard_that_was_switched_off_is_told_and_switched_on(database: Database, partywall: Run) -> None:
    guard.install(database.admin_url)
    database.do("alter event trigger partywall_guard_watch disable")

    assert "switched off" in partywall("migrate").stderr
    assert not watches(database)
    assert json.loads(partywall("migrate", "--with-guard", "--json").stdout)["changed"] is True
    assert watches(database)


def test_it_is_not_installed_over_a_hole(database: Database) -> None:
    with acting_as_owner(database) as owner:
        owner.execute(f"create table app.bare ({COLUMNS})".encode())
    with pytest.raises(MigrationFailedError, match=r"app\.bare has its row-level security switched off"):
        guard.install(database.admin_url)

    assert not watches(database)


def test_a_schema_that_somebody_prepared_is_not_used(database: Database) -> None:
    with acting_as_owner(database) as owner:
        owner.execute("create schema partywall_guard")
    with pytest.raises(MigrationFailedError, match="does not belong to a superuser"):
        guard.install(database.admin_url)


def test_a_list_of_schemas_outlives_a_renewal(database: Database) -> None:
    guard.install(database.admin_url)
    database.do("insert into partywall_guard.schemas values ('billing')")
    database.do("update partywall_guard.installed set sha256 = 'older'")
    guard.install(database.admin_url)

    assert database.ask("select name from partywall_guard.schemas order by 1") == [("app",), ("billing",)]


def test_a_migration_audits_the_schemas_that_are_watched(database: Database, sql_folder: Path) -> None:
    guard.install(database.admin_url)
    (sql_folder / "app/9001_billing.sql").write_text(
        "create schema billing; grant usage on schema billing to partywall_worker;"
        f"create table billing.bills ({COLUMNS}); grant select, truncate on billing.bills to partywall_worker;"
        "select partywall.protect('billing.bills');"
    )
    migrate(database.url(Role.MIGRATOR))
    database.do("insert into partywall_guard.schemas values ('billing')")

    with pytest.raises(WallBrokenError, match=r"billing\.bills"):
        migrate(database.url(Role.MIGRATOR))


def test_a_tenants_table_outside_the_watched_schemas_is_refused_too(database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9001_billing.sql").write_text(
        f"create schema billing; create table billing.bills ({COLUMNS});"
        "grant select on billing.bills to partywall_worker;"
    )

    with pytest.raises(WallBrokenError, match=r"billing\.bills has a column tenant_id"):
        migrate(database.url(Role.MIGRATOR))


@pytest.mark.parametrize("option", ["--with-guard", "--drop-guard"])
def test_it_needs_the_administrators_dsn(
    option: str, database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARTYWALL_ADMIN_DATABASE_URL")
    result = partywall("migrate", option)

    assert result.exit_code == 2
    assert "setting=PARTYWALL_ADMIN_DATABASE_URL" in result.stderr


@pytest.mark.parametrize("option", ["--with-guard", "--drop-guard"])
def test_it_needs_a_superuser_and_says_so_before_anything_is_done(
    option: str, database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.do("update partywall_private.installed_files set sha256 = '' where path = 'functions/claim.sql'")
    monkeypatch.setenv("PARTYWALL_ADMIN_DATABASE_URL", database.url(Role.MIGRATOR))
    result = partywall("migrate", option)

    assert result.exit_code == 3
    assert "only a superuser can install or drop the guard (login=partywall_migrator)" in result.stderr
    assert database.ask("select sha256 from partywall_private.installed_files where path = 'functions/claim.sql'") == [
        ("",)
    ]


def test_it_guards_the_database_that_is_migrated_and_no_other(
    database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_ADMIN_DATABASE_URL", database.server.admin_url("postgres"))
    result = partywall("migrate", "--with-guard")

    assert result.exit_code == 2
    assert "names the database postgres" in result.stderr


def test_a_database_is_made_ready_and_guarded_with_two_commands(database: Database, partywall: Run) -> None:
    with psycopg.connect(database.server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute(f"drop database {database.name}".encode())
        admin.execute(f"create database {database.name}".encode())
    bootstrap(database.admin_url, logins=dict.fromkeys(Role, PASSWORD))
    result = partywall("migrate", "--with-guard")

    assert result.exit_code == 0, result.stderr
    assert watches(database)
