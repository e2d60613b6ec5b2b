"""The guard: event triggers that keep the adopter's tables behind the wall. A superuser's: no owner can end it."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import Connection, text

from db import sql_files
from db.bare_connection import bare_connection
from db.errors import AdministratorNeededError
from db.migration_lock import acquire_lock
from db.migrations.execution import execute
from db.sql_files import SqlFile

UNGUARDED_SCHEMAS = ("app",)
"""The adopter's schemas where no guard says which they are."""


class GuardState(StrEnum):
    """What a database says about its guard."""

    ABSENT = "absent"
    OUTDATED = "outdated"
    """Installed by other code than this."""
    DISABLED = "disabled"
    """Installed, and a superuser has switched one of its event triggers off."""
    CURRENT = "current"


def require_superuser(admin_url: str) -> None:
    """Return when the login may install and drop the guard.

    Raises:
        AdministratorNeededError: it is no superuser.
    """
    with bare_connection(admin_url) as connection:
        _require_superuser(connection)


def install(admin_url: str, *, wait_seconds: float = 120.0) -> bool:
    """Install the guard, or bring it to this code; return False when there was nothing to do.

    Raises:
        AdministratorNeededError: the login is no superuser.
        MigrationFailedError: something in a watched schema is not behind the wall already.
        MigrationBusyError: a migration held the lock for `wait_seconds`.
    """
    with bare_connection(admin_url) as connection:
        _require_superuser(connection)
        acquire_lock(connection, wait_seconds=wait_seconds)
        if state(connection) is GuardState.CURRENT:
            return False
        for file in _files():
            execute(connection, file)
        connection.execute(text("delete from partywall_guard.installed"))
        connection.execute(
            text("insert into partywall_guard.installed (sha256) values (:sha256)"), {"sha256": _digest()}
        )
        connection.commit()
        return True


def drop(admin_url: str, *, wait_seconds: float = 120.0) -> bool:
    """Take the guard away; return False when there was none. What it protected stays protected.

    Raises:
        AdministratorNeededError: the login is no superuser.
        MigrationBusyError: a migration held the lock for `wait_seconds`.
    """
    with bare_connection(admin_url) as connection:
        _require_superuser(connection)
        acquire_lock(connection, wait_seconds=wait_seconds)
        if state(connection) is GuardState.ABSENT:
            return False
        execute(connection, sql_files.read("drop_guard.sql"))
        connection.commit()
        return True


def state(connection: Connection) -> GuardState:
    """Return whether the guard watches this database, asked by a role of the platform or a superuser."""
    enabled = connection.execute(_EVENT_TRIGGERS).scalars().all()
    if not _is_installed(connection):
        return GuardState.ABSENT
    if connection.execute(text("select sha256 from partywall_guard.installed")).scalar_one_or_none() != _digest():
        return GuardState.OUTDATED
    return GuardState.CURRENT if list(enabled) == ["O", "O"] else GuardState.DISABLED


def watched_schemas(connection: Connection) -> Sequence[str]:
    """Return the adopter's schemas that exist: those the guard watches, or `app` where there is no guard."""
    if not _is_installed(connection):
        return UNGUARDED_SCHEMAS
    return connection.execute(_SCHEMAS).scalars().all()


def walled_schemas(connection: Connection) -> Sequence[str]:
    """Return every schema that holds tenants' rows: the adopter's, and `partywall` with their jobs."""
    return [*watched_schemas(connection), "partywall"]


def settle(connection: Connection) -> None:
    """Let the guard say now, not at the end of the transaction, what it refuses. What it puts back now waits again."""
    # All, because the guard's own check gives way to foreign keys that wait for the commit.
    connection.execute(text("set constraints all immediate"))


_EVENT_TRIGGERS = text("""
    select evtenabled::text
    from pg_event_trigger
    where evtname in ('partywall_guard_watch', 'partywall_guard_watch_drops')
""")
_SCHEMAS = text("""
    select schemas.name
    from partywall_guard.schemas
    inner join pg_namespace as namespaces on schemas.name = namespaces.nspname
    order by schemas.name
""")


def _is_installed(connection: Connection) -> bool:
    # Not to_regclass(): that is an error for who may not look into the schema.
    found: bool = connection.execute(
        text("""
            select exists (
                select from pg_class
                where relname = 'installed'
                  and relnamespace = (select oid from pg_namespace where nspname = 'partywall_guard')
            )
        """)
    ).scalar_one()
    return found


def _files() -> list[SqlFile]:
    house, *rest = sql_files.files_in("guard")
    # The same text as partywall.protect(), owned by the superuser: he must not run what the owner could have changed.
    protect = sql_files.read("functions/protect.sql")
    own = protect.text.replace("function partywall.protect(", "function partywall_guard.protect(")
    return [house, SqlFile(protect.path, own), *rest]


def _digest() -> str:
    return hashlib.sha256("".join(file.sha256 for file in _files()).encode()).hexdigest()


def _require_superuser(connection: Connection) -> None:
    login, is_superuser = connection.execute(
        text("select rolname::text, rolsuper from pg_roles where rolname = current_user")
    ).one()
    if not is_superuser:
        raise AdministratorNeededError(
            "only a superuser can install or drop the guard",
            login=login,
            hint="Put a superuser's DSN into PARTYWALL_ADMIN_DATABASE_URL, or migrate without the guard:"
            " `partywall audit --fix` then does the same when it is run.",
        )
    connection.commit()
