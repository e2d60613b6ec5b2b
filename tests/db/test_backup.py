"""A dump by the backup role holds everything of every tenant, and nothing that could make a context."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from cli.stack.postgres import EmbeddedPostgres
from cli.stack.postgres_binaries import installed_versions
from db import guard
from db.credentials import authenticate
from db.engine import dispose_engines
from db.errors import TokenRejectedError
from db.migrate import bootstrap, migrate
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import create_tenant
from tests.databases import PASSWORD, Database, TestTenant, drop, make_tenant
from tests.guard.walls import COLUMNS, stands

LEAVING_OUT_THE_KEYS = "--exclude-table=partywall_private.signing_keys"
PAGE = Path(__file__).parents[2] / "docs/how-to/back-up-and-restore.md"


def run(server: EmbeddedPostgres, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one of PostgreSQL's own programs."""
    return subprocess.run(
        [str(installed_versions()[server.version] / program), *arguments], capture_output=True, text=True, check=False
    )


def dump(database: Database, to: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Dump as the backup role, logged in as somebody who may be it and nothing else."""
    assert f"pg_dump --role=partywall_backup {LEAVING_OUT_THE_KEYS}" in PAGE.read_text(encoding="utf-8")
    database.do("create role night_watch login noinherit password 'tests-only'; grant partywall_backup to night_watch")
    database.do(f"grant connect on database {database.name} to night_watch")
    try:
        return run(
            database.server, "pg_dump", "--dbname", database.server.url("night_watch", PASSWORD, database.name),
            "--role=partywall_backup", *options, "--format=custom", f"--file={to}",
        )  # fmt: skip
    finally:
        database.do("drop owned by night_watch")
        database.do("drop role night_watch")


@pytest.fixture
def tenants(own_database: Database) -> list[TestTenant]:
    """Two tenants with a file each."""
    made = [make_tenant("acme"), make_tenant("zeta")]
    for tenant in made:
        with tenant_session(tenant.context, role=Role.API) as session:
            session.execute(
                text("insert into app.files (name, size_bytes, sha256) values (:name, 0, repeat('0', 64))"),
                {"name": f"{tenant.slug}.csv"},
            )
    return made


@pytest.fixture
def restored(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database with the roles' rights, every setting pointing at it."""
    made = Database(own_database.server, f"{own_database.name}_restored")
    with psycopg.connect(made.server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {made.name}".encode())
    bootstrap(made.admin_url, logins={})
    yield made
    dispose_engines()
    drop(made)


def restore(database: Database, dumped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore, migrate, and point every setting at it."""
    done = run(database.server, "pg_restore", "--dbname", database.admin_url, "--exit-on-error", str(dumped))
    assert done.returncode == 0, done.stderr
    migrate(database.url(Role.MIGRATOR))
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    dispose_engines()


def test_a_restored_dump_has_every_tenants_rows_and_works(
    own_database: Database,
    restored: Database,
    tenants: list[TestTenant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = dump(own_database, tmp_path / "dump", LEAVING_OUT_THE_KEYS)
    assert (done.returncode, done.stderr) == (0, "")
    restore(restored, tmp_path / "dump", monkeypatch)

    assert restored.ask("select count(*), count(distinct tenant_id) from app.files") == [(2, 2)]
    for tenant in tenants:
        with platform_connection(Role.API) as connection:
            context = authenticate(connection, tenant.key).context
        with tenant_session(context, role=Role.WORKER) as session:
            assert session.execute(text("select name from app.files")).scalars().all() == [f"{tenant.slug}.csv"]
    with platform_connection(Role.OPERATOR) as connection:
        create_tenant(connection, slug="new", name="New")


def test_a_context_from_before_the_dump_is_worth_nothing_after_it(
    own_database: Database,
    restored: Database,
    tenants: list[TestTenant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dump(own_database, tmp_path / "dump", LEAVING_OUT_THE_KEYS)
    restore(restored, tmp_path / "dump", monkeypatch)

    with pytest.raises(TokenRejectedError), tenant_session(tenants[0].context, role=Role.WORKER) as session:
        session.execute(text("select name from app.files"))


def test_a_dump_with_the_signing_keys_is_refused(own_database: Database, tmp_path: Path) -> None:
    done = dump(own_database, tmp_path / "dump")

    assert done.returncode != 0
    assert "permission denied for table signing_keys" in done.stderr


def test_a_guarded_database_is_dumped_and_restored_with_its_guard(
    own_database: Database,
    restored: Database,
    tenants: list[TestTenant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.install(own_database.admin_url)
    done = dump(own_database, tmp_path / "dump", LEAVING_OUT_THE_KEYS)
    assert (done.returncode, done.stderr) == (0, "")
    restore(restored, tmp_path / "dump", monkeypatch)

    with psycopg.connect(restored.url(Role.MIGRATOR), autocommit=True) as owner:
        owner.execute("set role partywall_owner")
        owner.execute(f"create table app.made ({COLUMNS})".encode())
    assert stands(restored, "app.made")
    assert guard.install(restored.admin_url) is False


def test_nobody_was_granted_anything_on_the_signing_keys(catalog: Database) -> None:
    assert catalog.ask("select relacl::text from pg_class where oid = 'partywall_private.signing_keys'::regclass") == [
        (None,)
    ]
