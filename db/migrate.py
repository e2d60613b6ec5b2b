"""Bringing a database to the schema of this code: roles once, then migrations and functions as often as you like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, text

from db import guard, sql_files
from db.audit import Finding
from db.audit.alterations import altered_files
from db.bare_connection import bare_connection
from db.errors import AppliedFileChangedError, SchemaNewerError
from db.guard import GuardState
from db.inspection import guards_refusals, refuse_holes
from db.migration_lock import acquire_lock
from db.migrations.execution import execute
from db.revisions import is_known
from db.roles import Role
from db.sql_files import SqlFile


@dataclass
class MigrationReport:
    """What a run changed."""

    revision_before: str | None = None
    revision: str | None = None
    functions: list[str] = field(default_factory=list)
    app_migrations: list[str] = field(default_factory=list)
    guard: GuardState = GuardState.ABSENT
    findings: Sequence[Finding] = ()
    """What an audit finds `high` or `critical` around the migration: roles and rights that no migration can mend."""

    @property
    def changed(self) -> bool:
        """True when the database is not as it was."""
        return self.revision != self.revision_before or bool(self.functions or self.app_migrations)


def bootstrap(admin_url: str, *, logins: Mapping[Role, str]) -> None:
    """Create the roles and give the database to them. Run it again at will; it sets the passwords of `logins`."""
    with bare_connection(admin_url) as connection:
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
        WallBrokenError: an audit finds a hole in the adopter's schemas, or the guard refuses something.
        AppliedFileChangedError: a file of `sql/app/` was changed after it had run here.
        SchemaNewerError: newer code has migrated the database.
        AppSqlFolderMissingError: PARTYWALL_APP_SQL_FOLDER is not there; nothing was done.
    """
    with bare_connection(migrator_url) as connection:
        acquire_lock(connection, wait_seconds=wait_seconds)
        connection.execute(text("set local role partywall_owner"))
        connection.execute(text("set local lock_timeout = '4s'"))
        connection.execute(text("set local statement_timeout = '60s'"))
        report = _run(connection)
        # What the guard put back a moment ago is judged once more.
        with guards_refusals():
            connection.commit()
        return report


def _run(connection: Connection) -> MigrationReport:
    execute(connection, sql_files.read("schemas.sql"))
    report = MigrationReport(revision_before=_revision(connection))
    seen = {row.path: row.sha256 for row in connection.execute(text(_SEEN))}
    _refuse_newer(report.revision_before, seen)

    # Before the tables, because defaults and policies name functions; unchecked, because functions name tables.
    connection.execute(text("set local check_function_bodies = off"))
    report.functions = _install_functions(connection, seen)

    from db.migrations.upgrade import upgrade  # brings Alembic along

    upgrade(connection)
    report.revision = _revision(connection)

    for file in sql_files.app_migrations():
        if file.path not in seen:
            execute(connection, file)
            _record(connection, file)
            report.app_migrations.append(file.path)
        elif seen[file.path] != file.sha256:
            raise AppliedFileChangedError(file=file.path, hint="Put it back as it was and add a new file instead.")
    execute(connection, sql_files.read("backup.sql"))
    report.findings = refuse_holes(connection)
    report.guard = guard.state(connection)
    return report


def _install_functions(connection: Connection, seen: Mapping[str, str]) -> list[str]:
    """Return the files that are new, changed or gone, and those with a function that somebody altered in the database.

    Where there is one, all functions get their rights anew.
    """
    files = sql_files.functions()
    altered = altered_files(connection)
    changed = [file.path for file in files if seen.get(file.path) != file.sha256 or file.path in altered]
    gone = sorted({path for path in seen if path.startswith("functions/")} - {file.path for file in files})
    if changed or gone:
        # Nothing says which grant was taken out of a file: all are taken back, and granted as the files have them.
        execute(connection, sql_files.read("revoke_functions.sql"))
        for file in files:
            execute(connection, file)
            if file.path in changed:
                _record(connection, file)
        connection.execute(_FORGET, {"paths": gone})
    return changed + gone


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


_FORGET = text("delete from partywall_private.installed_files where path = any(cast(:paths as text[]))")


def _record(connection: Connection, file: SqlFile) -> None:
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
