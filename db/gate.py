"""May a process work with this database? Only if its login can do no more than its role, and the wall stands."""

from functools import partial

from sqlalchemy import Connection

from db import guard
from db.audit import Severity, audit
from db.bare_connection import bare_connection
from db.diagnosis import (
    KEPT_SESSIONS_FIX,
    KEPT_SESSIONS_WORDS,
    UNSEEN_RESET_FIX,
    UNSEEN_RESET_WORDS,
    judge_login,
)
from db.dsn import Dsn, setting_name
from db.errors import LoginUnfitError, WallBrokenError
from db.kept_sessions import find_keeping
from db.login import ask_login
from db.pooler import is_pooled
from db.roles import Role
from db.schema import require_current
from db.settings import DatabaseSettings


def require_fit(role: Role) -> None:
    """Return when a process may work as the role. Asks the database half a dozen questions, of the catalog only.

    Raises:
        SettingMissingError, DsnInvalidError: the role's DSN is not set, or none.
        LoginUnfitError: the login is another role's, stands above row-level security, owns something or is two roles.
        AppSqlFolderMissingError: the folder of the adopter's migrations is not there.
        SchemaOlderError, SchemaNewerError, AppliedFileChangedError: the database is not of this code's age.
        WallBrokenError: an audit as this login has a critical finding; or a pooler in between keeps what sessions hold,
            or was not seen to reset them.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    settings = DatabaseSettings.load()
    url = settings.url(role)
    Dsn.parse(url, setting=setting_name(role))
    with bare_connection(
        url, timeout_seconds=settings.connect_timeout_seconds, application_name=f"partywall-{role.value}-start"
    ) as connection:
        _require_own_login(connection, role)
        require_current(connection)
        _require_wall(connection, role)
        _require_clean_sessions(connection, role, settings)


def _require_own_login(connection: Connection, role: Role) -> None:
    login = ask_login(connection)
    if found := judge_login(login, role, setting_name(role)):
        raise LoginUnfitError(
            "; ".join(each.words for each in found), hint=" ".join(each.fix for each in found if each.fix)
        )
    if login.is_migrated and not login.may_ask_schema:
        raise LoginUnfitError(f"{login.login} lacks its rights in the schema partywall", hint="Run: partywall migrate")


def _require_wall(connection: Connection, role: Role) -> None:
    report = audit(connection, schemas=guard.walled_schemas(connection), roles=[role.login])
    critical = report.at_least(Severity.CRITICAL)
    if critical:
        first, others = critical[0], len(critical) - 1
        raise WallBrokenError(
            f"{first.object} {first.message}" + (f", and {others} more critical findings" if others else ""),
            hint=" ".join(filter(None, (first.fix, "See: partywall audit"))),
        )


def _require_clean_sessions(connection: Connection, role: Role, settings: DatabaseSettings) -> None:
    connection.commit()
    if role is Role.DISPATCHER or not is_pooled(connection):
        return
    connect = partial(bare_connection, settings.url(role), timeout_seconds=settings.connect_timeout_seconds)
    match find_keeping(connection, connect):
        case "cleaned":
            return
        case "kept":
            raise WallBrokenError(KEPT_SESSIONS_WORDS, hint=KEPT_SESSIONS_FIX)
        case "unknown":
            # Not seen is not proven: the next tenant's job would be the one to find out.
            raise WallBrokenError(UNSEEN_RESET_WORDS, hint=UNSEEN_RESET_FIX)
