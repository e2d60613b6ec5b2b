"""`partywall enqueue`: give a tenant a job."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer

from cli.database import operator_connection
from cli.errors import BadInputError
from cli.output import Json, print_json, say
from cli.task_modules import load_task_modules
from db.context import TenantContext
from db.roles import Role
from db.session import tenant_session
from db.tenants import open_tenant


def enqueue(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's slug.", show_default=False)],
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="The task's name: orders.import_csv.", show_default=False)
    ],
    payload: Annotated[
        str, typer.Option(metavar="JSON|@FILE|-", help="The payload: JSON, @ and a file of it, or - for stdin.")
    ] = "{}",
    run_at: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="Not before: 2026-12-01T03:00Z. Now if left out.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a tenant a job and print the job's id.

    Example: partywall enqueue acme orders.import_csv --payload '{"file": "orders.csv"}'
    """
    parsed = _payload(payload)
    moment = None if run_at is None else _moment(run_at)
    with operator_connection() as connection:
        context = open_tenant(connection, tenant)
    job_id = _enqueue(context, task, parsed, moment)
    if as_json:
        print_json({"id": job_id, "tenant": tenant, "task": task})
    else:
        say(str(job_id))


def _enqueue(context: TenantContext, task: str, payload: Any, run_at: datetime | None) -> UUID:
    # Brings Celery along, half a second that no other command should wait for.
    from tasks import producing, registry
    from tasks.errors import PayloadInvalidError, UnknownTaskError

    load_task_modules()
    try:
        with tenant_session(context, role=Role.OPERATOR) as session:
            return producing.enqueue(session, task, payload, run_at=run_at)
    except UnknownTaskError as error:
        names = sorted(name for name, declared in registry.declared().items() if not declared.tenantless)
        raise BadInputError(error.message, task=task, hint=f"There are: {', '.join(names) or 'none'}.") from None
    except PayloadInvalidError as error:
        wrong = "; ".join(f"{each.pointer or 'the whole'}: {each.detail}" for each in error.errors)
        raise BadInputError(f"the payload does not fit {task}: {wrong}") from None


def _payload(given: str) -> Any:
    where, text = _text(given)
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise BadInputError(
            f"{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            hint="""Quote it for the shell: --payload '{"file": "orders.csv"}'.""",
        ) from None
    except RecursionError:
        raise BadInputError(f"{where} is nested too deeply") from None


def _text(given: str) -> tuple[str, str]:
    try:
        if given == "-":
            return "stdin", sys.stdin.read()
        if given.startswith("@"):
            return given[1:], Path(given[1:]).read_text(encoding="utf-8")
        return "--payload", given
    except OSError as error:
        raise BadInputError(f"cannot read {given[1:]}: {error.strerror}", hint="Name a file after @.") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{given.removeprefix('@')} is not UTF-8", hint="Save it as UTF-8.") from None


def _no_number(name: str) -> NoReturn:
    raise BadInputError(f"{name} is not JSON", hint="Leave it out, or write null.")


def _moment(spelled: str) -> datetime:
    hint = "Write it as 2026-12-01T03:00Z or 2026-12-01T03:00+01:00."
    try:
        moment = datetime.fromisoformat(spelled)
        if moment.tzinfo is None:
            raise BadInputError(f"--run-at {spelled} names no time zone", hint=hint)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(f"--run-at {spelled} is not a moment", hint=hint) from None
