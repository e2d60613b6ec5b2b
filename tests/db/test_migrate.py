"""Bringing a database to the schema of this code."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cli.stack.postgres import EmbeddedPostgres
from db import sql_files
from db.dsn import plain_url
from db.errors import (
    AppliedFileChangedError,
    MigrationBusyError,
    MigrationFailedError,
    SchemaNewerError,
    SchemaOlderError,
    WallBrokenError,
)
from db.gate import require_fit
from db.migrate import bootstrap, migrate
from db.migration_lock import LOCK_KEY
from db.migrations.upgrade import alembic_config
from db.revisions import head_revision
from db.roles import Role
from db.schema import require_current
from db.session import platform_connection, tenant_session
from db.sql_files import AppSqlFolderMissingError
from tests.audit.zoo.platform import BELIEVES_ANYBODY
from tests.databases import PASSWORD, Database, drop, in_use, make_tenant


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """One that was neither bootstrapped nor migrated."""
    made = Database(server=postgres, name="empty")
    admin = create_engine(plain_url(postgres.admin_url("postgres")), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("create database empty")
    with in_use(made):
        yield made
    drop(made)


def migrate_it(database: Database, *, wait_seconds: float = 60) -> list[str]:
    """Migrate; return what changed."""
    report = migrate(database.url(Role.MIGRATOR), wait_seconds=wait_seconds)
    changed = [*report.functions, *report.app_migrations]
    assert report.changed == (bool(changed) or report.revision_before != report.revision)
    return changed


def content(database: Database) -> list[tuple[object, ...]]:
    """The schema as the catalog has it, to be compared."""
    return database.ask("""
        select 'function', oid::regprocedure::text, md5(pg_get_functiondef(oid)), proacl::text
        from pg_proc where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
        union all
        select 'relation', oid::regclass::text, relkind::text, relacl::text
        from pg_class
        where relnamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace, 'app'::regnamespace)
        union all
        select 'file', path, sha256, installed_at::text from partywall_private.installed_files
        union all
        select 'namespace', nspname::text, nspacl::text, null from pg_namespace where nspname !~ '^pg_'
        order by 1, 2
    """)


def test_a_second_run_changes_nothing(own_database: Database) -> None:
    before = content(own_database)

    assert migrate_it(own_database) == []
    assert content(own_database) == before


def test_bootstrapping_twice_changes_nothing_but_passwords(own_database: Database) -> None:
    before = content(own_database)
    bootstrap(own_database.admin_url, logins={})
    bootstrap(own_database.admin_url, logins={Role.WORKER: PASSWORD})

    assert content(own_database) == before


@pytest.mark.timeout(180)
def test_twenty_runners_at_once_apply_each_file_once_and_none_fails(empty_database: Database) -> None:
    bootstrap(empty_database.admin_url, logins={})
    start = threading.Barrier(20)

    def run(_: int) -> list[str]:
        start.wait(30)
        return migrate_it(empty_database, wait_seconds=120)

    with ThreadPoolExecutor(20) as pool:
        applied = [file for files in pool.map(run, range(20)) for file in files]

    expected = [file.path for file in [*sql_files.functions(), *sql_files.app_migrations()]]
    assert sorted(applied) == sorted(expected)


def test_a_changed_function_is_run_again_and_it_alone(own_database: Database, sql_folder: Path) -> None:
    file = sql_folder / "functions/uuid7.sql"
    file.write_text(file.read_text() + "comment on function partywall.uuid7() is 'changed';\n")

    assert migrate_it(own_database) == ["functions/uuid7.sql"]
    assert migrate_it(own_database) == []
    assert own_database.ask("select obj_description('partywall.uuid7()'::regprocedure)") == [("changed",)]


def may_execute(database: Database, role: str, function: str) -> bool:
    return database.ask("select has_function_privilege(:role, :function, 'execute')", role=role, function=function) == [
        (True,)
    ]


def test_a_grant_that_was_taken_out_of_a_file_is_taken_back(own_database: Database, sql_folder: Path) -> None:
    before = content(own_database)
    file = sql_folder / "functions/uuid7.sql"
    as_it_was = file.read_text()
    file.write_text(as_it_was + "grant execute on function partywall.suspend_tenant(text) to partywall_api, public;\n")
    migrate_it(own_database)
    assert may_execute(own_database, "partywall_worker", "partywall.suspend_tenant(text)")
    file.write_text(as_it_was)
    migrate_it(own_database)

    assert not may_execute(own_database, "partywall_worker", "partywall.suspend_tenant(text)")
    assert not may_execute(own_database, "partywall_api", "partywall.suspend_tenant(text)")
    rights = [row for row in before if row[0] == "function"]
    assert [row for row in content(own_database) if row[0] == "function"] == rights


def test_a_function_whose_file_is_gone_may_be_executed_by_nobody(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "functions/overview.sql").unlink()
    overview = "partywall.jobs_overview(text,text,text,uuid,integer)"
    allowed = "partywall: allow platform-function-unknown, processes of the last version call it"
    own_database.do(f"comment on function {overview} is '{allowed}'")
    assert may_execute(own_database, "partywall_operator", overview)

    assert migrate_it(own_database) == ["functions/overview.sql"]
    assert not may_execute(own_database, "partywall_operator", overview)
    assert migrate_it(own_database) == []


def test_a_function_that_is_no_longer_shipped_has_to_be_dropped(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "functions/overview.sql").unlink()

    with pytest.raises(WallBrokenError, match=r"drop routine partywall\.jobs_overview\("):
        migrate_it(own_database)


def source_of(database: Database, function: str) -> str:
    ((source,),) = database.ask("select prosrc from pg_proc where oid = cast(:f as regprocedure)", f=function)
    return str(source)


def test_a_function_that_was_altered_in_the_database_is_put_back(own_database: Database) -> None:
    before = content(own_database), source_of(own_database, "partywall_private.proven_tenant_id(text)")
    own_database.do(BELIEVES_ANYBODY)
    own_database.do("drop function partywall.jobs_overview")

    assert migrate_it(own_database) == ["functions/overview.sql", "functions/tokens.sql"]
    assert migrate_it(own_database) == []
    rights = [row for row in before[0] if row[0] == "function"]
    assert [row for row in content(own_database) if row[0] == "function"] == rights
    assert source_of(own_database, "partywall_private.proven_tenant_id(text)") == before[1]


def test_a_file_of_the_adopter_cannot_replace_what_the_wall_rests_on(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9001_debug.sql").write_text(BELIEVES_ANYBODY)

    with pytest.raises(WallBrokenError, match=r"proven_tenant_id\(text\) is not as this version ships it"):
        migrate_it(own_database)

    assert "sha256" in source_of(own_database, "partywall_private.proven_tenant_id(text)")


def test_what_an_adopters_own_role_was_granted_it_keeps(own_database: Database, sql_folder: Path) -> None:
    own_database.do("create role landlady")
    try:
        own_database.do("grant execute on function partywall.uuid7(), partywall.open_tenant(text) to landlady")
        file = sql_folder / "functions/uuid7.sql"
        file.write_text(file.read_text() + "-- changed\n")
        migrate_it(own_database)

        assert may_execute(own_database, "landlady", "partywall.open_tenant(text)")
    finally:
        own_database.do("drop owned by landlady")
        own_database.do("drop role landlady")


def test_a_new_file_of_the_adopter_is_run_once_in_the_order_of_names(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9002_later.sql").write_text("alter table app.percent add column later int;\n")
    (sql_folder / "app/9001_first.sql").write_text(
        'create table app.percent (tenant_id uuid not null default partywall.current_tenant_id(), "100%" text\n'
        "    check (\"100%\" not like '%s %(x)s :x %'), primary key (tenant_id));\n"
        "select partywall.protect('app.percent');\n"
    )

    assert migrate_it(own_database) == ["app/9001_first.sql", "app/9002_later.sql"]
    assert migrate_it(own_database) == []


def test_a_changed_file_of_the_adopter_is_refused_and_nothing_is_done(own_database: Database, sql_folder: Path) -> None:
    applied = min((sql_folder / "app").glob("*.sql"))
    applied.write_text(applied.read_text() + "-- changed\n")
    function = sql_folder / "functions/uuid7.sql"
    function.write_text(function.read_text() + "comment on function partywall.uuid7() is 'changed';\n")

    with pytest.raises(AppliedFileChangedError, match=applied.name):
        migrate_it(own_database)

    assert own_database.ask("select obj_description('partywall.uuid7()'::regprocedure)") == [(None,)]


def test_a_folder_of_the_adopter_that_is_not_there_is_named(
    own_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", "sqll")

    for ask in (lambda: migrate_it(own_database), lambda: require_fit(Role.WORKER)):
        with pytest.raises(AppSqlFolderMissingError, match="PARTYWALL_APP_SQL_FOLDER") as refused:
            ask()
        assert refused.value.facts == {"folder": tmp_path / "sqll"}


def test_a_file_that_fails_leaves_the_database_as_it_was(own_database: Database, sql_folder: Path) -> None:
    before = content(own_database)
    (sql_folder / "app/9001_half.sql").write_text("create table app.half (id int); select 1 / 0;\n")

    with pytest.raises(MigrationFailedError, match="division by zero"):
        migrate_it(own_database)
    assert content(own_database) == before


def test_a_refused_file_is_named_with_its_line(own_database: Database, sql_folder: Path) -> None:
    (sql_folder / "app/9001_typo.sql").write_text("-- a comment\n\ncreate tabel app.typo (id int);\n")

    with pytest.raises(MigrationFailedError, match=r"app/9001_typo\.sql:3"):
        migrate_it(own_database)


def test_a_file_that_changes_tenants_rows_is_told_how(own_database: Database, sql_folder: Path) -> None:
    with tenant_session(make_tenant("acme").context, role=Role.WORKER) as session:
        session.execute(text("insert into app.files (name, size_bytes, sha256) values ('a', 0, repeat('0', 64))"))
    change = "update app.files set name = 'b';"
    (sql_folder / "app/9001_rename.sql").write_text(change)

    with pytest.raises(MigrationFailedError, match=r"app\.NAME no force row level security") as refused:
        migrate_it(own_database)
    assert "tenant_session" not in str(refused.value)

    (sql_folder / "app/9001_rename.sql").write_text(
        f"alter table app.files no force row level security; {change} select partywall.protect('app.files');"
    )
    assert migrate_it(own_database) == ["app/9001_rename.sql"]
    assert own_database.ask("select name from app.files") == [("b",)]


@pytest.mark.parametrize(
    ("hole", "found"),
    [
        ("alter table partywall.jobs disable row level security", r"partywall\.jobs .*row-level security is off"),
        ("create policy wider on partywall.jobs to partywall_worker using (true)", r"partywall\.jobs \(policy wider\)"),
    ],
    ids=["no row-level security", "a wider policy"],
)
def test_a_hole_before_the_platforms_own_tables_is_refused(
    hole: str, found: str, own_database: Database, sql_folder: Path
) -> None:
    before = content(own_database)
    (sql_folder / "app/9001_hole.sql").write_text(f"{hole};\n")

    with pytest.raises(WallBrokenError, match=found):
        migrate_it(own_database)
    assert content(own_database) == before


def test_a_migration_waits_for_another_and_gives_up_at_its_deadline(own_database: Database) -> None:
    with psycopg.connect(own_database.url(Role.MIGRATOR)) as other:
        other.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,))
        with pytest.raises(MigrationBusyError):
            migrate_it(own_database, wait_seconds=0.3)

    assert migrate_it(own_database) == []


def check(database: Database) -> None:
    with platform_connection(Role.API) as connection:
        require_current(connection)


def test_every_service_may_ask_whether_the_schema_is_current(own_database: Database) -> None:
    for role in Role:
        if role is not Role.MIGRATOR:
            with platform_connection(role) as connection:
                require_current(connection)


def test_a_database_that_was_never_migrated_is_older(empty_database: Database) -> None:
    bootstrap(empty_database.admin_url, logins={})
    with pytest.raises(SchemaOlderError, match="never migrated"):
        check(empty_database)


def test_a_changed_file_of_the_adopter_is_told_as_what_it_is(own_database: Database, sql_folder: Path) -> None:
    applied = min((sql_folder / "app").glob("*.sql"))
    applied.write_text(applied.read_text() + "-- changed\n")

    with platform_connection(Role.API) as connection, pytest.raises(AppliedFileChangedError, match=applied.name):
        require_current(connection)


def test_a_function_that_differs_from_its_file_is_older(own_database: Database, sql_folder: Path) -> None:
    file = sql_folder / "functions/uuid7.sql"
    file.write_text(file.read_text() + "-- changed\n")

    with pytest.raises(SchemaOlderError, match=r"functions/uuid7\.sql"):
        check(own_database)
    migrate_it(own_database)
    check(own_database)


def test_an_older_revision_is_older(own_database: Database) -> None:
    own_database.do("delete from partywall.alembic_version")

    with pytest.raises(SchemaOlderError):
        check(own_database)


def test_a_revision_nobody_here_knows_is_newer_for_services_and_for_migrations(own_database: Database) -> None:
    own_database.do("update partywall.alembic_version set version_num = '9999'")
    before = content(own_database)

    with pytest.raises(SchemaNewerError, match="9999"):
        check(own_database)
    with pytest.raises(SchemaNewerError, match="9999"):
        migrate_it(own_database)
    assert content(own_database) == before


def test_a_file_of_the_adopter_that_nobody_here_knows_is_newer(own_database: Database) -> None:
    own_database.do("insert into partywall_private.installed_files (path, sha256) values ('app/9999_new.sql', '')")

    with pytest.raises(SchemaNewerError, match="9999_new"):
        check(own_database)
    with pytest.raises(SchemaNewerError, match="9999_new"):
        migrate_it(own_database)


def test_the_head_is_the_last_file_of_the_migrations(own_database: Database) -> None:
    last = max(path.name for path in (sql_files.ROOT / "migrations").glob("*.sql"))

    assert last.split("_")[0] == head_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert own_database.ask("select version_num from partywall.alembic_version") == [(head_revision(),)]


@pytest.mark.parametrize("password", ["100%", "%s", "it's", 'a"b', "back\\slash", "$$", "a:b@c/d?e#f", "pässwörd"])
def test_any_password_can_be_set_and_logs_in(password: str, own_database: Database) -> None:
    try:
        bootstrap(own_database.admin_url, logins={Role.MIGRATOR: password})
        url = own_database.url(Role.MIGRATOR).replace(f":{PASSWORD}@", f":{quote(password, safe='')}@")

        assert not migrate(url).changed
    finally:
        bootstrap(own_database.admin_url, logins={Role.MIGRATOR: PASSWORD})


def test_a_password_reaches_the_server_only_as_a_verifier(own_database: Database) -> None:
    bootstrap(own_database.admin_url, logins={Role.WORKER: PASSWORD})

    ((kept,),) = own_database.ask("select rolpassword from pg_authid where rolname = 'partywall_worker'")
    assert str(kept).startswith("SCRAM-SHA-256$")
    log = own_database.server.data_dir.with_name(own_database.server.data_dir.name + ".log").read_text()
    assert PASSWORD not in log


def test_an_administrator_who_is_no_superuser_can_bootstrap(empty_database: Database) -> None:
    """As on a managed server: CREATEROLE and the database are enough, once the roles are theirs."""
    server = empty_database.server
    with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
        admin.execute("create role landlord login createrole password 'tests-only'")
        admin.execute("alter database empty owner to landlord")
        for role in ("owner", "migrator", "worker", "api", "dispatcher", "scheduler", "operator"):
            admin.execute(f"grant partywall_{role} to landlord with admin option".encode())
    try:
        bootstrap(server.url("landlord", "tests-only", "empty"), logins={Role.MIGRATOR: PASSWORD})
        migrate_it(empty_database)
        check(empty_database)
    finally:
        with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
            admin.execute("alter database empty owner to postgres")
            for role in ("owner", "migrator", "worker", "api", "dispatcher", "scheduler", "operator"):
                admin.execute(f"revoke partywall_{role} from landlord cascade".encode())
        with psycopg.connect(server.admin_url("empty"), autocommit=True) as admin:
            admin.execute("reassign owned by landlord to postgres")
            admin.execute("drop owned by landlord cascade")
            admin.execute("drop role landlord")
