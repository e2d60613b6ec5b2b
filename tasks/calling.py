"""The way of one call through a worker: admit, enter, validate, run, commit, leave.

A call was published through Celery itself: `.delay()`, a canvas, a retry. No job stands behind it, so Celery's rules
hold for delivery and retries; the tenant's context is the same.
"""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import calls
from db.attempts import abandon
from db.calls import Admission
from db.errors import PartywallError, TenantSuspendedError
from db.roles import Role
from db.session import become, platform_connection
from tasks.body import run_body
from tasks.declaration import Body, TaskDeclaration
from tasks.errors import CallArgumentsError, CallFailedError, CallIdError, DatabaseAwayError
from tasks.job import CalledJob, JobTenant
from tasks.publisher import publishing_as
from tasks.stamping import lifetime_seconds

HOLD_SECONDS = 10.0
"""How long a call of a suspended tenant rests at the broker before its worker looks again."""
AWAY_SECONDS = 5.0
"""The same while PostgreSQL is away."""

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

log = structlog.get_logger(__name__)


class CallHeldError(Exception):
    """The call cannot run now; send it again after `seconds`, with `token`."""

    def __init__(self, reason: Exception, *, token: str, seconds: float) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.token = token
        self.seconds = seconds


def run_call(
    declaration: TaskDeclaration, body: Body, *, token: str, call_id: str, number: int, arguments: Arguments
) -> Any:
    """Run the body in the tenant the token was minted for; return its result as JSON, for Celery to pass on.

    Raises:
        PartywallError: nothing was run: the call may not enter, or its payload does not fit.
        CallHeldError: nothing was run yet.
        CallFailedError: the body failed and nothing of it was kept. Its own error may quote the tenant's data, so
            neither Flower nor a result backend gets to see it.
        celery.exceptions.TaskPredicate: the body asked Celery for something.
    """
    with structlog.contextvars.bound_contextvars(task=declaration.name, call=call_id, number=number, tenant=None):
        known_id = _uuid(call_id, declaration)
        with platform_connection(Role.WORKER) as connection:
            admission = _admit(connection, declaration, token, known_id)
            structlog.contextvars.bind_contextvars(tenant=admission.tenant_slug)
            return _run(connection, declaration, body, admission, known_id, number, arguments)


def _admit(connection: Connection, declaration: TaskDeclaration, token: str, call_id: UUID) -> Admission:
    try:
        admission = _admit_once(connection, declaration, token, call_id)
    except PartywallError as refusal:
        log.warning("call_refused", reason=str(refusal))
        raise
    except DBAPIError as error:
        # Nothing was run, so nothing is lost if it runs later.
        log.warning("call_held", reason=type(error.orig).__name__)
        raise CallHeldError(DatabaseAwayError(), token=token, seconds=AWAY_SECONDS) from None
    if admission.held:
        log.info("call_held", tenant=admission.tenant_slug, reason="the tenant is suspended")
        raise CallHeldError(
            TenantSuspendedError(tenant=admission.tenant_slug, hint="It runs once an operator has resumed the tenant."),
            token=admission.context.token,
            seconds=HOLD_SECONDS,
        )
    return admission


def _admit_once(connection: Connection, declaration: TaskDeclaration, token: str, call_id: UUID) -> Admission:
    return calls.admit(
        connection,
        token=token,
        call_id=call_id,
        task_name=declaration.name,
        runs_for_deleted=declaration.runs_for_deleted,
        lifetime_seconds=lifetime_seconds(),
    )


def _run(
    connection: Connection,
    declaration: TaskDeclaration,
    body: Body,
    admission: Admission,
    call_id: UUID,
    number: int,
    arguments: Arguments,
) -> Any:
    payload = declaration.read_payload(payload_of(declaration.name, *arguments))
    become(connection, admission.context)
    calls.fence(connection)
    tenant = JobTenant(id=admission.context.tenant_id, slug=admission.tenant_slug, name=admission.tenant_name)
    job = CalledJob(connection, admission.context, id=call_id, attempt=number, tenant=tenant)
    log.info("call_started")
    try:
        with publishing_as(admission.context, role=Role.WORKER, label=admission.tenant_slug):
            result = run_body(declaration, body, job, payload, connection)
        connection.commit()
    except Ignore:
        # Replaced: what it did so far is kept, and the replacement goes on from there.
        job.flush()
        connection.commit()
        raise
    except Retry as retry:
        abandon(connection)
        log.info("call_retried", error=_kind(retry.exc))
        raise _without_text(retry, declaration, call_id) from None
    except Reject:
        abandon(connection)
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: whatever a body raises ends here
        abandon(connection)
        log.warning("call_failed", error=_kind(error), where=_where(error))
        raise CallFailedError(task=declaration.name, call=call_id, error=_kind(error)) from None
    finally:
        job.close()
    log.info("call_succeeded")
    return result


def payload_of(task_name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return a call's payload: its one argument, its keywords, or both where the argument is a mapping.

    A task in a chain gets the result before it as the argument; keywords of its own then go on top.

    Raises:
        CallArgumentsError: there is more than one argument, or nothing that keywords could go on top of.
    """
    if not args:
        return dict(kwargs)
    if len(args) == 1 and not kwargs:
        return args[0]
    if len(args) == 1 and isinstance(args[0], Mapping):
        return {**args[0], **kwargs}
    raise CallArgumentsError(
        task=task_name,
        arguments=len(args),
        keywords=sorted(kwargs),
        hint="Pass the payload, or its fields as keywords; in a chain, .si() leaves the result before it out.",
    )


def _uuid(call_id: str, declaration: TaskDeclaration) -> UUID:
    try:
        return UUID(call_id)
    except ValueError:
        raise CallIdError(task=declaration.name, hint="Leave task_id out, or pass a UUID.") from None


def _without_text(retry: Retry, declaration: TaskDeclaration, call_id: UUID) -> Retry:
    reason = CallFailedError(task=declaration.name, call=call_id, error=_kind(retry.exc))
    told: Any = retry
    return Retry(exc=reason, when=told.when, is_eager=told.is_eager, sig=told.sig)


def _kind(error: BaseException | None) -> str:
    return type(error).__name__


def _where(error: BaseException) -> list[str]:
    """Return the last lines of code it passed: enough to find it, and nothing of what they held."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
