"""The command itself: what was asked, from whom, and the exit code."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.audit.record import record
from cli.audit.sarif import sarif_log
from cli.audit.screen import show
from cli.errors import BadInputError
from cli.exit_codes import ExitCode
from cli.output import Json, print_json
from db.audit import AuditReport, Severity, audit
from db.audit.fixing import Repair, fix_database
from db.bare_connection import bare_connection
from db.dsn import Dsn, setting_name
from db.roles import Role
from db.settings import DatabaseSettings


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("audit")(audit_database)


def audit_database(
    schemas: Annotated[
        list[str] | None,
        typer.Option(
            "--schema", metavar="NAME", help="A schema with tenants' tables; app if left out.", show_default=False
        ),
    ] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="LOGIN", help="A login to judge; the platform's if left out.", show_default=False
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="DSN", help="Which database; the operator's, with --fix the migrator's.", show_default=False
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Run the fixes that the owner of the tables may run.")] = False,
    as_json: Json = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print a SARIF 2.1.0 log and nothing else.")] = False,
) -> None:
    """Find what lets one tenant reach another: tables, policies, keys, views, functions, roles, rights.

    Reads the catalog only, of any database; --fix changes it. Exit code 0: nothing of high severity; 1: something.

    Example: partywall audit --schema app --schema billing
    """
    if as_json and as_sarif:
        raise BadInputError("--json and --sarif are two answers", hint="Ask for one of them.")
    url = _url(database_url, Role.MIGRATOR if fix else Role.OPERATOR)
    repairs, report = _audited(url, schemas=schemas or ["app"], roles=roles or None, fix=fix)
    if as_json:
        print_json(record(report, repairs))
    elif as_sarif:
        print_json(sarif_log(report))
    else:
        show(report, repairs)
    if report.at_least(Severity.HIGH):
        raise typer.Exit(ExitCode.FAILED)


def _audited(
    url: str, *, schemas: Sequence[str], roles: Sequence[str] | None, fix: bool
) -> tuple[list[Repair], AuditReport]:
    if fix:
        return fix_database(url, schemas=schemas, roles=roles)
    with bare_connection(url) as connection:
        return [], audit(connection, schemas=schemas, roles=roles)


def _url(given: str | None, role: Role) -> str:
    setting = setting_name(role) if given is None else "--database-url"
    url = DatabaseSettings.load().url(role) if given is None else given
    Dsn.parse(url, setting=setting)
    return url
