"""`partywall bootstrap` and `partywall migrate`: making a database ours, and keeping it of this code's age."""

from typing import Annotated

import typer

from cli.errors import BadInputError
from cli.output import Json, note, print_fields, print_json, print_table, say
from db import guard
from db import migrate as migrations
from db.dsn import Dsn, setting_name
from db.errors import SettingMissingError
from db.guard import GuardState
from db.migrate import MigrationReport
from db.roles import Role
from db.settings import DatabaseSettings

ADMIN_SETTING = "PARTYWALL_ADMIN_DATABASE_URL"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(bootstrap)
    app.command()(migrate)


def bootstrap(as_json: Json = False) -> None:
    """Create the database roles, with the passwords in the roles' DSNs. Run it again to change a password.

    Logs in with PARTYWALL_ADMIN_DATABASE_URL: a superuser, or CREATEROLE and the database's owner.

    Example: partywall bootstrap && partywall migrate
    """
    settings = DatabaseSettings.load()
    url = _admin_url(settings)
    database = Dsn.parse(url, setting=ADMIN_SETTING).database
    logins = {role: password for role in Role if (password := _password(settings, role, database))}
    migrations.bootstrap(url, logins=logins)
    if as_json:
        roles = [{"role": role.value, "login": role.login, "password_set": role in logins} for role in Role]
        print_json({"database": database, "roles": roles})
        return
    print_table(
        ("role", "login", "password"),
        [(role.value, role.login, "set" if role in logins else f"not in {setting_name(role)}") for role in Role],
        empty="",
    )
    say(f"The database {database} is theirs. Next: partywall migrate")


def _admin_url(settings: DatabaseSettings) -> str:
    if settings.admin_database_url is None:
        raise SettingMissingError(
            setting=ADMIN_SETTING, hint="Set it to the DSN of a superuser, for this command only."
        )
    return settings.admin_database_url.get_secret_value()


def _password(settings: DatabaseSettings, role: Role, database: str) -> str | None:
    """Return the password the role is to get, None where its DSN is not set or logs in without one."""
    setting = setting_name(role)
    try:
        dsn = Dsn.parse(settings.url(role), setting=setting)
    except SettingMissingError:
        return None
    if dsn.login != role.login:
        raise BadInputError(
            f"{setting} logs in as {dsn.login or 'nobody'}", hint=f"Put the login {role.login} into it."
        )
    # The migrator's is the one DSN that never goes through a pooler, which may call a database what it likes.
    if role is Role.MIGRATOR and dsn.database != database:
        raise BadInputError(
            f"{ADMIN_SETTING} names the database {database}, {setting} names {dsn.database}",
            hint="Both must name the one that Partywall is to live in.",
        )
    return dsn.password or None


def migrate(
    with_guard: Annotated[bool, typer.Option("--with-guard", help="Install the guard, or renew it.")] = False,
    drop_guard: Annotated[
        bool, typer.Option("--drop-guard", help="Take the guard away first; with --with-guard it is back at the end.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this code: tables, functions, the adopter's tables. Changes nothing twice.

    Logs in with PARTYWALL_MIGRATOR_DATABASE_URL. Any number may run at once; one works, the others wait. It ends with
    an audit, and changes nothing when that finds a hole in the adopter's tables.

    The guard, event triggers that keep every table behind the wall, is the superuser's: for it alone
    PARTYWALL_ADMIN_DATABASE_URL is used too.

    Example: partywall migrate --with-guard
    """
    settings = DatabaseSettings.load()
    url = settings.url(Role.MIGRATOR)
    database = Dsn.parse(url, setting=setting_name(Role.MIGRATOR)).database
    admin_url = _guards_url(settings, database) if with_guard or drop_guard else ""
    guard_changed = guard.drop(admin_url) if drop_guard else False
    report = migrations.migrate(url)
    if with_guard:
        guard_changed |= guard.install(admin_url)
        report.guard = GuardState.CURRENT
    if as_json:
        print_json(_as_json(report, guard_changed=guard_changed))
    else:
        _print(report, guard_changed=guard_changed)


def _guards_url(settings: DatabaseSettings, database: str) -> str:
    """Return the DSN that may install and drop the guard; checked now, so that nothing is done by half."""
    url = _admin_url(settings)
    named = Dsn.parse(url, setting=ADMIN_SETTING).database
    if named != database:
        raise BadInputError(
            f"{ADMIN_SETTING} names the database {named}, {setting_name(Role.MIGRATOR)} names {database}",
            hint="Both must name the one that is guarded.",
        )
    guard.require_superuser(url)
    return url


def _as_json(report: MigrationReport, *, guard_changed: bool) -> dict[str, object]:
    return {
        "changed": report.changed or guard_changed,
        "revision_before": report.revision_before,
        "revision": report.revision,
        "functions": report.functions,
        "app_migrations": report.app_migrations,
        "guard": report.guard.value,
        "findings": [
            {
                "check": finding.check,
                "severity": finding.severity.value,
                "object": finding.object,
                "message": finding.message,
                "fix": finding.fix,
            }
            for finding in report.findings
        ],
    }


def _print(report: MigrationReport, *, guard_changed: bool) -> None:
    before = report.revision_before or "nothing"
    if report.changed or guard_changed:
        print_fields(
            {
                "schema": report.revision if before == report.revision else f"{before} → {report.revision}",
                "functions": "\n".join(report.functions) or "unchanged",
                "app tables": "\n".join(report.app_migrations) or "unchanged",
                "guard": _GUARD_IS[report.guard],
            }
        )
    else:
        say(f"Nothing to do: the schema is {report.revision}, and every function is that of this code.")
        if report.guard in (GuardState.OUTDATED, GuardState.DISABLED):
            note(f"The guard is {_GUARD_IS[report.guard]}")
    if report.findings:
        note(f"Serious, and not a migration's to mend: {', '.join(_objects(report))}. See: partywall audit")


def _objects(report: MigrationReport) -> list[str]:
    return list(dict.fromkeys(finding.object for finding in report.findings))


_GUARD_IS = {
    GuardState.ABSENT: "not installed",
    GuardState.CURRENT: "watching",
    GuardState.OUTDATED: "that of other code; renew it with: partywall migrate --with-guard",
    GuardState.DISABLED: "switched off; switch it on with: partywall migrate --with-guard",
}
