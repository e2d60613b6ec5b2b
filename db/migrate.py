"""Bringing a database to the schema of this code: roles once, then migrations and functions as often as you like."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from alembic import command
from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from db import sql_files
from db.dsn import plain_url
from db.errors import AppliedFileChangedError, MigrationBusyError, SchemaNewerError, TableUnprotectedError
from db.migrations.execution import execute
from db.revisions import alembic_config, is_known
from db.roles import Role
from db.sql_files import SqlFile

LOCK_KEY = 0x70_61_72_74_79
"""The advisory lock of whoever migrates: "party" in ASCII."""
LOCK_POLL_SECONDS = 0.2


@dataclass
class MigrationReport:
    """What a run changed."""

    revision_before: str | None = None
    revision: str | None = None
    functions: list[str] = field(default_factory=list)
    app_migrations: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """True when the database is not as it was."""
        return self.revision != self.revision_before or bool(self.functions or self.app_migrations)


def bootstrap(admin_url: str, *, logins: Mapping[Role, str]) -> None:
    """Create the roles and give the database to them. Run it again at will; it sets the passwords of `logins`."""
    with _connection(admin_url) as connection:
        execute(connection, sql_files.read("roles.sql"))
        for role, password in logins.items():
            _set_password(connection, role.login, password)
        connection.commit()


def migrate(migrator_url: str, *, wait_seconds: float = 120.0) -> MigrationReport:
    """Bring the schema, the functions and the adopter's tables to this code, in one transaction.

    Any number of processes may call it at once: one works, the others wait and find nothing to do.

    Raises:
        MigrationBusyError: another migration held the lock for `wait_seconds`.
        MigrationFailedError: PostgreSQL refused a file.
        TableUnprotectedError: a table in `app` is not behind the wall.
        AppliedFileChangedError: a file of `sql/app/` was changed after it had run here.
        SchemaNewerError: newer code has migrated the database.
    """
    with _connection(migrator_url) as connection:
        _acquire_lock(connection, wait_seconds=wait_seconds)
        connection.execute(text("set local role partywall_owner"))
        connection.execute(text("set local lock_timeout = '4s'"))
        connection.execute(text("set local statement_timeout = '60s'"))
        report = _run(connection)
        connection.commit()
        return report


def _run(connection: Connection) -> MigrationReport:
    execute(connection, sql_files.read("schemas.sql"))
    report = MigrationReport(revision_before=_revision(connection))
    seen = {row.path: row.sha256 for row in connection.execute(text(_SEEN))}
    _refuse_newer(report.revision_before, seen)

    # Before the tables, because defaults and policies name functions; unchecked, because functions name tables.
    connection.execute(text("set local check_function_bodies = off"))
    for file in sql_files.functions():
        if seen.get(file.path) != file.sha256:
            _install(connection, file)
            report.functions.append(file.path)

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    report.revision = _revision(connection)

    for file in sql_files.app_migrations():
        if file.path not in seen:
            _install(connection, file)
            report.app_migrations.append(file.path)
        elif seen[file.path] != file.sha256:
            raise AppliedFileChangedError(file=file.path, hint="Put it back as it was and add a new file instead.")
    _refuse_unprotected(connection)
    return report


def _refuse_unprotected(connection: Connection) -> None:
    # In the migration's own transaction: a table that was forgotten is never there for anyone.
    asked = connection.execution_options(no_parameters=True).exec_driver_sql(
        sql_files.read("queries/unprotected.sql").text
    )
    tables = asked.scalars().all()
    if tables:
        raise TableUnprotectedError(
            tables=", ".join(tables),
            hint=f"Add to its file: select partywall.protect('{tables[0]}'); or say in a comment that it is shared.",
        )


def _refuse_newer(revision: str | None, seen: Mapping[str, str]) -> None:
    # Going on would put old functions over new tables.
    hint = "Run the migration of the code that is deployed last."
    if revision is not None and not is_known(revision):
        raise SchemaNewerError(revision=revision, hint=hint)
    expected = {file.path for file in sql_files.app_migrations()}
    for path in sorted(seen):
        if path.startswith("app/") and path not in expected:
            raise SchemaNewerError(file=path, hint=hint)


_SEEN = "select path, sha256 from partywall_private.installed_files"
_RECORD = text("""
    insert into partywall_private.installed_files (path, sha256)
    values (:path, :sha256)
    on conflict (path) do update set sha256 = excluded.sha256, installed_at = now()
""")


def _install(connection: Connection, file: SqlFile) -> None:
    execute(connection, file)
    connection.execute(_RECORD, {"path": file.path, "sha256": file.sha256})


def _set_password(connection: Connection, login: str, password: str) -> None:
    # The verifier is made here: the statement, and with it every log of it, then holds no password.
    driver: Any = connection.connection.driver_connection
    verifier = driver.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    # ALTER ROLE takes no parameters; psycopg's own quoting makes the literal.
    statement = sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier))
    connection.exec_driver_sql(statement.as_string())


def _revision(connection: Connection) -> str | None:
    if connection.execute(text("select to_regclass('partywall.alembic_version')")).scalar_one() is None:
        return None
    revision: str | None = connection.execute(
        text("select version_num from partywall.alembic_version")
    ).scalar_one_or_none()
    return revision


def _acquire_lock(connection: Connection, *, wait_seconds: float) -> None:
    # Asked for, not waited for: a session blocked on the lock holds a snapshot that
    # `create index concurrently` in the other runner waits for - a deadlock.
    connection.execute(text("set client_connection_check_interval = '1s'"))
    deadline = time.monotonic() + wait_seconds
    while not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}).scalar_one():
        connection.commit()
        if time.monotonic() > deadline:
            raise MigrationBusyError(
                waited_seconds=wait_seconds, hint="See pg_stat_activity for who migrates, and why."
            )
        time.sleep(LOCK_POLL_SECONDS)
    connection.commit()


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    """Open a connection without contexts or guards. Closing it frees the lock."""
    engine = create_engine(plain_url(url), poolclass=NullPool, use_native_hstore=False)
    with engine.connect() as connection:
        yield connection
