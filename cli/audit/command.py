"""The command itself: what was asked, from whom, and the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from cli.audit.record import record
from cli.audit.sarif import sarif_log
from cli.audit.screen import show
from cli.errors import BadInputError
from cli.exit_codes import ExitCode
from cli.output import Json, print_json
from db import guard
from db.audit import AuditReport, Severity, audit
from db.audit.fixing import Repair, fix_database
from db.audit.probe import ProbeReport, probe_database
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
            "--schema",
            metavar="NAME",
            help="A schema with tenants' tables; partywall and app (with the guard: what it watches) if left out.",
            show_default=False,
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
            metavar="DSN", help="Which database, and as whom; the platform's if left out.", show_default=False
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Run the fixes that the owner of the tables may run.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Play the attacks, too, and roll them back.")] = False,
    as_json: Json = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print a SARIF 2.1.0 log and nothing else.")] = False,
) -> None:
    """Find what lets one tenant reach another: tables, policies, keys, views, functions, roles, rights.

    Reads the catalog, of any database. --probe acts as the worker, in transactions that are rolled back; --fix changes
    what it can. Exit code 0: nothing of high severity; 1: something.

    Example: partywall audit --schema app --schema billing --probe
    """
    if as_json and as_sarif:
        raise BadInputError("--json and --sarif are two answers", hint="Ask for one of them.")
    asked = _Asked(schemas or None, roles or None, database_url)
    repairs, report = _fixed(asked) if fix else ([], _audited(asked))
    probes = _probed(asked, report) if probe else []
    for each in probes:
        report = report.with_more(each.findings, each.exempted)
    if as_json:
        print_json(record(report, repairs, probes))
    elif as_sarif:
        print_json(sarif_log(report))
    else:
        show(report, repairs, probes)
    if report.at_least(Severity.HIGH):
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    schemas: Sequence[str] | None
    """None: every schema that holds tenants' rows, as the database says."""
    roles: Sequence[str] | None
    database_url: str | None

    def url(self, role: Role) -> str:
        """Return the DSN that was given, or the role's."""
        url = DatabaseSettings.load().url(role) if self.database_url is None else self.database_url
        Dsn.parse(url, setting=setting_name(role) if self.database_url is None else "--database-url")
        return url


def _audited(asked: _Asked) -> AuditReport:
    with bare_connection(asked.url(Role.OPERATOR)) as connection:
        return audit(connection, schemas=asked.schemas or guard.walled_schemas(connection), roles=asked.roles)


def _fixed(asked: _Asked) -> tuple[list[Repair], AuditReport]:
    return fix_database(asked.url(Role.MIGRATOR), schemas=asked.schemas, roles=asked.roles)


def _probed(asked: _Asked, report: AuditReport) -> list[ProbeReport]:
    settings = DatabaseSettings.load()
    operator = settings.url(Role.OPERATOR) if settings.operator_database_url else None
    logins: Sequence[str | None] = asked.roles or [None]
    return [
        probe_database(
            asked.url(Role.WORKER), operator, login=login, schemas=report.schemas, exemptions=report.exemptions
        )
        for login in logins
    ]
