"""`partywall check`: what is wrong with the settings, in plain words."""

from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Annotated

import typer

from cli.broker_diagnosis import diagnose_broker
from cli.exit_codes import ExitCode
from cli.output import Json, note, print_json, print_table
from db.diagnosis import Finding, Verdict, diagnose
from db.roles import Role
from db.settings import DatabaseSettings


class Part(StrEnum):
    """What can be checked: a role's DSN, or the broker."""

    MIGRATOR = Role.MIGRATOR.value
    WORKER = Role.WORKER.value
    API = Role.API.value
    DISPATCHER = Role.DISPATCHER.value
    SCHEDULER = Role.SCHEDULER.value
    OPERATOR = Role.OPERATOR.value
    BROKER = "broker"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(check)


def check(
    parts: Annotated[
        list[Part] | None,
        typer.Argument(
            metavar="PART",
            help=f"Only these of {', '.join(Part)}; all if left out.",
            show_default=False,
            show_choices=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say in plain words what is wrong with each role's DSN and with the broker.

    Asks only, changes nothing. Exit code 0: nothing fails; 1: something does.

    Example: partywall check worker broker
    """
    found = [(part, finding) for part, findings in _examine(parts or list(Part)) for finding in findings]
    failures = sum(finding.verdict is Verdict.FAIL for _, finding in found)
    if as_json:
        checks = [
            {"what": part, "verdict": finding.verdict, "words": finding.words, "fix": finding.fix}
            for part, finding in found
        ]
        print_json({"ok": not failures, "checks": checks})
    else:
        _print_findings(found)
    if failures:
        if not as_json:
            note(f"Failed: {failures} of {len(found)}.")
        raise typer.Exit(ExitCode.FAILED)


def _print_findings(found: list[tuple[str, Finding]]) -> None:
    # Where all is well there is nothing to fix, and no room to waste on saying so.
    columns = ("what", "verdict", "in words", "fix")[: 4 if any(finding.fix for _, finding in found) else 3]
    rows = [(part, finding.verdict, finding.words, finding.fix or "")[: len(columns)] for part, finding in found]
    print_table(columns, rows, empty="")


def _examine(parts: list[Part]) -> list[tuple[str, list[Finding]]]:
    # Brings Celery along, half a second that no other command should wait for.
    from tasks.settings import TaskSettings

    databases, broker_url = DatabaseSettings.load(), TaskSettings.load().broker_url

    def examine(part: Part) -> list[Finding]:
        if part is Part.BROKER:
            return diagnose_broker(broker_url.get_secret_value() if broker_url else None)
        return diagnose(Role(part.value), databases)

    # At once: a host that does not answer costs its timeout for each.
    with ThreadPoolExecutor(max_workers=len(Part)) as threads:
        return list(zip([part.value for part in parts], threads.map(examine, parts), strict=True))
