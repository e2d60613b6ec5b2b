"""`partywall bootstrap` and `partywall migrate`: making a database ours, and keeping it of this code's age."""

import typer

from cli.errors import BadInputError
from cli.output import Json, print_fields, print_json, print_table, say
from db import migrate as migrations
from db.dsn import Dsn, setting_name
from db.errors import SettingMissingError
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
    if settings.admin_database_url is None:
        raise SettingMissingError(
            setting=ADMIN_SETTING, hint="Set it to the DSN of a superuser, for this command only."
        )
    url = settings.admin_database_url.get_secret_value()
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


def migrate(as_json: Json = False) -> None:
    """Bring the database to this code: tables, functions, the adopter's tables. Changes nothing twice.

    Logs in with PARTYWALL_MIGRATOR_DATABASE_URL. Any number may run at once; one works, the others wait.

    Example: partywall migrate
    """
    url = DatabaseSettings.load().url(Role.MIGRATOR)
    Dsn.parse(url, setting=setting_name(Role.MIGRATOR))
    report = migrations.migrate(url)
    if as_json:
        print_json(
            {
                "changed": report.changed,
                "revision_before": report.revision_before,
                "revision": report.revision,
                "functions": report.functions,
                "app_migrations": report.app_migrations,
            }
        )
    elif report.changed:
        before = report.revision_before or "nothing"
        print_fields(
            {
                "schema": report.revision if before == report.revision else f"{before} → {report.revision}",
                "functions": "\n".join(report.functions) or "unchanged",
                "app tables": "\n".join(report.app_migrations) or "unchanged",
            }
        )
    else:
        say(f"Nothing to do: the schema is {report.revision}, and every function is that of this code.")
