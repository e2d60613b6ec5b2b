"""The way of one message through a worker: claim, enter, validate, run, finish or fail, leave."""

import traceback
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import attempts
from db.attempts import Attempt
from db.errors import (
    LeaseLostError,
    TenantDeletingError,
    TenantSuspendedError,
    TokenExpiredError,
)
from db.roles import Role
from db.session import become, platform_connection
from tasks.body import run_body, run_where
from tasks.declaration import Body, TaskDeclaration
from tasks.errors import AttemptFailedError
from tasks.job import Job
from tasks.message import JobMessage
from tasks.publisher import publishing_as
from tasks.redaction import redact
from tasks.rejection import rejected
from tasks.retrying import reason_of

MAX_TRACEBACK_CHARACTERS = 16_000

log = structlog.get_logger(__name__)


def run_message(declaration: TaskDeclaration, body: Body, message: JobMessage, *, worker: str) -> None:
    """Run the jobs a message names, each in its tenant's context and its own transaction.

    Raises:
        celery.exceptions.Reject: nothing was run, loudly: the tenant may not work, or there is no job to claim.
        AttemptFailedError: an attempt failed; its job's row says why and when it runs again.
    """
    run_where(declaration, partial(_run_jobs, declaration, body, message, worker))


def _run_jobs(declaration: TaskDeclaration, body: Body, message: JobMessage, worker: str) -> None:
    failures: list[AttemptFailedError] = []
    with platform_connection(Role.WORKER) as connection:
        for attempt in _claim(connection, declaration, message, worker):
            with structlog.contextvars.bound_contextvars(
                tenant=attempt.tenant_slug,
                job=str(attempt.job_id),
                attempt=attempt.number,
                task=declaration.name,
            ):
                try:
                    _run_attempt(connection, declaration, body, attempt)
                except AttemptFailedError as failure:
                    # The message's other jobs are claimed: they run, whatever became of this one.
                    failures.append(failure)
    if failures:
        raise failures[0]


def _claim(connection: Connection, declaration: TaskDeclaration, message: JobMessage, worker: str) -> list[Attempt]:
    facts = {"task": declaration.name, "jobs": [str(job_id) for job_id in message.job_ids]}
    try:
        claimed = _claim_once(connection, declaration, message, worker)
    except (TenantSuspendedError, TenantDeletingError) as refusal:
        raise rejected("message_refused", refusal, **facts) from None
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The connection died in the pool, for example when PostgreSQL restarted. A second one tells the difference.
        connection.rollback()
        claimed = _claim_once(connection, declaration, message, worker)
    if not claimed:
        raise rejected("message_dropped", "no such job is waiting for this message", **facts)
    return claimed


def _claim_once(
    connection: Connection, declaration: TaskDeclaration, message: JobMessage, worker: str
) -> list[Attempt]:
    return attempts.claim(
        connection,
        tenant_id=message.tenant_id,
        job_ids=message.job_ids,
        nonce=message.nonce,
        task_name=declaration.name,
        worker=worker,
        lease_seconds=declaration.lease_seconds,
    )


def _run_attempt(connection: Connection, declaration: TaskDeclaration, body: Body, attempt: Attempt) -> None:
    become(connection, attempt.context)
    attempts.fence(connection)
    job = Job.of(attempt, connection)
    log.info("attempt_started")
    try:
        payload = declaration.read_payload(attempt.payload)
        with publishing_as(attempt.context, role=Role.WORKER, label=attempt.tenant_slug):
            result = run_body(declaration, body, job, payload, connection)
        attempts.finish(connection, result=result)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: whatever a body raises is recorded here
        _record_failure(connection, declaration, attempt, error)
    else:
        log.info("attempt_succeeded")
    finally:
        job.close()


def _record_failure(
    connection: Connection, declaration: TaskDeclaration, attempt: Attempt, error: BaseException
) -> None:
    cause = reason_of(error)
    kind = type(cause).__name__
    try:
        attempts.abandon(connection)
        state = attempts.fail(
            connection,
            error=_describe(cause),
            retry_after_seconds=declaration.retry.delay_after(attempt.number, error),
        )
    except (LeaseLostError, TokenExpiredError):
        # The token lives as long as the lease did: either way the job is the reaper's or another attempt's.
        log.warning("attempt_superseded", error=kind)
        raise AttemptFailedError(
            "the attempt lost its lease", job=attempt.job_id, attempt=attempt.number, error=kind
        ) from None
    except Exception as away:  # noqa: BLE001 - the edge: raised from here, it would carry the body's error into the log
        # The lease will run out and the reaper gives the job back. Not chained: the body's error may quote data.
        log.error("failure_not_recorded", error=kind, because=type(away).__name__)
        raise AttemptFailedError(
            "the attempt failed, and the database could not be told",
            job=attempt.job_id,
            attempt=attempt.number,
            error=kind,
        ) from None
    log.warning("attempt_failed", error=kind, state=state.value)
    # Not the exception itself: its text may quote the tenant's data, and Celery hands it to Flower.
    raise AttemptFailedError(job=attempt.job_id, attempt=attempt.number, error=kind, state=state.value) from None


def _describe(error: BaseException) -> dict[str, Any]:
    """Return what the job's row keeps: {type, message, traceback}, without secrets, the end of a long one."""
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": redact(_words_of(error))[:2000],
        "traceback": redact(lines)[-MAX_TRACEBACK_CHARACTERS:],
    }


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error of the body's own making may not even be able to say what it is
        return "it cannot be shown"
