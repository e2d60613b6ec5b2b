"""`partywall check`: what is wrong with the settings, in plain words."""

from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Annotated

import typer

from cli.exit_codes import ExitCode
from cli.output import Json, note, print_json, print_table
from cli.task_modules import diagnose_task_modules
from db.diagnosis import Finding, Verdict, diagnose
from db.roles import Role
from db.settings import DatabaseSettings


class Part(StrEnum):
    """What can be checked: a role's DSN, the broker, Celery's result backend, or the modules that declare tasks."""

    MIGRATOR = Role.MIGRATOR.value
    WORKER = Role.WORKER.value
    API = Role.API.value
    DISPATCHER = Role.DISPATCHER.value
    SCHEDULER = Role.SCHEDULER.value
    OPERATOR = Role.OPERATOR.value
    BROKER = "broker"
    RESULT_BACKEND = "result-backend"
    TASKS = "tasks"


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
    """Say in plain words what is wrong with the DSNs, broker, result backend (if there is one) and task modules.

    Asks only, changes nothing. Exit code 0: nothing fails; 1: something does.

    Example: partywall check worker broker
    """
    found = [(part, finding) for part, findings in _examine(parts) for finding in findings]
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


def _examine(parts: list[Part] | None) -> list[tuple[str, list[Finding]]]:
    # They bring redis-py and Celery along, half a second that no other command should wait for.
    from cli.broker_diagnosis import diagnose_broker, diagnose_result_backend
    from tasks.settings import TaskSettings

    databases, tasks = DatabaseSettings.load(), TaskSettings.load()
    broker, results = (url.get_secret_value() if url else None for url in (tasks.broker_url, tasks.result_backend_url))

    def examine(part: Part) -> list[Finding]:
        match part:
            case Part.BROKER:
                return diagnose_broker(broker)
            case Part.RESULT_BACKEND:
                return diagnose_result_backend(results)
            case Part.TASKS:
                return diagnose_task_modules()
            case _:
                return diagnose(Role(part.value), databases)

    # One that is not there is nothing wrong: who asked for everything does not hear of it.
    chosen = parts or [part for part in Part if part is not Part.RESULT_BACKEND or results]
    # At once: a host that does not answer costs its timeout for each.
    with ThreadPoolExecutor(max_workers=len(Part)) as threads:
        return list(zip([part.value for part in chosen], threads.map(examine, chosen), strict=True))
