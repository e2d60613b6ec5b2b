"""The way of one call through a worker: admit, enter, validate, run, commit, leave.

A call was published through Celery itself: `.delay()`, a canvas, a retry. No job stands behind it, so Celery's rules
hold for delivery and retries; the tenant's context is the same.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from db import calls
from db.attempts import abandon
from db.calls import Admission
from db.errors import PartywallError, TenantSuspendedError
from db.roles import Role
from db.session import become, platform_connection
from tasks.body import run_body, run_where
from tasks.declaration import Body, TaskDeclaration
from tasks.discretion import failure_of, kind_of, place_of, retry_without_text
from tasks.errors import CallArgumentsError, CallIdError, DatabaseAwayError, PayloadInvalidError
from tasks.holding import AWAY_SECONDS
from tasks.job import CalledJob, JobTenant
from tasks.publisher import publishing_as
from tasks.settings import TaskSettings

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

log = structlog.get_logger(__name__)


class CallHeldError(Exception):
    """Nothing was run. Send the call again in `seconds`."""

    def __init__(self, reason: PartywallError, *, seconds: float, admission: Admission | None = None) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.seconds = seconds
        self._admission = admission

    def publishing(self) -> AbstractContextManager[None]:
        """Return the tenant's context: published in it, the call and all that follows it get tokens that live anew.

        Without an admission they keep those they have.
        """
        return nullcontext() if self._admission is None else _publishing(self._admission)


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
    return run_where(declaration, partial(_enter_and_run, declaration, body, token, call_id, number, arguments))


def _enter_and_run(
    declaration: TaskDeclaration, body: Body, token: str, call_id: str, number: int, arguments: Arguments
) -> Any:
    with (
        structlog.contextvars.bound_contextvars(task=declaration.name, call=call_id, number=number, tenant=None),
        ExitStack() as stack,
    ):
        try:
            known_id = _uuid(call_id, declaration)
            connection, admission = _admit(stack, declaration, token, known_id)
            structlog.contextvars.bind_contextvars(tenant=admission.tenant_slug)
            payload = _payload(declaration, arguments)
        except PartywallError as refusal:
            log.warning("call_refused", error=kind_of(refusal), reason=str(refusal))
            raise
        become(connection, admission.context)
        calls.fence(connection)
        tenant = JobTenant(id=admission.context.tenant_id, slug=admission.tenant_slug, name=admission.tenant_name)
        job = CalledJob(connection, admission.context, id=known_id, attempt=number, tenant=tenant)
        return _run(declaration, body, job, payload, admission)


def _admit(stack: ExitStack, declaration: TaskDeclaration, token: str, call_id: UUID) -> tuple[Connection, Admission]:
    try:
        connection = stack.enter_context(platform_connection(Role.WORKER))
        admission = calls.admit(
            connection,
            token=token,
            call_id=call_id,
            task_name=declaration.name,
            runs_for_deleted=declaration.runs_for_deleted,
            lifetime_seconds=declaration.lease_seconds,
        )
    except (InterfaceError, OperationalError) as error:
        # Nothing was run, so nothing is lost if it runs later.
        log.warning("call_held", reason=kind_of(error.orig))
        raise CallHeldError(DatabaseAwayError(), seconds=AWAY_SECONDS) from None
    if admission.held:
        log.info("call_held", tenant=admission.tenant_slug, reason="the tenant is suspended")
        refusal = TenantSuspendedError(
            tenant=admission.tenant_slug, hint="It runs once an operator has resumed the tenant."
        )
        raise CallHeldError(refusal, seconds=TaskSettings.load().call_hold_seconds, admission=admission)
    return connection, admission


def _run(declaration: TaskDeclaration, body: Body, job: CalledJob, payload: Any, admission: Admission) -> Any:
    about: dict[str, Any] = {"task": declaration.name, "call": job.id}
    log.info("call_started")
    try:
        result = _run_and_commit(declaration, body, job, payload, admission)
    except Ignore:
        raise
    except Retry as retry:
        _roll_back(job)
        log.info("call_retried", error=kind_of(retry.exc))
        raise retry_without_text(retry, **about) from None
    except Reject as rejection:
        _roll_back(job)
        log.warning("call_rejected", where=place_of(rejection))
        raise Reject(failure_of(rejection, **about), requeue=bool(vars(rejection)["requeue"])) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: whatever a body raises ends here
        _roll_back(job)
        log.warning("call_failed", error=kind_of(error), where=place_of(error))
        raise failure_of(error, **about) from None
    finally:
        job.close()
    log.info("call_succeeded")
    return result


def _roll_back(job: CalledJob) -> None:
    try:
        abandon(job.connection)
    except Exception as error:  # noqa: BLE001 - the edge: raised from here, it would carry the body's error into the log
        # What could not be rolled back is closed when the connection goes back to the pool.
        log.warning("rollback_failed", error=kind_of(error))


def _run_and_commit(
    declaration: TaskDeclaration, body: Body, job: CalledJob, payload: Any, admission: Admission
) -> Any:
    try:
        with _publishing(admission):
            result = run_body(declaration, body, job, payload, job.connection)
    except Ignore:
        # Replaced: what it did so far is kept, and the replacement goes on from there.
        job.flush()
        job.connection.commit()
        raise
    job.connection.commit()
    return result


def _publishing(admission: Admission) -> AbstractContextManager[None]:
    return publishing_as(admission.context, role=Role.WORKER, label=admission.tenant_slug)


def _payload(declaration: TaskDeclaration, arguments: Arguments) -> Any:
    try:
        return declaration.read_payload(payload_of(declaration.name, *arguments))
    except PayloadInvalidError as refusal:
        # Logs and result backends are not the tenant's; the process that published it can ask for more.
        raise refusal.without_text() from None


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
        keywords=len(kwargs),
        hint="Pass the payload, or its fields as keywords; in a chain, .si() leaves the result before it out.",
    )


def _uuid(call_id: str, declaration: TaskDeclaration) -> UUID:
    try:
        return UUID(call_id)
    except ValueError:
        raise CallIdError(task=declaration.name, hint="Leave task_id out, or pass a UUID.") from None
