"""May a process work with this database? Only if its login can do no more than its role, and the wall stands."""

from sqlalchemy import Connection

from db import guard
from db.audit import Severity, audit
from db.bare_connection import bare_connection
from db.diagnosis import judge_login
from db.dsn import Dsn, setting_name
from db.errors import LoginUnfitError, WallBrokenError
from db.login import ask_login
from db.roles import Role
from db.schema import require_current
from db.settings import DatabaseSettings


def require_fit(role: Role) -> None:
    """Return when a process may work as the role. Asks the database half a dozen questions, of the catalog only.

    Raises:
        SettingMissingError, DsnInvalidError: the role's DSN is not set, or none.
        LoginUnfitError: the login is another role's, stands above row-level security, owns something or is two roles.
        SchemaOlderError, SchemaNewerError, AppliedFileChangedError: the database is not of this code's age.
        WallBrokenError: an audit as this login has a critical finding.
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


def _require_own_login(connection: Connection, role: Role) -> None:
    login = ask_login(connection)
    if found := judge_login(login, role, setting_name(role)):
        raise LoginUnfitError(
            "; ".join(each.words for each in found), hint=" ".join(each.fix for each in found if each.fix)
        )
    if login.is_migrated and not login.may_ask_schema:
        raise LoginUnfitError(f"{login.login} lacks its rights in the schema partywall", hint="Run: partywall migrate")


def _require_wall(connection: Connection, role: Role) -> None:
    report = audit(connection, schemas=guard.watched_schemas(connection), roles=[role.login])
    critical = report.at_least(Severity.CRITICAL)
    if critical:
        first, others = critical[0], len(critical) - 1
        raise WallBrokenError(
            f"{first.object} {first.message}" + (f", and {others} more critical findings" if others else ""),
            hint=" ".join(filter(None, (first.fix, "See: partywall audit"))),
        )
