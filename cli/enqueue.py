"""`partywall enqueue`: give a tenant a job."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cli.database import operator_connection
from cli.errors import BadInputError
from cli.moments import moment
from cli.output import Json, note, print_json, say
from cli.task_modules import load_task_modules
from db.accepting import PRIORITY_LIMIT, Accepted, IfLive, Wishes
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
    expires_at: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="Not started by then, it never runs.", show_default=False)
    ] = None,
    unique_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="No second live job of the tenant has it.", show_default=False)
    ] = None,
    if_live: Annotated[
        IfLive, typer.Option(metavar="reject|return", help="What to do when one has: fail, or print its id.")
    ] = "reject",
    idempotency_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The same request sent again is the same job.", show_default=False),
    ] = None,
    priority: Annotated[
        int, typer.Option(metavar="NUMBER", min=-PRIORITY_LIMIT, max=PRIORITY_LIMIT, help="More starts first.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Give a tenant a job and print the job's id.

    Example: partywall enqueue acme orders.import_csv --payload '{"file": "orders.csv"}'
    """
    parsed = _payload(payload)
    wishes = replace(_wishes(run_at, expires_at, unique_key, if_live, idempotency_key), priority=priority)
    with operator_connection() as connection:
        context = open_tenant(connection, tenant)
    accepted = _enqueue(context, task, parsed, wishes)
    if as_json:
        print_json({"id": accepted.job_id, "tenant": tenant, "task": task, "is_new": accepted.is_new})
        return
    say(str(accepted.job_id))
    if not accepted.is_new:
        note("Accepted before, under the same key.")


def _wishes(
    run_at: str | None, expires_at: str | None, unique_key: str | None, if_live: IfLive, idempotency_key: str | None
) -> Wishes:
    starts = None if run_at is None else moment(run_at, option="--run-at")
    expires = None if expires_at is None else moment(expires_at, option="--expires-at")
    if starts is not None and expires is not None and expires <= starts:
        raise BadInputError("--expires-at is not after --run-at: the job would never run", hint="Correct one of them.")
    for option, key in (("--unique-key", unique_key), ("--idempotency-key", idempotency_key)):
        if key == "":
            # In a script, most often a variable that was not set; all its jobs would share one key.
            raise BadInputError(f"{option} is empty", hint="Name a key, or leave the option out.")
    return Wishes(
        run_at=starts, expires_at=expires, idempotency_key=idempotency_key, unique_key=unique_key, if_live=if_live
    )


def _enqueue(context: TenantContext, task: str, payload: Any, wishes: Wishes) -> Accepted:
    # Brings Celery along, half a second that no other command should wait for.
    from tasks import producing, registry
    from tasks.errors import PayloadInvalidError, UnknownTaskError

    load_task_modules()
    try:
        with tenant_session(context, role=Role.OPERATOR) as session:
            return producing.accept(session, task, payload, wishes=wishes)
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
